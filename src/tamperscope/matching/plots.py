"""Axes and numbers of FACS plots: what all plots of a program share, and no sign of reuse.

Axes, ticks and straight gate lines are drawn by a program and alike on every plot. Long straight
lines are marked, and along two of them that meet as axes, the ticks beside them. Outside of the
axes, numbers and titles are marked by their size; what else lies there stays, since something may
have been pasted. Inside of the axes events and contours look like drawn marks, because they are:
what was taken for letters there is given back.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.match import Gray, Mask

INK = 0.65  # grey value below which a pixel of a plot may belong to a line
FAINT = 0.85  # the same for a small letter, which is mostly blended rim
DARK = 0.35  # the same for a line that touches something filled
SHORTEST_AXIS = 60  # pixels
AXIS_SHARE = 0.12  # of the picture's side
THICKEST = 6  # pixels
CROWDED = 0.3  # share of ink beside a line
CORNER = 6.0  # pixels between the ends of two axes that meet
RIM = 7  # pixels beside an axis that ticks may take
LETTERS = (5, 40)  # pixels: longer side of a letter, or of letters that touch; events are smaller
WORDS = (8, 32)  # pixels: height of a word with the room around its letters
LONG = 2.0  # width over height of a word
FULL = 0.7  # share of its box that a word fills, gaps between its letters closed
HALO = 3  # pixels around a letter where its anti-aliased rim still shows

Segment = tuple[int, int, int, int]  # x0, y0, x1, y1, inclusive


def without_axes(gray: Gray, ignore: Mask) -> Mask:
    """Say what to ignore of a FACS panel, (height, width).

    Args:
        gray: Brightness.
        ignore: What was taken for drawn marks, (height, width).

    Returns:
        Axes, ticks, straight gate lines, and letters outside of the plots; inside of them only
        words of ``ignore``. In a picture without upright axes, or turned, all of ``ignore``.
    """
    ink, dark = ((gray < value).astype(np.uint8) for value in (INK, DARK))
    # a filled histogram stands on its axis: only the axis is dark
    upright = _lines(ink, vertical=True) + _lines(dark, vertical=True)
    level = _lines(ink, vertical=False) + _lines(dark, vertical=False)
    marked = np.zeros(gray.shape, np.uint8)
    for x0, y0, x1, y1 in (*upright, *level):
        marked[y0 : y1 + 1, x0 : x1 + 1] = 1
    marked = cv2.dilate(marked, np.ones((5, 5), np.uint8))
    inside = np.zeros(gray.shape, np.bool_)
    for x0, top, x1, y0, right, y1 in _corners(upright, level):
        marked[top : y1 + 1, max(x0 - RIM, 0) : x1 + RIM + 1] = 1
        marked[max(y0 - RIM, 0) : y1 + RIM + 1, x0 : right + 1] = 1
        inside[top : y1 + 1, x0 : right + 1] = True
    if not inside.any():
        return ignore | marked.astype(np.bool_)
    faint = (gray < FAINT).astype(np.uint8)
    outside = (ignore | _letters(faint, inside)) & ~inside
    return np.asarray(outside | _words(ignore & inside) | marked.astype(np.bool_))


def _words(ignore: Mask) -> Mask:
    """Names and numbers of gates: marks that fill an upright box much wider than high."""
    joined = cv2.morphologyEx(ignore.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 21), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=4)
    wide, tall, area = stats[:, 2], stats[:, 3], stats[:, 4]
    word = (tall >= WORDS[0]) & (tall <= WORDS[1]) & (wide >= LONG * tall)
    word &= area >= FULL * wide * tall
    word[0] = False
    return np.asarray(word[labels])


def _letters(ink: NDArray[np.uint8], inside: Mask) -> Mask:
    """Parts of the size of letters that lie outside of the plots, and what is close to them."""
    outside = (ink > 0) & ~inside
    _, labels, stats, _ = cv2.connectedComponentsWithStats(outside.astype(np.uint8), connectivity=8)
    longer = stats[:, 2:4].max(axis=1)
    letter = (longer >= LETTERS[0]) & (longer <= LETTERS[1])
    letter[0] = False
    side = 2 * HALO + 1
    return cv2.dilate(letter[labels].astype(np.uint8), np.ones((side, side), np.uint8)) > 0


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
