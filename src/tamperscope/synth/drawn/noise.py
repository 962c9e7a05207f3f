"""Noise of sensors and film, and what falls on both: dust, scratches, hot pixels.

A sensor counts photons (shot noise, variance = mean), adds read noise and a pattern along rows
that are read together; EMVA Standard 1288 gives the linear model. Film clumps into grain of a few
pixels that is strongest in the middle tones.
"""

import cv2
import numpy as np

from tamperscope.synth.drawn.chances import log_uniform
from tamperscope.synth.drawn.scene import Colour, Plane, Shape


def sensor(
    rng: np.random.Generator,
    light: Plane,
    *,
    photons: float,
    read: float = 0.0,
    row: float = 0.0,
) -> Plane:
    """Expose a sensor.

    Args:
        rng: Generator.
        light: (H, W), 0 to 1; 1 fills the well.
        photons: Electrons in a full well. Below 150 counts are Poisson numbers; above, Anscombe's
            root makes a normal deviate of the right mean, variance and skew, which is faster.
        read: Deviation of the read noise, as a share of the full well.
        row: Deviation of the offset of each row, likewise.
    """
    mean = np.maximum(light, 0) * np.float32(photons)
    if photons < 150:
        counts = rng.poisson(mean).astype(np.float32)
    else:
        root = np.sqrt(mean + np.float32(0.375))
        root += np.float32(0.5) * rng.standard_normal(light.shape, dtype=np.float32)
        counts = np.square(root) - np.float32(0.625)  # the square of the deviate adds a quarter
    out = counts / np.float32(photons)
    if read > 0:
        out += np.float32(read) * rng.standard_normal(light.shape, dtype=np.float32)
    if row > 0:
        out += np.float32(row) * rng.standard_normal((light.shape[0], 1), dtype=np.float32)
    return out


def colour_blotches(rng: np.random.Generator, shape: Shape, size: float) -> Colour:
    """Draw the blotches that demosaicking leaves: ``size`` pixels wide, each channel its own."""
    coarse = (int(shape[0] / size) + 2, int(shape[1] / size) + 2, 3)
    field = rng.standard_normal(coarse, dtype=np.float32)
    return cv2.resize(field, shape[::-1], interpolation=cv2.INTER_CUBIC)


def film_grain(rng: np.random.Generator, light: Plane, amount: float, size: float) -> Plane:
    """Add grain of ``size`` pixels, deviation ``amount`` in the middle tones."""
    grain = rng.standard_normal(light.shape, dtype=np.float32)
    if size > 0.3:
        grain = cv2.GaussianBlur(grain, (0, 0), size) * np.float32(max(1.0, 3.5 * size))
    middle = 0.3 + 2.8 * np.clip(light * (1 - light), 0, 0.25)
    return light + np.float32(amount) * grain * middle


def hot_pixels(rng: np.random.Generator, light: Plane, share: float) -> Plane:
    """Let ``share`` of all pixels read too much."""
    count = int(rng.poisson(share * light.size))
    rows = rng.integers(light.shape[0], size=count)
    columns = rng.integers(light.shape[1], size=count)
    light[rows, columns] += rng.exponential(0.4, size=count).astype(np.float32)
    return light


def specks(rng: np.random.Generator, shape: tuple[int, int], count: int, largest: float) -> Plane:
    """Draw dust, 0 to 1: dots and short fibres with soft edges."""
    dirt = np.zeros(shape, np.float32)
    for _ in range(count):
        x, y = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
        strength = rng.uniform(0.2, 1.0)
        if rng.random() < 0.85:
            radius = int(8 * log_uniform(rng, 0.4, max(0.5, largest)))
            cv2.circle(dirt, (int(8 * x), int(8 * y)), radius, strength, -1, cv2.LINE_AA, 3)
        else:
            turns = np.cumsum(rng.normal(0, 0.4, size=8)) + rng.uniform(0, 6.3)
            step = rng.uniform(0.5, 1.5) * max(1.0, largest)
            path = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1) * step, axis=0)
            points = np.rint(8 * (path + np.array([x, y]))).astype(np.int32)
            cv2.polylines(dirt, [points], False, strength, 1, cv2.LINE_AA, 3)
    return cv2.GaussianBlur(dirt, (0, 0), 0.6) if count else dirt


def scratches(rng: np.random.Generator, shape: tuple[int, int], count: int) -> Plane:
    """Draw thin straight scratches, 0 to 1."""
    lines = np.zeros(shape, np.float32)
    reach = float(np.hypot(*shape))
    for _ in range(count):
        angle = rng.normal(0.5 * np.pi * rng.integers(2), 0.25)
        middle = rng.uniform(0, 1, size=2) * shape[::-1]
        half = 0.5 * rng.uniform(0.1, 0.8) * reach * np.array([np.cos(angle), np.sin(angle)])
        ends = [tuple(int(8 * v) for v in middle + sign * half) for sign in (-1, 1)]
        cv2.line(lines, ends[0], ends[1], rng.uniform(0.2, 0.9), 1, cv2.LINE_AA, 3)
    return cv2.GaussianBlur(lines, (0, 0), 0.5) if count else lines
