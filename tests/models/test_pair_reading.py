import numpy as np
import pytest
import torch

from tamperscope.models import affinity, create_model
from tamperscope.models.pair_network import mask_score
from tamperscope.models.pair_reading import (
    PairReader,
    cut_logits,
    ranked_pairs,
    single_logits,
    working_size,
)
from tests.models.test_biotampernet import stirred


def drawn(height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 4 + 2, width // 4 + 2, 3))
    fine = np.kron(coarse, np.ones((4, 4, 1)))[:height, :width]
    return np.clip(fine + rng.normal(0, 20, fine.shape), 0, 255).astype(np.uint8)


def image_of(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module")
def network():
    return stirred(create_model("biotampernet_test")).eval()


@pytest.fixture(scope="module")
def reader(network):
    return PairReader(network)


@pytest.fixture(scope="module")
def local():
    """A fresh network that sees nothing but the neighbourhood: equal patches, equal cells."""
    changes = {"encoder": "conv", "context": "none", "side": 512, "grid": 64, "alpha": 500.0}
    return PairReader(create_model("biotampernet_test", **changes))


def test_reading_a_pair_is_the_networks_own_answer(network, reader):
    a, b = drawn(60, 50), drawn(40, 64, seed=1)
    with torch.no_grad():
        logits = network(image_of(a), image_of(b))
    read = reader.compare(reader.read(a), reader.read(b))
    np.testing.assert_allclose(read.first.heatmap, logits.first.heatmap[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(read.second.heatmap, logits.second.heatmap[0], rtol=1e-4, atol=1e-5)
    assert read.score == pytest.approx(logits.score.item(), rel=1e-4)
    assert read.first.copy is None


def test_large_panels_are_shrunk_and_answered_at_their_own_size(reader):
    assert working_size((64, 64), 64) == (64, 64)
    assert working_size((10, 20), 64) == (10, 20)  # small ones are not enlarged
    assert working_size((128, 128), 64) == (64, 64)
    assert working_size((400, 100), 100) == (200, 50)
    panel = reader.read(drawn(150, 200))
    assert panel.image.shape[2:] == working_size((150, 200), 64)
    assert reader.alone(panel).heatmap.shape == (150, 200)


def test_rating_is_the_score_of_the_cells_after_cross_attention(network, reader):
    a, b = drawn(64, 64), drawn(64, 64, seed=1)
    with torch.no_grad():
        logits = network(image_of(a), image_of(b))
    expected = min(
        mask_score(branch.crossed[:, 0].sigmoid()).item()
        for branch in (logits.first, logits.second)
    )
    panels = [reader.read(a), reader.read(b)]
    assert reader.rate(*panels) == pytest.approx(expected, rel=1e-4)
    (ranked,) = ranked_pairs(reader, panels)
    assert ranked == (0, 1, pytest.approx(expected, rel=1e-4))
    blind = PairReader(create_model("biotampernet_test", cross_attention=False))
    panels = [blind.read(a), blind.read(b)]
    assert blind.rate(*panels) == pytest.approx(blind.compare(*panels).score)


def test_a_single_panel_is_compared_with_itself(network, reader):
    a = drawn(64, 48)
    with torch.no_grad():
        expected = network(image_of(a), image_of(a), same=True).first.heatmap[0]
    read = reader.alone(reader.read(a))
    np.testing.assert_allclose(read.heatmap, expected, rtol=1e-4, atol=1e-5)
    assert read.score == pytest.approx(mask_score(expected[None]).item(), rel=1e-4)


def test_halves_answer_for_all_but_the_band_beside_their_cut():
    network = stirred(create_model("biotampernet_test", single="halves")).eval()
    image = image_of(drawn(64, 96))
    with torch.no_grad():
        cut = cut_logits(network, image, [3])
        pair = network(image[..., :48], image[..., 48:])
        both = single_logits(network, image).mask
        across = cut_logits(network, image, [2]).mask
    torch.testing.assert_close(cut.mask[..., :32], pair.first.mask[..., :32])
    torch.testing.assert_close(cut.mask[..., 64:], pair.second.mask[..., 16:])
    assert (cut.mask[..., 32:64] == cut.mask[..., 32:64].min()).all()  # two cells of 8 pixels
    torch.testing.assert_close(both[:, :, :16, 32:64], across[:, :, :16, 32:64])
    torch.testing.assert_close(
        both[:, :, :16, :32], torch.maximum(cut.mask, across)[:, :, :16, :32]
    )


def test_both_ways_are_the_larger_of_the_two():
    answers = {}
    for how in ("self", "halves", "both"):
        network = stirred(create_model("biotampernet_test", single=how, roles=True)).eval()
        with torch.no_grad():
            answers[how] = single_logits(network, image_of(drawn(64, 64)))
    larger = torch.maximum(answers["self"].mask, answers["halves"].mask)
    torch.testing.assert_close(answers["both"].mask, larger)
    itself = answers["self"].mask >= answers["halves"].mask
    role = torch.where(itself, answers["self"].role, answers["halves"].role)
    torch.testing.assert_close(answers["both"].role, role)


@pytest.mark.parametrize("how", ["self", "halves", "both"])
@pytest.mark.parametrize("size", [(8, 8), (1, 1), (10, 100), (33, 31)], ids=str)
def test_small_panels_are_answered_without_a_cut(how, size):
    reader = PairReader(create_model("biotampernet_test", single=how))
    blank = np.full((*size, 3), 255, np.uint8)
    read = reader.alone(reader.read(blank))
    assert read.heatmap.shape == size
    assert np.isfinite(read.heatmap).all()
    assert 0 <= read.score <= 1


def test_roles_are_read_too():
    reader = PairReader(create_model("biotampernet_test", roles=True))
    panel = reader.read(drawn(40, 40))
    copy = reader.compare(panel, panel).first.copy
    assert copy.shape == (40, 40)
    assert 0 <= copy.min() <= copy.max() <= 1


def test_links_lead_from_a_patch_to_its_copy(local):
    scene = drawn(224, 272)
    first, second = scene[:, :224], scene[:, 48:272]  # shifted by three of the coarsest cells
    links = local.links(local.read(first), local.read(second))
    assert links.cell == pytest.approx(8)
    assert (np.diff(links.weight) <= 0).all()
    inner = (np.abs(links.source - [136, 112]) < 48).all(axis=1)  # edges see their padding
    assert inner.sum() > 60
    off = np.linalg.norm((links.target - links.source)[inner] - [-48, 0], axis=1)
    assert np.mean(off < 4) > 0.8


def test_links_inside_one_panel_lead_elsewhere(local):
    pixels = drawn(160, 320)
    pixels[:, 160:] = pixels[:, :160]  # twenty cells to the right
    links = local.links(local.read(pixels))
    moved = (links.target - links.source)[:100]
    off = np.minimum(
        np.linalg.norm(moved - [160, 0], axis=1), np.linalg.norm(moved - [-160, 0], axis=1)
    )
    assert np.mean(off < 4) > 0.8
    assert np.linalg.norm(links.target - links.source, axis=1).min() > 6


def test_a_link_is_the_same_from_both_ends(local):
    first, second = (local.read(drawn(64, 80, seed=seed)) for seed in (0, 1))
    there, back = local.links(first, second), local.links(second, first)
    assert 0 < len(there.weight) == len(back.weight) < 8 * 12  # cells of the padded panels
    np.testing.assert_allclose(there.weight, back.weight, rtol=1e-3)


def test_blocks_of_rows_link_what_the_whole_map_links(local, monkeypatch):
    first, second = (local.read(drawn(64, 80, seed=seed)) for seed in (0, 1))
    whole = local.links(first, second)
    monkeypatch.setattr(affinity, "BLOCK_VALUES", 1000)
    blocks = local.links(first, second)
    np.testing.assert_allclose(blocks.source, whole.source)
    np.testing.assert_allclose(blocks.target, whole.target, atol=1e-3)
    np.testing.assert_allclose(blocks.weight, whole.weight, rtol=1e-4)


def test_a_point_is_linked_to_where_its_content_is(local):
    scene = drawn(224, 272)
    panels = [local.read(scene[:, :224]), local.read(scene[:, 48:272])]
    heat = local.partners((140.0, 108.0), *panels)
    assert heat.shape == (224, 224)
    assert heat.max() <= 1
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert abs(row - 108) < 8
    assert abs(column - 92) < 8
    itself = local.partners((140.0, 108.0), panels[0])
    assert itself[108, 140] < 0.5  # a cell is not its own partner


def test_links_of_a_shrunk_and_padded_panel_are_in_its_own_pixels(local):
    small = PairReader(local.network)
    pixels = drawn(100, 130)
    whole = small.links(small.read(pixels), small.read(pixels))
    assert whole.source.max() < 130
    off = np.linalg.norm(whole.target - whole.source, axis=1)
    assert np.mean(off < 3) > 0.9
    small.network.side = 64
    try:
        shrunk = small.read(pixels)
        assert shrunk.image.shape[2:] == (56, 73)
        links = small.links(shrunk, small.read(pixels))
    finally:
        small.network.side = 512
    off = np.linalg.norm(links.target - links.source, axis=1)
    assert np.mean(off < 6) > 0.9
    assert links.source[:, 0].max() > 110


@pytest.mark.parametrize("point", [(-1.0, 5.0), (40.0, 5.0), (5.0, 30.0)])
def test_points_outside_are_refused(local, point):
    panel = local.read(drawn(30, 40))
    with pytest.raises(ValueError, match="outside a panel of 40 x 30"):
        local.partners(point, panel)


def test_affinity_maps_have_the_size_of_the_panel(reader):
    a, b = reader.read(drawn(50, 70)), reader.read(drawn(90, 60, seed=1))
    for maps in (reader.affinity_maps(a, b), reader.affinity_maps(a)):
        for heat in maps:
            assert heat.shape == (50, 70)
            assert 0 <= heat.min() <= heat.max() <= 1


def test_a_network_without_affinity_shows_none():
    reader = PairReader(create_model("biotampernet_test", affinity=False))
    panel = reader.read(drawn(32, 32))
    with pytest.raises(ValueError, match="without affinity"):
        reader.affinity_maps(panel)
    with pytest.raises(ValueError, match="without affinity"):
        reader.links(panel)


def test_what_is_no_panel_is_refused(reader):
    with pytest.raises(ValueError, match="uint8"):
        reader.read(np.zeros((8, 8), np.uint8))


def test_a_panel_of_one_tile_is_read_as_it_is_and_larger_ones_tile_by_tile():
    network = create_model("biotampernet_test", seed=3).eval()
    reader = PairReader(network)
    tile = reader.tile
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (tile - 24, tile, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        reader.in_tiles(small).heatmap, reader.alone(reader.read(small)).heatmap
    )
    large = rng.integers(0, 256, (tile + 40, 2 * tile, 3), dtype=np.uint8)
    told = reader.in_tiles(large)
    assert told.heatmap.shape == large.shape[:2]
    corner = reader.alone(reader.read(large[:tile, :tile])).heatmap
    # Up to where the next tiles begin, the first one alone decides.
    np.testing.assert_allclose(told.heatmap[:32, : tile // 2], corner[:32, : tile // 2], atol=1e-6)
    assert np.abs(told.heatmap - reader.alone(reader.read(large)).heatmap).max() > 1e-3
