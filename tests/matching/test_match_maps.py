from dataclasses import replace

import numpy as np
import pytest

from tamperscope.matching import match_maps as reading
from tamperscope.matching.match_maps import CELL, MAPS, cell_of, match_maps
from tests.matching.pictures import texture

FIT, REGION, CLOSENESS, DOWN, RIGHT = range(len(MAPS))


def with_copy(down: int, right: int) -> np.ndarray:
    """A texture whose disc of radius 36 around (row 70, column 80) is copied elsewhere."""
    pixels = texture(3, 240, 320)
    rows, columns = np.mgrid[:240, :320]
    inside = (rows - 70) ** 2 + (columns - 80) ** 2 <= 36**2
    changed = pixels.copy()
    changed[np.roll(inside, (down, right), (0, 1))] = pixels[inside]
    return changed


def at(row: int, column: int) -> tuple[int, int]:
    return row // CELL, column // CELL


def test_a_copy_and_its_original_lead_to_each_other():
    down, right = 88, 160
    maps = match_maps(with_copy(down, right))
    assert maps.shape == (5, 60, 80)
    assert maps.dtype == np.float32
    original, copy = at(70, 80), at(70 + down, 80 + right)
    for place in (original, copy):
        assert maps[FIT][place] > 0.8
        assert maps[REGION][place] > 0.8
        assert maps[CLOSENESS][place] > 0.9
    assert (maps[DOWN][original], maps[RIGHT][original]) == (down / CELL, right / CELL)
    assert (maps[DOWN][copy], maps[RIGHT][copy]) == (-down / CELL, -right / CELL)
    elsewhere = np.ones((60, 80), bool)
    for row, column in (original, copy):
        elsewhere[row - 11 : row + 12, column - 11 : column + 12] = False
    assert maps[REGION][elsewhere].max() == 0
    assert maps[CLOSENESS][elsewhere].mean() < 0.5


def test_without_a_copy_nothing_has_a_partner():
    maps = match_maps(texture(3, 240, 320))
    assert maps[REGION].max() == 0
    assert (maps[FIT] > 0).mean() < 0.01
    assert not np.any(maps[DOWN][maps[FIT] == 0])


def test_a_mirrored_copy_leads_to_mirrored_places():
    pixels = texture(4, 200, 200)
    pixels[20:100, 110:190] = pixels[20:100, 10:90][:, ::-1]
    maps = match_maps(pixels)
    # The column 10 + x of the original is the column 189 - x of the copy.
    for column in (30, 50, 70):
        place = at(60, column)
        assert abs(maps[RIGHT][place] - (199 - 2 * column) / CELL) <= 1
        assert maps[DOWN][place] == 0


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (63, 66)])
def test_pictures_of_any_size_are_covered_to_the_rim(size):
    maps = match_maps(texture(5, 80, 310)[: size[0], : size[1]])
    assert maps.shape == (5, -(-size[0] // CELL), -(-size[1] // CELL))
    assert np.isfinite(maps).all()


@pytest.mark.parametrize("nodes", [9_000, 10])
def test_a_wide_stride_leaves_no_cell_without_a_node(monkeypatch, nodes):
    monkeypatch.setattr(reading, "READING", replace(reading.READING, max_nodes=nodes))
    maps = match_maps(with_copy(88, 160))
    row, column = at(70, 80)
    inside = np.s_[row - 4 : row + 5, column - 4 : column + 5]
    assert maps[REGION][inside].min() == 1
    assert maps[FIT][inside].min() > 0
    assert (maps[CLOSENESS] > 0).mean() > 0.7


def test_the_number_of_threads_changes_nothing():
    pixels = with_copy(88, 160)
    np.testing.assert_array_equal(match_maps(pixels), match_maps(pixels, threads=2))


def test_cells_cover_the_pixels_from_their_corner_on():
    points = np.array([[0.0, 3.0], [3.4, 4.0], [-0.4, 7.0], [-0.6, 8.0]])
    assert cell_of(points).tolist() == [[0, 0, 0, -1], [0, 1, 1, 2]]
