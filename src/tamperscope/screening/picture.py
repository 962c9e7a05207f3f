"""What the readers of PDF, DOCX, archives and images yield: one picture, not yet numbered."""

from dataclasses import dataclass

import numpy as np

Place = tuple[float, float, float, float]  # x0 y0 x1 y1 in points from the page's lower left corner


@dataclass(frozen=True)
class Picture:
    """One picture as it was read, with what is known of where it stood."""

    document: str  # the input it came from, with the path inside archives
    pixels: np.ndarray  # uint8 (H, W, 3), RGB
    origin: str  # "embedded", "rendered", "media" or "image"
    page: int | None = None  # 1-based page or frame
    stored: bytes | None = None  # the bytes as they lay in the document, untouched
    suffix: str | None = None  # file name ending that fits ``stored``, e.g. ".jpg"
    visible: np.ndarray | None = None  # mask, False where the document hides pixels
    place: Place | None = None  # of the first drawing
    drawn: tuple[tuple[int, Place], ...] = ()  # every (page, place) it is drawn at
    note: str | None = None  # what a reader should know


def is_tiny(width: int, height: int) -> bool:
    """Whether a picture inside a document is an icon or logo by its size in pixels.

    So is one whose longer side has fewer than 100 pixels, or whose shorter side has fewer than 24:
    no shorter than that is a strip of a blot that still shows bands.
    """
    return max(width, height) < 100 or min(width, height) < 24
