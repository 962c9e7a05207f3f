"""Frames, ticks, labels and gates of cytometry plots, as planes of ink."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import chance, pick
from tamperscope.synth.drawn.lettering import lay, letters
from tamperscope.synth.drawn.scene import Plane

MARKERS = (
    "CD3", "CD4", "CD8", "CD19", "CD25", "CD44", "CD62L", "B220", "FITC-A", "PE-A", "APC-A", "GFP",
    "Ki-67", "Annexin V", "PI", "7-AAD", "IFN-g", "IL-2", "FoxP3", "Ly6G", "CD11b", "PD-1", "BV421",
)  # fmt: skip
SCATTER = ("FSC-A", "SSC-A", "FSC-H", "SSC-H", "FSC-W")
TITLES = (
    "Live",
    "Singlets",
    "Control",
    "Treated",
    "Lymphocytes",
    "All events",
    "WT",
    "KO",
    "Day 3",
)
POPULATIONS = ("Live", "P1", "Singlets", "Lymphocytes", "CD4+", "B cells", "")


@dataclass(frozen=True)
class Frame:
    """Where a plot lies in the panel (pixels; may reach beyond it), and how it is lettered."""

    top: int
    left: int
    height: int
    width: int
    text: int  # height of letters, pixels
    face: int
    line: int  # width of lines, pixels

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Place (column, row) of a point on axes from 0 to 1."""
        return self.left + x * self.width, self.top + (1 - y) * self.height


def draw_axes(
    rng: np.random.Generator, ink: Plane, frame: Frame, *, linear: tuple[bool, bool], counts: bool
) -> None:
    """Draw frame, ticks with numbers, names of the axes, perhaps a title."""
    right, bottom = frame.left + frame.width, frame.top + frame.height
    if chance(rng, 0.75):
        _rectangle(ink, frame.left, frame.top, right, bottom, frame.line)
    else:
        _rectangle(ink, frame.left, frame.top, frame.left, bottom, frame.line)
        _rectangle(ink, frame.left, bottom, right, bottom, frame.line)
    for side in (0, 1):
        if counts and side == 1:
            ticks = [(v / 100, str(v)) for v in range(0, 101, int(rng.choice([20, 25, 50])))]
        elif linear[side]:
            ticks = [
                (v / 262, "0" if v == 0 else f"{v}K")
                for v in range(0, 251, int(rng.choice([50, 100])))
            ]
        else:
            ticks = _decades(rng)
        for place, text in ticks:
            _tick(ink, frame, side, place, text)
        _minor_ticks(ink, frame, side, [place for place, text in ticks if "^" in text])
    name_x = str(rng.choice(SCATTER if linear[0] else MARKERS))
    name_y = "Count" if counts else str(rng.choice(SCATTER if linear[1] else MARKERS))
    if chance(rng, 0.85):
        stencil = letters(name_x, frame.text + 1, frame.face)
        middle = frame.left + (frame.width - stencil.shape[1]) / 2
        lay(ink, stencil, bottom + 2.4 * frame.text, middle)
        stencil = np.rot90(letters(name_y, frame.text + 1, frame.face))
        middle = frame.top + (frame.height - stencil.shape[0]) / 2
        lay(ink, stencil, middle, frame.left - 4.6 * frame.text - 2)
    if chance(rng, 0.35):
        stencil = letters(str(rng.choice(TITLES)), frame.text + 2, frame.face)
        middle = frame.left + (frame.width - stencil.shape[1]) / 2
        lay(ink, stencil, frame.top - stencil.shape[0] - 3, middle)


def draw_gates(
    rng: np.random.Generator, ink: Plane, frame: Frame, around: list[tuple[float, float]]
) -> str:
    """Draw one kind of gate near the given populations, with percentages; returns its kind."""
    kind = pick(
        rng, {"none": 0.15, "quadrants": 0.25, "box": 0.22, "ellipse": 0.18, "polygon": 0.2}
    )
    if kind == "quadrants":
        _quadrants(rng, ink, frame)
        return kind
    for x, y in around[: int(rng.integers(1, 3))] if kind != "none" else []:
        half = rng.uniform(0.08, 0.2, size=2)
        if kind == "box":
            a, b = (
                frame.at(max(x - half[0], 0), min(y + half[1], 1)),
                frame.at(min(x + half[0], 1), max(y - half[1], 0)),
            )
            left, top, right, bottom = (round(v) for v in (*a, *b))
            _rectangle(ink, left, top, right, bottom, frame.line)
        elif kind == "ellipse":
            middle = tuple(round(8 * v) for v in frame.at(x, y))
            size = (round(8 * half[0] * frame.width), round(8 * half[1] * frame.height))
            cv2.ellipse(
                ink, middle, size, rng.uniform(-60, 60), 0, 360, 1.0, frame.line, cv2.LINE_AA, 3
            )
        else:
            sides = int(rng.integers(5, 9))
            turn = (np.arange(sides) + rng.uniform(-0.35, 0.35, size=sides)) * 2 * np.pi / sides
            corners = [
                frame.at(x + half[0] * 1.2 * np.cos(t), y + half[1] * 1.2 * np.sin(t)) for t in turn
            ]
            points = np.rint(8 * np.array(corners)).astype(np.int32)
            cv2.polylines(ink, [points], True, 1.0, frame.line, cv2.LINE_AA, 3)
        name = str(rng.choice(POPULATIONS))
        at_left, at_top = frame.at(x - half[0], y + half[1])
        lay(
            ink,
            letters(f"{rng.uniform(0, 100):.1f}", frame.text, frame.face),
            at_top - frame.text - 2,
            at_left + 2,
        )
        if name:
            lay(ink, letters(name, frame.text, frame.face), at_top - 2.2 * frame.text - 2, at_left)
    return kind


def draw_range(rng: np.random.Generator, ink: Plane, frame: Frame) -> None:
    """Draw the gate of a histogram: a level line with stops, and its percentage."""
    low, high = np.sort(rng.uniform(0.1, 0.98, size=2))
    y = rng.uniform(0.4, 0.9)
    (left, row), (right, _) = (tuple(round(v) for v in frame.at(x, y)) for x in (low, high))
    stop = max(1, frame.text // 3)
    _rectangle(ink, left, row, right, row, frame.line)
    _rectangle(ink, left, row - stop, left, row + stop, frame.line)
    _rectangle(ink, right, row - stop, right, row + stop, frame.line)
    stencil = letters(f"{rng.uniform(0, 100):.1f}", frame.text, frame.face)
    middle = (left + right - stencil.shape[1]) / 2
    lay(ink, stencil, row - stencil.shape[0] - 2, middle)


def _quadrants(rng: np.random.Generator, ink: Plane, frame: Frame) -> None:
    x, y = rng.uniform(0.3, 0.6, size=2)
    column, row = (round(v) for v in frame.at(x, y))
    _rectangle(ink, column, frame.top, column, frame.top + frame.height, frame.line)
    _rectangle(ink, frame.left, row, frame.left + frame.width, row, frame.line)
    shares = rng.dirichlet([0.7] * 4) * 100
    places = ((0.02, 0.98), (0.78, 0.98), (0.02, 0.09), (0.78, 0.09))
    for share, place in zip(shares, places, strict=True):
        left, top = frame.at(*place)
        lay(ink, letters(f"{share:.1f}", frame.text, frame.face), top + 2, left + 1)


def _decades(rng: np.random.Generator) -> list[tuple[float, str]]:
    """Ticks of a logarithmic axis, or of one that is linear around zero."""
    if chance(rng, 0.5):
        step = rng.uniform(0.2, 0.28)
        return [(step * k, f"10^{k}") for k in range(int(1 / step) + 1)]
    zero = rng.uniform(0.12, 0.25)
    decades = rng.uniform(0.18, 0.24)
    first = zero + rng.uniform(0.15, 0.25)
    ticks = [(zero, "0")] + [(first + decades * k, f"10^{3 + k}") for k in range(4)]
    return [tick for tick in ticks if tick[0] < 1]


def _tick(ink: Plane, frame: Frame, side: int, place: float, text: str) -> None:
    long = max(2, frame.text // 2)
    stencil = _power(text, frame) if "^" in text else letters(text, frame.text, frame.face)
    column, row = (round(v) for v in frame.at(place, place))
    if side == 0:
        bottom = frame.top + frame.height
        _rectangle(ink, column, bottom, column, bottom + long, frame.line)
        lay(ink, stencil, bottom + long + 2, column - stencil.shape[1] / 2)
    else:
        _rectangle(ink, frame.left - long, row, frame.left, row, frame.line)
        lay(ink, stencil, row - stencil.shape[0] / 2, frame.left - long - 2 - stencil.shape[1])


def _minor_ticks(ink: Plane, frame: Frame, side: int, decades: list[float]) -> None:
    """Mark 2 to 9 times each power of ten."""
    short = max(1, frame.text // 4)
    for low, high in pairwise(decades):
        for place in low + (high - low) * np.log10(np.arange(2, 10)):
            column, row = (round(v) for v in frame.at(float(place), float(place)))
            if side == 0:
                bottom = frame.top + frame.height
                _rectangle(ink, column, bottom, column, bottom + short, 1)
            else:
                _rectangle(ink, frame.left - short, row, frame.left, row, 1)


def _power(text: str, frame: Frame) -> NDArray[np.float32]:
    """Set ``10^k`` with the exponent raised."""
    base = letters(text.partition("^")[0], frame.text, frame.face)
    small = letters(text.partition("^")[2], max(5, round(0.7 * frame.text)), frame.face)
    lift = small.shape[0] // 2
    out = np.zeros((base.shape[0] + lift, base.shape[1] + small.shape[1]), np.float32)
    out[lift:, : base.shape[1]] = base
    out[: small.shape[0], base.shape[1] :] = small[: out.shape[0]]
    return out


def _rectangle(ink: Plane, left: int, top: int, right: int, bottom: int, line: int) -> None:
    cv2.rectangle(ink, (left, top), (right, bottom), 1.0, line)
