"""Find what authors drew onto a panel: letters, arrows, scale bars, captions, frames, boxes.

Drawn marks have one flat colour and end abruptly; cells, bands and puncta are blurred by the optics
that imaged them. So the connected parts of pure white, pure black and pure colours are taken one by
one: those that are flat, crisp and of a drawn shape (open strokes as of letters, triangles, thin
straight bars, outlines of boxes) are annotations. Round compact spots never are, however bright.
Small writing in any colour is found by its lines (:mod:`tamperscope.screening.writing`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.records import Box
from tamperscope.screening.channels import channel_max, channel_min
from tamperscope.screening.writing import written_lines

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB
Mask = NDArray[np.bool_]  # (height, width)

SMALLEST = 5  # pixels: height of the smallest letter that is looked for
MOST_PARTS = 600  # parts of one colour that are looked at, largest first
CONTRAST = 70  # grey levels between a mark and what lies two pixels outside of it
CRISP = 0.8  # share of its outline that must show that contrast
FLAT = 22  # levels of the largest channel: standard deviation within a mark, rim included
STRAIGHT = 0.9  # share of its box that a scale bar fills; bands have round ends
LARGEST = 0.2  # of the panel's longer side: a letter or arrow is no larger
ARROW_HEAD = 0.06  # of the longer side: larger triangles are not arrow heads
WIDEST = 1.8  # width over height of a letter
COMPACT = 0.8  # share of its convex hull from which a part is a spot or a bar
BAR = 4.0  # length over width from which a straight part may be a scale bar
HALO = 2  # pixels added around a mark for antialiasing


@dataclass(frozen=True, eq=False)
class Part:
    """One connected part of one pure colour."""

    box: Box
    mask: NDArray[np.uint8]  # (box.height, box.width), 0 or 1
    area: int
    colour: int  # which of the pure colours

    @property
    def shorter(self) -> int:
        """Shorter side of the box."""
        return min(self.box.width, self.box.height)

    @property
    def longer(self) -> int:
        """Longer side of the box."""
        return max(self.box.width, self.box.height)


def annotation_mask(pixels: Pixels) -> Mask:
    """Return a mask (height, width), True on drawn marks and the two pixels around them.

    Args:
        pixels: uint8 (height, width, 3), RGB, one panel.
    """
    found = np.zeros(pixels.shape[:2], np.uint8)
    letters: list[Part] = []
    bars: list[Part] = []
    for part in _parts(np.ascontiguousarray(pixels)):
        kind = _shape(part, pixels.shape)
        if kind == "mark":
            found[part.box.slices] |= part.mask
        elif kind == "letter":
            letters.append(part)
        elif kind == "bar":
            bars.append(part)
    for part in _written(letters, bars) + _scale_bars(bars):
        found[part.box.slices] |= part.mask
    found |= _rim(pixels)
    side = 2 * HALO + 1
    found = cv2.dilate(found, np.ones((side, side), np.uint8))
    # ink that is told by its ground includes its blended rim
    written = cv2.dilate(written_lines(pixels), np.ones((3, 3), np.uint8))
    return (found | written).astype(bool)


def _pure_colours(pixels: Pixels) -> Iterator[NDArray[np.uint8]]:
    """Masks of white, black and the six saturated corners of the colour cube."""
    low, high = channel_min(pixels), channel_max(pixels)
    yield (low >= 236).astype(np.uint8)
    yield (high <= 24).astype(np.uint8)
    chroma = high.astype(np.int16) - low
    vivid = (chroma >= 110) & (high >= 170)
    if not vivid.any():
        return
    bits = (pixels > (high.astype(np.int16) - chroma // 2)[..., None]) & vivid[..., None]
    code = bits.astype(np.uint8) @ np.array([1, 2, 4], np.uint8)
    for corner in range(1, 7):
        yield (code == corner).astype(np.uint8)


def _parts(pixels: Pixels) -> Iterator[Part]:
    """Connected parts of the pure colours that are flat and end within two pixels."""
    height, width = pixels.shape[:2]
    window = np.ones((5, 5), np.uint8)
    sharp = cv2.dilate(pixels, window) - cv2.erode(pixels, window)
    sharp = (channel_max(sharp) >= CONTRAST).astype(np.float32)
    plane = channel_max(pixels).astype(np.float64)
    for colour, mask in enumerate(_pure_colours(pixels)):
        if not mask.any():
            continue
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        wide, tall, area = stats[:, 2], stats[:, 3], stats[:, 4]
        fits = (np.maximum(wide, tall) >= SMALLEST) & (area <= 0.1 * height * width)
        fits &= (area >= SMALLEST) & (_spread(labels, mask, plane, count) <= FLAT)
        rim = mask > cv2.erode(mask, np.ones((3, 3), np.uint8), borderValue=1)
        edge = np.maximum(np.bincount(labels[rim], minlength=count), 1)
        fits &= np.bincount(labels[rim], weights=sharp[rim], minlength=count) >= CRISP * edge
        fits[0] = False
        order = np.flatnonzero(fits)
        for label in order[np.argsort(-area[order], kind="stable")][:MOST_PARTS]:
            x, y, w, h, size = (int(v) for v in stats[label])
            inside = (labels[y : y + h, x : x + w] == label).astype(np.uint8)
            yield Part(Box(x, y, x + w, y + h), inside, size, colour)


def _spread(
    labels: NDArray[np.int32], mask: NDArray[np.uint8], plane: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Standard deviation of ``plane`` within every part, (count,)."""
    inside = mask > 0
    which, values = labels[inside], plane[inside]
    size = np.maximum(np.bincount(which, minlength=count), 1)
    mean = np.bincount(which, weights=values, minlength=count) / size
    square = np.bincount(which, weights=values**2, minlength=count) / size
    return np.sqrt(np.maximum(square - mean**2, 0))


def _shape(part: Part, shape: tuple[int, ...]) -> str | None:
    """Name the drawn shape of a crisp part: "mark", "letter", "bar"; None for a spot."""
    side = max(shape[:2])
    if part.longer >= BAR * part.shorter and part.area >= STRAIGHT * part.box.area:
        return "bar"
    if _is_box(part):
        return "mark"
    if part.longer > LARGEST * side:
        return None
    outline, _ = cv2.findContours(part.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate(outline)
    hull = max(cv2.contourArea(cv2.convexHull(points)), 1.0)
    if 8 <= part.longer <= max(40, ARROW_HEAD * side) and _is_triangle(points, hull):
        return "mark"
    filled = part.area / max(hull + part.longer, part.area)
    if filled >= COMPACT or part.box.height < SMALLEST:
        return None
    return "letter" if _is_written(part) else None


def _is_written(part: Part) -> bool:
    """Whether the part is made of strokes of one width, thin against its size, as letters are."""
    if part.box.width > WIDEST * part.box.height:
        return False
    mask = cv2.copyMakeBorder(part.mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    ridge = depth[(depth > 0) & (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)))]
    middle, high = np.quantile(ridge, (0.5, 0.95))
    return bool(2 * high - 1 <= 0.5 * part.shorter + 1 and high <= 2.0 * middle)


def _is_box(part: Part) -> bool:
    """Whether the part is the outline of an upright rectangle."""
    mask, width = part.mask, max(1, round(0.06 * part.shorter))
    if part.shorter < 8 or part.area > 0.5 * part.box.area:
        return False
    sides = (
        mask[:width].max(0),
        mask[-width:].max(0),
        mask[:, :width].max(1),
        mask[:, -width:].max(1),
    )
    return all(side.mean() >= 0.8 for side in sides)


def _is_triangle(points: NDArray[np.int32], hull: float) -> bool:
    """Whether the part fills its smallest triangle, as arrow heads do and ellipses (0.6) do not."""
    area, _ = cv2.minEnclosingTriangle(cv2.convexHull(points).astype(np.float32))
    return area > 0 and hull / area >= 0.8


def _written(letters: list[Part], bars: list[Part]) -> list[Part]:
    """Letters, with the bars among them (I, l, 1, -) that stand in a line of writing.

    A single open stroke is taken too: panel letters and arrows stand alone.
    """
    if not letters:
        return []
    taken = list(letters)
    for bar in bars:
        for letter in letters:
            same_line = min(bar.box.y1, letter.box.y1) - max(bar.box.y0, letter.box.y0)
            apart = max(bar.box.x0, letter.box.x0) - min(bar.box.x1, letter.box.x1)
            height = letter.box.height
            near = bar.colour == letter.colour and same_line > 0 and apart < height
            if near and bar.longer <= 1.6 * height:
                taken.append(bar)
                break
    return taken


def _scale_bars(bars: list[Part]) -> list[Part]:
    """Straight bars; many of one colour are lanes or bands, not scale bars."""
    found = []
    for colour in {bar.colour for bar in bars}:
        same = [bar for bar in bars if bar.colour == colour and bar.longer >= 12]
        if len(same) <= 3:
            found += same
    return found


def _rim(pixels: Pixels) -> NDArray[np.uint8]:
    """A frame of one colour along the whole border, at most two in a hundred pixels wide."""
    found = np.zeros(pixels.shape[:2], np.uint8)
    widest = max(2, min(pixels.shape[:2]) // 50)
    planes = ((pixels, found), (pixels.swapaxes(0, 1), found.T))
    for plane, mark in planes:
        for side, view in ((plane, mark), (plane[::-1], mark[::-1])):
            strip = side[: widest + 2].astype(np.int16)
            if strip.shape[0] < widest + 2:
                continue
            flat = strip.std(1).max(-1) < 8
            level = strip.mean(1)
            for depth in range(widest, 0, -1):
                step = np.abs(level[depth] - level[depth - 1]).max()
                if flat[:depth].all() and step > 30:
                    view[:depth] = 1
                    break
    return found
