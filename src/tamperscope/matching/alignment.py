"""Brings two panels into one frame, and makes the transform between them exact.

A *frame* is a grid of samples in the coarser of the two panels, so that nothing is invented by
enlarging; both panels are sampled on it with a low-pass that fits the reduction.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.matching import geometry
from tamperscope.matching.geometry import Points
from tamperscope.matching.match import Gray, Mask, PreparedPanel, Transform

MOST_SAMPLES = 160_000  # of one frame: larger overlaps are compared at a reduced size
MOST_TILES = 120
LEAST_LIKENESS = 0.45  # normalised correlation at which a tile counts as found
LEAST_SPREAD = 1.2 / 255  # standard deviation of a tile that holds something


@dataclass(frozen=True, eq=False)
class Frame:
    """Where two panels meet: an affine grid in the source, and both pictures sampled on it."""

    grid: Transform  # frame (x, y) -> source (x, y)
    source: Gray
    target: Gray  # sampled through the transform
    valid: Mask  # both are inside their panel and usable


def meet(a: PreparedPanel, b: PreparedPanel, transform: Transform, margin: int = 0) -> Frame | None:
    """Sample both panels where they overlap under ``transform``; None where they hardly do.

    ``transform`` should not shrink: call with the coarser panel first.
    """
    height, width = a.gray.shape
    h, w = b.gray.shape
    back = geometry.apply(
        np.linalg.inv(transform), np.array([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1.0]])
    )
    x0, y0 = np.maximum(np.floor(back.min(axis=0)) - margin, 0)
    x1, y1 = np.minimum(np.ceil(back.max(axis=0)) + margin, [width - 1, height - 1])
    if x1 - x0 < 12 or y1 - y0 < 12:
        return None
    step = max(1.0, float(np.sqrt((x1 - x0) * (y1 - y0) / MOST_SAMPLES)))
    shape = int((y1 - y0) / step) + 1, int((x1 - x0) / step) + 1
    grid = np.array([[step, 0, x0], [0, step, y0], [0, 0, 1.0]])
    source, inside_a = sample(a, grid, shape)
    target, inside_b = sample(b, transform @ grid, shape)
    return Frame(grid, source, target, inside_a & inside_b)


def sample(panel: PreparedPanel, transform: Transform, shape: tuple[int, int]) -> tuple[Gray, Mask]:
    """Sample a panel on a grid; ``transform`` maps grid points to panel points."""
    gray = panel.gray
    reduction = geometry.scale_of(transform)
    if reduction > 1.05:
        sigma = 0.5 * float(np.sqrt(reduction**2 - 1))
        size = 2 * int(np.ceil(2.5 * sigma)) + 1
        gray = cv2.GaussianBlur(gray, (size, size), sigma, borderType=cv2.BORDER_REFLECT)
    flags = cv2.WARP_INVERSE_MAP
    width_height = (shape[1], shape[0])
    values = cv2.warpAffine(
        gray,
        transform[:2],
        width_height,
        flags=flags | cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    inside = cv2.warpAffine(
        panel.usable.astype(np.uint8), transform[:2], width_height, flags=flags | cv2.INTER_NEAREST
    )
    return values, inside.astype(np.bool_)


def refine(
    a: PreparedPanel,
    b: PreparedPanel,
    transform: Transform,
    support: Points,
    *,
    negative: bool,
) -> Transform | None:
    """Fit the transform to the pixels around and beyond its supporting points.

    Tiles of the source are looked for near where the transform puts them; an affine map is fitted
    to those found, weighted against outliers, and the area grows with it. None where the tiles
    around the support are not found: then there is nothing to grow from.

    Args:
        a: Coarser panel.
        b: Other panel.
        transform: Maps ``a`` to ``b``; does not shrink.
        support: Points of ``a`` that suggested it.
        negative: Whether ``b`` shows the negative.
    """
    reach = _support_reach(support)
    for search, spread in ((8, 1.0), (6, 2.5), (4, None), (3, None)):
        frame = meet(a, b, transform)
        if frame is None:
            return None
        centres = _tile_centres(frame, support, None if spread is None else reach * spread)
        found = _find_tiles(frame, centres, search, negative=negative)
        fitted = _fit_tiles(found)
        if fitted is None:
            if spread == 1.0 or spread is None:
                return None if spread == 1.0 else transform
            continue
        candidate = transform @ frame.grid @ fitted @ np.linalg.inv(frame.grid)
        if not geometry.is_plausible(candidate):
            return None
        transform = candidate
    return transform


def _support_reach(support: Points) -> float:
    return float(np.clip(0.35 * np.ptp(support, axis=0).max(), 24, 120))


def _tile_half(frame: Frame) -> int:
    return int(np.clip(min(frame.source.shape) // 12, 8, 16))


def _tile_centres(frame: Frame, support: Points, reach: float | None) -> NDArray[np.intp]:
    """Centres (x, y) of tiles in frame samples: near the support, or all over the overlap."""
    height, width = frame.source.shape
    half = _tile_half(frame)
    edge = half + 1
    if height <= 2 * edge or width <= 2 * edge:
        return np.empty((0, 2), dtype=np.intp)
    pitch = half
    ys = np.arange(edge, height - edge, pitch)
    xs = np.arange(edge, width - edge, pitch)
    centres = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    if reach is not None:
        points = geometry.apply(np.linalg.inv(frame.grid), support)
        step = frame.grid[0, 0]
        distance = np.linalg.norm(centres[:, None] - points[None, :200], axis=2).min(axis=1)
        centres = centres[distance * step <= reach]
    centres = centres[frame.valid[centres[:, 1], centres[:, 0]]]
    if len(centres) > MOST_TILES:
        centres = centres[np.linspace(0, len(centres) - 1, MOST_TILES).astype(int)]
    return centres


@dataclass(frozen=True, eq=False)
class _Tiles:
    """Tiles and where they were found, in frame samples."""

    centres: Points
    found: Points
    likeness: NDArray[np.float64]


def _find_tiles(frame: Frame, centres: NDArray[np.intp], search: int, *, negative: bool) -> _Tiles:
    """Look for each source tile in the target, up to ``search`` samples from its place."""
    half = _tile_half(frame)
    height, width = frame.source.shape
    target = 1 - frame.target if negative else frame.target
    kept, found, likeness = [], [], []
    for x, y in centres:
        tile = frame.source[y - half : y + half + 1, x - half : x + half + 1]
        if tile.std() < LEAST_SPREAD:
            continue
        y0, y1 = max(y - half - search, 0), min(y + half + search + 1, height)
        x0, x1 = max(x - half - search, 0), min(x + half + search + 1, width)
        scores = cv2.matchTemplate(target[y0:y1, x0:x1], tile, cv2.TM_CCOEFF_NORMED)
        _, best, _, (column, row) = cv2.minMaxLoc(scores)
        if not np.isfinite(best) or best > 1.001:
            continue
        kept.append((x, y))
        found.append(
            (x0 + half + _peak(scores[row], column), y0 + half + _peak(scores[:, column], row))
        )
        likeness.append(best)
    return _Tiles(
        np.array(kept, dtype=np.float64).reshape(-1, 2),
        np.array(found, dtype=np.float64).reshape(-1, 2),
        np.array(likeness, dtype=np.float64),
    )


def _peak(values: NDArray, index: int) -> float:
    """Place of a maximum between samples, by the parabola through its neighbours."""
    if not 0 < index < len(values) - 1:
        return float(index)
    left, middle, right = (float(v) for v in values[index - 1 : index + 2])
    bend = left - 2 * middle + right
    return index + (0.5 * (left - right) / bend if bend < -1e-9 else 0.0)


def _fit_tiles(tiles: _Tiles) -> Transform | None:
    """Fit an affine step to the tiles that agree with most others; None where too few do."""
    good = tiles.likeness >= LEAST_LIKENESS
    if np.count_nonzero(good) < 3:
        return None
    centres, found = tiles.centres[good], tiles.found[good]
    weight = (tiles.likeness[good] - LEAST_LIKENESS + 0.05) ** 2
    fitted = geometry.fit_supported(centres, found, reflected=False, weight=weight)
    for scale in (4.0, 2.0, 1.0, 1.0):
        distance = np.linalg.norm(geometry.apply(fitted, centres) - found, axis=1)
        robust = weight / (1 + (distance / scale) ** 2) ** 2
        fitted = geometry.fit_supported(centres, found, reflected=False, weight=robust)
    return fitted
