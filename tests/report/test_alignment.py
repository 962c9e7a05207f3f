import cv2
import numpy as np
import pytest

from tamperscope.records import Box, Panel, Region
from tamperscope.report import alignment

FULL_TURN = [  # what NumPy does to a picture of 40 x 60, and the matrix that says the same
    (lambda a: a, ((1, 0, 0), (0, 1, 0), (0, 0, 1))),
    (lambda a: np.rot90(a), ((0, 1, 0), (-1, 0, 59), (0, 0, 1))),
    (lambda a: np.rot90(a, 2), ((-1, 0, 59), (0, -1, 39), (0, 0, 1))),
    (lambda a: np.fliplr(a), ((-1, 0, 59), (0, 1, 0), (0, 0, 1))),
    (lambda a: a.transpose(1, 0, 2), ((0, 1, 0), (1, 0, 0), (0, 0, 1))),
]


@pytest.fixture
def panel():
    return np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.mark.parametrize(("change", "matrix"), FULL_TURN, ids=["same", "90", "180", "flip", "T"])
def test_a_turned_panel_laid_back_is_the_panel(panel, change, matrix):
    second = np.ascontiguousarray(change(panel))
    laid, inside = alignment.lay_onto(second, matrix, Box(5, 7, 55, 33))
    np.testing.assert_array_equal(laid, panel[7:33, 5:55])
    assert inside.all()


def test_what_lies_beyond_the_second_panel_is_hatched(panel):
    shift = ((1, 0, 20), (0, 1, -10), (0, 0, 1))
    laid, inside = alignment.lay_onto(panel, shift, Box(0, 0, 60, 40))
    expected = np.zeros((40, 60), bool)
    expected[10:, :40] = True
    np.testing.assert_array_equal(inside, expected)
    np.testing.assert_array_equal(laid[10:, :40], panel[:30, 20:])
    np.testing.assert_array_equal(laid[~inside], alignment.hatching((60, 40))[~inside])


def test_a_larger_copy_comes_back_without_aliasing(smooth):
    """Shrinking noise by three must average it, not pick every third pixel."""
    large = cv2.resize(smooth, (210, 150), interpolation=cv2.INTER_NEAREST)
    noisy = np.clip(large + np.random.default_rng(1).normal(0, 20, large.shape), 0, 255)
    triple = ((3, 0, 1), (0, 3, 1), (0, 0, 1))
    laid, _ = alignment.lay_onto(noisy.astype(np.uint8), triple, Box(5, 5, 65, 45))
    wanted = smooth[5:45, 5:65].astype(float)
    picked = noisy[16:136:3, 16:196:3]
    assert np.abs(laid - wanted).mean() < 0.5 * np.abs(picked - wanted).mean()


def test_a_matrix_and_its_multiples_mean_the_same(panel):
    matrix = np.array([[1.1, 0.2, 3.0], [-0.1, 0.9, 5.0], [1e-4, 2e-4, 1.0]])
    shown = Box(5, 5, 40, 30)
    one, _ = alignment.lay_onto(panel, tuple(map(tuple, matrix)), shown)
    two, _ = alignment.lay_onto(panel, tuple(map(tuple, matrix * 4)), shown)
    np.testing.assert_array_equal(one, two)


TONES = [
    lambda a: a * 0.6 + 30,
    lambda a: 255 - a,
    lambda a: 255 * (a / 255) ** 0.6,
]


@pytest.mark.parametrize("tone", TONES, ids=["contrast", "inversion", "gamma"])
def test_a_change_of_tones_alone_leaves_no_difference(smooth, tone):
    changed = np.rint(tone(smooth.astype(float))).astype(np.uint8)
    everywhere = np.ones(smooth.shape[:2], bool)
    shown = alignment.difference(smooth, changed, everywhere, everywhere)
    assert shown.min() >= 235  # black would be 64 levels: this is at most 5


@pytest.fixture
def smooth():
    ramp = np.add.outer(np.linspace(20, 120, 50), np.linspace(0, 110, 70))
    return np.repeat(np.rint(ramp).astype(np.uint8)[..., None], 3, axis=2)


def test_a_difference_shows_where_it_is_and_how_strong(smooth):
    other = smooth.copy()
    other[10:20, 30:45] += 16
    region = np.ones(smooth.shape[:2], bool)
    region[10:20, 30:45] = False
    inside = np.ones_like(region)
    inside[:, :5] = False
    shown = alignment.difference(smooth, other, inside, region & inside)
    assert shown[region & inside].min() >= 250
    quarter = 255 * (1 - 16 / alignment.FULL_SCALE)
    assert abs(shown[12:18, 32:43].mean() - quarter) < 2
    np.testing.assert_array_equal(shown[:, :5], alignment.hatching((70, 50))[:, :5])


def test_the_tone_curve_is_flat_beyond_the_tones_it_was_fitted_to(smooth):
    """Brighter places outside the region are held against the brightest tone inside it."""
    region = smooth[..., 0] < 120
    brightest = smooth[..., 0][region].max()
    inside = np.ones_like(region)
    shown = alignment.difference(smooth, smooth, inside, region)
    assert shown[region].min() >= 253
    beyond = smooth[..., 0][~region] - float(brightest)
    expected = 255 * (1 - np.clip(beyond / alignment.FULL_SCALE, 0, 1))
    assert np.abs(shown[~region][:, 0] - expected).max() < 3


def test_a_window_shows_the_surroundings_and_stays_in_the_panel():
    panel = Panel("f1p1", Box(100, 50, 400, 250), "photo", 1.0)
    polygon = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    inner = Region("f1", "f1p1", Box(200, 100, 300, 150), polygon)
    assert alignment.window(inner, panel, 0.2).as_list() == [80, 30, 220, 120]
    edge = Region("f1", "f1p1", Box(100, 60, 110, 250), polygon)
    assert alignment.window(edge, panel, 0.2).as_list() == [0, 0, 48, 200]


def test_an_outline_is_filled_and_points_are_mapped():
    mask = alignment.filled([(1, 1), (3, 1), (3, 2), (1, 2)], (5, 4))
    assert mask.shape == (4, 5)
    assert mask.sum() == 6  # polygons of OpenCV include their border
    shear = ((2.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, 1.0, 0.0))
    assert alignment.map_points(shear, [(1.0, 2.0)]) == [(1.5, 1.0)]
    assert np.isnan(alignment.map_points(shear, [(1.0, 0.0)])).all()
