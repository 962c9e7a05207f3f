"""Turns the pixels of a panel into what the matchers see: grey values and where to look.

The grey value is the plain mean of the three channels, not luma: a fluorescence channel shown in
blue keeps as much of its contrast as one shown in green, and a recoloured copy stays alike.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.match import Gray, Mask, PreparedPanel
from tamperscope.matching.plots import without_axes

LOWEST, HIGHEST = 1.5 / 255, 253.5 / 255  # grey values beyond which a pixel counts as saturated
FLAT_WINDOW = 9  # pixels
FLAT_SPREAD = 0.25 / 255  # standard deviation in a window; quantised but empty areas lie below
FILL_SIGMA = 8.0  # pixels: how far what surrounds an ignored mark reaches into it
MARGIN = 2  # pixels around ignored places, where anti-aliased letters still show


def prepare(
    pixels: NDArray[np.uint8], kind: str, ignore: Mask | None = None, name: str = ""
) -> PreparedPanel:
    """Prepare one panel for matching.

    Args:
        pixels: RGB, (height, width, 3).
        kind: Modality, one of records.PANEL_KINDS; selects the null of the chance test.
        ignore: Letters, arrows, scale bars: places that must not support a match, (height, width);
            what surrounds them is continued into them.
        name: For messages.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8 (height, width, 3), got {pixels.shape}")
    gray = pixels.mean(axis=2, dtype=np.float32) / np.float32(255)
    usable = ~_empty(gray)
    if ignore is None:
        ignore = np.zeros(gray.shape, np.bool_)
    if ignore.shape != gray.shape:
        raise ValueError(f"ignore {ignore.shape} must have the panel's shape {gray.shape}")
    size = 2 * MARGIN + 1
    ignore = cv2.dilate(ignore.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    if kind == "facs":
        ignore = without_axes(gray, ignore)
    return PreparedPanel(
        gray=filled(gray, ~ignore), usable=usable & ~ignore, kind=kind, name=name, stored=gray
    )


def filled(gray: Gray, known: Mask) -> Gray:
    """Replace what is not ``known`` by a blur of what surrounds it, (height, width)."""
    if known.all():
        return gray
    weight = known.astype(np.float32)
    around, total = (cv2.GaussianBlur(p, (0, 0), FILL_SIGMA) for p in (gray * weight, weight))
    far = total <= 1e-3
    around = np.where(far, gray, around / np.maximum(total, 1e-3))
    return np.where(known, gray, around).astype(np.float32)


def _empty(gray: NDArray[np.float32]) -> Mask:
    """Mark windows that hold nothing: constant, or saturated throughout."""
    window = (FLAT_WINDOW, FLAT_WINDOW)
    clipped = np.clip(gray, LOWEST, HIGHEST)
    mean = cv2.blur(clipped, window, borderType=cv2.BORDER_REFLECT)
    square = cv2.sqrBoxFilter(
        clipped, cv2.CV_64F, window, normalize=True, borderType=cv2.BORDER_REFLECT
    )
    spread = np.sqrt(np.maximum(square - mean.astype(np.float64) ** 2, 0))
    return np.asarray(spread < FLAT_SPREAD)
