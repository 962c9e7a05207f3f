"""Numbers that describe how a panel looks: the features of the modality classifier.

Colour, tone, flatness, edge strength and orientation, energy per scale, ruled lines, row and column
structure, and local binary patterns (Ojala, Pietikainen and Maenpaa, "Multiresolution gray-scale
and rotation invariant texture classification with local binary patterns", PAMI 2002). All are
measured on a copy of at most :data:`SIDE` pixels a side, so that the cost does not depend
on the size of the panel.
"""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.screening.channels import channel_max, channel_min

SIDE = 128
"""Longer side, in pixels, of the copy that is measured."""

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB
Plane = NDArray[np.float32]  # (height, width), values in [0, 1]


def describe_appearance(pixels: Pixels) -> NDArray[np.float32]:
    """Return the feature vector of a panel, float32 (n,), finite for any picture.

    Args:
        pixels: uint8 (height, width, 3), RGB.
    """
    small = _reduced(pixels)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    plane = gray.astype(np.float32) / 255
    parts = (
        _shape(pixels),
        _colour(small),
        _tone(gray),
        _palette(small),
        _edges(plane),
        _scales(plane),
        _lines(gray),
        _profiles(plane),
        _border(gray),
        _marks(gray),
        _patterns(gray),
    )
    return np.concatenate(parts).astype(np.float32)


def _reduced(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1 and min(height, width) >= 8:
        return np.ascontiguousarray(pixels)
    scale = min(scale, 1.0)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _shape(pixels: Pixels) -> NDArray[np.float64]:
    height, width = pixels.shape[:2]
    return np.array([np.log(width / height), np.log(height * width) / 10])


def _colour(small: Pixels) -> NDArray[np.float64]:
    """Saturation, hues weighted by chroma, and how far one channel stands out."""
    high, low = channel_max(small), channel_min(small)
    chroma = (high - low).reshape(-1)
    hue = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)[..., 0].reshape(-1) // 15
    weight = chroma.sum(dtype=np.int64) / 255 + 1e-3 * chroma.size
    hues = np.bincount(hue, weights=chroma, minlength=12)[:12] / 255 / weight
    counts = np.bincount(chroma, minlength=256) / chroma.size
    middle = np.maximum(np.minimum(small[..., 0], small[..., 1]), low)
    middle = np.maximum(middle, np.minimum(np.maximum(small[..., 0], small[..., 1]), small[..., 2]))
    lone = high - middle
    mean, spread = cv2.meanStdDev(small)
    return np.concatenate(
        [
            hues,
            mean[:, 0] / 255,
            spread[:, 0] / 255,
            [chroma.mean() / 255, chroma.std() / 255],
            np.searchsorted(np.cumsum(counts), (0.5, 0.9, 0.99)) / 255,
            [counts[:10].sum(), counts[51:].sum(), counts[128:].sum()],
            [lone.mean() / 255, (lone > 51).mean()],
        ]
    )


def _tone(gray: Pixels) -> NDArray[np.float64]:
    """Histogram of grey, with the shares at and near white and black."""
    counts = np.bincount(gray.reshape(-1), minlength=256) / gray.size
    bins = counts.reshape(16, 16).sum(1)
    at = np.searchsorted(np.cumsum(counts), (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98))
    levels = np.minimum(at, 255) / 255
    extremes = [(gray >= 252).mean(), (gray >= 235).mean(), (gray <= 3).mean(), (gray <= 20).mean()]
    centred = (gray.astype(np.float32) - gray.mean(dtype=np.float32)) / 255
    spread = centred.std() + 0.01
    return np.concatenate(
        [bins, levels, extremes, [spread, (centred * centred * centred).mean() / spread**3]]
    )


def _palette(small: Pixels) -> NDArray[np.float64]:
    """How much of the picture its commonest colours fill; drawings use few."""
    cells = (small >> 4).astype(np.int32)
    code = 256 * cells[..., 0] + 16 * cells[..., 1] + cells[..., 2]
    counts = np.sort(np.bincount(code.reshape(-1), minlength=4096))[::-1] / code.size
    used = counts[counts > 0]
    entropy = -(used * np.log2(used)).sum() / 12
    return np.array([counts[0], counts[:4].sum(), counts[:16].sum(), entropy])


def _edges(plane: Plane) -> NDArray[np.float64]:
    """Gradient size and direction (eight sectors of 180 degrees, and the exact axes)."""
    dx = cv2.Sobel(plane, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
    dy = cv2.Sobel(plane, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)
    size, angle = cv2.cartToPolar(dx, dy, angleInDegrees=True)
    total = float(size.sum()) + 1e-3 * size.size
    sector = ((angle / 22.5 + 0.5).astype(np.uint8) & 7).reshape(-1)
    sectors = np.bincount(sector, weights=size.reshape(-1), minlength=8) / total
    upright = size[np.abs(dy) < 0.03 * np.abs(dx)].sum() / total
    level = size[np.abs(dx) < 0.03 * np.abs(dy)].sum() / total
    levels = np.quantile(size[::3], (0.25, 0.5, 0.75, 0.9, 0.98))
    flat = [(size < 0.002).mean(), (size < 0.01).mean(), (size > 0.1).mean()]
    return np.concatenate([sectors, [upright, level, size.mean()], levels, flat])


def _scales(plane: Plane) -> NDArray[np.float64]:
    """Spread of each octave band (differences of Gaussians), absolute and relative."""
    blurred = [plane, *(cv2.GaussianBlur(plane, (0, 0), s) for s in (1, 2, 4, 8, 16))]
    bands = [np.abs(a - b) for a, b in pairwise(blurred)]
    spread = np.array([band.mean() for band in bands])
    peaky = np.array([band.std() / (band.mean() + 1e-3) for band in bands])
    return np.concatenate([np.log(spread + 1e-3), spread / (spread.sum() + 1e-3), peaky])


def _lines(gray: Pixels) -> NDArray[np.float64]:
    """Thin straight dark and bright strokes along the axes, as frames and axes have."""
    found = []
    for plane in (gray, 255 - gray):
        for along in ((1, 0), (0, 1)):
            length = max(9, gray.shape[along[1]] // 5)
            across = (1, 7) if along == (1, 0) else (7, 1)
            kernel = np.ones((1, length) if along == (1, 0) else (length, 1), np.uint8)
            hat = cv2.morphologyEx(plane, cv2.MORPH_BLACKHAT, np.ones(across[::-1], np.uint8))
            strokes = cv2.morphologyEx(hat, cv2.MORPH_OPEN, kernel)
            found += [(strokes > 60).mean() * 10, strokes.mean() / 25.5, strokes.max() / 255]
    return np.array(found)


def _profiles(plane: Plane) -> NDArray[np.float64]:
    """Row and column structure: bands and lanes make profiles that plain texture does not."""
    spread = plane.std() + 0.01
    found = []
    for axis in (0, 1):
        profile = plane.mean(axis)
        steps = np.abs(np.diff(profile))
        within = plane.std(axis)
        found += [profile.std() / spread, steps.mean() / spread, steps.max() / spread]
        found += [within.mean() / spread, within.min() / spread, within.max() / spread]
    return np.array(found)


def _border(gray: Pixels) -> NDArray[np.float64]:
    """The outermost pixels: page colour round drawings, content in cropped pictures."""
    sides = (gray[:2], gray[-2:], gray[:, :2], gray[:, -2:])
    ring = np.concatenate([side.ravel() for side in sides])
    return np.array([(ring >= 250).mean(), (ring <= 8).mean(), ring.mean() / 255, ring.std() / 255])


def _marks(gray: Pixels) -> NDArray[np.float64]:
    """Separate dark marks on a light ground and light ones on a dark ground: number and size."""
    found = []
    threshold = float(np.median(gray))
    for ink in (gray < threshold - 40, gray > threshold + 40):
        _, _, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
        areas = stats[1:, cv2.CC_STAT_AREA] / gray.size
        boxes = stats[1:, cv2.CC_STAT_WIDTH] * stats[1:, cv2.CC_STAT_HEIGHT] / gray.size
        widths = stats[1:, cv2.CC_STAT_WIDTH] / stats[1:, cv2.CC_STAT_HEIGHT]
        fill = areas.sum() / max(boxes.sum(), 1e-6) if areas.size else 0.0
        biggest = boxes.max() if areas.size else 0.0
        small = (areas < 0.001).mean() if areas.size else 0.0
        wide = np.log(np.median(widths)) if areas.size else 0.0
        found += [np.log1p(areas.size), areas.sum(), fill, biggest, small, wide]
    return np.array(found)


def _patterns(gray: Pixels) -> NDArray[np.float64]:
    """Rotation-invariant uniform local binary patterns of radius 1, with flat places apart."""
    centre = gray[1:-1, 1:-1].astype(np.int16)
    around = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    height, width = centre.shape
    bits = np.stack([gray[y : y + height, x : x + width] > centre + 2 for y, x in around])
    ones = bits.sum(0)
    changes = (bits != np.roll(bits, 1, axis=0)).sum(0)
    code = np.where(changes <= 2, ones, 9)
    return np.bincount(code.reshape(-1), minlength=10) / code.size
