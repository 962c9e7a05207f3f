"""Cuts the places of a finding out of their panels and lays the second onto the first.

All functions are pure and work in pixels of a panel, (x, y) with the origin in its upper left
corner; ``matrix`` maps points of the first panel to the second.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.movement import movement
from tamperscope.records import Box, Matrix, Panel, Point, Region

Pixels = NDArray[np.uint8]  # (height, width, 3)
Mask = NDArray[np.bool_]  # (height, width)

MARGIN = 0.18  # of the longer side of a region, shown around it so that the eye finds its place
ALONE_MARGIN = 1.0  # the same for a place without partner, which is seen against its surroundings
SMALLEST_MARGIN = 16  # pixels
FULL_SCALE = 64  # grey levels that print as black in a difference picture
LARGEST_SHRINK = 8.0  # beyond it the blur against aliasing grows no further
TONE_SAMPLES = 20_000  # pixels that settle the tone curve
TONE_DEGREE = 3  # of the polynomial tone curve: follows brightness, contrast, gamma and inversion


def window(region: Region, panel: Panel, margin_share: float) -> Box:
    """Rectangle of the panel that shows ``region`` with some of what lies around it."""
    x0, y0, x1, y1 = region.box.as_list()
    margin = max(SMALLEST_MARGIN, round(margin_share * max(region.box.width, region.box.height)))
    left = max(x0 - panel.box.x0 - margin, 0)
    top = max(y0 - panel.box.y0 - margin, 0)
    right = min(x1 - panel.box.x0 + margin, panel.box.width)
    bottom = min(y1 - panel.box.y0 + margin, panel.box.height)
    return Box(left, top, right, bottom)


def outline_in(region: Region, panel: Panel, shown: Box) -> list[Point]:
    """Outline of ``region`` in pixels of the rectangle ``shown`` of its panel."""
    dx, dy = panel.box.x0 + shown.x0, panel.box.y0 + shown.y0
    return [(x - dx, y - dy) for x, y in region.polygon]


def map_points(matrix: Matrix, points: list[Point]) -> list[Point]:
    """Map points through a 3x3 transform; points on its horizon come out as NaN."""
    flat = np.array([(x, y, 1.0) for x, y in points]) @ np.array(matrix).T
    with np.errstate(divide="ignore", invalid="ignore"):
        mapped = flat[:, :2] / flat[:, 2:]
    mapped[~np.isfinite(mapped).all(axis=1)] = np.nan
    return [(float(x), float(y)) for x, y in mapped]


def lay_onto(second: Pixels, matrix: Matrix, shown: Box) -> tuple[Pixels, Mask]:
    """Resample the second panel into the rectangle ``shown`` of the first.

    Args:
        second: Pixels of the second panel.
        matrix: First panel to second panel.
        shown: Rectangle of the first panel.

    Returns:
        Pixels of the rectangle's size, and where the second panel reaches; hatched elsewhere.
    """
    to_shown = np.array([[1.0, 0.0, shown.x0], [0.0, 1.0, shown.y0], [0.0, 0.0, 1.0]])
    inverse_map = np.array(matrix) @ to_shown
    size = (shown.width, shown.height)
    scale = min(movement(inverse_map, (shown.width / 2, shown.height / 2)).scale, LARGEST_SHRINK)
    if scale > 1.2:  # shrinking: remove what the coarser grid cannot carry
        second = np.asarray(cv2.GaussianBlur(second, (0, 0), 0.5 * np.sqrt(scale**2 - 1)), np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpPerspective(
        second, inverse_map, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    everywhere = np.full(second.shape[:2], 255, np.uint8)
    reached = cv2.warpPerspective(
        everywhere, inverse_map, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    inside = reached > 0
    return np.where(inside[..., None], laid, hatching(size)).astype(np.uint8), inside


def difference(first: Pixels, laid: Pixels, inside: Mask, region: Mask) -> Pixels:
    """Picture how two aligned crops differ once the tones of the second follow the first.

    White is no difference, black is ``FULL_SCALE`` grey levels or more, hatching is where the
    second panel ends. The tone curve is fitted over ``region`` alone.
    """
    a, b = luma(first), luma(laid)
    fitted = b
    sample = np.flatnonzero(region & inside)
    sample = sample[:: len(sample) // TONE_SAMPLES + 1]
    x, y = b.ravel()[sample], a.ravel()[sample]
    if len(x) > 10 * TONE_DEGREE and np.ptp(x) > 0.02:
        curve = np.polynomial.Polynomial.fit(x, y, TONE_DEGREE)
        fitted = curve(np.clip(b, x.min(), x.max()))  # a cubic strays beyond its data
    apart = np.clip(np.abs(a - fitted) * 255 / FULL_SCALE, 0, 1)
    shade = np.rint(255 * (1 - apart)).astype(np.uint8)
    height, width = shade.shape
    painted = np.repeat(shade[..., None], 3, axis=2)
    return np.where(inside[..., None], painted, hatching((width, height))).astype(np.uint8)


def equalised(crop: Pixels) -> Pixels:
    """Spread the grey values of a crop evenly, which brings faint backgrounds to light."""
    grey = np.rint(luma(crop) * 255).astype(np.uint8)
    return np.repeat(cv2.equalizeHist(grey)[..., None], 3, axis=2).astype(np.uint8)


def filled(outline: list[Point], size: tuple[int, int]) -> Mask:
    """Fill an outline; ``size`` is (width, height)."""
    canvas = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(canvas, [np.rint(np.array(outline)).astype(np.int32)], 1)
    return canvas.astype(bool)


def hatching(size: tuple[int, int]) -> Pixels:
    """Diagonal stripes of (width, height), for "nothing to see here"."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    stripes = np.where((x + y) % 8 < 2, 160, 222).astype(np.uint8)
    return np.repeat(stripes[..., None], 3, axis=2)


def luma(pixels: Pixels) -> NDArray[np.float64]:
    """Luma of BT.601 in [0, 1], (height, width)."""
    return pixels @ np.array([0.299, 0.587, 0.114]) / 255
