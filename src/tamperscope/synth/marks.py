"""Annotations as figures have them: arrows, letters, scale bars, stars, dashed frames.

A mark is an opacity and a colour, so that the very same one can be laid on many panels: what labels
share is no duplication. Drawn four times too large and reduced, in whole numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tamperscope.synth.blending import mix
from tamperscope.synth.sample import Pixels
from tamperscope.synth.tone import mean_level

SHAPES = ("arrow", "letter", "scale bar", "star", "frame")
WITH_SCALE = ("microscopy", "macroscopy")  # modalities whose panels have scale bars
OVERSIZE = 4
COLOURS = ((255, 255, 0), (255, 40, 40), (60, 200, 255))
# Pillow's own font has no mu
UNITS = ("5 um", "10 um", "20 um", "50 um", "100 um", "200 nm", "1 mm")


@dataclass(frozen=True, eq=False)
class Mark:
    """One annotation."""

    shape: str  # one of SHAPES
    opacity: NDArray[np.uint8]  # (h, w), 0..255
    colour: tuple[int, int, int] | None  # None: black or white, whichever is seen better


def draw_mark(side: int, modality: str, rng: np.random.Generator) -> Mark:
    """Draw a mark for panels of ``side`` pixels."""
    shapes = [s for s in SHAPES if s != "scale bar" or modality in WITH_SCALE]
    shape = shapes[int(rng.integers(len(shapes)))]
    colour = COLOURS[int(rng.integers(len(COLOURS)))] if rng.random() < 0.2 else None
    draw = {"arrow": _arrow, "letter": _letter, "scale bar": _bar, "star": _star, "frame": _frame}
    big = draw[shape](side * OVERSIZE, rng)
    return Mark(shape, np.asarray(big.reduce(OVERSIZE)), colour)


def lay_mark(pixels: Pixels, mark: Mark, place: tuple[float, float]) -> Pixels:
    """Lay a mark at a place given as shares 0..1 of the room there is; new pixels."""
    height, width = pixels.shape[:2]
    opacity = mark.opacity[:height, :width]
    h, w = opacity.shape
    y, x = int(place[0] * (height - h)), int(place[1] * (width - w))
    under = pixels[y : y + h, x : x + w]
    colour = mark.colour
    if colour is None:
        colour = (255, 255, 255) if mean_level(under) < 128 else (0, 0, 0)
    made = pixels.copy()
    over = np.broadcast_to(np.array(colour, dtype=np.uint8), under.shape)
    made[y : y + h, x : x + w] = mix(under, over, opacity)
    return made


def annotate(
    panels: tuple[Pixels, ...], modality: str, rng: np.random.Generator, *, most: int = 4
) -> tuple[tuple[Pixels, ...], list[str]]:
    """Lay the same marks on all panels, in a third of the draws at the same place.

    Returns:
        New panels, and the names of the marks.
    """
    told = []
    for _ in range(int(rng.integers(1, most + 1))):
        mark = draw_mark(min(panels[0].shape[:2]), modality, rng)
        times = int(rng.integers(1, 4)) if mark.shape in ("arrow", "star") else 1
        told += [mark.shape] * times
        for _ in range(times):
            place = _place(mark, rng)
            same = rng.random() < 1 / 3
            laid = []
            for panel in panels:
                laid.append(lay_mark(panel, mark, place))
                place = place if same else _place(mark, rng)
            panels = tuple(laid)
    return panels, told


def _place(mark: Mark, rng: np.random.Generator) -> tuple[float, float]:
    y, x = float(rng.uniform(0.03, 0.97)), float(rng.uniform(0.03, 0.97))
    if mark.shape == "letter":  # in a corner, most often the upper left
        return 0.03, (0.03 if rng.random() < 0.7 else 0.97)
    if mark.shape == "scale bar":
        return 0.95, (0.95 if rng.random() < 0.7 else 0.05)
    return y, x


def _blank(height: float, width: float) -> Image.Image:
    return Image.new("L", (max(round(width), OVERSIZE), max(round(height), OVERSIZE)), 0)


def _arrow(side: int, rng: np.random.Generator) -> Image.Image:
    length = side * rng.uniform(0.06, 0.13)
    shaft = rng.random() < 0.6
    head = length * (0.45 if shaft else 1.0)
    wide = head * rng.uniform(0.6, 0.9)
    drawn = _blank(2 * length, 2 * length)
    turn = np.exp(1j * np.round(rng.uniform(0, 2 * np.pi), 3))

    def at(along: float, across: float) -> tuple[int, int]:
        point = complex(length, length) + turn * complex(along, across)
        return round(point.real), round(point.imag)

    draw = ImageDraw.Draw(drawn)
    tip = length / 2
    draw.polygon([at(tip, 0), at(tip - head, wide / 2), at(tip - head, -wide / 2)], fill=255)
    if shaft:
        thick = wide / 6
        corners = ((tip - head, thick), (tip - head, -thick), (-tip, -thick), (-tip, thick))
        draw.polygon([at(*corner) for corner in corners], fill=255)
    return drawn


def text_image(text: str, size: float) -> Image.Image:
    """Opacity of a text of ``size`` pixels, "L"."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    drawn = _blank(bottom - top, right - left)
    ImageDraw.Draw(drawn).text((-left, -top), text, fill=255, font=font)
    return drawn


def _letter(side: int, rng: np.random.Generator) -> Image.Image:
    letter = "ABCDEFGHIJKLMN"[int(rng.integers(14))]
    return text_image(
        letter.lower() if rng.random() < 0.4 else letter, side * rng.uniform(0.08, 0.14)
    )


def _star(side: int, rng: np.random.Generator) -> Image.Image:
    return text_image("*" * int(rng.integers(1, 3)), side * rng.uniform(0.1, 0.16))


def _bar(side: int, rng: np.random.Generator) -> Image.Image:
    width, thick = side * rng.uniform(0.12, 0.3), side * rng.uniform(0.01, 0.025)
    if rng.random() < 0.5:
        drawn = _blank(thick, width)
        drawn.paste(255, (0, 0, drawn.width, drawn.height))
        return drawn
    text = text_image(UNITS[int(rng.integers(len(UNITS)))], side * rng.uniform(0.045, 0.07))
    drawn = _blank(text.height + 3 * thick, max(width, text.width))
    drawn.paste(text, ((drawn.width - text.width) // 2, 0))
    left = int(drawn.width - width) // 2
    drawn.paste(255, (left, drawn.height - round(thick), left + round(width), drawn.height))
    return drawn


def _frame(side: int, rng: np.random.Generator) -> Image.Image:
    height, width = (side * rng.uniform(0.12, 0.3) for _ in range(2))
    drawn = _blank(height, width)
    thick = max(round(side * 0.006), 2)
    draw = ImageDraw.Draw(drawn)
    draw.rectangle((0, 0, drawn.width - 1, drawn.height - 1), outline=255, width=thick)
    if rng.random() < 0.6:
        dash = thick * 5
        for start in range(dash, drawn.width, 2 * dash):
            draw.rectangle((start, 0, start + dash, drawn.height), fill=0)
        for start in range(dash, drawn.height, 2 * dash):
            draw.rectangle((0, start, drawn.width, start + dash), fill=0)
    return drawn
