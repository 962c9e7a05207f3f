"""Rounded shapes with wobbling outlines, drawn in windows, and where to put many of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tamperscope.synth.drawn.fields import smooth_field, warp
from tamperscope.synth.drawn.scene import Labels, Plane

Slices = tuple[slice, slice]


@dataclass(frozen=True)
class Blob:
    """A closed outline: an ellipse whose radius swells and shrinks around it."""

    row: float
    column: float
    radius: float  # of the longer half axis, in pixels
    flatness: float  # shorter over longer half axis
    angle: float
    harmonics: tuple[tuple[int, float, float], ...]  # order, amplitude, phase

    def inside(self, shape: tuple[int, int], margin: float = 2.0) -> tuple[Slices, Plane, Plane]:
        """Return the window, the depth under the outline (pixels), and the angle there.

        Depth is positive inside, exact for circles, about right for anything round. The window
        reaches ``margin`` pixels beyond the outline and may be empty.
        """
        swell = 1 + sum(abs(a) for _, a, _ in self.harmonics)
        reach = self.radius * swell + margin
        top, left = max(int(self.row - reach), 0), max(int(self.column - reach), 0)
        bottom = max(min(int(self.row + reach + 1), shape[0]), top)
        right = max(min(int(self.column + reach + 1), shape[1]), left)
        dy = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(self.row)
        dx = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(self.column)
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        along = cos * dx + sin * dy
        across = (cos * dy - sin * dx) / np.float32(self.flatness)
        distance = np.sqrt(along * along + across * across)
        theta = np.arctan2(across, along)
        outline = np.ones_like(theta)
        for order, amplitude, phase in self.harmonics:
            outline += np.float32(amplitude) * np.cos(order * theta + np.float32(phase))
        depth = (outline * np.float32(self.radius) - distance) * np.float32(self.flatness**0.5)
        return (slice(top, bottom), slice(left, right)), depth, theta


def make_blob(
    rng: np.random.Generator,
    place: Sequence[float] | NDArray[np.float64],
    radius: float,
    *,
    flatness: float = 1.0,
    wobble: float = 0.05,
    angle: float | None = None,
    orders: int = 4,
) -> Blob:
    """Draw an outline at ``place`` (row, column); ``wobble``: deviation of its radius, a share."""
    turn = float(rng.uniform(0, np.pi)) if angle is None else angle
    amplitudes = wobble * rng.standard_normal(orders) / np.arange(1, orders + 1) ** 0.7
    phases = rng.uniform(0, 2 * np.pi, size=orders)
    waves = tuple((k + 2, float(amplitudes[k]), float(phases[k])) for k in range(orders))
    return Blob(float(place[0]), float(place[1]), radius, flatness, turn, waves)


def cover(depth: Plane, softness: float = 1.0) -> Plane:
    """Share of each pixel that is covered, with an edge ``softness`` pixels wide."""
    return np.clip(0.5 + depth / np.float32(softness), 0, 1)


def scatter(
    rng: np.random.Generator, shape: tuple[int, int], count: int, apart: float, margin: float = 0.0
) -> NDArray[np.float64]:
    """Place up to ``count`` points (row, column) at least ``apart`` pixels from one another."""
    low = np.array([-margin, -margin])
    points = rng.uniform(low, np.array(shape) - low, size=(max(count, 1), 2))
    if apart <= 0:
        return points
    pairs = cKDTree(points).query_pairs(apart, output_type="ndarray")
    keep = np.ones(len(points), bool)
    for first, second in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:
        if keep[first]:
            keep[second] = False
    return points[keep]


def clustered(
    rng: np.random.Generator, shape: tuple[int, int], count: int, apart: float, margin: float
) -> NDArray[np.float64]:
    """Place up to ``count`` points like :func:`scatter`, crowded where a slow field is high."""
    points = scatter(rng, shape, 3 * count, apart, margin)
    field = smooth_field(rng, shape, 0.35 * max(shape))
    rows = np.clip(points[:, 0], 0, shape[0] - 1).astype(int)
    columns = np.clip(points[:, 1], 0, shape[1] - 1).astype(int)
    order = np.argsort(-field[rows, columns] - 0.4 * rng.standard_normal(len(points)))
    return points[order[:count]]


def tiles(
    rng: np.random.Generator,
    shape: tuple[int, int],
    seeds: NDArray[np.float64],
    bend: float,
    scale: float,
) -> tuple[Labels, Plane]:
    """Divide the picture among ``seeds``: labels 1.., and the distance to the next border.

    Borders are those of a Voronoi diagram, bent by up to about ``bend`` pixels over ``scale``.
    """
    marks = np.ones(shape, np.uint8)
    rows = np.clip(seeds[:, 0], 0, shape[0] - 1).astype(int)
    columns = np.clip(seeds[:, 1], 0, shape[1] - 1).astype(int)
    marks[rows, columns] = 0
    _, labels = cv2.distanceTransformWithLabels(
        marks, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    bent = warp(
        labels.astype(np.float32),
        bend * smooth_field(rng, shape, scale),
        bend * smooth_field(rng, shape, scale),
        nearest=True,
    )
    inner = np.ones(shape, np.uint8)
    inner[:, 1:][bent[:, 1:] != bent[:, :-1]] = 0
    inner[1:][bent[1:] != bent[:-1]] = 0
    border = cv2.distanceTransform(inner, cv2.DIST_L2, 5)
    return bent.astype(np.int32), border
