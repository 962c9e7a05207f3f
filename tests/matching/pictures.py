"""Drawn panels with known content for the tests of the matchers."""

import cv2
import numpy as np

from tamperscope.matching.match import PreparedPanel
from tamperscope.matching.prepare import prepare


def texture(seed: int, height: int = 220, width: int = 240) -> np.ndarray:
    """Random structure of every size, uint8 (height, width, 3)."""
    rng = np.random.default_rng([77, seed])
    total = np.zeros((height, width), np.float32)
    for sigma, weight in ((1.2, 0.5), (3, 0.8), (8, 1.0), (20, 1.0)):
        layer = cv2.GaussianBlur(rng.normal(size=(height, width)).astype(np.float32), (0, 0), sigma)
        total += weight * layer / layer.std()
    gray = np.clip(128 + 28 * total + rng.normal(0, 1.5, total.shape), 0, 255)
    return np.repeat(gray.astype(np.uint8)[..., None], 3, axis=2)


def warped(pixels: np.ndarray, transform: np.ndarray, height: int, width: int) -> np.ndarray:
    """Draw pixels on a canvas by a (3, 3) map."""
    return cv2.warpAffine(
        pixels, transform[:2], (width, height), flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip


def turned(angle: float, scale: float, *, mirrored: bool, size: tuple[int, int]) -> np.ndarray:
    """Map about the centre of a picture of ``size`` (height, width), in degrees."""
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    linear = np.array([[c, -s], [s, c]])
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    transform = np.eye(3)
    transform[:2, :2] = linear
    transform[:2, 2] = centre - linear @ centre
    return transform


def panel(pixels: np.ndarray, kind: str = "microscopy") -> PreparedPanel:
    """Prepare pixels."""
    return prepare(pixels, kind)


def misplacement(found: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Largest distance in pixels between two maps over a mask."""
    rows, columns = np.nonzero(mask)
    points = np.column_stack([columns, rows, np.ones(len(rows))])
    return float(np.linalg.norm((points @ (found - truth).T)[:, :2], axis=1).max())
