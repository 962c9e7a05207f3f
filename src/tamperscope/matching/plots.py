"""Axes of FACS plots: what every plot of a program has in common, and no sign of reuse.

Axes, ticks and straight gate lines are drawn by a program and alike on every plot. Long straight
lines are marked, and along two of them that meet as axes, the ticks beside them. Numbers and titles
are letters, which the caller ignores; what else lies outside of the axes stays, since something may
have been pasted there.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.match import Gray, Mask

INK = 0.65  # grey value below which a pixel of a plot may belong to a line
SHORTEST_AXIS = 60  # pixels
AXIS_SHARE = 0.12  # of the picture's side
THICKEST = 6  # pixels
CROWDED = 0.3  # share of ink beside a line
CORNER = 6.0  # pixels between the ends of two axes that meet
RIM = 7  # pixels beside an axis that ticks may take

Segment = tuple[int, int, int, int]  # x0, y0, x1, y1, inclusive


def axes_mask(gray: Gray) -> Mask:
    """Mark axes with their ticks, and straight gate lines, (height, width).

    Marks nothing in a picture that is turned.
    """
    ink = (gray < INK).astype(np.uint8)
    upright = _lines(ink, vertical=True)
    level = _lines(ink, vertical=False)
    marked = np.zeros(gray.shape, np.uint8)
    for x0, y0, x1, y1 in (*upright, *level):
        marked[y0 : y1 + 1, x0 : x1 + 1] = 1
    marked = cv2.dilate(marked, np.ones((5, 5), np.uint8))
    for x0, top, x1, y0, right, y1 in _corners(upright, level):
        marked[top : y1 + 1, max(x0 - RIM, 0) : x1 + RIM + 1] = 1
        marked[max(y0 - RIM, 0) : y1 + RIM + 1, x0 : right + 1] = 1
    return marked.astype(np.bool_)


def _lines(ink: NDArray[np.uint8], *, vertical: bool) -> list[Segment]:
    """Straight, thin, long lines along one axis."""
    side = ink.shape[0 if vertical else 1]
    length = int(max(SHORTEST_AXIS, AXIS_SHARE * side)) | 1  # an even kernel would shift the lines
    kernel = np.ones((length, 1) if vertical else (1, length), np.uint8)
    opened = cv2.morphologyEx(ink, cv2.MORPH_OPEN, kernel)
    across = np.ones((1, THICKEST + 1) if vertical else (THICKEST + 1, 1), np.uint8)
    thin = opened & ~cv2.morphologyEx(opened, cv2.MORPH_OPEN, across)
    thin = cv2.morphologyEx(thin, cv2.MORPH_OPEN, kernel)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(thin, connectivity=8)
    found = [(int(x), int(y), int(x + w - 1), int(y + h - 1)) for x, y, w, h, _ in boxes[1:count]]
    return [line for line in found if _stands_alone(ink, line, vertical=vertical)]


def _stands_alone(ink: NDArray[np.uint8], line: Segment, *, vertical: bool) -> bool:
    """Whether one side of a line is mostly empty: inside a dense population, none is."""
    x0, y0, x1, y1 = line
    if vertical:
        sides = ink[y0 : y1 + 1, max(x0 - 5, 0) : max(x0 - 2, 0)], ink[y0 : y1 + 1, x1 + 3 : x1 + 6]
    else:
        sides = ink[max(y0 - 5, 0) : max(y0 - 2, 0), x0 : x1 + 1], ink[y1 + 3 : y1 + 6, x0 : x1 + 1]
    return any(side.size == 0 or side.mean() < CROWDED for side in sides)


def _corners(
    upright: list[Segment], level: list[Segment]
) -> list[tuple[int, int, int, int, int, int]]:
    """Left and lower axes that meet: (x0, top, x1) of the one, (y0, right, y1) of the other."""
    found = []
    for x0, top, x1, bottom in upright:
        for left, y0, right, y1 in level:
            meets_below = abs(y0 - bottom) <= CORNER or abs(y1 - bottom) <= CORNER
            meets_left = abs(left - x0) <= CORNER or abs(left - x1) <= CORNER
            if meets_below and meets_left:
                found.append((x0, top, x1, y0, right, y1))
    return found
