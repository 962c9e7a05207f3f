from dataclasses import replace

import numpy as np
import pytest

from tamperscope.errors import ForgeError, RecipeError
from tamperscope.synth.forge import check_recipe, finished, make_sample
from tamperscope.synth.operations import OPERATIONS
from tamperscope.synth.postprocess import CHAINS, Chain, Post, apply_chain, through_jpeg
from tamperscope.synth.recipe import find_recipe, read_recipe
from tests.synth.panels import PLAIN, Noise, NumberedSource, TexturedSource, error_of, made

HEAD = 'format = "tamperscope-recipe/1"\nsize = [96, 112]\n'
SOURCE = TexturedSource(modalities=("blot", "microscopy", "facs", "macroscopy", "photo"))
EVERYTHING = read_recipe(
    HEAD + "labels = 0.2\n" + "".join(f"[operations.{name}]\n" for name in OPERATIONS), "all"
)


def sample_of(index, recipe=EVERYTHING, source=SOURCE, **changes):
    wanted = {"seed": 3, "epoch": 0} | changes
    return make_sample(recipe, source, wanted["seed"], wanted["epoch"], index, (Noise(),))


def bytes_of(sample):
    arrays = (*sample.panels, *sample.sources, *sample.targets)
    return [array.tobytes() for array in arrays], sample.parameters, sample.names


@pytest.mark.parametrize("index", range(40))
def test_every_sample_is_whole(index):
    sample = sample_of(index)
    assert all(panel.shape == (96, 112, 3) for panel in sample.panels)
    assert len(sample.panels) == OPERATIONS[sample.operation].panels
    assert sample.kind == OPERATIONS[sample.operation].kind
    marked = any(mask.any() for mask in sample.targets)
    assert marked == (sample.kind != "pristine")
    if sample.kind == "duplicate":
        assert sample.sources[0].any()
        assert sample.targets[1].any()


def test_a_sample_is_decided_by_seed_epoch_and_index_alone():
    forward = [bytes_of(sample_of(i)) for i in range(8)]
    backward = [bytes_of(sample_of(i)) for i in reversed(range(8))]
    assert forward == backward[::-1]
    for changes in ({"seed": 4}, {"epoch": 1}):
        others = [bytes_of(sample_of(i, **changes)) for i in range(8)]
        assert all(a[0] != b[0] for a, b in zip(forward, others, strict=True))


def test_operations_come_in_the_shares_of_the_recipe():
    recipe = read_recipe(
        HEAD + "[operations.pristine]\nweight = 1\n[operations.retouch]\nweight = 3\n"
        "[operations.erase]\nweight = 0\n",
        "shares",
    )
    kinds = [sample_of(i, recipe).kind for i in range(120)]
    assert set(kinds) == {"pristine", "retouch"}
    assert 75 <= kinds.count("retouch") <= 105  # 90 expected; 3 deviations are 14


@pytest.mark.parametrize("size", [(48, 56), (130, 90)], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_masks_and_transforms_follow_a_change_of_size(seed, size):
    forgery = made("paste", seed, PLAIN)
    canvas = forgery.panels[0].shape[:2]
    chain = Chain("resize", canvas, (("resize", *size, "bicubic"),))
    sample = finished(forgery, "paste", "blot", [chain, chain], size, {})
    (link,) = sample.links
    assert all(panel.shape[:2] == size for panel in sample.panels)
    error, halved = error_of(link, sample.panels), link.matrix.copy()
    halved[:2, 2] += 2
    assert error < 4  # levels: the panels were resampled twice, and differently
    assert error_of(link, sample.panels, halved) > 2 * error
    share = link.target.mean() / forgery.targets[1].mean()
    assert share == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("seed", range(6))
def test_every_chain_ends_at_the_size_asked_for(name, seed):
    rng = np.random.default_rng(seed)
    post = replace(Post(**dict.fromkeys(CHAINS, 0.0)), **{name: 1.0})
    chain = post.draw((70, 90), rng)
    assert chain.name == name
    pixels = rng.integers(0, 256, (*chain.canvas, 3), dtype=np.uint8)
    out = apply_chain(pixels, chain)
    assert out.shape == (70, 90, 3)
    assert np.array_equal(out, pixels) == (name == "none")


def test_the_grid_of_jpeg_blocks_is_where_it_was_put():
    """Of a strong compression, levels jump at the borders of blocks more than inside them."""
    pixels = np.clip(np.random.default_rng(0).normal(120, 25, (96, 96, 3)), 0, 255).astype(np.uint8)
    for dx in (0, 3):
        out = through_jpeg(pixels, 5, 0, dx, 0).astype(int)
        jumps = np.abs(np.diff(out[..., 1], axis=1)).mean(axis=0)
        borders = [jumps[(7 - dx - shift) % 8 :: 8].mean() for shift in range(8)]
        assert np.argmax(borders) == 0


def test_a_recipe_that_the_sources_cannot_serve_is_refused():
    with pytest.raises(RecipeError, match=r"cstd: \S+ works on blot panels.*have photo"):
        check_recipe(find_recipe("cstd"), TexturedSource(modalities=("photo",)))
    with pytest.raises(RecipeError, match="no generator was given"):
        make_sample(EVERYTHING, SOURCE, 0, 0, 0)


def test_sources_that_can_show_nothing_end_in_an_error_that_says_why():
    class Empty(NumberedSource):
        def draw(self, rng, size, modality, *, sharp=False):
            panel = super().draw(rng, size, modality)
            return replace(panel, pixels=np.full_like(panel.pixels, 200))

    recipe = read_recipe(HEAD + "[operations.copy-move]\n", "copies")
    with pytest.raises(ForgeError, match=r"sample 7 .*no region with content.*48 times"):
        make_sample(recipe, Empty(), 0, 0, 7)


def test_one_group_has_no_strangers():
    class OneGroup(NumberedSource):
        def draw(self, rng, size, modality, *, sharp=False):
            return replace(super().draw(rng, size, modality), group="one")

    recipe = read_recipe(HEAD + "[operations.unrelated]\n", "strangers")
    with pytest.raises(ForgeError, match="of another group than one"):
        make_sample(recipe, OneGroup(), 0, 0, 0)


@pytest.mark.parametrize("index", range(10))
def test_plots_are_never_turned(index):
    recipe = read_recipe(
        HEAD + "[geometry]\nflip = 1\nrotate = 1\n[operations.whole]\n[operations.paste]\n",
        "turned",
    )
    for modality, turned in (("facs", False), ("blot", True)):
        sample = sample_of(index, recipe, TexturedSource(modalities=(modality,)))
        linear = sample.links[0].matrix[:2, :2]
        assert (linear[0, 1] != 0 or linear[0, 0] < 0 or linear[1, 1] < 0) == turned


def blockiness(panel):
    """Steps between columns 8 apart against all others, at the place where they are largest."""
    steps = np.abs(np.diff(panel.astype(float).mean(axis=2), axis=1)).mean(axis=0)
    return max(steps[start::8].mean() / np.delete(steps, slice(start, None, 8)).mean()
               for start in range(8))  # fmt: skip


def test_panels_may_have_been_stored_as_jpeg_before_anything_is_done():
    others = "".join(f"{name} = {int(name == 'none')}\n" for name in CHAINS)
    text = f"{HEAD}[post]\n{others}[operations.pristine]\n"
    found = [
        np.mean([blockiness(sample_of(index, recipe).panels[0]) for index in range(8)])
        for recipe in (read_recipe(text, "a"), read_recipe(text + "[look]\nstored = 1\n", "b"))
    ]
    assert found[1] - 1 > 1.5 * (found[0] - 1)
