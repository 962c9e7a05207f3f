import numpy as np
import pytest

from tamperscope.screening.gutters import find_separators, runs, transposed
from tests.screening.drawn_figures import blot, texture


def pair(width, colour, seed=0):
    left, right = texture(160, 140, seed, base=90), texture(160, 140, seed + 1, base=150)
    return np.hstack([left, np.full((160, width, 3), colour, np.uint8), right])


@pytest.mark.parametrize("colour", [255, 0])
@pytest.mark.parametrize("width", [1, 2, 3, 6, 15])
def test_a_separator_has_the_columns_of_the_gutter(width, colour):
    found = find_separators(pair(width, colour), 20)
    assert [(one.start, one.stop) for one in found] == [(140, 140 + width)]


def test_a_step_in_every_row_is_an_abutting_edge():
    region = np.hstack([texture(160, 140, 1, base=60), texture(160, 140, 2, base=190)])
    assert [(one.start, one.stop) for one in find_separators(region, 20)] == [(140, 140)]
    assert find_separators(region, 20, touching=False) == []


def test_gaps_between_lanes_are_no_separators():
    assert find_separators(blot(200, 400, 1, lanes=4), 20) == []


@pytest.mark.parametrize(("ragged", "expected"), [(7, 0), (1, 1)])
def test_a_ragged_gap_is_no_separator_and_a_straight_one_is(ragged, expected):
    rng = np.random.default_rng(7)
    left, right = texture(160, 130, 1, base=120), texture(160, 130, 2, base=120)
    for row in range(160):  # each row begins after a few black columns of its own
        left[row, 130 - rng.integers(ragged) :] = 0
        right[row, : rng.integers(ragged)] = 0
    region = np.hstack([left, np.zeros((160, 12, 3), np.uint8), right])
    assert len(find_separators(region, 20, lines=False, touching=False)) == expected


def test_a_line_that_does_not_reach_through_is_no_separator():
    region = texture(200, 300, 1)
    region[40:140, 150:152] = 255
    assert find_separators(region, 20) == []


def test_separators_leave_room_for_panels():
    assert find_separators(pair(6, 255), 141) == []
    assert len(find_separators(pair(6, 255), 140)) == 1


def test_rows_are_columns_of_the_transposed_picture():
    region = pair(6, 255)
    assert find_separators(transposed(transposed(region)), 20) == find_separators(region, 20)
    assert find_separators(transposed(region), 20) == []


def test_runs():
    assert runs(np.array([1, 1, 0, 0, 1, 0, 1], bool)) == [(0, 2), (4, 5), (6, 7)]
    assert runs(np.zeros(3, bool)) == []
