"""A contact sheet of samples: the panels as they are, and under them where they were changed.

Green outlines mark where something was taken from, red ones where it lies or what was changed.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tamperscope.synth.sample import Mask, Pixels, Sample

CELL = 168  # pixels, longer side of a panel on the sheet
GAP = 6
CAPTION = 16
TAKEN, CHANGED = (0, 170, 60), (225, 30, 30)


def contact_sheet(samples: Sequence[Sample], columns: int = 6) -> Pixels:
    """Draw samples in a grid; pairs side by side. Returns uint8 (H, W, 3).

    Args:
        samples: At least one.
        columns: Panels in one row; a pair takes two.
    """
    if not samples:
        raise ValueError("a contact sheet needs at least one sample")
    rows: list[list[Pixels]] = [[]]
    room = columns
    for sample in samples:
        need = min(len(sample.panels), columns)
        if need > room:
            rows.append([])
            room = columns
        rows[-1].append(_cell(sample))
        room -= need
    strips = [np.concatenate(row, axis=1) for row in rows]
    width = max(strip.shape[1] for strip in strips)
    padded = [
        np.pad(s, ((0, 0), (0, width - s.shape[1]), (0, 0)), constant_values=255) for s in strips
    ]
    return np.concatenate(padded, axis=0)


def _cell(sample: Sample) -> Pixels:
    """One sample: panels above, marked panels below, a caption under them."""
    count = len(sample.panels)
    width = count * CELL + (count + 1) * GAP
    height = 2 * CELL + 3 * GAP + CAPTION
    sheet = Image.new("RGB", (width, height), (255, 255, 255))
    for i, panel in enumerate(sample.panels):
        scale = CELL / max(panel.shape[:2])
        size = (max(round(panel.shape[1] * scale), 1), max(round(panel.shape[0] * scale), 1))
        small = Image.fromarray(panel).resize(size, Image.Resampling.BICUBIC)
        x = GAP + i * (CELL + GAP)
        sheet.paste(small, (x, GAP))
        marked = np.array(small)
        for mask, colour in ((sample.sources[i], TAKEN), (sample.targets[i], CHANGED)):
            _outline(marked, mask, colour)
        sheet.paste(Image.fromarray(marked), (x, 2 * GAP + CELL))
    chain = sample.parameters["post"][0]["chain"]
    text = f"{sample.operation} · {sample.modality} · {chain}"
    ImageDraw.Draw(sheet).text(
        (GAP, 2 * CELL + 2 * GAP + 1), text, fill=(0, 0, 0), font=ImageFont.load_default(11)
    )
    return np.array(sheet)


def _outline(pixels: Pixels, mask: Mask, colour: tuple[int, int, int]) -> None:
    """Draw the outline of a mask, scaled to ``pixels``, into them."""
    height, width = pixels.shape[:2]
    small = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA)
    outlines, _ = cv2.findContours(small, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(pixels, outlines, -1, colour, 1)
