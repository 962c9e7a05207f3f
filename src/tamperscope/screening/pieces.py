"""What stands on a plain page: solid rectangles (pictures, framed plots) and loose ink.

A picture is a filled rectangle whose interior varies; letters, arrows and axis lines are thin and
vanish when the filled ink is opened; bars and swatches are rectangles of one colour.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.records import Box
from tamperscope.screening.channels import channel_max

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB
Mask = NDArray[np.uint8]  # (height, width), 0 or 1, as OpenCV takes them

EXTENT = 0.87  # share of its bounding box that a solid rectangle fills
SMALL = 60  # pixels: shorter side of a box that could be a word or a band
FLAT = 0.99  # share of one colour above which a rectangle is a bar or swatch, not a picture


@dataclass(frozen=True)
class Page:
    """The plain colour that surrounds the pieces of a region."""

    colour: tuple[int, int, int]
    tolerance: float  # grey levels within which a pixel is page


def page_of(region: Pixels, least: float = 0.5) -> Page | None:
    """Return the plain colour of the region's border; None where it has none.

    Args:
        region: uint8 (height, width, 3).
        least: Share of the border that must have the colour.
    """
    ring = np.concatenate(
        [region[:2].reshape(-1, 3), region[-2:].reshape(-1, 3),
         region[:, :2].reshape(-1, 3), region[:, -2:].reshape(-1, 3)]
    )  # fmt: skip
    colour = commonest(ring)
    distance = channel_max(np.abs(ring.astype(np.int16) - colour))
    near = distance <= 10
    if near.mean() < least:
        return None
    everywhere = channel_max(np.abs(region[::3, ::3].astype(np.int16) - colour))
    noise = float(everywhere[everywhere <= 12].mean())  # JPEG rings between pictures, not outside
    tolerance = float(np.clip(4 + 6 * noise, 5, 14))
    return Page((int(colour[0]), int(colour[1]), int(colour[2])), tolerance)


def commonest(colours: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return the commonest colour of (n, 3), as the median of the fullest cell of a colour grid."""
    cells = (colours.astype(np.int32) + 4) >> 4
    cells = 289 * cells[:, 0] + 17 * cells[:, 1] + cells[:, 2]
    fullest = np.bincount(cells).argmax()
    return np.median(colours[cells == fullest], axis=0).astype(np.int16)


def ink_of(region: Pixels, page: Page) -> Mask:
    """Mark what is not page."""
    colour = np.array(page.colour, np.float64)
    low, high = np.clip(colour - page.tolerance, 0, 255), np.clip(colour + page.tolerance, 0, 255)
    return 1 - (cv2.inRange(region, low, high) >> 7)  # type: ignore[return-value]


def solid_boxes(region: Pixels, ink: Mask, least: int) -> list[Box]:
    """Boxes of the filled rectangles whose shorter side has at least ``least`` pixels."""
    sealed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(sealed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = np.zeros_like(ink)
    cv2.drawContours(filled, outlines, -1, 1, thickness=cv2.FILLED)
    side = max(5, least // 2 | 1)
    opened = cv2.morphologyEx(filled, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    found = []
    for x, y, w, h, area in stats[1:count]:
        if min(w, h) < least or area < EXTENT * w * h:
            continue
        box = Box(int(x), int(y), int(x + w), int(y + h))
        if _has_straight_sides(sealed, box) and not is_flat(region[box.slices]):
            found.append(box)
    return found


def _has_straight_sides(ink: Mask, box: Box) -> bool:
    """Whether ink runs along all four sides, as along frames and cropped pictures.

    Words and bands also fill their box, but touch its sides here and there only. A large picture
    may be as white as the page along half of a side.
    """
    inside = ink[box.slices]
    depth = max(1, min(box.width, box.height) // 16)
    shares = (
        inside[:depth].max(0).mean(), inside[-depth:].max(0).mean(),
        inside[:, :depth].max(1).mean(), inside[:, -depth:].max(1).mean(),
    )  # fmt: skip
    return min(shares) >= (0.92 if min(box.width, box.height) < SMALL else 0.5)


def is_flat(region: Pixels) -> bool:
    """Whether the region, but for a rim, is of one colour."""
    height, width = region.shape[:2]
    rim = max(1, min(height, width) // 6)
    inner = region[rim : height - rim, rim : width - rim]
    inner = inner if inner.size else region
    sample = inner[:: max(1, inner.shape[0] // 150), :: max(1, inner.shape[1] // 150)].reshape(
        -1, 3
    )
    distance = channel_max(np.abs(sample.astype(np.int16) - commonest(sample)))
    same = distance <= 8
    return bool(same.mean() > FLAT)


def clusters(ink: Mask, gap: int) -> list[Box]:
    """Boxes of ink whose parts lie within ``gap`` pixels of each other."""
    if not ink.any():
        return []
    side = gap | 1
    near = cv2.dilate(ink, np.ones((side, side), np.uint8))
    count, labels = cv2.connectedComponents(near, connectivity=8)
    labels[ink == 0] = 0
    found = []
    for x, y, w, h in _boxes(labels, count):
        if w > 0:
            found.append(Box(x, y, x + w, y + h))
    return found


def _boxes(labels: NDArray[np.int32], count: int) -> list[tuple[int, int, int, int]]:
    ys, xs = np.nonzero(labels)
    which = labels[ys, xs]
    low = np.full((count, 2), np.iinfo(np.int64).max)
    high = np.full((count, 2), -1)
    for column, values in enumerate((xs, ys)):
        np.minimum.at(low[:, column], which, values)
        np.maximum.at(high[:, column], which, values)
    return [
        (int(low[i, 0]), int(low[i, 1]), int(high[i, 0] - low[i, 0] + 1),
         int(high[i, 1] - low[i, 1] + 1))
        for i in range(1, count) if high[i, 0] >= 0
    ]  # fmt: skip


def largest_mark(ink: Mask) -> int:
    """Longest side of a connected mark: text has small ones only, drawings have a long stroke."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    if count < 2:
        return 0
    return int(stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max())
