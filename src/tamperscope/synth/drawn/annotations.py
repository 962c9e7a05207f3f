"""Scale bars, letters, arrows and boxes over a finished picture, with a mask of what they cover."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import chance, pick
from tamperscope.synth.drawn.lettering import lay, letters
from tamperscope.synth.drawn.scene import Scene

Pixels = NDArray[np.uint8]
Ink = NDArray[np.float32]

FLUORESCENT = {"nuclei", "stained cells", "bacteria", "neurons", "tissue"}  # styles with stains
SHOWN = {"blot": 0.25, "microscopy": 0.3, "facs": 0.05, "macroscopy": 0.2}
WORDS = {
    "blot": ("WT", "KO", "+", "-", "M", "1", "2", "3", "siRNA", "Ctrl", "kDa", "500bp", "p47"),
    "fluorescence": ("DAPI", "GFP", "merge", "Ctrl", "day 3", "actin", "CD31", "tdTomato", "KO"),
    "microscopy": ("Ctrl", "day 3", "WT", "20x", "KO", "H&E", "sham", "40x", "d14", "1"),
    "facs": ("A", "B", "d7", "Ctrl"),
    "macroscopy": ("WT", "10^-2", "10^-3", "control", "R", "L", "30C", "37C", "YPD"),
}
KINDS = {
    "blot": {"letter": 0.3, "words": 0.2, "arrow": 0.15, "box": 0.06, "lane labels": 0.5},
    "microscopy": {"letter": 0.3, "words": 0.3, "arrow": 0.2, "box": 0.06, "scale bar": 0.7},
    "facs": {"letter": 1.0},
    "macroscopy": {"letter": 0.3, "words": 0.3, "arrow": 0.15, "box": 0.06, "scale bar": 0.5},
}
SEEN = 0.25  # share of ink from which a pixel counts as annotated
COLOURS = ((255, 255, 255), (0, 0, 0), (230, 30, 30), (250, 220, 40), (60, 120, 240))


def annotate(
    rng: np.random.Generator, pixels: Pixels, modality: str, scene: Scene
) -> tuple[Pixels, NDArray[np.bool_], dict[str, Any]]:
    """Write on some of the panels; returns pixels, mask (H, W), and what was written."""
    marks = np.zeros(pixels.shape[:2], bool) if scene.marks is None else scene.marks.copy()
    names: list[str] = []
    if min(pixels.shape[:2]) < 48 or not chance(rng, SHOWN[modality]):
        return pixels, marks, {"annotations": names}
    out = pixels.copy()
    for _ in range(int(rng.integers(1, 4))):
        kinds = {name: weight for name, weight in KINDS[modality].items() if name not in names}
        if not kinds:
            break
        kind = pick(rng, kinds)
        ink = np.zeros(marks.shape, np.float32)
        _DRAW[kind](rng, ink, "fluorescence" if scene.style in FLUORESCENT else modality)
        if (marks & (ink >= SEEN)).any():  # nobody writes over what is written
            continue
        colour = _colour(rng, out, ink)
        share = ink[:, :, None]
        out = np.rint(out + share * (np.array(colour, np.float32) - out)).astype(np.uint8)
        marks |= ink >= SEEN
        names.append(kind)
    return out, marks, {"annotations": names}


def _colour(rng: np.random.Generator, pixels: Pixels, ink: Ink) -> tuple[int, int, int]:
    """Pick a colour that can be seen where the ink goes."""
    under = pixels[ink >= SEEN]
    if chance(rng, 0.75) or under.size == 0:
        dark = under.size == 0 or float(under.mean()) < 128
        return COLOURS[0] if dark else COLOURS[1]
    ground = under.mean(axis=0)
    seen = [c for c in COLOURS if np.abs(ground - c).max() > 100]
    return seen[int(rng.integers(len(seen)))] if seen else COLOURS[1]


def _size(rng: np.random.Generator, ink: Ink) -> int:
    return int(np.clip(min(ink.shape) * rng.uniform(0.04, 0.1), 7, 60))


def _corner(rng: np.random.Generator, ink: Ink, shape: tuple[int, int]) -> tuple[float, float]:
    """Place something of ``shape`` into a corner: (top, left)."""
    gap = min(ink.shape) * rng.uniform(0.015, 0.06)
    top = gap if chance(rng, 0.5) else ink.shape[0] - gap - shape[0]
    left = gap if chance(rng, 0.5) else ink.shape[1] - gap - shape[1]
    return top, left


def _letter(rng: np.random.Generator, ink: Ink, topic: str) -> None:
    text = str(rng.choice(list("ABCDEFGHabcdef")))
    stencil = letters(text, round(_size(rng, ink) * 1.5), bold=chance(rng, 0.6))
    lay(ink, stencil, *_corner(rng, ink, stencil.shape))


def _words(rng: np.random.Generator, ink: Ink, topic: str) -> None:
    stencil = letters(str(rng.choice(WORDS[topic])), _size(rng, ink), int(rng.integers(4)))
    if chance(rng, 0.5):
        lay(ink, stencil, *_corner(rng, ink, stencil.shape))
    else:
        room = np.maximum(np.subtract(ink.shape, stencil.shape), 0)
        lay(ink, stencil, *(rng.uniform(0, 1, size=2) * room))


def _scale_bar(rng: np.random.Generator, ink: Ink, topic: str) -> None:
    length = max(6, round(ink.shape[1] * rng.uniform(0.08, 0.3)))
    thick = max(1, round(min(ink.shape) * rng.uniform(0.006, 0.02)))
    bar = np.ones((thick, length), np.float32)
    if chance(rng, 0.5):
        lay(ink, bar, *_corner(rng, ink, bar.shape))
        return
    unit = "mm" if topic == "macroscopy" else "um"
    text = f"{rng.choice([5, 10, 20, 25, 50, 100, 200])} {unit}"
    stencil = letters(text, _size(rng, ink), int(rng.integers(4)))
    wide = max(length, stencil.shape[1])
    top, left = _corner(rng, ink, (stencil.shape[0] + 2 + thick, wide))
    lay(ink, stencil, top, left + (wide - stencil.shape[1]) / 2)
    lay(ink, bar, top + stencil.shape[0] + 2, left + (wide - length) / 2)


def _arrow(rng: np.random.Generator, ink: Ink, topic: str) -> None:
    length = min(ink.shape) * rng.uniform(0.06, 0.16)
    angle = rng.uniform(0, 2 * np.pi)
    step = np.array([np.cos(angle), np.sin(angle)])
    side = np.array([-step[1], step[0]])
    head_only = chance(rng, 0.4)
    for _ in range(int(rng.integers(1, 5))):
        tip = rng.uniform(0.1, 0.9, size=2) * ink.shape[::-1]
        back = tip - step * length * (0.7 if head_only else 0.4)
        wing = side * length * 0.22
        corners = np.rint(8 * np.array([tip, back + wing, back - wing])).astype(np.int32)
        cv2.fillPoly(ink, [corners], 1.0, cv2.LINE_AA, 3)
        if not head_only:
            ends = [tuple(int(8 * v) for v in p) for p in (back, tip - step * length)]
            cv2.line(ink, ends[0], ends[1], 1.0, max(1, round(length / 10)), cv2.LINE_AA, 3)


def _box(rng: np.random.Generator, ink: Ink, topic: str) -> None:
    top, left = (int(v) for v in rng.uniform(0.05, 0.6, size=2) * ink.shape)
    tall, wide = (int(v) for v in rng.uniform(0.1, 0.35, size=2) * ink.shape)
    thick = max(1, round(min(ink.shape) / 200))
    if chance(rng, 0.5):
        cv2.rectangle(ink, (left, top), (left + wide, top + tall), 1.0, thick)
        return
    for start in range(0, 2 * (tall + wide), 8):  # dashed
        for p in range(start, min(start + 5, 2 * (tall + wide))):
            x = min(p, wide) if p < tall + wide else wide - min(p - tall - wide, wide)
            y = max(p - wide, 0) if p < tall + wide else tall - max(p - tall - 2 * wide, 0)
            ink[min(top + y, ink.shape[0] - 1), min(left + x, ink.shape[1] - 1)] = 1.0


def _lane_labels(rng: np.random.Generator, ink: Ink, topic: str) -> None:
    pitch = ink.shape[1] / rng.uniform(4, 14)
    size = int(np.clip(0.45 * pitch, 6, 40))
    top = rng.uniform(0.01, 0.12) * ink.shape[0]
    turned = chance(rng, 0.3)
    face = int(rng.integers(4))
    number = int(rng.integers(1, 60))
    for k, left in enumerate(np.arange(rng.uniform(0, pitch), ink.shape[1], pitch)):
        text = str(number + k) if chance(rng, 0.7) else str(rng.choice(WORDS["blot"]))
        stencil = letters(text, size, face)
        lay(ink, np.rot90(stencil) if turned else stencil, top, left)


_DRAW = {
    "letter": _letter,
    "words": _words,
    "scale bar": _scale_bar,
    "arrow": _arrow,
    "box": _box,
    "lane labels": _lane_labels,
}
