"""Text as masks: the font that comes with Pillow, and the plotter's strokes of OpenCV."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Stencil = NDArray[np.float32]  # (h, w), 0 to 1

HERSHEY = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@lru_cache(maxsize=2048)
def letters(text: str, height: int, face: int = 0, *, bold: bool = False) -> Stencil:
    """Render ``text`` about ``height`` pixels tall; ``face`` 0 is Pillow's, 1 to 3 OpenCV's.

    The stencil is kept for the next time, and therefore read-only.
    """
    stencil = _render(text, height, face, bold=bold)
    stencil.setflags(write=False)
    return stencil


def _render(text: str, height: int, face: int, *, bold: bool) -> Stencil:
    if face == 0:
        font = _font(max(5, height))
        left, top, right, bottom = font.getbbox(text, stroke_width=int(bold))
        page = Image.new("L", (max(1, int(right - left)) + 2, max(1, int(bottom - top)) + 2))
        ImageDraw.Draw(page).text(
            (1 - left, 1 - top), text, fill=255, font=font, stroke_width=int(bold)
        )
        return np.asarray(page, dtype=np.float32) / np.float32(255)
    style, scale = HERSHEY[face - 1], max(5, height) / 30
    thick = max(1, round(scale * (3 if bold else 1.6)))
    (width, tall), base = cv2.getTextSize(text, style, scale, thick)
    canvas = np.zeros((tall + base + 2 * thick, width + 2 * thick), np.uint8)
    cv2.putText(canvas, text, (thick, tall + thick), style, scale, 255, thick, cv2.LINE_AA)
    return canvas.astype(np.float32) / np.float32(255)


def lay(ink: NDArray[np.float32], stencil: Stencil, top: float, left: float) -> bool:
    """Add a stencil to the plane of ink; tell whether any of it is on the page."""
    y, x = round(top), round(left)
    y0, x0 = max(y, 0), max(x, 0)
    y1, x1 = min(y + stencil.shape[0], ink.shape[0]), min(x + stencil.shape[1], ink.shape[1])
    if y0 >= y1 or x0 >= x1:
        return False
    part = stencil[y0 - y : y1 - y, x0 - x : x1 - x]
    np.maximum(ink[y0:y1, x0:x1], part, out=ink[y0:y1, x0:x1])
    return bool(part.any())
