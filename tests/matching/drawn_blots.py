"""Blots for tests: noise, a slow gradient and soft bands, drawn from a seed."""

import cv2
import numpy as np

from tamperscope.matching.match import PreparedPanel
from tamperscope.matching.prepare import prepare


def blot(seed: int, height: int = 200, width: int = 260, noise: float = 2.5) -> np.ndarray:
    """Grey levels as float64 (height, width): four lanes with three bands each."""
    rng = np.random.default_rng([seed, 5])
    y, x = np.mgrid[:height, :width]
    gray = 165 + 20 * np.sin(x / width * 2 + seed) + 10 * y / height
    for lane in range(4):
        for _ in range(3):
            cx, cy = (lane + 0.5) * width / 4, rng.uniform(0.15, 0.85) * height
            across = 1 / (1 + np.exp((np.abs(x - cx) - width / 10) / 3))
            gray -= rng.uniform(20, 90) * across * np.exp(-(((y - cy) / 5) ** 2))
    grain = cv2.GaussianBlur(rng.normal(0, 1, gray.shape), (0, 0), 0.6)
    return gray + noise * grain / grain.std()


def panel(gray: np.ndarray, kind: str = "blot") -> PreparedPanel:
    """Round to 8 bits and prepare, as a stored panel would be."""
    levels = np.clip(np.round(gray), 0, 255).astype(np.uint8)
    return prepare(np.repeat(levels[..., None], 3, axis=2), kind)


def stored(gray: np.ndarray, quality: int) -> np.ndarray:
    """Store as JPEG and read back."""
    levels = np.clip(np.round(gray), 0, 255).astype(np.uint8)
    code = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(code, cv2.IMREAD_GRAYSCALE).astype(np.float64)
