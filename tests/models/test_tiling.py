"""Tiled answers against whole-image answers, and the weights that blend them."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tamperscope.models import create_model
from tamperscope.models.network import Network
from tamperscope.models.tiling import (
    GRID,
    blending_weights,
    heatmap_bands,
    pick_precision,
    tile_ranges,
    tiled_logits,
)


class Window(Network):
    """Sees ``2 reach + 1`` cells around each cell; zeros lie outside of the tile."""

    multiple = GRID

    def __init__(self, reach):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 2 * reach + 1, padding=reach)

    def two_class_logits(self, image, matches=None):
        return self.conv(F.avg_pool2d(image, 4))


def window(reach):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Window(reach).eval()


def drawn(height, width, seed=0):
    return np.random.default_rng([seed]).integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_image(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def joined(logits, stride, pixels):
    """The bands put together; they have to come in order and without a gap."""
    bands = list(heatmap_bands(logits, stride, pixels.shape[:2]))
    assert [rows.start for rows, _ in bands] == [0, *[rows.stop for rows, _ in bands[:-1]]]
    return np.concatenate([band for _, band in bands])


LENGTHS = [(64, 64), (96, 64), (100, 64), (332, 128), (1000, 256), (5024, 1024)]


@pytest.mark.parametrize(("length", "tile"), LENGTHS)
def test_tiles_cover_the_axis_overlap_and_lie_on_the_grid(length, tile):
    ranges = tile_ranges(length, tile)
    assert (ranges[0].start, ranges[-1].stop) == (0, length)
    for before, after in pairwise(ranges):
        assert after.start % GRID == 0
        assert before.stop - after.start >= tile // 8
    assert all(tile - GRID < len(covered) <= tile for covered in ranges)


@pytest.mark.parametrize(("length", "tile"), LENGTHS)
def test_blending_weights_sum_to_one_everywhere(length, tile):
    ranges = [range(r.start // 4, r.stop // 4) for r in tile_ranges(length, tile)]
    total = torch.zeros(length // 4, dtype=torch.float64)
    for covered, weights in zip(ranges, blending_weights(ranges), strict=True):
        assert (weights > 0).all()
        total[covered.start : covered.stop] += weights
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-6)


def test_the_weight_of_a_tile_falls_steadily_towards_its_neighbour():
    first, second = blending_weights([range(64), range(48, 112)])
    assert (first[:48] == 1).all()
    assert (first[48:].diff() < 0).all()
    torch.testing.assert_close(first[48:], second[:16].flip(0))


@pytest.mark.parametrize("size", [(200, 331), (65, 190)])
def test_without_surroundings_tiling_changes_nothing_at_all(size):
    network, pixels = window(0), drawn(*size)
    whole = tiled_logits(network, pixels, tile=1024)
    assert torch.equal(whole, tiled_logits(network, pixels, tile=512))
    torch.testing.assert_close(tiled_logits(network, pixels, tile=64), whole, rtol=1e-5, atol=1e-5)


def test_tiled_is_whole_away_from_the_borders_of_tiles():
    reach, pixels = 2, drawn(230, 300)
    network = window(reach)
    whole = tiled_logits(network, pixels, tile=1024)
    tiled = tiled_logits(network, pixels, tile=64)
    sees_border = [np.zeros(length, bool) for length in whole.shape]
    for marks in sees_border:
        for covered in tile_ranges(4 * len(marks), 64):
            for edge in (covered.start // 4, covered.stop // 4):
                if 0 < edge < len(marks):
                    marks[max(edge - reach, 0) : edge + reach] = True
    away = torch.from_numpy(~sees_border[0][:, None] & ~sees_border[1])
    assert 0.1 < away.float().mean() < 0.9
    torch.testing.assert_close(tiled[away], whole[away], rtol=1e-5, atol=1e-5)
    assert (tiled - whole)[~away].abs().max() > 1e-3, "the comparison would not notice a border"


@pytest.mark.parametrize("name", ["forma_test", "loma_test"])
@pytest.mark.parametrize("size", [(1, 1), (1, 150), (37, 70), (96, 64)])
def test_an_image_that_fits_one_tile_gets_the_heatmap_of_the_network(name, size, monkeypatch):
    monkeypatch.setattr("tamperscope.models.tiling.BAND_VALUES", 500)
    network, pixels = create_model(name, seed=5).eval(), drawn(*size)
    with torch.no_grad():
        expected = network.heatmap(as_image(pixels))[0].numpy()
    actual = joined(tiled_logits(network, pixels, tile=256), network.stride, pixels)
    assert actual.shape == size
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["forma_test", "loma_test"])
def test_every_tile_is_told(name):
    told = []
    tiled_logits(
        create_model(name).eval(), drawn(70, 150), tile=64, progress=lambda *at: told.append(at)
    )
    down, across = len(tile_ranges(96 if name == "forma_test" else 72, 64)), 4
    assert told == [(k + 1, down * across) for k in range(down * across)]


def test_bfloat16_is_close_and_not_the_same():
    network, pixels = create_model("forma_test", seed=5).eval(), drawn(64, 64)
    wide = tiled_logits(network, pixels)
    narrow = tiled_logits(network, pixels, precision=pick_precision("bfloat16"))
    assert narrow.dtype == torch.float32
    assert 0 < (wide - narrow).abs().max() < 0.05 * wide.abs().max()


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="multiple of 32"):
        tile_ranges(100, 32)
    with pytest.raises(ValueError, match="precision must be one of"):
        pick_precision("float16")
    assert pick_precision("auto") == torch.float32
