"""Draw charts, schemes, tables and text blocks, for fitting the modality classifier.

Nothing here is copied from anywhere: every picture is drawn from a generator handed in. Variety
matters more than looks, so sizes, colours, fonts, line widths and contents are all drawn at random.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WORDS = [
    "control", "treated", "siRNA", "WT", "KO", "vehicle", "day", "hours", "time", "dose",
    "relative", "expression", "fold", "change", "cell", "number", "percent", "survival",
    "intensity", "a.u.", "mRNA", "protein", "kDa", "nM", "group", "mean", "tumour", "volume",
]  # fmt: skip


@dataclass
class Canvas:
    """A page to draw on, with its pen."""

    rng: np.random.Generator
    width: int
    height: int

    def __post_init__(self) -> None:
        page = (255, 255, 255) if self.rng.random() < 0.9 else self.pale()
        self.image = Image.new("RGB", (self.width, self.height), page)
        self.draw = ImageDraw.Draw(self.image)
        self.stroke = int(self.rng.integers(1, max(2, self.width // 150) + 2))
        self.size = int(self.rng.integers(max(8, self.height // 35), max(10, self.height // 14)))
        self.colourful = self.rng.random() < 0.7

    def pale(self) -> tuple[int, int, int]:
        """A light colour."""
        r, g, b = self.rng.integers(200, 256, 3)
        return int(r), int(g), int(b)

    def colour(self) -> tuple[int, int, int]:
        """Any colour, or a grey where the chart is black and white."""
        if self.colourful:
            r, g, b = self.rng.integers(0, 240, 3)
            return int(r), int(g), int(b)
        grey = int(self.rng.choice([0, 0, 60, 120, 180, 220]))
        return grey, grey, grey

    def text(self, x: float, y: float, words: str | None = None, size: int | None = None) -> None:
        """Write a word or two."""
        if words is None:
            words = " ".join(self.rng.choice(WORDS, int(self.rng.integers(1, 3))))
        font = ImageFont.load_default(size or self.size)
        self.draw.text((x, y), words, fill=(0, 0, 0), font=font)

    def axes(self) -> tuple[int, int, int, int]:
        """Draw axes with ticks and numbers; return the plotting area x0 y0 x1 y1 (y1 below)."""
        x0, x1 = int(self.width * self.rng.uniform(0.1, 0.22)), int(self.width * 0.95)
        y0, y1 = int(self.height * 0.08), int(self.height * self.rng.uniform(0.75, 0.88))
        self.draw.line([(x0, y0), (x0, y1), (x1, y1)], fill=0, width=self.stroke)
        if self.rng.random() < 0.25:
            self.draw.rectangle([x0, y0, x1, y1], outline=0, width=self.stroke)
        for i in range(int(self.rng.integers(3, 8))):
            y = y1 - (y1 - y0) * i // 7
            self.draw.line([(x0 - 3 * self.stroke, y), (x0, y)], fill=0, width=self.stroke)
            self.text(x0 - 2.6 * self.size, y - self.size / 2, str(i * 20))
        self.text(x0 + (x1 - x0) * self.rng.uniform(0.1, 0.5), y1 + 1.3 * self.size)
        return x0, y0, x1, y1


def bars(c: Canvas) -> None:
    x0, y0, x1, y1 = c.axes()
    groups, per = int(c.rng.integers(2, 8)), int(c.rng.integers(1, 4))
    colours = [c.colour() for _ in range(per)]
    step = (x1 - x0) / (groups * (per + 0.7))
    for g in range(groups):
        for k in range(per):
            left = x0 + (g * (per + 0.7) + k + 0.4) * step
            top = y1 - (y1 - y0) * c.rng.uniform(0.1, 0.85)
            outline = 0 if c.rng.random() < 0.6 else None
            box = [left, top, left + step * 0.85, y1]
            c.draw.rectangle(box, fill=colours[k], outline=outline, width=c.stroke)
            middle, reach = left + step * 0.42, (y1 - y0) * c.rng.uniform(0.01, 0.1)
            c.draw.line([(middle, top - reach), (middle, top)], fill=0, width=c.stroke)
            cap = [(middle - step / 5, top - reach), (middle + step / 5, top - reach)]
            c.draw.line(cap, fill=0)
        c.text(x0 + (g * (per + 0.7) + 0.4) * step, y1 + 3)


def curves(c: Canvas) -> None:
    x0, y0, x1, y1 = c.axes()
    steps = c.rng.random() < 0.35
    for _ in range(int(c.rng.integers(1, 6))):
        n = int(c.rng.integers(5, 40))
        xs = np.linspace(x0, x1, n)
        walk = np.cumsum(c.rng.normal(c.rng.normal(), 1, n))
        walk = np.sort(walk)[::-1] if steps else walk
        span = max(float(np.ptp(walk)), 1e-6)
        ys = y1 - (walk - walk.min()) / span * (y1 - y0) * c.rng.uniform(0.3, 0.95)
        points = list(zip(xs, ys, strict=True))
        if steps:
            points = [p for a, b in pairwise(points) for p in (a, (b[0], a[1]))]
        colour = c.colour()
        c.draw.line(points, fill=colour, width=c.stroke + int(c.rng.integers(0, 2)))
        if not steps and c.rng.random() < 0.5:
            r = c.stroke * 2 + 1
            for x, y in points:
                c.draw.ellipse([x - r, y - r, x + r, y + r], fill=colour)
                if n < 15:
                    c.draw.line([(x, y - 4 * r), (x, y + 4 * r)], fill=colour, width=c.stroke)
    for i in range(int(c.rng.integers(0, 4))):
        c.text(x0 + (x1 - x0) * 0.6, y0 + i * c.size * 1.2)


def dots(c: Canvas) -> None:
    x0, y0, x1, y1 = c.axes()
    for _ in range(int(c.rng.integers(1, 5))):
        colour, r = c.colour(), int(c.rng.integers(2, 4 + c.width // 120))
        n = int(c.rng.integers(5, 60))
        cx, cy = c.rng.uniform(x0, x1), c.rng.uniform(y0, y1)
        narrow = c.rng.choice([0.02, 0.1, 0.2])
        xs = np.clip(c.rng.normal(cx, (x1 - x0) * narrow, n), x0, x1)
        ys = np.clip(c.rng.normal(cy, (y1 - y0) * 0.15, n), y0, y1)
        for x, y in zip(xs, ys, strict=True):
            c.draw.ellipse([x - r, y - r, x + r, y + r], fill=colour, outline=0)
        c.draw.line([(cx - 5 * r, cy), (cx + 5 * r, cy)], fill=0, width=c.stroke)


def boxes(c: Canvas) -> None:
    x0, y0, x1, y1 = c.axes()
    n = int(c.rng.integers(2, 9))
    for i in range(n):
        middle, half = x0 + (i + 0.5) * (x1 - x0) / n, (x1 - x0) / n * 0.3
        low, q1, q2, q3, high = np.sort(c.rng.uniform(y0, y1, 5))
        c.draw.line([(middle, low), (middle, high)], fill=0, width=c.stroke)
        c.draw.rectangle([middle - half, q1, middle + half, q3], fill=c.colour(), outline=0)
        c.draw.line([(middle - half, q2), (middle + half, q2)], fill=0, width=c.stroke + 1)
        c.text(middle - half, y1 + 3)


def heatmap(c: Canvas) -> None:
    rows, columns = int(c.rng.integers(4, 30)), int(c.rng.integers(3, 20))
    x0, y0 = c.width * c.rng.uniform(0, 0.15), c.height * c.rng.uniform(0, 0.15)
    x1, y1 = c.width * c.rng.uniform(0.7, 1), c.height * c.rng.uniform(0.85, 1)
    low, high = np.array(c.colour()), np.array(c.colour())
    white = np.array([255, 255, 255]) if c.rng.random() < 0.6 else np.zeros(3)
    for i in range(rows):
        for j in range(columns):
            v = c.rng.normal(0, 0.5) + (0.4 if (i * 3 // rows) == (j * 3 // columns) else -0.2)
            end = high if v > 0 else low
            mixed = white + (end - white) * min(abs(v), 1)
            box = [
                x0 + (x1 - x0) * j / columns, y0 + (y1 - y0) * i / rows,
                x0 + (x1 - x0) * (j + 1) / columns, y0 + (y1 - y0) * (i + 1) / rows,
            ]  # fmt: skip
            c.draw.rectangle(box, fill=tuple(int(m) for m in mixed))
        if x1 < 0.95 * c.width and rows < 20:
            size = max(6, int((y1 - y0) / rows * 0.8))
            c.text(x1 + 4, y0 + (y1 - y0) * i / rows, size=size)


def scheme(c: Canvas) -> None:
    n = int(c.rng.integers(3, 9))
    centres = c.rng.uniform(0.1, 0.85, (n, 2)) * [c.width, c.height]
    for a, b in pairwise(centres):
        c.draw.line([tuple(a), tuple(b)], fill=c.colour(), width=c.stroke + 1)
        c.draw.regular_polygon((b[0], b[1], 4 + 2 * c.stroke), 3, fill=0)
    for x, y in centres:
        w, h = c.rng.uniform(0.04, 0.16) * c.width, c.rng.uniform(0.02, 0.1) * c.height
        fill = c.pale() if c.rng.random() < 0.7 else c.colour()
        shape = c.draw.ellipse if c.rng.random() < 0.5 else c.draw.rectangle
        shape([x - w, y - h, x + w, y + h], fill=fill, outline=0, width=c.stroke)
        c.text(x - w * 0.7, y - c.size / 2)


def table(c: Canvas) -> None:
    rows, columns = int(c.rng.integers(3, 12)), int(c.rng.integers(2, 7))
    for i in range(rows + 1):
        y = c.height * (0.05 + 0.9 * i / rows)
        if c.rng.random() < 0.7:
            c.draw.line([(c.width * 0.03, y), (c.width * 0.97, y)], fill=0, width=c.stroke)
        for j in range(columns):
            c.text(c.width * (0.05 + 0.9 * j / columns), y + 2, size=max(8, c.height // rows // 3))
    if c.rng.random() < 0.4:
        for j in range(columns + 1):
            x = c.width * (0.04 + 0.9 * j / columns)
            c.draw.line([(x, c.height * 0.05), (x, c.height * 0.95)], fill=0, width=c.stroke)


def words(c: Canvas) -> None:
    """Text and nothing else: captions, logos, sequences."""
    size = int(c.rng.integers(10, max(12, c.height // 3)))
    y = c.rng.uniform(0, size)
    while y < c.height:
        line = " ".join(c.rng.choice(WORDS, int(c.rng.integers(1, 2 + c.width // (4 * size)))))
        c.text(c.rng.uniform(0, size), y, line, size)
        y += size * c.rng.uniform(1.1, 1.8)


def tree(c: Canvas) -> None:
    def grow(x: float, top: float, bottom: float, depth: int) -> None:
        step = c.width * c.rng.uniform(0.05, 0.2)
        if depth == 0 or x + step > 0.75 * c.width:
            c.text(x + 3, (top + bottom) / 2 - c.size / 2, size=max(7, c.size // 2))
            return
        cut = c.rng.uniform(0.3, 0.7) * (bottom - top) + top
        a, b = (top + cut) / 2, (cut + bottom) / 2
        c.draw.line([(x, a), (x, b)], fill=0, width=c.stroke)
        for y, t, u in ((a, top, cut), (b, cut, bottom)):
            c.draw.line([(x, y), (x + step, y)], fill=0, width=c.stroke)
            grow(x + step, t, u, depth - 1)

    grow(c.width * 0.05, 0, c.height, 5)


def pie(c: Canvas) -> None:
    r = min(c.width, c.height) * c.rng.uniform(0.25, 0.42)
    x, y = c.width * c.rng.uniform(0.4, 0.6), c.height / 2
    turns = np.sort(c.rng.uniform(0, 360, int(c.rng.integers(2, 7))))
    for a, b in zip(turns, [*turns[1:], turns[0] + 360], strict=True):
        c.draw.pieslice([x - r, y - r, x + r, y + r], a, b, fill=c.colour(), outline="white")
    for i in range(3):
        c.text(2, 2 + i * c.size * 1.3)


def gel_scheme(c: Canvas) -> None:
    """A drawn gel: flat bands in frames, as in outlines of an experiment."""
    lanes = int(c.rng.integers(3, 9))
    c.draw.rectangle([5, 5, c.width - 6, c.height - 6], outline=0, width=c.stroke)
    for i in range(lanes):
        x, w = c.width * (i + 0.5) / lanes, c.width / lanes * 0.35
        for _ in range(int(c.rng.integers(0, 4))):
            y, colour = c.rng.uniform(0.1, 0.9) * c.height, c.colour()
            c.draw.rectangle([x - w, y, x + w, y + max(3, c.height // 40)], fill=colour)
        c.text(x - w, 8, size=max(8, c.size // 2))


KINDS: tuple[Callable[[Canvas], None], ...] = (
    bars, bars, curves, curves, dots, boxes, heatmap, scheme, table, words, tree, pie, gel_scheme,
)  # fmt: skip


def draw_chart(rng: np.random.Generator) -> np.ndarray:
    """Draw one chart, scheme or block of text: uint8 (height, width, 3), RGB."""
    width, height = int(rng.integers(140, 700)), int(rng.integers(120, 600))
    canvas = Canvas(rng, width, height)
    KINDS[int(rng.integers(len(KINDS)))](canvas)
    if rng.random() < 0.3:
        canvas.text(2, 2, str(rng.choice(list("ABCDEFGH"))), size=canvas.size + 6)
    if rng.random() < 0.6:  # antialiased by reduction
        factor = rng.uniform(0.45, 0.9)
        size = (max(60, int(width * factor)), max(50, int(height * factor)))
        return np.asarray(canvas.image.resize(size, Image.Resampling.LANCZOS))
    return np.asarray(canvas.image)


def draw_blot(rng: np.random.Generator) -> np.ndarray:
    """Draw a strip or sheet of a western blot: soft dark bands on a light, grained ground.

    The corpus has few of these under a licence that permits shipping a fit, and they are the
    commonest blots of all.
    """
    lanes, rows = int(rng.integers(2, 14)), int(rng.integers(1, 4) if rng.random() < 0.6 else 7)
    lane, pitch = int(rng.integers(18, 60)), int(rng.integers(18, 60))
    height, width = rows * pitch + 8, lanes * lane + 8
    y, x = np.mgrid[:height, :width].astype(np.float64)
    burnt = rng.random() < 0.4  # exposed or stretched until the ground is white
    plane = np.full((height, width), rng.uniform(1.0, 1.06) if burnt else rng.uniform(0.62, 1.0))
    if not burnt:
        plane -= rng.uniform(0, 0.1) * (y / height) + rng.uniform(0, 0.08) * np.cos(x / width * 3)
    for i in range(rows):
        strength, bend = rng.uniform(0.2, 1.0), rng.normal(0, 0.04)
        thick = pitch * rng.uniform(0.06, 0.22)
        for j in range(lanes):
            if rng.random() < 0.12:
                continue
            cx, cy = (j + 0.5) * lane + 4, (i + rng.uniform(0.4, 0.6)) * pitch + 4
            along = np.abs((x - cx) / (lane * rng.uniform(0.28, 0.46))) ** rng.uniform(2, 5)
            across = ((y - cy - bend * (x - cx) ** 2 / lane) / thick) ** 2
            plane -= strength * rng.uniform(0.3, 1.0) * np.exp(-across - along)
    plane += rng.normal(0, rng.uniform(0.002, 0.03), plane.shape)
    for _ in range(int(rng.integers(0, 6))):
        plane[rng.integers(height), rng.integers(width)] -= 0.4
    if rng.random() < 0.12:
        plane = 1 - plane
    grey = np.clip(plane * 255, 0, 255).astype(np.uint8)
    strip = np.repeat(grey[..., None], 3, axis=2)
    return _labelled(strip, rng) if rng.random() < 0.4 else strip


def _labelled(strip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A blot on a white page with names, sizes and treatments round it, framed or not."""
    height, width = strip.shape[:2]
    left, top = int(rng.integers(0, 110)), int(rng.integers(0, 50))
    right, below = int(rng.integers(0, 60)), int(rng.integers(0, 40))
    page = Image.new("RGB", (left + width + right, top + height + below), (255, 255, 255))
    page.paste(Image.fromarray(strip), (left, top))
    pen = ImageDraw.Draw(page)
    if rng.random() < 0.6:
        pen.rectangle([left, top, left + width - 1, top + height - 1], outline=0)
    font = ImageFont.load_default(int(rng.integers(9, 16)))
    for y in range(top, top + height, 40):
        if left > 40:
            pen.text((2, y + 4), str(rng.choice(WORDS)), fill=0, font=font)
        if right > 25:
            pen.text(
                (left + width + 3, y + 4), f"- {int(rng.integers(10, 250))}", fill=0, font=font
            )
    for x in range(left, left + width, 45):
        if top > 18:
            pen.text((x, top - 18), str(rng.choice(WORDS))[:5], fill=0, font=font)
    return np.asarray(page)
