import numpy as np
import pytest
from scipy import ndimage

from tamperscope.synth.geometry import (
    Box,
    Geometry,
    affine,
    bounds,
    box_of,
    compose,
    inverse,
    map_points,
    scaling,
    shift,
    warp,
    warp_mask,
)
from tests.synth.panels import textured

CUBIC = -0.75  # the parameter of OpenCV's cubic kernel


def kernel(t):
    """Four weights of cubic interpolation at fraction ``t``."""
    d = np.abs(np.array([1 + t, t, 1 - t, 2 - t]))
    near = (CUBIC + 2) * d**3 - (CUBIC + 3) * d**2 + 1
    far = CUBIC * d**3 - 5 * CUBIC * d**2 + 8 * CUBIC * d - 4 * CUBIC
    return np.where(d <= 1, near, far)


def in_whole_numbers(pixels, matrix, box):
    """The same warp in plain arithmetic: 1/32 pixel, exact weights, one rounding."""
    back = np.linalg.inv(matrix)
    out = np.zeros((box.height, box.width, 3))
    for row in range(box.height):
        for column in range(box.width):
            point = back @ [column + box.x, row + box.y, 1]
            x, y = (int(np.floor(v * 32 + 0.5)) for v in point[:2])
            wx, wy = kernel((x & 31) / 32), kernel((y & 31) / 32)
            xs = np.clip((x >> 5) + np.arange(-1, 3), 0, pixels.shape[1] - 1)
            ys = np.clip((y >> 5) + np.arange(-1, 3), 0, pixels.shape[0] - 1)
            around = pixels[ys][:, xs].astype(float)
            out[row, column] = np.einsum("i,j,ijc->c", wy, wx, around)
    return np.clip(out, 0, 255)


@pytest.mark.parametrize("seed", range(4))
def test_pixels_are_resampled_in_fixed_point(seed):
    """Weights of 15 bits are off by less than a level; so is the rounding."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (40, 44, 3), dtype=np.uint8)
    linear = Geometry(rotate=1, shear=1, scale=1, scale_range=(1.0, 1.4)).draw(rng)
    matrix = compose(shift(3.3, 1.7), affine(linear))
    box = Box(10, 8, 18, 16)
    apart = np.abs(warp(pixels, matrix, box) - in_whole_numbers(pixels, matrix, box))
    assert apart.max() < 1.05


def test_a_whole_move_and_the_long_way_agree():
    pixels = textured(np.random.default_rng(0), (50, 60))
    box = Box(5, 4, 30, 20)
    moved = warp(pixels, shift(3, -2), box)
    np.testing.assert_array_equal(moved, pixels[6:26, 2:32])
    beyond = warp(pixels, shift(20, 0), box)  # reaches over the border, where pixels are repeated
    np.testing.assert_array_equal(beyond[:, 15:], pixels[4:24, :15])
    np.testing.assert_array_equal(beyond[:, :15], np.repeat(pixels[4:24, :1], 15, axis=1))


@pytest.mark.parametrize("linear", [np.eye(2), [[0, -1], [1, 0]], [[0, 1], [1, 0]]], ids=str)
def test_masks_move_as_pixels_do(linear):
    rng = np.random.default_rng(1)
    mask = rng.random((30, 36)) < 0.5
    matrix = compose(shift(31, 4), affine(np.asarray(linear, float)))
    box = Box(0, 0, 70, 70)
    there = np.argwhere(mask)[:, ::-1].astype(float)
    expected = np.zeros((70, 70), dtype=bool)
    for x, y in np.rint(map_points(matrix, there)).astype(int):
        if 0 <= x < 70 and 0 <= y < 70:
            expected[y, x] = True
    np.testing.assert_array_equal(warp_mask(mask, matrix, box), expected)


@pytest.mark.parametrize("after", [(40, 60), (17, 33), (80, 30)], ids=str)
def test_scaling_takes_corners_to_corners(after):
    """Of pixels as squares: the outer corners of a picture are those of its resized self."""
    matrix = scaling((20, 30), after)
    corners = np.array([[-0.5, -0.5], [29.5, 19.5]])
    expected = [[-0.5, -0.5], [after[1] - 0.5, after[0] - 0.5]]
    np.testing.assert_allclose(map_points(matrix, corners), expected)


@pytest.mark.parametrize("seed", range(10))
def test_maps_are_drawn_within_their_ranges_and_invert(seed):
    rng = np.random.default_rng(seed)
    geometry = Geometry(
        flip=0.5, right_angle=0.5, rotate=1, rotate_range=(-20, 20), scale=1, scale_range=(0.8, 1.3)
    )
    linear = geometry.draw(rng)
    assert 0.8**2 - 1e-3 <= abs(np.linalg.det(linear)) <= 1.3**2 + 1e-3
    np.testing.assert_array_equal(linear, np.round(linear, 6))
    matrix = compose(affine(linear), shift(3, 4))
    np.testing.assert_allclose(inverse(matrix), np.linalg.inv(matrix), atol=1e-9)
    np.testing.assert_allclose(matrix, affine(linear) @ shift(3, 4), atol=1e-12)
    still = Geometry(flip=0, right_angle=0, rotate=0, scale=0, shear=0)
    np.testing.assert_array_equal(still.draw(rng), np.eye(2))
    with pytest.raises(ValueError, match="singular"):
        inverse(np.zeros((3, 3)))


def test_boxes_hold_their_points():
    assert bounds(np.array([[1.2, 3.0], [5.0, 7.9]])) == Box(1, 3, 5, 6)
    mask = np.zeros((9, 12), dtype=bool)
    mask[2:5, 7:9] = True
    assert box_of(mask) == Box(7, 2, 2, 3)
    with pytest.raises(ValueError, match="no box"):
        box_of(np.zeros((3, 3), dtype=bool))


def test_shrinking_does_not_alias():
    """A fine grid, shrunk to a third, becomes grey instead of a coarse grid."""
    pixels = np.zeros((90, 90, 3), np.uint8)
    pixels[:, ::2] = 255
    small = warp(pixels, scaling((90, 90), (30, 30)), Box(4, 4, 20, 20))
    assert np.abs(small.astype(int) - 127).max() < 12
    assert ndimage.zoom(pixels[..., 0], 1 / 3, order=0).std() > 50  # what would come otherwise
