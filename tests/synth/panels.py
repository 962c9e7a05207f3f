"""Panels for the tests of the forge: smooth texture drawn from a seed, as small as will do."""

import cv2
import numpy as np

from tamperscope.synth.sample import SourcePanel
from tamperscope.synth.settings import Settings
from tamperscope.synth.work import Work

SIZE = (96, 112)


def textured(rng, size, *, detail=2.0):
    """Blurred noise with some round objects: smooth enough to be interpolated."""
    height, width = size
    drawn = cv2.GaussianBlur(rng.normal(0, 1, (height, width, 3)), (0, 0), detail)
    pixels = 110 + 22 * drawn / drawn.std()
    for _ in range(6):
        x, y = int(rng.integers(12, width - 12)), int(rng.integers(12, height - 12))
        spot = np.zeros((height, width))
        cv2.circle(spot, (x, y), int(rng.integers(5, 10)), 70.0, -1)
        pixels += cv2.GaussianBlur(spot, (0, 0), 1.0)[..., None]
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


class TexturedSource:
    """Draws from ``groups`` originals; pixels depend on nothing but the generator."""

    identity = "textured"

    def __init__(self, groups=5, modalities=("blot", "microscopy"), detail=2.0):
        self.groups, self.modalities, self.detail = groups, modalities, detail
        self.skipped = {}

    def draw(self, rng, size, modality):
        number = int(rng.integers(self.groups))
        kind = modality or self.modalities[0]
        pixels = textured(rng, size, detail=self.detail)
        return SourcePanel(pixels, kind, f"picture{number}", f"group{number}")


class NumberedSource(TexturedSource):
    """Every pixel of a panel has a colour of its own."""

    def draw(self, rng, size, modality):
        count = size[0] * size[1]
        colours = np.stack([np.arange(count) >> shift & 255 for shift in (0, 8, 16)], axis=1)
        pixels = colours.reshape(*size, 3).astype(np.uint8)
        return SourcePanel(pixels, modality or "blot", "numbered", f"group{rng.integers(9)}")


class Noise:
    """A generator of patches that are noise."""

    name = "noise"
    modalities = ("blot", "microscopy")

    def generate(self, rng, size, modality):
        return rng.integers(0, 256, (*size, 3), dtype=np.uint8)


def work(seed, *, settings=None, source=None, size=SIZE, modality="blot", generators=()):
    return Work(
        np.random.default_rng([seed, 0, 0]),
        size,
        modality,
        settings or Settings(),
        source or TexturedSource(),
        generators,
    )
