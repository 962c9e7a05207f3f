"""What happens to a picture before a detector sees it: the six of CoMoFoD, curves, chains.

``SIX`` are the post-processings of CoMoFoD (Tralic et al., 2013) at the levels of its page; the six
"common perturbations" of BioTamperNet are called alike. Brightness and contrast are given there as
bounds (0.01, upper): here brightness maps the full range onto them and contrast stretches them to
the full range, which is our reading. Noise is Gaussian, of zero mean, with the variance of values
in [0, 1].

``CURVES`` go on where those stop: Gaussian blur, noise in grey levels, and size. ``CHAINS`` do what
social networks do, by rules of our own (fit into a square, store as JPEG, perhaps twice); the sets
``osn_*`` hold pictures that really went through them.

A change of size is undone on the prediction, not on the picture.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.evaluation.transforms import store_as_jpeg

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, float, np.random.Generator], Pixels]

DARKEST = 0.01  # CoMoFoD's lower bound
CHAIN = {1: (2048, 85), 2: (1600, 75), 3: (1080, 70)}
"""Level: (longest side in pixels, JPEG quality)."""
CHAIN_AXIS = ", ".join(f"{level}: {side}/{quality}" for level, (side, quality) in CHAIN.items()) + (
    " (px/JPEG)"
)


@dataclass(frozen=True)
class Family:
    """One kind of change at growing levels."""

    name: str
    axis: str  # what a level is, with its unit
    levels: tuple[float, ...]  # from mild to strong
    change: Change


def jpeg(pixels: Pixels, quality: float, rng: np.random.Generator) -> Pixels:
    """Store as JPEG."""
    return store_as_jpeg(pixels, int(quality))


def average(pixels: Pixels, width: float, rng: np.random.Generator) -> Pixels:
    """Mean over a square window."""
    window = (int(width), int(width))
    return np.asarray(cv2.blur(pixels, window, borderType=cv2.BORDER_REFLECT_101), np.uint8)


def noise(pixels: Pixels, variance: float, rng: np.random.Generator) -> Pixels:
    """Add Gaussian noise, independent in every channel."""
    drawn = rng.normal(0, 255 * np.sqrt(variance), pixels.shape)
    return _rounded(pixels + drawn)


def brightness(pixels: Pixels, upper: float, rng: np.random.Generator) -> Pixels:
    """Map 0..1 onto DARKEST..upper."""
    return _rounded(255 * DARKEST + pixels * (upper - DARKEST))


def contrast(pixels: Pixels, upper: float, rng: np.random.Generator) -> Pixels:
    """Stretch DARKEST..upper onto 0..1; what lies outside is cut off."""
    return _rounded((pixels - 255 * DARKEST) / (upper - DARKEST))


def fewer_colours(pixels: Pixels, levels: float, rng: np.random.Generator) -> Pixels:
    """Keep so many evenly spaced values per channel."""
    top = levels - 1
    return _rounded(np.floor(pixels / 256 * levels) * (255 / top))


def gaussian_blur(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Blur with a Gaussian of so many pixels."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def gaussian_noise(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Add Gaussian noise of so many grey levels."""
    return noise(pixels, (sigma / 255) ** 2, rng)


def resize(pixels: Pixels, factor: float, rng: np.random.Generator) -> Pixels:
    """Change the size; over whole pixels' areas where it shrinks, cubic where it grows."""
    height, width = (max(round(side * factor), 1) for side in pixels.shape[:2])
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.uint8)


def chain(pixels: Pixels, level: float, rng: np.random.Generator) -> Pixels:
    """Fit into a square and store as JPEG, by the level of CHAIN."""
    side, quality = CHAIN[int(level)]
    factor = min(side / max(pixels.shape[:2]), 1.0)
    fitted = pixels if factor == 1 else resize(pixels, factor, rng)
    return store_as_jpeg(fitted, quality)


def twice(pixels: Pixels, level: float, rng: np.random.Generator) -> Pixels:
    """Two passages through the same chain, as when a picture is passed on."""
    return chain(chain(pixels, level, rng), level, rng)


SIX = (
    Family("jpeg", "JPEG quality", (100, 90, 80, 70, 60, 50, 40, 30, 20), jpeg),
    Family("average-blur", "window, pixels", (3, 5, 7), average),
    Family("noise", "variance", (0.0005, 0.005, 0.009), noise),
    Family("brightness", "upper bound", (0.95, 0.9, 0.8), brightness),
    Family("contrast", "upper bound", (0.95, 0.9, 0.8), contrast),
    Family("colours", "levels per channel", (128, 64, 32), fewer_colours),
)
CURVES = (
    Family("gaussian-blur", "sigma, pixels", (0.5, 1, 1.5, 2, 3), gaussian_blur),
    Family("gaussian-noise", "sigma, grey levels", (2, 5, 10, 15, 20), gaussian_noise),
    Family("shrink", "factor", (0.9, 0.75, 0.5, 0.25), resize),
    Family("enlarge", "factor", (1.1, 1.25, 1.5, 2), resize),
)
CHAINS = (
    Family("chain", CHAIN_AXIS, tuple(map(float, CHAIN)), chain),
    Family("chain-twice", CHAIN_AXIS, tuple(map(float, CHAIN)), twice),
)
FAMILIES = {family.name: family for family in (*SIX, *CURVES, *CHAINS)}
SETS = {
    "six": tuple(family.name for family in SIX),
    "curves": ("jpeg", *(family.name for family in CURVES)),
    "chains": tuple(family.name for family in CHAINS),
    "all": tuple(FAMILIES),
}


def _rounded(values: NDArray) -> Pixels:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)
