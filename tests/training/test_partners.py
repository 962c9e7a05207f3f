import cv2
import numpy as np
import pytest
import torch

from tamperscope.synth.geometry import (
    Box,
    affine,
    compose,
    inverse,
    rotation,
    shift,
    warp,
    warp_mask,
)
from tamperscope.synth.sample import Link, Sample
from tamperscope.training.partners import PARTNERS, flipped, partner_maps

HERE = Box(0, 0, 96, 64)
TURNED = compose(shift(40.5, 2.25), affine(1.2 * rotation(0.4)))
MIRRORED = compose(shift(88, 0), affine(np.diag([-1.0, 1.0])))


def smooth(seed=0):
    """A picture in which no two places look alike and neighbours nearly do."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 13, 3)).astype(np.uint8)
    return cv2.resize(coarse, (96, 64), interpolation=cv2.INTER_CUBIC)


def sample(panels, links):
    masks = [np.zeros(panel.shape[:2], dtype=bool) for panel in panels]
    for link in links:
        masks[link.target_panel] |= link.target
    kind = ("copy-move" if len(panels) == 1 else "duplicate") if links else "pristine"
    return Sample(
        kind, "made", tuple(panels), tuple(masks), tuple(masks), tuple(links), "photo",
        ("n",), ("g",) * len(panels), {},
    )  # fmt: skip


def box(y0, y1, x0, x1, size=(64, 96)):
    mask = np.zeros(size, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def linked(source, matrix, **panels):
    return Link(source, warp_mask(source, matrix, HERE), matrix, **panels)


def at(pixels, x, y):
    """Colour of places (x, y), between pixels."""
    places = np.stack((x, y), axis=-1).astype(np.float32)
    drawn = cv2.remap(
        pixels, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return drawn.astype(int)


def in_pixels(place, cell):
    return (place + 0.5) * cell - 0.5


@pytest.mark.parametrize(
    "matrix", [shift(13, 7), TURNED, MIRRORED], ids=["moved", "turned", "flip"]
)
@pytest.mark.parametrize("cell", [8, 4])
def test_partners_show_the_same(matrix, cell):
    """The picture is warped; at each cell and at its partner it must have the same colour."""
    first = smooth()
    second = warp(first, matrix, HERE)
    link = linked(box(8, 40, 8, 48), matrix, target_panel=1)
    maps = partner_maps(sample((first, second), [link]), cell)
    for pixels, other, places in ((first, second, maps[0]), (second, first, maps[1])):
        rows, columns = 64 // cell, 96 // cell
        assert places.shape == (PARTNERS, 2, rows, columns)
        assert places.dtype == np.float32
        known = np.isfinite(places[0, 0])
        assert 0.5 < known.sum() * cell**2 / link.target.sum() < 1.5
        assert np.isnan(places[1:]).all()
        row, column = np.nonzero(known)
        here = at(pixels, in_pixels(column, cell), in_pixels(row, cell))
        there = at(other, *(in_pixels(places[0, axis][known], cell) for axis in (0, 1)))
        assert np.abs(here - there).max() < 8  # a step of one cell changes tens of grey levels


def test_a_cell_that_is_mostly_outside_has_no_partner():
    link = linked(box(0, 12, 0, 11), shift(16, 16), target_panel=1)
    first, _ = partner_maps(sample((smooth(), smooth(1)), [link]), 8)
    known = np.isfinite(first[0, 0])
    assert known[:2, 0].all()  # the second row of cells is covered by half
    assert not known[:, 1].any()  # 3 of 8 columns


def test_copies_of_one_thing_are_partners_of_each_other():
    source = box(0, 16, 0, 16)
    links = [linked(source, shift(x, y)) for x, y in ((40, 8), (64, 32))]
    (places,) = partner_maps(sample((smooth(),), links), 8)
    found = {
        (row, column): sorted(map(tuple, places[:, :, row, column][:2].tolist()))
        for row, column in ((0, 0), (1, 5), (4, 8))
    }
    spots = {(0, 0): (0.0, 0.0), (1, 5): (5.0, 1.0), (4, 8): (8.0, 4.0)}
    for cell, partners in found.items():
        assert partners == sorted(place for key, place in spots.items() if key != cell)
    assert np.isnan(places[2:]).all()
    assert np.isfinite(places[0, 0]).sum() == 12


def test_of_two_panels_only_what_lies_in_the_other_counts():
    inside = linked(box(0, 16, 0, 16), shift(40, 8))
    across = linked(box(32, 48, 0, 16), shift(8, 8), target_panel=1)
    first, second = partner_maps(sample((smooth(), smooth(1)), [inside, across]), 8)
    assert np.isfinite(first[0, 0]).sum() == np.isfinite(second[0, 0]).sum() == 4
    assert first[0, :, 4, 0].tolist() == [1.0, 5.0]
    assert second[0, :, 5, 1].tolist() == [0.0, 4.0]


def test_many_copies_are_cut_to_four_partners():
    links = [linked(box(0, 8, 0, 8), shift(16 * n, 24)) for n in range(6)]
    (places,) = partner_maps(sample((smooth(),), links), 8)
    assert np.isfinite(places[:, 0, 0, 0]).sum() == PARTNERS
    assert np.isfinite(places[:, 0, 3, 2]).sum() == PARTNERS


def test_what_is_pristine_has_no_partners():
    maps = partner_maps(sample((smooth(), smooth(1)), []), 8)
    for places in maps:
        assert places.shape == (PARTNERS, 2, 8, 12)
        assert np.isnan(places).all()


def test_panels_of_different_size_count_their_own_cells():
    matrix = shift(-32, 0)
    source = box(0, 16, 40, 56)
    target = box(0, 16, 8, 24, size=(32, 40))
    second = smooth()[:32, :40]
    first, other = partner_maps(sample((smooth(), second), [Link(source, target, matrix, 0, 1)]), 8)
    assert first.shape[2:] == (8, 12)
    assert other.shape[2:] == (4, 5)
    assert first[0, :, 1, 5].tolist() == [1.0, 1.0]
    assert other[0, :, 1, 1].tolist() == [5.0, 1.0]
    with pytest.raises(ValueError, match="above 0"):
        partner_maps(sample((smooth(),), []), 0)


@pytest.mark.parametrize("axis", [-1, -2])
def test_flipped_partners_are_those_of_flipped_panels(axis):
    mirror = {-1: compose(shift(95, 0), affine(np.diag([-1.0, 1.0]))),
              -2: compose(shift(0, 63), affine(np.diag([1.0, -1.0])))}[axis]  # fmt: skip
    link = linked(box(8, 40, 8, 48), TURNED, target_panel=1)
    after = Link(
        np.flip(link.source, axis), np.flip(link.target, axis),
        compose(mirror, link.matrix, inverse(mirror)), 0, 1,
    )  # fmt: skip
    before = partner_maps(sample((smooth(), smooth()), [link]), 8)
    for got, want in zip(
        before, partner_maps(sample((smooth(), smooth()), [after]), 8), strict=True
    ):
        turned = flipped(torch.from_numpy(got), axis)
        torch.testing.assert_close(
            turned, torch.from_numpy(want), equal_nan=True, rtol=0, atol=1e-4
        )
