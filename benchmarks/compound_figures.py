"""Compound figures built from single panels, with the true boxes: what the split is measured on.

Every figure is drawn from a generator handed in: layout (grid, nested cuts, stacked strips),
gutters (colour, 0 to 24 pixels, lines), frames, letters, captions, charts among the panels, JPEG.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.records import Box

Pixels = NDArray[np.uint8]

COMPOUND_SOURCES = (
    "ContentMine/norma", "source-data/soda-mmQC", "uwm-bigdata/wound-segmentation",
)  # fmt: skip
"""Pictures of the first two were cut out of figures and may hold several panels themselves; those
of the last are padded with black to a square, and where such a panel ends is a matter of taste."""

KINDS = {"natural": "photo"}
COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (190, 190, 190)}


@dataclass(frozen=True)
class Source:
    """One picture of the corpus that is a single panel."""

    path: Path
    kind: str
    use: str
    group: str


@dataclass(frozen=True, eq=False)
class Compound:
    """A figure with its truth."""

    pixels: Pixels
    boxes: tuple[Box, ...]
    kinds: tuple[str, ...]
    style: str  # which gutters and layout, for the table


def single_panels(corpus: Path) -> list[Source]:
    """List the pictures of the corpus that hold one panel."""
    found = []
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            folder = row["file"].split("/")[0]
            width, height = int(row["width"]), int(row["height"])
            several = folder == "facs" and (width > 1.4 * height or max(width, height) > 320)
            if row["source_repo"] in COMPOUND_SOURCES or several:
                continue
            group = f"{row['source_repo']} {row['source_path'].split('#')[0]}"
            found.append(Source(corpus / row["file"], KINDS.get(folder, folder), row["use"], group))
    return found


def read_panel(source: Source) -> Pixels:
    """Read one picture as RGB, at most 1,000 pixels a side."""
    stored = cv2.imread(str(source.path), cv2.IMREAD_COLOR)
    scale = 1000 / max(stored.shape[:2])
    if scale < 1:
        stored = cv2.resize(stored, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)


class Builder:
    """Draws one figure."""

    def __init__(
        self,
        rng: np.random.Generator,
        sources: dict[str, list[Source]],
        chart: Callable[[np.random.Generator], Pixels],
    ) -> None:
        self.rng = rng
        self.sources = sources
        self.chart = chart
        self.boxes: list[Box] = []
        self.kinds: list[str] = []

    def build(self) -> Compound:
        """Draw a figure in a style drawn at random."""
        style = str(self.rng.choice(["grid", "nested", "strips", "page", "touching", "black grid"]))
        page = {
            "grid": self._grid, "nested": self._nested, "strips": self._strips,
            "page": self._page, "touching": self._touching, "black grid": self._black,
        }[style]()  # fmt: skip
        if self.rng.random() < 0.6:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(self.rng.integers(60, 96))]
            page = cv2.imdecode(cv2.imencode(".jpg", page, quality)[1], cv2.IMREAD_COLOR)
        return Compound(page, tuple(self.boxes), tuple(self.kinds), style)

    def _grid(self) -> Pixels:
        colour = str(self.rng.choice(["white", "white", "grey"]))
        return self._regular(colour, int(self.rng.integers(2, 25)), outer=True)

    def _black(self) -> Pixels:
        return self._regular("black", int(self.rng.integers(3, 16)), outer=self.rng.random() < 0.3)

    def _touching(self) -> Pixels:
        colour = str(self.rng.choice(["white", "black"]))
        return self._regular(colour, int(self.rng.integers(0, 4)), outer=False)

    def _regular(self, colour: str, gutter: int, outer: bool) -> Pixels:
        """Panels of one kind in rows and columns, with letters and a scale bar in them."""
        rows, columns = int(self.rng.integers(1, 5)), int(self.rng.integers(2, 6))
        height, width = (int(v) for v in self.rng.integers(110, 330, 2))
        kind = str(self.rng.choice(["microscopy", "microscopy", "macroscopy", "photo", "facs"]))
        if kind == "facs":
            colour, gutter, outer = "white", max(gutter, 12), True
        margin = int(self.rng.integers(6, 40)) if outer else 0
        page = np.full(
            (2 * margin + rows * height + (rows - 1) * gutter,
             2 * margin + columns * width + (columns - 1) * gutter, 3),
            COLOURS[colour], np.uint8,
        )  # fmt: skip
        frame = self.rng.random() < 0.15 and gutter > 3 and kind != "facs"
        for i in range(rows):
            for j in range(columns):
                box = Box(0, 0, width, height).shifted(
                    margin + j * (width + gutter), margin + i * (height + gutter)
                )
                self._put(page, box, kind, marks=True)
                if frame:
                    cv2.rectangle(page, (box.x0, box.y0), (box.x1 - 1, box.y1 - 1), (0, 0, 0), 1)
        return page

    def _nested(self) -> Pixels:
        """Recursive cuts with gutters of one colour, white page."""
        height, width = int(self.rng.integers(500, 1400)), int(self.rng.integers(600, 1400))
        margin, gutter = int(self.rng.integers(0, 30)), int(self.rng.integers(4, 24))
        page = np.full((height, width, 3), 255, np.uint8)
        for box in self._cuts(Box(margin, margin, width - margin, height - margin), gutter, 3):
            kind = str(self.rng.choice(["microscopy", "blot", "photo", "macroscopy"]))
            self._put(page, box, kind, marks=True)
        return page

    def _cuts(self, box: Box, gutter: int, depth: int) -> list[Box]:
        across = box.width >= box.height
        length = box.width if across else box.height
        if depth == 0 or length < 300 or (depth < 3 and self.rng.random() < 0.25):
            return [box]
        cut = int(length * self.rng.uniform(0.35, 0.65))
        if across:
            parts = (Box(box.x0, box.y0, box.x0 + cut, box.y1),
                     Box(box.x0 + cut + gutter, box.y0, box.x1, box.y1))  # fmt: skip
        else:
            parts = (Box(box.x0, box.y0, box.x1, box.y0 + cut),
                     Box(box.x0, box.y0 + cut + gutter, box.x1, box.y1))  # fmt: skip
        return [leaf for part in parts for leaf in self._cuts(part, gutter, depth - 1)]

    def _strips(self) -> Pixels:
        """Strips of blots one above the other, names at their left, sizes at their right."""
        columns, rows = int(self.rng.integers(1, 4)), int(self.rng.integers(2, 8))
        width, gutter = int(self.rng.integers(160, 420)), int(self.rng.integers(3, 14))
        left, right = 120, 70
        heights = self.rng.integers(24, 90, rows)
        page = np.full(
            (int(heights.sum()) + rows * gutter + 60, columns * (left + width + right), 3),
            255, np.uint8,
        )  # fmt: skip
        framed = self.rng.random() < 0.6
        for j in range(columns):
            x, y = j * (left + width + right) + left, 40
            for height in heights:
                box = Box(x, y, x + width, y + int(height))
                self._put(page, box, "blot", marks=False)
                if framed:
                    cv2.rectangle(page, (box.x0, box.y0), (box.x1 - 1, box.y1 - 1), (0, 0, 0), 1)
                self._write(page, x - 100, y + int(height) // 2 + 5, "a-Protein", 0.5)
                self._write(page, x + width + 8, y + int(height) // 2 + 5, "- 55", 0.5)
                y += int(height) + gutter
            for lane in range(4):
                self._write(page, x + lane * width // 4, 30, "+ -", 0.5)
        return page

    def _page(self) -> Pixels:
        """Letters, captions, charts and pictures of several kinds, as a whole figure has."""
        rows, columns = int(self.rng.integers(2, 4)), int(self.rng.integers(2, 4))
        cell_h, cell_w = int(self.rng.integers(240, 420)), int(self.rng.integers(260, 460))
        page = np.full((rows * cell_h, columns * cell_w, 3), 255, np.uint8)
        for i in range(rows):
            for j in range(columns):
                x, y = j * cell_w, i * cell_h
                self._write(page, x + 6, y + 26, chr(65 + i * columns + j), 0.9, bold=True)
                box = Box(x + 40, y + 36, x + cell_w - 12, y + cell_h - 40)
                kind = str(self.rng.choice(["chart", "blot", "microscopy", "facs", "photo"]))
                self._put(page, box, kind, marks=self.rng.random() < 0.5)
                if kind not in ("chart", "facs") and self.rng.random() < 0.6:
                    self._write(page, x + 60, y + cell_h - 18, "treated 24 h", 0.5)
        return page

    def _put(self, page: Pixels, box: Box, kind: str, marks: bool) -> None:
        """Fill a box with a crop of a panel; drawings keep their shape and their page."""
        if kind in ("chart", "facs"):
            self._put_drawing(page, box, kind)
            return
        crop = self._crop(box, kind)
        while crop.std() < 3:  # an empty crop is no panel that anyone could tell from its gutter
            crop = self._crop(box, kind)
        if marks:
            self._mark(crop)
        page[box.slices] = crop
        self.boxes.append(box)
        self.kinds.append(kind)

    def _crop(self, box: Box, kind: str) -> Pixels:
        pool = self.sources[kind]
        pixels = read_panel(pool[int(self.rng.integers(len(pool)))])
        share = self.rng.uniform(0.5, 1)
        scale = max(box.height / pixels.shape[0], box.width / pixels.shape[1]) / share
        size = (max(box.width, round(pixels.shape[1] * scale)),
                max(box.height, round(pixels.shape[0] * scale)))  # fmt: skip
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        y = int(self.rng.integers(pixels.shape[0] - box.height + 1))
        x = int(self.rng.integers(pixels.shape[1] - box.width + 1))
        return pixels[y : y + box.height, x : x + box.width].copy()

    def _put_drawing(self, page: Pixels, box: Box, kind: str) -> None:
        if kind == "chart":
            pixels = self.chart(self.rng)
        else:
            pool = self.sources["facs"]
            pixels = read_panel(pool[int(self.rng.integers(len(pool)))])
        scale = min(box.height / pixels.shape[0], box.width / pixels.shape[1])
        size = (max(1, int(pixels.shape[1] * scale)), max(1, int(pixels.shape[0] * scale)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        page[box.y0 : box.y0 + size[1], box.x0 : box.x0 + size[0]] = small
        ys, xs = np.nonzero(small.min(-1) < 240)
        if len(ys):
            inked = Box(int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
            self.boxes.append(inked.shifted(box.x0, box.y0))
            self.kinds.append(kind)

    def _mark(self, crop: Pixels) -> None:
        """A letter, a scale bar or both, in white or black, as on micrographs."""
        ink = (255, 255, 255) if crop.mean() < 128 else (0, 0, 0)
        height, width = crop.shape[:2]
        if self.rng.random() < 0.5:
            letter = chr(65 + int(self.rng.integers(26)))
            cv2.putText(crop, letter, (6, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.8, ink, 2, cv2.LINE_AA)
        if self.rng.random() < 0.4:
            x, y = int(width * 0.7), int(height * 0.92)
            cv2.rectangle(crop, (x, y), (x + width // 5, y + 3), ink, -1)

    def _write(self, page: Pixels, x: int, y: int, text: str, size: float, bold: bool = False):
        cv2.putText(
            page, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 2 if bold else 1,
            cv2.LINE_AA,
        )  # fmt: skip
