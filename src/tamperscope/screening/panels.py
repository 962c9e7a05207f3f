"""Split a figure into panels: recursive cuts at gutters and lines, solid rectangles on plain pages.

A region with a plain border is a page: its solid rectangles are split further, what ink is left is
gathered into drawings, and text is dropped. A region without one is cut at straight separators
(:mod:`tamperscope.screening.gutters`; the recursive cut is that of Nagy and Seth, "Hierarchical
representation of optically scanned documents", ICPR 1984). What cannot be cut is a panel, and the
modality classifier names it. Large figures are split on a reduced copy, and the edges of the boxes
are then put right on the pixels themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.records import Box, Figure, Panel
from tamperscope.screening.gutters import find_separators, margins, transposed
from tamperscope.screening.modality import classify
from tamperscope.screening.pieces import (
    Page,
    clusters,
    ink_of,
    is_flat,
    largest_mark,
    page_of,
    solid_boxes,
)
from tamperscope.screening.refine import refine

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB

WORKING_AREA = 1_500_000  # pixels of the copy that is split
DEEPEST = 6  # levels of nesting
DRAWN = ("chart", "facs")  # kinds whose frames and rules are no separators
SURE = 0.6  # probability from which the classifier may overrule a cut


@dataclass(frozen=True)
class Sizes:
    """Lengths in working pixels that depend on the size of the figure."""

    least: int  # shorter side of a panel
    longest: int  # longer side that a panel has at least
    gap: int  # between the parts of one drawing
    drawing: int  # longest stroke from which ink is a drawing and not text

    @classmethod
    def of(cls, pixels: Pixels) -> "Sizes":
        """Sizes for a figure of this many pixels."""
        longer = max(pixels.shape[:2])
        return cls(
            least=max(10, longer // 90),
            longest=max(40, longer // 20),
            gap=max(7, longer // 90),
            drawing=max(40, longer // 16),
        )


def find_panels(
    figure: Figure, pixels: Pixels, visible: NDArray[np.bool_] | None = None
) -> tuple[Panel, ...]:
    """Split a figure; boxes are in its pixels, ids and order follow the way of reading.

    Every figure has at least one panel: what cannot be split is one panel as a whole.

    Args:
        figure: Gives the panels' ids.
        pixels: uint8 (height, width, 3), RGB.
        visible: False where the document shows the page instead of the pixels.
    """
    if visible is not None and not visible.all():
        pixels = np.where(visible[..., None], pixels, np.uint8(255))
    height, width = pixels.shape[:2]
    scale = min(1.0, (WORKING_AREA / (height * width)) ** 0.5)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        working = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    else:
        working = np.ascontiguousarray(pixels)
    found = Splitter(working).split()
    if scale < 1:
        found = [replace(leaf, box=refine(leaf.box, pixels, working.shape)) for leaf in found]
    return tuple(
        Panel(f"{figure.id}p{number:02d}", leaf.box, leaf.kind, leaf.probability)
        for number, leaf in enumerate(_reading_order(found), start=1)
    )


@dataclass(frozen=True)
class Leaf:
    """A panel found, in the coordinates of the picture that was split."""

    box: Box
    kind: str
    probability: float


class Splitter:
    """Splits one working copy."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.sizes = Sizes.of(pixels)
        self.whole = Box(0, 0, pixels.shape[1], pixels.shape[0])
        self._named: dict[Box, Leaf] = {}

    def split(self) -> list[Leaf]:
        """Return the panels; the whole picture where nothing divides it."""
        found = self._region(self.whole, 0)
        found = [leaf for leaf in found if self._is_picture(leaf.box)]
        return _without_overlaps(found) or [self._leaf(self.whole)]

    def _is_picture(self, box: Box) -> bool:
        large = max(box.width, box.height) >= self.sizes.longest
        return large and not is_flat(self.pixels[box.slices])

    def _leaf(self, box: Box) -> Leaf:
        if box not in self._named:
            self._named[box] = Leaf(box, *classify(self.pixels[box.slices]))
        return self._named[box]

    def _region(self, box: Box, depth: int) -> list[Leaf]:
        if depth >= DEEPEST or min(box.width, box.height) < 2 * self.sizes.least:
            return [self._leaf(box)]
        page = page_of(self.pixels[box.slices])
        found = [] if page is None else self._on_page(box, page, depth)
        return found or self._cut(self._leaf(box), depth)

    def _on_page(self, box: Box, page: Page, depth: int) -> list[Leaf]:
        """Take a page apart; empty where its border is only the rim of one picture."""
        region = self.pixels[box.slices]
        ink = ink_of(region, page)
        solids = solid_boxes(region, ink, self.sizes.least)
        covered = sum(solid.area for solid in solids)
        inside = depth > 0 or min(page.colour) < 235  # not the white page of a figure
        if inside and solids and (covered < 0.35 * box.area or _misses(ink, solids)):
            return []  # dark pictures on a dark page: cuts tell them apart better
        if not solids:
            return self._drawings(self._leaf(box), ink, depth) if not inside else []
        rest, inside_of = ink.copy(), {}
        for solid in solids:
            parts = self._region(solid.shifted(box.x0, box.y0), depth + 1)
            if not self._is_bar(parts):
                inside_of[solid] = parts
                rest[solid.slices] = 0
        text = clusters(rest, self.sizes.gap)
        found: list[Leaf] = []
        for solid, parts in inside_of.items():
            whole = solid.shifted(box.x0, box.y0)
            plot = len(parts) == 1 and parts[0].kind in DRAWN
            framed = replace(parts[0], box=whole)
            found += [self._with_labels(framed, text, rest, box)] if plot else parts
        loose = self._loose(rest, text, found, box, depth)
        return [] if inside and loose else found + loose

    def _is_bar(self, parts: list[Leaf]) -> bool:
        """Whether a solid is a bar of a chart, which the strokes round it then belong to."""
        if len(parts) != 1 or parts[0].kind not in DRAWN:
            return False
        box = parts[0].box
        return box.width < box.height and box.width < self.sizes.drawing

    def _has_strokes(self, ink: NDArray[np.uint8], box: Box) -> bool:
        """Whether a mark is too long for a letter: an axis, a frame, a curve."""
        return largest_mark(np.ascontiguousarray(ink[box.slices])) >= self.sizes.drawing

    def _with_labels(self, part: Leaf, text: list[Box], rest: NDArray[np.uint8], at: Box) -> Leaf:
        """A framed plot with the numbers and titles at its left, below and above."""
        frame, reach = part.box, 0.4 * min(part.box.width, part.box.height)
        x0, y0, y1 = frame.x0, frame.y0, frame.y1
        for words in text:
            here = words.shifted(at.x0, at.y0)
            if self._has_strokes(rest, words):
                continue
            beside = here.y0 < frame.y1 and here.y1 > frame.y0 and here.x1 <= frame.x0 + 3
            below = here.x0 < frame.x1 and here.x1 > frame.x0 and here.y0 >= frame.y1 - 3
            above = here.x0 >= frame.x0 and here.x1 <= frame.x1 and here.y1 <= frame.y0 + 3
            if beside and frame.x0 - here.x0 < reach:
                x0 = min(x0, here.x0)
            if below and here.y1 - frame.y1 < reach:
                y1 = max(y1, here.y1)
            if above and frame.y0 - here.y0 < reach / 2:  # else an axis title of the next plot
                y0 = min(y0, here.y0)
        return replace(part, box=Box(x0, y0, frame.x1, y1))

    def _loose(
        self, rest: NDArray[np.uint8], boxes: list[Box], taken: list[Leaf], at: Box, depth: int
    ) -> list[Leaf]:
        """Drawings and unframed pictures among the ink that is left."""
        found = []
        for cluster in boxes:
            here = cluster.shifted(at.x0, at.y0)
            shorter = min(here.width, here.height)
            if shorter < 2 * self.sizes.least:
                continue
            if any(here.intersection(leaf.box) > 0.3 * here.area for leaf in taken):
                continue
            drawing = shorter >= self.sizes.longest and self._has_strokes(rest, cluster)
            if not drawing and here.width < 2 * self.sizes.longest:
                continue
            leaf = self._leaf(here)
            if drawing or (leaf.kind not in DRAWN and leaf.probability > SURE):
                found += self._cut(leaf, depth + 1)  # JPEG may have joined what is apart
        return found

    def _drawings(self, leaf: Leaf, ink: NDArray[np.uint8], depth: int) -> list[Leaf]:
        """A page without solid rectangles: plots, schemes, or one picture on a white ground."""
        if leaf.kind not in DRAWN and leaf.probability > SURE:
            return []
        parts = self._loose(ink, clusters(ink, self.sizes.gap), [], leaf.box, depth)
        return parts if len(parts) > 1 else []

    def _cut(self, leaf: Leaf, depth: int) -> list[Leaf]:
        """Cut at separators along one axis, then go on with the pieces."""
        drawn = leaf.kind in DRAWN
        if leaf.kind == "facs" and leaf.probability > SURE:
            return [self._trimmed(leaf)]
        region = self.pixels[leaf.box.slices]
        # A lane of a blot is no panel, and one set in from elsewhere is a seam.
        blot = leaf.kind == "blot"
        touching = not blot and not drawn
        lane = int(0.4 * leaf.box.height) if blot else 0
        sides = (leaf.box.width, leaf.box.height)
        piece = max(16, self.sizes.least, min(sides) // 8, max(sides) // 28)
        columns = find_separators(region, max(piece, lane), not drawn, touching)
        rows = find_separators(transposed(region), piece, not drawn, touching)
        if not columns and not rows:
            return [self._trimmed(leaf)]
        strongest = [max((s.strength for s in side), default=0.0) for side in (columns, rows)]
        if strongest[0] >= strongest[1]:
            spans = _spans([(s.start, s.stop) for s in columns], leaf.box.width)
            pieces = [Box(a, 0, b, leaf.box.height) for a, b in spans]
        else:
            spans = _spans([(s.start, s.stop) for s in rows], leaf.box.height)
            pieces = [Box(0, a, leaf.box.width, b) for a, b in spans]
        found: list[Leaf] = []
        for box in pieces:
            here = box.shifted(leaf.box.x0, leaf.box.y0)
            found += self._region(here, depth + 1)
        return found

    def _trimmed(self, leaf: Leaf) -> Leaf:
        """A drawing without the page around it; a picture without its plain margins."""
        if leaf.kind not in DRAWN:
            return leaf if leaf.box == self.whole else replace(leaf, box=self._inner(leaf.box))
        page = page_of(self.pixels[leaf.box.slices])
        if page is None:
            return leaf
        ink = ink_of(self.pixels[leaf.box.slices], page)
        if not ink.any():
            return leaf
        x, y, width, height = cv2.boundingRect(ink)
        box = Box(x, y, x + width, y + height).shifted(leaf.box.x0, leaf.box.y0)
        return replace(leaf, box=box)

    def _inner(self, box: Box) -> Box:
        region = self.pixels[box.slices]
        left, right = margins(region)
        top, bottom = margins(transposed(region))
        return Box(box.x0 + left, box.y0 + top, box.x1 - right, box.y1 - bottom)


def _misses(ink: NDArray[np.uint8], solids: list[Box]) -> bool:
    """Whether a tenth of the ink lies outside of the solids."""
    inside = sum(int(np.count_nonzero(ink[solid.slices])) for solid in solids)
    return inside < 0.9 * int(np.count_nonzero(ink))


def _spans(separators: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    ends = [(0, 0), *separators, (length, length)]
    return [(a[1], b[0]) for a, b in pairwise(ends)]


def _without_overlaps(found: list[Leaf]) -> list[Leaf]:
    """Drop what lies mostly inside another panel."""
    kept: list[Leaf] = []
    for leaf in sorted(found, key=lambda leaf: -leaf.box.area):
        if all(leaf.box.intersection(other.box) <= 0.5 * leaf.box.area for other in kept):
            kept.append(leaf)
    return kept


def _reading_order(found: list[Leaf]) -> list[Leaf]:
    """Rows from the top, each from the left; a row is what overlaps its first panel by half."""
    left = sorted(found, key=lambda leaf: (leaf.box.y0, leaf.box.x0))
    ordered: list[Leaf] = []
    while left:
        first = left[0].box
        level: Callable[[Box], float] = lambda box: min(box.y1, first.y1) - max(box.y0, first.y0)  # noqa: E731, B023
        row = [leaf for leaf in left if level(leaf.box) > 0.5 * min(leaf.box.height, first.height)]
        ordered += sorted(row, key=lambda leaf: (leaf.box.x0, leaf.box.y0))
        left = [leaf for leaf in left if leaf not in row]
    return ordered
