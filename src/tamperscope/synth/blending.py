"""Lays a patch into a panel: with a hard edge, a soft one, or with its gradients kept (Poisson).

No pixel outside the mask changes, whatever the way.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.geometry import Box
from tamperscope.synth.sample import Mask, Pixels

WAYS = ("hard", "feather", "poisson")
SWEEPS = 8  # of relaxation on the finest level; twice as many on each coarser one
COARSEST = 8  # pixels; a shorter side is not halved


@dataclass(frozen=True)
class Blending:
    """Weights of the ways, and the width of a soft edge."""

    hard: float = 0.5
    feather: float = 0.25
    poisson: float = 0.25
    feather_range: tuple[float, float] = (0.6, 2.5)  # standard deviation of the blur, pixels

    def draw(self, rng: np.random.Generator) -> tuple[str, float]:
        """Draw a way and, for a soft edge, its width (else 0)."""
        weights = np.array([self.hard, self.feather, self.poisson])
        way = WAYS[int(rng.choice(3, p=weights / weights.sum()))]
        return way, round(float(rng.uniform(*self.feather_range)), 3) if way == "feather" else 0.0


def blend(canvas: Pixels, patch: Pixels, mask: Mask, box: Box, way: tuple[str, float]) -> Pixels:
    """Return ``canvas`` with ``patch`` laid over ``box`` where ``mask`` is set.

    Args:
        canvas: uint8 (H, W, 3).
        patch: uint8 (box.height, box.width, 3).
        mask: Bool, of the size of the patch.
        box: Inside the canvas; with a margin around the mask, on which a Poisson blend hangs.
        way: What :meth:`Blending.draw` returned.
    """
    name, width = way
    under = canvas[box.slices]
    if name == "hard":
        mixed = np.where(mask[..., None], patch, under)
    elif name == "feather":
        mixed = mix(under, patch, soft_edge(mask, width))
    elif name == "poisson":
        mixed = poisson(under, patch, mask)
    else:
        raise ValueError(f"a way of blending is one of {WAYS}, got {name!r}")
    made = canvas.copy()
    made[box.slices] = mixed
    return made


def soft_edge(mask: Mask, width: float) -> NDArray[np.uint8]:
    """Opacity 0..255 that falls to 0 at the rim, from inside: nothing outside is touched."""
    full = np.pad(mask.astype(np.uint8) * 255, 8)
    soft = cv2.GaussianBlur(full, (0, 0), width, borderType=cv2.BORDER_CONSTANT)[8:-8, 8:-8]
    # half of a blurred straight edge lies outside the mask; the other half is stretched
    opacity = np.clip(2 * soft.astype(np.int16) - 255, 0, 255)
    return np.where(mask, np.maximum(opacity, 1), 0).astype(np.uint8)


def mix(under: Pixels, over: Pixels, opacity: NDArray[np.uint8]) -> Pixels:
    """Return ``over`` on ``under`` with an opacity of 0..255, in whole numbers."""
    a = opacity.astype(np.int32)[..., None]
    return ((a * over + (255 - a) * under + 127) // 255).astype(np.uint8)


def poisson(under: Pixels, patch: Pixels, mask: Mask) -> Pixels:
    """Keep the gradients of ``patch`` and the levels of ``under`` around the mask.

    The result is patch + m, where m is harmonic inside the mask and equals under - patch around it
    (Pérez, Gangnet, Blake, "Poisson Image Editing", 2003, eq. 4 with the guidance of eq. 9). m is
    found by relaxation from coarse to fine. A mask that fills the box has nothing around it there;
    at such sides m continues evenly.
    """
    difference = under.astype(np.float32) - patch
    m = membrane(np.where(mask[..., None], np.float32(0), difference), mask)
    # outside the mask m is under - patch, in whole numbers: the sum is under itself
    return np.clip(np.rint(patch + m), 0, 255).astype(np.uint8)


def membrane(values: NDArray[np.float32], free: Mask, sweeps: int = SWEEPS) -> NDArray[np.float32]:
    """Fill ``free`` pixels of ``values`` (H, W, C) harmonically from the others.

    Relaxation from coarse to fine; where nothing is fixed, ``values`` comes back as it is.
    """
    if free.all() or not free.any():
        return values
    height, width = free.shape
    if min(height, width) >= COARSEST:
        start = _doubled(membrane(*_halved(values, free), 2 * sweeps), height, width)
    else:
        fixed = values[~free]
        start = np.broadcast_to(fixed.sum(axis=0) / np.float32(len(fixed)), values.shape)
    return _relaxed(np.where(free[..., None], start, values), free, sweeps)


def _relaxed(values: NDArray[np.float32], free: Mask, sweeps: int) -> NDArray[np.float32]:
    """Replace free pixels by the mean of their neighbours, over and over."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    inner = padded[1:-1, 1:-1]
    keep = ~free[..., None]
    for _ in range(sweeps):
        mean = padded[:-2, 1:-1] + padded[2:, 1:-1]
        mean += padded[1:-1, :-2]
        mean += padded[1:-1, 2:]
        mean *= np.float32(0.25)
        np.copyto(mean, inner, where=keep)
        inner[...] = mean
        padded[0], padded[-1] = padded[1], padded[-2]
        padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    return inner.copy()


def _halved(values: NDArray[np.float32], free: Mask) -> tuple[NDArray[np.float32], Mask]:
    """Mean of the fixed ones of every 2 x 2 pixels; free where none is fixed."""
    height, width = free.shape
    pad = ((0, height % 2), (0, width % 2))
    fixed = np.pad((~free).astype(np.float32), pad)[..., None]
    weighted = np.pad(values, (*pad, (0, 0))) * fixed
    total = _sum_of_four(weighted)
    count = _sum_of_four(fixed)
    mean = (total / np.maximum(count, 1)).astype(np.float32)
    return mean, count[..., 0] == 0


def _sum_of_four(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]


def _doubled(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    return values.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
