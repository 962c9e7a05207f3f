"""Random fields: smooth, cloudy and fibrous textures, and warps made of them."""

import cv2
import numpy as np

from tamperscope.synth.drawn.scene import Plane

COARSEST = 24.0  # pixels of a feature; coarser fields are made small and enlarged


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Plane:
    """Gaussian field whose features are about ``scale`` pixels wide; deviation about 0.7."""
    return fibrous_field(rng, shape, scale, scale)


def fibrous_field(
    rng: np.random.Generator, shape: tuple[int, int], tall: float, wide: float
) -> Plane:
    """Gaussian field with features of ``tall`` x ``wide`` pixels."""
    if min(tall, wide) > COARSEST:
        small = tuple(max(2, -(-side // 8) + 1) for side in shape)
        field = fibrous_field(rng, (small[0], small[1]), tall / 8, wide / 8)
        whole = cv2.resize(field, (small[1] * 8, small[0] * 8), interpolation=cv2.INTER_CUBIC)
        return whole[: shape[0], : shape[1]]
    tall, wide = max(tall, 1.0), max(wide, 1.0)
    rows, columns = int(shape[0] / tall) + 3, int(shape[1] / wide) + 3
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    height, width = int(np.ceil(rows * tall)), int(np.ceil(columns * wide))
    top, left = int(rng.integers(int(tall) + 1)), int(rng.integers(int(wide) + 1))
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field[top : top + shape[0], left : left + shape[1]], dtype=np.float32)


def cloudy_field(
    rng: np.random.Generator,
    shape: tuple[int, int],
    largest: float,
    *,
    smallest: float = 2.0,
    fall: float = 0.6,
) -> Plane:
    """Sum octaves from ``largest`` down to ``smallest`` pixels, each ``fall`` times weaker."""
    total = np.zeros(shape, np.float32)
    scale, weight, power = largest, 1.0, 0.0
    while scale >= smallest or power == 0.0:
        total += np.float32(weight) * smooth_field(rng, shape, scale)
        power += weight * weight
        scale, weight = scale / 2, weight * fall
    return total / np.float32(0.7 * np.sqrt(power))


def coordinates(shape: tuple[int, int]) -> tuple[Plane, Plane]:
    """Rows as (H, 1) and columns as (1, W)."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    return rows, np.arange(shape[1], dtype=np.float32)[None, :]


def warp(plane: Plane, down: Plane, right: Plane, *, nearest: bool = False) -> Plane:
    """Fetch each pixel from ``down`` rows below and ``right`` columns beside it."""
    rows, columns = coordinates(plane.shape[:2])
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return cv2.remap(
        plane,
        np.broadcast_to(columns + right, plane.shape[:2]).astype(np.float32),
        np.broadcast_to(rows + down, plane.shape[:2]).astype(np.float32),
        how,
        borderMode=cv2.BORDER_REFLECT_101,
    )
