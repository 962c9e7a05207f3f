"""Find what authors drew onto a panel: letters, arrows, scale bars, captions, frames, boxes.

Drawn marks have one flat colour and end abruptly; cells, bands and puncta are blurred by the optics
that imaged them. So the connected parts of pure white, pure black and pure colours are taken one by
one: those that are flat, crisp and of a drawn shape (open strokes as of letters, triangles, thin
straight bars, outlines of boxes) are annotations. Round compact spots never are, however bright.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.records import Box
from tamperscope.screening.channels import channel_max, channel_min

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB
Mask = NDArray[np.bool_]  # (height, width)

SMALLEST = 5  # pixels: height of the smallest letter that is looked for
MOST_PARTS = 600  # parts of one colour that are looked at, largest first
CONTRAST = 70  # grey levels between a mark and what lies two pixels outside of it
CRISP = 0.8  # share of the surrounding pixels that must show that contrast
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
    for part in _parts(pixels):
        if not _is_crisp(part, pixels):
            continue
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
    return cv2.dilate(found, np.ones((side, side), np.uint8)).astype(bool)


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
    height, width = pixels.shape[:2]
    for colour, mask in enumerate(_pure_colours(pixels)):
        if not mask.any():
            continue
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        wide, tall, area = stats[1:, 2], stats[1:, 3], stats[1:, 4]
        fits = (np.maximum(wide, tall) >= SMALLEST) & (area <= 0.1 * height * width)
        fits &= area >= SMALLEST
        order = 1 + np.flatnonzero(fits)
        order = order[np.argsort(-stats[order, 4], kind="stable")][:MOST_PARTS]
        for label in order:
            x, y, w, h, count = (int(v) for v in stats[label])
            inside = (labels[y : y + h, x : x + w] == label).astype(np.uint8)
            yield Part(Box(x, y, x + w, y + h), inside, count, colour)


def _is_crisp(part: Part, pixels: Pixels) -> bool:
    """Whether the colour is flat and ends within two pixels nearly everywhere."""
    box, margin = part.box, 3
    y0, x0 = max(box.y0 - margin, 0), max(box.x0 - margin, 0)
    around = pixels[y0 : box.y1 + margin, x0 : box.x1 + margin]
    mask = np.zeros(around.shape[:2], np.uint8)
    mask[box.y0 - y0 : box.y1 - y0, box.x0 - x0 : box.x1 - x0] = part.mask
    inside = around[mask > 0].astype(np.int16)
    colour = np.median(inside, axis=0)
    if np.abs(inside - colour).max(-1).mean() > 14:
        return False
    near = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    ring = cv2.dilate(near, np.ones((3, 3), np.uint8)) > near
    if not ring.any():
        return False
    differs = np.abs(around[ring].astype(np.int16) - colour).max(-1) >= CONTRAST
    return bool(differs.mean() >= CRISP)


def _shape(part: Part, shape: tuple[int, ...]) -> str | None:
    """Name the drawn shape of a crisp part: "mark", "letter", "bar"; None for a spot."""
    outline, _ = cv2.findContours(part.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate(outline)
    hull = max(cv2.contourArea(cv2.convexHull(points)), 1.0)
    filled = part.area / max(hull + part.longer, part.area)
    if part.longer >= BAR * part.shorter and part.area >= 0.85 * part.box.area:
        return "bar"
    if part.longer >= 0.25 * max(shape[:2]):
        return "mark" if _is_box(part) else None
    if part.longer >= 8 and _is_triangle(points, hull):
        return "mark"
    if filled >= COMPACT:
        return None
    if _is_box(part):
        return "mark"
    return "letter" if part.box.height >= SMALLEST else None


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
