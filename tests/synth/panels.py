"""Panels for the tests of the forge: smooth texture drawn from a seed, as small as will do."""

import cv2
import numpy as np
from scipy import ndimage

from tamperscope.synth.blending import Blending
from tamperscope.synth.geometry import Geometry
from tamperscope.synth.operations import OPERATIONS
from tamperscope.synth.sample import SourcePanel, UnfitError
from tamperscope.synth.settings import Settings
from tamperscope.synth.tone import Tone
from tamperscope.synth.work import Work

SIZE = (96, 112)
NO_TONE = Tone(brightness=0, contrast=0, gamma=0, noise=0, blur=0, step=0, match=0)
HARD = Blending(hard=1, feather=0, poisson=0)
STILL = Geometry(flip=0, right_angle=0, rotate=0, scale=0, shear=0)
PLAIN = Settings(copies=(1, 3), tone=NO_TONE, blending=HARD)


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

    def draw(self, rng, size, modality, *, sharp=False):
        number = int(rng.integers(self.groups))
        kind = modality or self.modalities[0]
        pixels = textured(rng, size, detail=self.detail)
        return SourcePanel(pixels, kind, f"picture{number}", f"group{number}")


class NumberedSource(TexturedSource):
    """Every pixel of a panel has a colour of its own."""

    def draw(self, rng, size, modality, *, sharp=False):
        count = size[0] * size[1]
        colours = np.stack([np.arange(count) >> shift & 255 for shift in (0, 8, 16)], axis=1)
        pixels = colours.reshape(*size, 3).astype(np.uint8)
        return SourcePanel(pixels, modality or "blot", "numbered", f"group{rng.integers(9)}")


class Noise:
    """A generator of patches that are noise."""

    name = "noise"
    modalities = ("blot", "microscopy")
    largest = 256
    identity = "noise"

    def generate(self, rng, size, modality, like=None):
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


def made(operation, seed, settings=None, **changes):
    """What the operation makes, with the first seed from ``seed`` on for which it fits."""
    for number in range(seed, seed + 1000, 100):
        task = work(number, settings=settings, **{"generators": (Noise(),), **changes})
        try:
            return OPERATIONS[operation].make(task)
        except UnfitError:
            continue
    raise AssertionError(f"{operation} never fits")


def resampled(pixels, matrix, size, beyond="nearest"):
    """``pixels`` through a (3, 3) map, by SciPy's cubic splines."""
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    back = np.linalg.inv(matrix)
    columns = back[0, 0] * x + back[0, 1] * y + back[0, 2]
    rows = back[1, 0] * x + back[1, 1] * y + back[1, 2]
    planes = [
        ndimage.map_coordinates(pixels[..., c].astype(float), [rows, columns], mode=beyond)
        for c in range(3)
    ]
    return np.stack(planes, axis=2)


def error_of(link, panels, matrix=None):
    """Mean distance between the target and the source drawn through the map, in levels."""
    target = panels[link.target_panel]
    drawn = resampled(
        panels[link.source_panel], link.matrix if matrix is None else matrix, target.shape
    )
    inner = ndimage.binary_erosion(link.target, iterations=2)
    return np.abs(drawn - target)[inner].mean() if inner.any() else 0.0
