"""What happens to the levels of copied pixels: tables of 256 entries, noise, blur.

Everything ends in whole levels by way of a table or whole-number noise, so that a sample has the
same bytes on every machine.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.geometry import blurred
from tamperscope.synth.sample import Mask, Pixels

Step = tuple[str, float]
"""(what, by how much)"""

LEVELS = np.arange(256, dtype=np.float64)
BLOCK = 8  # pixels, side of the blocks of :func:`content`
MOST_GAIN = 2.0  # that a matched region's contrast is changed by, or one over it


@dataclass(frozen=True)
class Tone:
    """Chances of each change of tone, and its range; changes go up or down alike."""

    brightness: float = 0.3
    brightness_range: tuple[float, float] = (5.0, 40.0)  # levels
    contrast: float = 0.3
    contrast_range: tuple[float, float] = (1.1, 1.6)  # factor, or one over it
    gamma: float = 0.2
    gamma_range: tuple[float, float] = (1.1, 1.6)
    invert: float = 0.0
    noise: float = 0.2
    noise_range: tuple[float, float] = (1.0, 7.0)  # standard deviation in levels
    blur: float = 0.15
    blur_range: tuple[float, float] = (0.4, 1.3)  # standard deviation in pixels
    step: float = 0.6  # that the background jumps at the seam of a joined blot
    match: float = 0.5  # that a region of another panel is brought to the levels of its new place

    def draw(self, rng: np.random.Generator) -> tuple[Step, ...]:
        """Draw a list of steps, in the order in which they are done."""
        steps: list[Step] = []
        if rng.random() < self.blur:
            steps.append(("blur", _uniform(self.blur_range, rng)))
        for name, chance, span in (
            ("contrast", self.contrast, self.contrast_range),
            ("gamma", self.gamma, self.gamma_range),
        ):
            if rng.random() < chance:
                factor = _uniform(span, rng)
                steps.append((name, factor if rng.random() < 0.5 else round(1 / factor, 4)))
        if rng.random() < self.brightness:
            amount = _uniform(self.brightness_range, rng)
            steps.append(("brightness", amount if rng.random() < 0.5 else -amount))
        if rng.random() < self.invert:
            steps.append(("invert", 1.0))
        if rng.random() < self.noise:
            steps.append(("noise", _uniform(self.noise_range, rng)))
        return tuple(steps)


def _uniform(span: tuple[float, float], rng: np.random.Generator) -> float:
    return round(float(rng.uniform(*span)), 4)


def apply_tone(
    pixels: Pixels, steps: tuple[Step, ...], rng: np.random.Generator
) -> tuple[Pixels, tuple[Step, ...]]:
    """Change the levels of ``pixels``.

    A brightness that would drive over a tenth of the pixels to an end goes the other way: whoever
    does that has destroyed what was to be copied.

    Returns:
        New pixels of the same shape, and the steps as they were done.
    """
    done = []
    for name, amount in steps:
        if name == "blur":
            pixels = blurred(pixels, amount)
        elif name == "noise":
            pixels = noisy(pixels, amount, rng)
        else:
            if name == "brightness" and _clipped(pixels, amount) > 0.1:
                amount = -amount
            pixels = table(name, amount, pixels)[pixels]
        done.append((name, amount))
    return pixels, tuple(done)


def table(name: str, amount: float, pixels: Pixels) -> Pixels:
    """Return the 256 levels that a step turns the levels into; contrast keeps the mean."""
    if name == "brightness":
        levels = LEVELS + amount
    elif name == "contrast":
        mean = int(pixels.sum(dtype=np.int64)) / pixels.size
        levels = (LEVELS - mean) * amount + mean
    elif name == "gamma":
        levels = 255 * np.array([(level / 255) ** amount for level in range(256)])
    elif name == "invert":
        levels = 255 - LEVELS
    else:
        raise ValueError(f"no step of tone is called {name!r}")
    return np.clip(np.floor(levels + 0.5), 0, 255).astype(np.uint8)


def noisy(pixels: Pixels, amount: float, rng: np.random.Generator) -> Pixels:
    """Add Gaussian noise of ``amount`` levels, alike in all channels as most panels are grey."""
    drawn = rng.standard_normal(pixels.shape[:2], dtype=np.float32) * np.float32(amount)
    levels = pixels.astype(np.int16) + np.rint(drawn).astype(np.int16)[..., None]
    return np.clip(levels, 0, 255).astype(np.uint8)


def _clipped(pixels: Pixels, amount: float) -> float:
    over = pixels > 255 - amount if amount > 0 else pixels < -amount
    return np.count_nonzero(over) / over.size


def mean_level(values: NDArray[np.uint8]) -> float:
    """Mean of uint8 values, summed in whole numbers; NaN of none."""
    return int(values.sum(dtype=np.int64)) / values.size if values.size else float("nan")


def spread(values: NDArray[np.uint8]) -> float:
    """Standard deviation of uint8 values, summed in whole numbers."""
    wide = values.astype(np.int64)
    count = wide.size
    total, squares = int(wide.sum()), int((wide * wide).sum())
    return (max(squares * count - total * total, 0) ** 0.5) / count


def content(pixels: Pixels, least: float) -> float:
    """Share of the 8 x 8 blocks that spread by ``least`` grey levels: more than background.

    Smooth shading spreads little within a block, whatever it does over the panel.
    """
    rows, columns = (side // BLOCK * BLOCK for side in pixels.shape[:2])
    if not (rows and columns):
        return float(spread(pixels) >= least)
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:rows, :columns].astype(np.int32)
    sums, squares = (
        values.reshape(rows // BLOCK, BLOCK, columns).sum(axis=1)
        .reshape(-1, columns // BLOCK, BLOCK).sum(axis=2)
        for values in (gray, gray * gray)
    )  # fmt: skip
    count = BLOCK * BLOCK
    rich = squares * count - sums * sums >= (least * count) ** 2
    return float(np.count_nonzero(rich)) / rich.size


def is_grey(pixels: Pixels) -> bool:
    """Whether all channels are alike."""
    return bool(np.array_equal(pixels[..., 0], pixels[..., 1])) and bool(
        np.array_equal(pixels[..., 1], pixels[..., 2])
    )


def grey(pixels: Pixels) -> Pixels:
    """Luminance in all three channels."""
    plane = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.repeat(plane[..., None], 3, axis=2)


def matched(patch: Pixels, inside: Mask, under: Pixels) -> Pixels:
    """Bring mean and contrast of a patch to those of what it will cover, channel by channel."""
    made = np.empty_like(patch)
    for channel in range(3):
        own, place = patch[..., channel][inside], under[..., channel][inside]
        gain = (spread(place) + 4) / (spread(own) + 4)  # 4: noise is not blown up to content
        gain = min(max(gain, 1 / MOST_GAIN), MOST_GAIN)
        levels = (LEVELS - mean_level(own)) * gain + mean_level(place)
        lookup = np.clip(np.floor(levels + 0.5), 0, 255).astype(np.uint8)
        made[..., channel] = lookup[patch[..., channel]]
    return made
