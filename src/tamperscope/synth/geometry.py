"""Affine maps of copied regions: how they are drawn, and how pixels go through them.

Pixels are resampled in fixed point (1/32 pixel, integer weights), so that a sample has the same
bytes on machines whose floating point rounds differently. The linear parts are rounded to six
decimals for the same reason.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.resampling import SUBPIXELS, cubic
from tamperscope.synth.sample import Mask, Matrix, Pixels

RIGHT_ANGLES = (((1, 0), (0, 1)), ((0, -1), (1, 0)), ((-1, 0), (0, -1)), ((0, 1), (-1, 0)))


@dataclass(frozen=True)
class Box:
    """A half-open rectangle with whole corners."""

    x: int
    y: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of an array in (row, column) order."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    @property
    def corners(self) -> NDArray[np.float64]:
        """Centres of the corner pixels, (4, 2), clockwise from the upper left."""
        x1, y1 = self.x + self.width - 1, self.y + self.height - 1
        return np.array([[self.x, self.y], [x1, self.y], [x1, y1], [self.x, y1]], dtype=np.float64)


@dataclass(frozen=True)
class Geometry:
    """Chances of each change of geometry, and its range."""

    flip: float = 0.3
    right_angle: float = 0.2
    rotate: float = 0.25
    rotate_range: tuple[float, float] = (-45.0, 45.0)  # degrees
    scale: float = 0.3
    scale_range: tuple[float, float] = (0.7, 1.4)
    shear: float = 0.1
    shear_range: tuple[float, float] = (-0.15, 0.15)

    def draw(self, rng: np.random.Generator) -> Matrix:
        """Draw a linear map, (2, 2)."""
        linear = np.eye(2)
        if rng.random() < self.flip:
            linear = np.diag([-1.0, 1.0] if rng.random() < 0.5 else [1.0, -1.0])
        if rng.random() < self.right_angle:
            linear = np.array(RIGHT_ANGLES[int(rng.integers(1, 4))], dtype=np.float64) @ linear
        if rng.random() < self.shear:
            amount = rng.uniform(*self.shear_range)
            linear = np.array([[1.0, amount], [0.0, 1.0]]) @ linear
        if rng.random() < self.rotate:
            linear = rotation(math.radians(rng.uniform(*self.rotate_range))) @ linear
        if rng.random() < self.scale:
            low, high = (math.log(value) for value in self.scale_range)
            linear = linear * math.exp(rng.uniform(low, high))
        return np.round(linear, 6)


def rotation(angle: float) -> Matrix:
    """Return the (2, 2) rotation by ``angle`` radians."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]])


def shift(dx: float, dy: float) -> Matrix:
    """Return the (3, 3) map that adds (dx, dy)."""
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])


def affine(linear: Matrix) -> Matrix:
    """Return ``linear`` (2, 2) as (3, 3)."""
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    return matrix


def compose(*matrices: Matrix) -> Matrix:
    """Multiply (3, 3) maps, the last one done first; plain arithmetic, alike on every machine."""
    product = matrices[0]
    for matrix in matrices[1:]:
        columns = [
            product[:, 0] * matrix[0, j]
            + product[:, 1] * matrix[1, j]
            + product[:, 2] * matrix[2, j]
            for j in range(3)
        ]
        product = np.stack(columns, axis=1)
    return product


def inverse(matrix: Matrix) -> Matrix:
    """Invert an affine (3, 3) in plain arithmetic, alike on every machine."""
    (a, b, x), (c, d, y) = matrix[:2]
    det = a * d - b * c
    if det == 0:
        raise ValueError(f"a singular map has no inverse: {matrix}")
    a, b, c, d = d / det, -b / det, -c / det, a / det
    return np.array([[a, b, -(a * x + b * y)], [c, d, -(c * x + d * y)], [0.0, 0.0, 1.0]])


def map_points(matrix: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points (n, 2) by an affine (3, 3)."""
    x, y = points[:, 0], points[:, 1]
    return np.stack([row[0] * x + row[1] * y + row[2] for row in matrix[:2]], axis=1)


def bounds(points: NDArray[np.float64]) -> Box:
    """Smallest box whose pixel centres span all points."""
    low, high = np.floor(points.min(axis=0) + 1e-6), np.ceil(points.max(axis=0) - 1e-6)
    width, height = high - low + 1
    return Box(int(low[0]), int(low[1]), int(width), int(height))


def scaling(before: tuple[int, int], after: tuple[int, int]) -> Matrix:
    """Return the map from a picture of size (height, width) to itself resized."""
    (h0, w0), (h1, w1) = before, after
    x, y = w1 / w0, h1 / h0
    return np.array([[x, 0.0, (x - 1) / 2], [0.0, y, (y - 1) / 2], [0.0, 0.0, 1.0]])


def _grid(matrix: Matrix, box: Box) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Where the pixels of ``box`` come from, in 1/32 pixels: columns and rows.

    Of shape (height, width); of a map that neither turns nor shears, (1, width) and (height, 1).
    """
    back = inverse(matrix)
    x = np.arange(box.x, box.x + box.width, dtype=np.float64)[None, :]
    y = np.arange(box.y, box.y + box.height, dtype=np.float64)[:, None]
    if back[0, 1] == 0 and back[1, 0] == 0:
        columns, rows = back[0, 0] * x + back[0, 2], back[1, 1] * y + back[1, 2]
    else:
        columns = (back[0, 0] * x + back[0, 1] * y) + back[0, 2]
        rows = (back[1, 0] * x + back[1, 1] * y) + back[1, 2]
    return _subpixels(columns), _subpixels(rows)


def _subpixels(places: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.floor(places * SUBPIXELS + 0.5).astype(np.int32)


def warp(pixels: Pixels, matrix: Matrix, box: Box) -> Pixels:
    """Draw what lies in ``box`` of the target plane, uint8 (box.height, box.width, 3).

    Cubic interpolation, after a Gaussian low-pass where the map shrinks; exact for flips and right
    angles with whole offsets. Outside the source the border pixel is repeated.
    """
    moved = _moved(pixels, matrix, box)
    if moved is not None:
        return moved
    scale = math.sqrt(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]))
    if scale < 0.99:
        pixels = blurred(pixels, 0.5 * math.sqrt(1 / scale**2 - 1))
    return cubic(pixels, *_grid(matrix, box))


def _moved(pixels: Pixels, matrix: Matrix, box: Box) -> Pixels | None:
    """A map that only moves by whole pixels, inside the source; None for any other."""
    dx, dy = matrix[0, 2], matrix[1, 2]
    if (matrix[:2, :2] != np.eye(2)).any() or dx % 1 or dy % 1:
        return None
    x, y = box.x - int(dx), box.y - int(dy)
    inside = 0 <= x <= pixels.shape[1] - box.width and 0 <= y <= pixels.shape[0] - box.height
    return pixels[y : y + box.height, x : x + box.width].copy() if inside else None


def warp_mask(mask: Mask, matrix: Matrix, box: Box) -> Mask:
    """Carry a mask to ``box`` of the target plane by nearest neighbour; nothing lies outside."""
    height, width = mask.shape
    columns, rows = ((places + SUBPIXELS // 2) >> 5 for places in _grid(matrix, box))
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return inside & mask[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    """Gaussian blur of uint8 pixels; OpenCV computes it in fixed point."""
    drawn = cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, dtype=np.uint8)


def grown(box: Box, size: tuple[int, int], by: int = 1) -> Box:
    """Return ``box`` with a margin, cut to a canvas of (height, width)."""
    x0, y0 = max(box.x - by, 0), max(box.y - by, 0)
    x1, y1 = min(box.x + box.width + by, size[1]), min(box.y + box.height + by, size[0])
    return Box(x0, y0, x1 - x0, y1 - y0)


def box_of(mask: Mask) -> Box:
    """Smallest box that holds all of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        raise ValueError("an empty mask has no box")
    x, y = int(columns[0]), int(rows[0])
    return Box(x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1)
