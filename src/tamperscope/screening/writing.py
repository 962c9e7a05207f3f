"""Small writing of any colour: letters are told from content by the lines they stand in.

Letters of about ten pixels are hardly flat: most of their pixels are the blend of a rim. But they
stand off from their ground within two pixels, are made of strokes, have one colour and one height,
and stand on one line. Bands of a gel stand in lines as well, but are wide and filled; cells are
filled and stand in no line.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.screening.channels import channel_max

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB

INK = 45  # grey levels by which writing differs from its ground
STROKE = 7  # pixels: wider than a stroke, narrower than a letter
CORE = 0.55  # of the strongest ink so near, that a pixel of a stroke has
GROUND = 25  # pixels: strokes thinner than this stand on a ground
HEIGHTS = (6, 26)  # pixels of a letter
WIDEST = 1.8  # width over height of a letter, or of two that touch
CONTRAST = 70  # grey levels of any channel within two pixels of a letter's rim
CRISP = 0.9  # share of the rim that shows it
FILLED = 0.8  # share of its hull from which a part is a spot; upright strokes (1, l) are thin
THIN = 0.5  # width over height of an upright stroke
SAME_HEIGHT = 0.7  # shorter to taller letter of a line
SAME_FOOT = 0.2  # of the height: how far feet, or heads, of one line lie apart
SAME_COLOUR = 40.0  # distance of mean colours of one line
OWN_COLOUR = 75.0  # the same for the pixels of one letter, blended rim included
CLOSE, FAR = 1.2, 8.0  # heights between letters of a word, and between the words above lanes
BESIDE, BETWEEN_LINES = 1.5, 0.9  # heights from letters to what else is written there
MOSTLY = 0.6  # of the open parts that stand in lines, where a picture is written on
TALLEST = 1.4  # times the height of the letter beside it
LEAST_WORD, LEAST_LINE = 2, 3  # letters; so many words above lanes make a line
MOST_PARTS = 800


@dataclass(frozen=True, eq=False)
class _Parts:
    """Connected parts that may be letters, or dots and strokes of letters."""

    boxes: NDArray[np.int32]  # (n, 4) x, y, width, height
    colour: NDArray[np.float64]  # (n, 3) mean
    labels: NDArray[np.int32]  # (height, width) of the picture
    numbers: NDArray[np.intp]  # (n,) label of each part
    open: NDArray[np.bool_]  # (n,) made of strokes, and as tall as a letter


def written_lines(pixels: Pixels) -> NDArray[np.uint8]:
    """Return a mask (height, width) of 0 and 1, set on small letters that stand in lines.

    Args:
        pixels: uint8 (height, width, 3), RGB.
    """
    found = np.zeros(pixels.shape[:2], np.uint8)
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    ground = np.ones((GROUND, GROUND), np.uint8)
    beside = np.ones((5, 5), np.uint8)
    sharp = channel_max(cv2.dilate(pixels, beside) - cv2.erode(pixels, beside)) >= CONTRAST
    for operation in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        strength = cv2.morphologyEx(gray, operation, ground)
        parts = _letters(pixels, _strokes(strength), sharp)
        for part in np.flatnonzero(_with_neighbours(parts, _in_lines(parts))):
            x, y, w, h = parts.boxes[part]
            place = slice(y, y + h), slice(x, x + w)
            off = np.linalg.norm(pixels[place] - parts.colour[part], axis=-1)
            # bright ground that touches a letter is not of its colour
            found[place] |= (parts.labels[place] == parts.numbers[part]) & (off <= OWN_COLOUR)
    return found


def _strokes(strength: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Ink without its blended rim: letters that touch fall apart, and small ones are open."""
    nearby = cv2.dilate(strength, np.ones((STROKE, STROKE), np.uint8))
    return ((strength >= INK) & (strength >= CORE * nearby)).astype(np.uint8)


def _letters(pixels: Pixels, ink: NDArray[np.uint8], sharp: NDArray[np.bool_]) -> _Parts:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    wide, tall = stats[:, 2], stats[:, 3]
    fits = (tall <= HEIGHTS[1]) & (wide <= WIDEST * HEIGHTS[1])
    rim = ink > cv2.erode(ink, np.ones((3, 3), np.uint8), borderValue=1)
    edge = np.maximum(np.bincount(labels[rim], minlength=count), 1)
    fits &= np.bincount(labels[rim & sharp], minlength=count) >= CRISP * edge
    fits[0] = False
    numbers = np.flatnonzero(fits)
    numbers = numbers[np.argsort(-tall[numbers], kind="stable")][:MOST_PARTS]
    letters = (tall >= HEIGHTS[0]) & (wide <= WIDEST * tall)
    is_open = [bool(letters[n]) and _is_open(labels, stats[n], int(n)) for n in numbers]
    inside = ink > 0
    size = np.maximum(np.bincount(labels[inside], minlength=count), 1)
    sums = [
        np.bincount(labels[inside], weights=pixels[..., c][inside], minlength=count)
        for c in range(3)
    ]
    colour = np.stack(sums, axis=1) / size[:, None]
    found = stats[numbers, :4], colour[numbers], labels, numbers
    return _Parts(*found, np.array(is_open, np.bool_))


def _is_open(labels: NDArray[np.int32], stats: NDArray[np.int32], number: int) -> bool:
    """Whether a part is made of strokes: an upright one, or some that leave part of a hull free."""
    x, y, w, h, area = (int(v) for v in stats)
    if w <= THIN * h:
        return True
    part = (labels[y : y + h, x : x + w] == number).astype(np.uint8)
    outline, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.contourArea(cv2.convexHull(np.concatenate(outline)))
    return area < FILLED * max(hull + max(w, h), area)


def _in_lines(parts: _Parts) -> NDArray[np.bool_]:
    """Which parts stand in a word, or in a line of single letters, (n,)."""
    x, _, w, h = parts.boxes.T.astype(np.float64)
    taller = np.maximum(h[:, None], h[None])
    alike = _aligned(parts) & _same_colour(parts)
    apart = np.maximum(x[:, None], x[None]) - np.minimum((x + w)[:, None], (x + w)[None])
    np.fill_diagonal(alike, val=False)
    alike &= parts.open[:, None] & parts.open[None]
    word = (alike & (apart <= CLOSE * taller)).sum(axis=1) + 1
    beside = alike & (apart <= FAR * taller)
    middle = beside.sum(axis=1) + 1 >= LEAST_LINE
    ends = (beside & middle[None]).any(axis=1)
    return np.asarray((word >= LEAST_WORD) | middle | ends)


def _with_neighbours(parts: _Parts, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add what stands beside letters, or in the line above or below them, in their colour, (n,).

    Filled letters, dots, and letters of half the height are no letters by themselves. In a texture
    some grains stand in lines by chance, but most do not: nothing is added there.
    """
    known = known & parts.open
    if known.sum() < MOSTLY * parts.open.sum():
        return known
    x, y, w, h = parts.boxes.T.astype(np.float64)
    apart = np.maximum(x[:, None], x[None]) - np.minimum((x + w)[:, None], (x + w)[None])
    below = np.maximum(y[:, None], y[None]) - np.minimum((y + h)[:, None], (y + h)[None])
    near = (apart <= BESIDE * h[None]) & (below <= -0.5 * np.minimum(h[:, None], h[None]))
    near |= (apart < 0) & (below <= BETWEEN_LINES * h[None])
    near |= _aligned(parts) & (apart <= FAR * h[None])
    near &= (h[:, None] <= TALLEST * h[None]) & (w[:, None] <= WIDEST * TALLEST * h[None])
    near &= _same_colour(parts)
    while True:
        more = known | (near & known[None]).any(axis=1)
        if np.array_equal(more, known):
            return known
        known = more


def _aligned(parts: _Parts) -> NDArray[np.bool_]:
    """Which parts are of one height and share their foot or their head, (n, n)."""
    _, y, _, h = parts.boxes.T.astype(np.float64)
    taller = np.maximum(h[:, None], h[None])
    alike = np.minimum(h[:, None], h[None]) >= SAME_HEIGHT * taller
    feet = np.abs((y + h)[:, None] - (y + h)[None])
    heads = np.abs(y[:, None] - y[None])
    return np.asarray(alike & (np.minimum(feet, heads) <= np.maximum(SAME_FOOT * taller, 1.0)))


def _same_colour(parts: _Parts) -> NDArray[np.bool_]:
    """Which parts are of one colour, (n, n)."""
    apart = np.linalg.norm(parts.colour[:, None] - parts.colour[None], axis=2)
    return np.asarray(apart <= SAME_COLOUR)
