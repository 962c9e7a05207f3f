"""Layouts for generators that fill in coarse pictures: drawn panels without what is fine."""

import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn_source import DrawnSource
from tamperscope.synth.forge import draw_look
from tamperscope.synth.sample import Pixels, Size
from tamperscope.synth.settings import Look, Settings
from tamperscope.synth.shapes import CONTENT_SHARE, Shapes
from tamperscope.synth.tone import content
from tamperscope.synth.work import Work

SIDE = 256  # pixels of the panel that a layout is a part of, at least
WINDOWS = 6  # draws of a part before the last one is taken as it is


def draw_layout(
    rng: np.random.Generator, size: Size, modality: str, cell: int
) -> NDArray[np.float32]:
    """Draw the mean colours of the cells of a patch, (3, height / cell, width / cell) in [0, 1].

    Args:
        rng: Decides everything.
        size: (height, width) of the patch in pixels, each a multiple of ``cell``.
        modality: One that panels are drawn of.
        cell: Pixels of a side.
    """
    panel_size = (max(SIDE, size[0]), max(SIDE, size[1]))
    look = draw_look(Look(), modality, rng)
    panel = Work(rng, panel_size, modality, Settings(), DrawnSource(), (), look).panel().pixels
    for _ in range(WINDOWS):
        top = int(rng.integers(panel_size[0] - size[0] + 1))
        left = int(rng.integers(panel_size[1] - size[1] + 1))
        window = panel[top : top + size[0], left : left + size[1]]
        if content(window, Shapes.content) >= CONTENT_SHARE:
            break
    return layout_of(window, cell)


def layout_of(pixels: Pixels, cell: int) -> NDArray[np.float32]:
    """Mean colours of the cells of pixels (H, W, 3), as (3, H / cell, W / cell) in [0, 1]."""
    height, width = pixels.shape[:2]
    cells = pixels.reshape(height // cell, cell, width // cell, cell, 3)
    means = cells.mean(axis=(1, 3), dtype=np.float32) / np.float32(255)
    return np.ascontiguousarray(means.transpose(2, 0, 1))
