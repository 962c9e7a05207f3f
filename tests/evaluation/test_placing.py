import numpy as np
import pytest

from tamperscope.evaluation import placing
from tamperscope.evaluation.placing import Window
from tests.evaluation.drawn import texture


def test_upright_maps_keep_the_whole_picture():
    assert placing.inner_window(np.eye(2), 50, 80)[:2] == (80, 50)
    assert placing.inner_window(np.array([[0.0, -1], [1, 0]]), 50, 80)[:2] == (50, 80)
    assert placing.inner_window(2 * np.eye(2), 50, 80)[:2] == (159, 99)


@pytest.mark.parametrize("degrees", [17, 45, 73])
def test_a_turned_picture_never_shows_what_lies_outside(degrees):
    angle = np.radians(degrees)
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    width, height, x, y = placing.inner_window(linear, 90, 140)
    corners = Window(0, 0, width, height).corners - [(width - 1) / 2, (height - 1) / 2]
    back = corners @ np.linalg.inv(linear).T + [x, y]
    assert back.min() > -1e-6
    assert np.all(back.max(axis=0) < [139 + 1e-6, 89 + 1e-6])
    assert width * height > 0.3 * 90 * 140


@pytest.mark.parametrize("seed", range(12))
def test_shapes_fill_their_window_and_nothing_else(seed):
    window = Window(20, 10, 50, 41)
    mask = placing.draw_shape(window, 80, 100, np.random.default_rng(seed))
    inside = mask[window.slices]
    assert mask.sum() == inside.sum()
    assert inside.mean() > 0.5


def test_background_is_no_content():
    pixels = np.full((96, 96, 3), 200, dtype=np.uint8)
    pixels[:, :48] = texture(3, 96, 48)
    left, right = np.zeros((2, 96, 96), dtype=bool)
    left[:, :48] = True
    right[:, 48:] = True
    assert placing.holds_content(pixels, left)
    assert not placing.holds_content(pixels, right)


def test_what_a_program_drew_is_no_content():
    pixels = texture(3, 96, 96)
    everywhere = np.ones((96, 96), dtype=bool)
    drawn = np.zeros((96, 96), dtype=bool)
    drawn[:, :72] = True
    assert placing.holds_content(pixels, everywhere, drawn)  # a quarter is left
    drawn[:, :84] = True
    assert not placing.holds_content(pixels, everywhere, drawn)
