import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import generator_tables
from tamperscope.errors import RecipeError, WeightsError
from tamperscope.models import create_model
from tamperscope.models.weights import WeightsCard, config_of, load_weights, save_weights
from tamperscope.synth import generators
from tamperscope.synth.generators import (
    NetworkGenerator,
    find_generator,
    generator_names,
    open_generators,
    read_generator_card,
)
from tamperscope.synth.layouts import layout_of
from tamperscope.synth.recipe import find_recipe, read_recipe
from tamperscope.synth.settings import Settings
from tamperscope.synth.tone import grey
from tamperscope.synth.writing import Task, write_set
from tests.synth.panels import HARD, NO_TONE, Noise, TexturedSource, made, textured

SHIPPED = generator_names()
HEAD = 'format = "tamperscope-recipe/1"\nsize = [96, 96]\n[operations.generated-patch]\n'
ONLY = ["blot", "microscopy", "facs", "macroscopy"]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A tiny generator that was never trained."""
    network = create_model("patch_gan_test", seed=1)
    path = tmp_path_factory.mktemp("own") / "own.safetensors"
    card = WeightsCard("patch_gan_test", config_of(network), "nothing", "Apache-2.0")
    save_weights(path, network, card)
    return path


@pytest.fixture(scope="module")
def shipped():
    return {name: find_generator(name) for name in SHIPPED}


def test_generators_of_two_families_ship():
    families = {read_generator_card(name)["family"] for name in SHIPPED}
    assert len(families) >= 2


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("size", [(64, 64), (128, 128), (37, 90), (1, 1)], ids=str)
def test_patches_have_the_size_asked_for_and_come_from_the_seed(shipped, name, size):
    generator = shipped[name]
    first = generator.generate(np.random.default_rng([4, 2]), size, "blot")
    again = generator.generate(np.random.default_rng([4, 2]), size, "blot")
    assert (first.shape, first.dtype) == ((*size, 3), np.uint8)
    np.testing.assert_array_equal(first, again)
    if size[0] > 1:
        other = generator.generate(np.random.default_rng([4, 3]), size, "blot")
        assert (first != other).mean() > 0.2


@pytest.mark.parametrize("name", SHIPPED)
def test_the_number_of_threads_does_not_change_a_patch(shipped, name):
    before = torch.get_num_threads()
    made_by = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            made_by.append(shipped[name].generate(np.random.default_rng(8), (64, 64), "facs"))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*made_by)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_is_small_and_its_card_complete(name):
    path = Path(generators.__file__).parent / "weights" / f"{name}.safetensors"
    card = read_generator_card(name)
    assert path.stat().st_size == card["bytes"] < 6e6
    assert card["parameters"] == sum(p.numel() for p in load_weights(path).parameters())
    assert card["name"] == name
    assert card["licence"] == "Apache-2.0"
    assert card["data"]["licences_of_the_pictures"]
    assert sum(card["data"]["panels"].values()) > 1000
    assert card["training"]["seconds"] > 60
    assert card["run"]["machine"]["processor"]
    assert set(card["measured"]["frechet"]) == {"64", "128"}


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("modality", ONLY)
def test_patches_vary_and_are_as_bright_as_their_modality(shipped, name, modality):
    """Means and deviations that the training panels have, from the result file's own run."""
    results = Path(__file__).parents[2] / "benchmarks" / "results" / "generators.json"
    known = json.loads(results.read_text(encoding="utf-8"))["sizes"]["64"][modality]
    rng = np.random.default_rng([1, 2])
    patches = np.stack([shipped[name].generate(rng, (64, 64), modality) for _ in range(7)])
    assert patches.std(axis=(1, 2)).mean() > 4
    assert patches.mean(axis=(1, 2, 3)).std() > 4
    expected = np.mean([known["mean level"][side] for side in ("pictures", "drawn")])
    assert abs(patches.mean() - expected) < 45


@pytest.mark.parametrize("name", SHIPPED)
def test_unknown_modalities_and_too_large_patches_are_refused(shipped, name):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="not 'photo'"):
        shipped[name].generate(rng, (64, 64), "photo")
    with pytest.raises(ValueError, match="sides of 1 to 256"):
        shipped[name].generate(rng, (64, 300), "blot")


@pytest.mark.parametrize("seed", range(4))
def test_only_masked_pixels_change_and_the_patch_is_the_generators(shipped, seed):
    settings = Settings(copies=(1, 2), tone=NO_TONE, blending=HARD)
    forgery = made("generated-patch", seed, settings, generators=tuple(shipped.values()))
    (panel,), (before,), (target,) = forgery.panels, forgery.before, forgery.targets
    np.testing.assert_array_equal(panel[~target], before[~target])
    assert (panel[target] != before[target]).any(axis=1).mean() > 0.5
    assert {patch["generator"] for patch in forgery.parameters["patches"]} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_patch_laid_out_like_pixels_has_their_coarse_structure(shipped, name):
    like = textured(np.random.default_rng(3), (72, 90), detail=9.0)
    patch = shipped[name].generate(np.random.default_rng(1), (72, 90), "microscopy", like)
    coarse, wanted = (layout_of(p[:72, :88], 8).ravel() for p in (patch, like))
    assert np.abs(coarse - wanted).mean() < 0.06
    assert np.corrcoef(coarse, wanted)[0, 1] > 0.8
    with pytest.raises(ValueError, match="cannot be laid out like"):
        shipped[name].generate(np.random.default_rng(1), (70, 90), "microscopy", like)


class Recorder(Noise):
    """Makes bright coloured noise, and keeps what it was asked to be like."""

    def __init__(self):
        self.asked = []

    def generate(self, rng, size, modality, like=None):
        self.asked.append(like)
        return rng.integers(180, 256, (*size, 3), dtype=np.uint8) - np.uint8([0, 30, 60])


class DarkGrey(TexturedSource):
    def draw(self, rng, size, modality, *, sharp=False):
        panel = super().draw(rng, size, modality)
        return replace(panel, pixels=grey(panel.pixels) // 3)


def test_a_patch_is_shown_as_its_panel_is():
    settings = Settings(tone=NO_TONE, blending=HARD, like_panel=0)
    forgery = made(
        "generated-patch", 1, settings, generators=(Recorder(),), source=DarkGrey()
    )  # fmt: skip
    inside = forgery.panels[0][forgery.targets[0]]
    assert (inside[:, 0] == inside[:, 2]).all()
    assert inside.mean() < 100  # bands are bright on this panel's dark ground


def test_a_patch_may_be_laid_out_like_a_part_of_its_panel():
    recorder = Recorder()
    settings = Settings(tone=NO_TONE, blending=HARD, like_panel=1)
    forgery = made("generated-patch", 1, settings, generators=(recorder,))
    (before,), like = forgery.before, recorder.asked[-1]
    places = np.lib.stride_tricks.sliding_window_view(before, like.shape)[:, :, 0]
    assert (places == like).all(axis=(2, 3, 4)).any()
    assert forgery.parameters["patches"][0]["like panel"] is True


def test_the_page_shows_what_the_result_file_says():
    result = json.loads(generator_tables.RESULTS.read_text(encoding="utf-8"))
    assert generator_tables.tables(result) in generator_tables.PAGE.read_text(encoding="utf-8")
    known = {name: find_generator(name).identity for name in SHIPPED}
    assert result["generators"] == known, "the weights are others than those that were measured"


def test_another_process_gets_the_generator_without_its_network(own):
    generator = NetworkGenerator(own)
    patch = generator.generate(np.random.default_rng(3), (20, 30), "blot")
    handed = pickle.loads(pickle.dumps(generator))
    assert "network" not in vars(handed)
    np.testing.assert_array_equal(
        handed.generate(np.random.default_rng(3), (20, 30), "blot"), patch
    )


def test_a_recipe_names_its_generators(own):
    recipe = read_recipe(HEAD + f'generators = ["{own.as_posix()}"]\n', "mine")
    assert [g.name for g in open_generators(recipe)] == ["own"]
    every = open_generators(find_recipe("generated"))
    assert [g.name for g in every] == SHIPPED
    assert open_generators(find_recipe("edd")) == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('generators = ["patch_gam"]', "no generator is called 'patch_gam'; there are patch_"),
        ('generators = "patch_gan"', "is a list of names or files"),
        ("generators = [3]", "is a list of names or files"),
        ('generators = ["patch_gan", "patch_gan"]', "names a generator twice"),
        ("[operations.erase]\ngenerators = ['patch_gan']", "only generated-patch has generators"),
    ],
)
def test_broken_names_of_generators_are_refused(line, message):
    with pytest.raises(RecipeError, match=message):
        open_generators(read_recipe(HEAD + line + "\n", "mine"))


def test_files_that_hold_no_generator_are_refused(tmp_path):
    network = create_model("forma_test")
    path = tmp_path / "forma.safetensors"
    save_weights(path, network, WeightsCard("forma_test", config_of(network), "-", "-"))
    with pytest.raises(WeightsError, match="forma_test, which makes no patches"):
        find_generator(str(path))
    with pytest.raises(WeightsError, match="is not there"):
        find_generator(str(tmp_path / "none.safetensors"))


def test_a_set_is_the_same_from_one_process_and_two(own, tmp_path):
    recipe = read_recipe(HEAD + f'generators = ["{own.as_posix()}"]\n', "mine")
    for jobs in (1, 2):
        task = Task(
            recipe, TexturedSource(), tmp_path / str(jobs), generators=open_generators(recipe)
        )
        assert write_set(task, 4, jobs=jobs).made == 4
    one, two = (
        {
            p.relative_to(tmp_path / j).as_posix(): p.read_bytes()
            for p in (tmp_path / j).rglob("*.*")
        }
        for j in ("1", "2")
    )
    assert one == two
    header = json.loads(one["manifest.jsonl"].split(b"\n")[0])
    assert header["generators"] == [NetworkGenerator(own).identity]


def test_nothing_of_torch_is_imported_before_a_generator_is_opened():
    code = (
        "import sys; from tamperscope.synth.generators import open_generators; "
        "from tamperscope.synth.recipe import find_recipe; "
        "assert open_generators(find_recipe('mixed')) == (); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
