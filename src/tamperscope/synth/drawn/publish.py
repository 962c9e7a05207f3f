"""From what the instrument saw to the pixels of a figure: tone, resampling, sharpening, JPEG."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import chance, log_uniform
from tamperscope.synth.drawn.scene import Colour, Scene

BLOCK = 16  # pixels: JPEG's largest unit; the grid starts anywhere in it


def resample(rng: np.random.Generator, light: Colour) -> tuple[Colour, dict[str, Any]]:
    """Scale down and up again, or sharpen, as layout programs and cameras do."""
    height, width = light.shape[:2]
    if chance(rng, 0.42) and min(height, width) >= 32:
        share = float(rng.uniform(0.38, 0.95))
        small = (max(8, round(width * share)), max(8, round(height * share)))
        less = cv2.resize(light, small, interpolation=cv2.INTER_AREA)
        how = cv2.INTER_CUBIC if chance(rng, 0.6) else cv2.INTER_LINEAR
        enlarged = cv2.resize(less, (width, height), interpolation=how)
        return enlarged, {"resampled": round(share, 3)}
    if chance(rng, 0.3):
        amount = float(rng.uniform(0.3, 1.4))
        soft = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.6, 1.4))
        return light + np.float32(amount) * (light - soft), {"sharpened": round(amount, 3)}
    return light, {}


def gutter(rng: np.random.Generator, scene: Scene) -> dict[str, Any]:
    """Let the edge of the panel show, as when it was cut out of its figure generously."""
    height, width = scene.objects.shape
    if not chance(rng, 0.12) or min(height, width) < 32:
        return {}
    tone = np.float32(1.0 if chance(rng, 0.7) else 0.0)
    widths = []
    for side in rng.permutation(4)[: int(rng.integers(1, 3))]:
        length = height if side < 2 else width
        thick = max(1, int(length * log_uniform(rng, 0.01, 0.25)))
        band = slice(0, thick) if side % 2 else slice(length - thick, length)
        where = (band, slice(None)) if side < 2 else (slice(None), band)
        scene.light[where] = tone
        scene.objects[where] = 0
        widths.append([int(side), thick])
    return {"gutter": widths}


def quantise(light: Colour) -> NDArray[np.uint8]:
    """Round 0..1 to 0..255, clipping what does not fit."""
    return cv2.convertScaleAbs(np.clip(light, 0, 1), alpha=255.0)


def compress(
    rng: np.random.Generator, pixels: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Store as JPEG, once or twice or not at all; the block grid may start anywhere."""
    times = int(rng.choice(3, p=[0.3, 0.55, 0.15]))
    qualities = []
    height, width = pixels.shape[:2]
    for _ in range(times):
        quality = round(100 - log_uniform(rng, 3, 38))
        top, left = (int(v) for v in rng.integers(0, BLOCK, size=2) * chance(rng, 0.5))
        sampling = (
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
            if chance(rng, 0.6)
            else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        )
        page = cv2.copyMakeBorder(pixels, top, 0, left, 0, cv2.BORDER_REPLICATE)
        _, stored = cv2.imencode(
            ".jpg",
            page[:, :, ::-1],
            [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling],
        )
        read = cv2.imdecode(stored, cv2.IMREAD_COLOR)
        pixels = np.ascontiguousarray(read[top : top + height, left : left + width, ::-1])
        qualities.append(quality)
    return pixels, {"jpeg": qualities}
