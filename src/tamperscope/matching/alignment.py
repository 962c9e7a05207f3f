"""Brings two panels into one frame, and makes the transform between them exact.

A *frame* is a grid of samples in the coarser of the two panels, so that nothing is invented by
enlarging; both panels are sampled on it with a low-pass that fits the reduction.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from tamperscope.matching import geometry
from tamperscope.matching.geometry import Points
from tamperscope.matching.match import Gray, Mask, PreparedPanel, Transform

MOST_SAMPLES = 160_000  # of one frame: larger overlaps are compared at a reduced size
SMALLEST_FRAME = 12  # samples, shorter side
MOST_TILES = 100
LEAST_LIKENESS = 0.45  # normalised correlation at which a tile counts as found
SEED_LIKENESS = 0.6  # the same around the places that a proposal rests on
LEAST_SEEDS = 4  # tiles there that must be alike...
SEED_SHARE = 0.12  # ...and their share: a small copy fills little of what is around its support
BELOW_CORE = 0.25  # by how much a tile may be less alike than those at the support
MOST_LOST = 0.02  # correlation at the support that a fit to more of the overlap may cost
LEAST_SPREAD = 1.2 / 255  # standard deviation of a tile that holds something

Window = tuple[float, float, float, float]  # x0, y0, x1, y1 in the source panel


@dataclass(frozen=True, eq=False)
class Frame:
    """Where two panels meet: an affine grid in the source, and both pictures sampled on it."""

    grid: Transform  # frame (x, y) -> source (x, y)
    source: Gray
    target: Gray  # sampled through the transform
    inside: Mask  # both are inside their panel
    valid: Mask  # both are usable, too

    @property
    def step(self) -> float:
        """Pixels of the source panel between two samples."""
        return float(self.grid[0, 0])

    def places(self, points: Points) -> Points:
        """Carry points of the source panel into the frame."""
        return geometry.apply(geometry.inverse(self.grid), points)


def meet(
    a: PreparedPanel, b: PreparedPanel, transform: Transform, window: Window | None = None
) -> Frame | None:
    """Sample both panels where they overlap under ``transform``; None where they hardly do.

    Args:
        a: Coarser panel.
        b: Other panel.
        transform: Maps ``a`` to ``b``; does not shrink.
        window: Part of ``a`` to keep to.
    """
    height, width = a.gray.shape
    h, w = b.gray.shape
    corners = np.array([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1.0]])
    back = geometry.apply(geometry.inverse(transform), corners)
    low = np.maximum(np.floor(back.min(axis=0)), 0)
    high = np.minimum(np.ceil(back.max(axis=0)), [width - 1, height - 1])
    if window is not None:
        low = np.maximum(low, np.floor(window[:2]))
        high = np.minimum(high, np.ceil(window[2:]))
    size = high - low
    if min(size) < SMALLEST_FRAME:
        return None
    step = max(1.0, float(np.sqrt(size[0] * size[1] / MOST_SAMPLES)))
    shape = int(size[1] / step) + 1, int(size[0] / step) + 1
    grid = np.array([[step, 0, low[0]], [0, step, low[1]], [0, 0, 1.0]])
    source, usable_a = sample(a, grid, shape)
    target, usable_b = sample(b, transform @ grid, shape)
    inside = _covers(b, transform @ grid, shape)
    return Frame(grid, source, target, inside, usable_a & usable_b & inside)


def sample(panel: PreparedPanel, transform: Transform, shape: tuple[int, int]) -> tuple[Gray, Mask]:
    """Sample a panel on a grid; ``transform`` maps grid points to panel points."""
    if np.array_equal(transform[:2, :2], np.eye(2)) and np.array_equal(
        transform[:2, 2], np.rint(transform[:2, 2])
    ):
        x, y = transform[:2, 2].astype(int)
        h, w = shape
        if min(x, y) >= 0 and y + h <= panel.gray.shape[0] and x + w <= panel.gray.shape[1]:
            cut = slice(y, y + h), slice(x, x + w)
            return panel.gray[cut], panel.usable[cut]
    gray = panel.gray
    reduction = geometry.scale_of(transform)
    if reduction > 1.05:
        sigma = 0.5 * float(np.sqrt(reduction**2 - 1))
        taps = 2 * int(np.ceil(2.5 * sigma)) + 1
        gray = cv2.GaussianBlur(gray, (taps, taps), sigma, borderType=cv2.BORDER_REFLECT)
    size, flags = (shape[1], shape[0]), cv2.WARP_INVERSE_MAP
    values = cv2.warpAffine(
        gray, transform[:2], size, flags=flags | cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    inside = cv2.warpAffine(
        panel.usable.astype(np.uint8), transform[:2], size, flags=flags | cv2.INTER_NEAREST
    )
    return values, inside.astype(np.bool_)


def _covers(panel: PreparedPanel, transform: Transform, shape: tuple[int, int]) -> Mask:
    """Mark the grid points that lie inside a panel."""
    h, w = panel.gray.shape
    x, y = np.arange(shape[1]), np.arange(shape[0])[:, None]
    u = transform[0, 0] * x + transform[0, 1] * y + transform[0, 2]
    v = transform[1, 0] * x + transform[1, 1] * y + transform[1, 2]
    return np.asarray((u >= -0.5) & (v >= -0.5) & (u <= w - 0.5) & (v <= h - 0.5))


@dataclass(frozen=True, eq=False)
class _Tiles:
    """Tiles of a frame and where they were found in the target."""

    centres: Points
    found: Points
    likeness: NDArray[np.float64]
    negative: bool


def settle(
    a: PreparedPanel, b: PreparedPanel, transform: Transform, support: Points
) -> tuple[Transform, bool] | None:
    """Fit a transform to the pixels around its support: (transform, whether ``b`` is negative).

    None where the content around the support is not found near where the transform puts it.
    """
    reach = float(np.clip(0.25 * np.ptp(support, axis=0).max(), 24, 64))
    window = (*(support.min(axis=0) - 2 * reach), *(support.max(axis=0) + 2 * reach))
    negative = None
    for search in (8, 5):
        frame = meet(a, b, transform, window)
        if frame is None:
            return None
        tiles = _find_tiles(frame, _tile_centres(frame, support, reach), search, negative)
        alike = np.count_nonzero(tiles.likeness >= SEED_LIKENESS)
        if alike < max(LEAST_SEEDS, SEED_SHARE * len(tiles.likeness)):
            return None
        negative = tiles.negative
        moved = _moved(transform, frame, tiles, search)
        if moved is None:
            return None
        transform = moved
    return transform, bool(negative)


def refine(
    a: PreparedPanel,
    b: PreparedPanel,
    transform: Transform,
    support: Points,
    *,
    negative: bool,
    searches: tuple[int, ...],
    window: Window | None = None,
) -> Transform:
    """Fit a settled transform to all of the overlap that follows it, or leave it as it is.

    What is much less alike than the tiles at the support (other lanes, other wells) has no say, and
    what costs likeness at the support is not taken.

    Args:
        a: Coarser panel.
        b: Other panel.
        transform: Maps ``a`` to ``b``, almost right.
        support: Places of ``a`` that it was found by.
        negative: Whether ``b`` is inverted.
        searches: Samples by which tiles may be off, for one fit after the other.
        window: Part of ``a`` to keep to.
    """
    before = _likeness(a, b, transform, support, negative=negative)
    for search in searches:
        frame = meet(a, b, transform, window)
        if frame is None:
            break
        tiles = _find_tiles(frame, _tile_centres(frame, None, 0), search, negative)
        near = _distance(frame, tiles.centres, support) <= 2.0 * _tile_half(frame) * frame.step
        core = float(np.median(tiles.likeness[near])) if near.any() else 0.0
        moved = _moved(transform, frame, tiles, search, least=core - BELOW_CORE)
        if moved is None:
            break
        after = _likeness(a, b, moved, support, negative=negative)
        if after < before - MOST_LOST:
            break
        transform, before = moved, after
    return transform


def _likeness(
    a: PreparedPanel, b: PreparedPanel, transform: Transform, support: Points, *, negative: bool
) -> float:
    """Mean correlation of the tiles at the support, where the transform puts them.

    Of their better half: many tiles of a small copy lie across its rim.
    """
    reach = 8.0
    window = (*(support.min(axis=0) - 2 * reach), *(support.max(axis=0) + 2 * reach))
    frame = meet(a, b, transform, window)
    if frame is None:
        return 0.0
    likeness = _find_tiles(frame, _tile_centres(frame, support, reach), 0, negative).likeness
    best = np.sort(likeness)[len(likeness) // 2 :]
    return float(best.mean()) if len(best) else 0.0


def _tile_half(frame: Frame) -> int:
    return int(np.clip(min(frame.source.shape) // 12, 8, 16))


def _tile_centres(frame: Frame, support: Points | None, reach: float) -> NDArray[np.intp]:
    """Centres (x, y) of tiles in frame samples: near the support, or all over the overlap."""
    height, width = frame.source.shape
    half = _tile_half(frame)
    edge = half + 1
    if min(height, width) <= 2 * edge:
        edge = half = SMALLEST_FRAME // 2 - 1
    ys, xs = np.arange(edge, height - edge, half), np.arange(edge, width - edge, half)
    centres = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    if support is not None:
        centres = centres[_distance(frame, centres, support) <= reach]
    centres = centres[frame.valid[centres[:, 1], centres[:, 0]]]
    if len(centres) > MOST_TILES:
        centres = centres[np.linspace(0, len(centres) - 1, MOST_TILES).astype(int)]
    return centres


def _distance(frame: Frame, centres: NDArray, support: Points) -> NDArray[np.float64]:
    """Pixels of the source panel from tiles to the nearest supporting place."""
    points = frame.places(support[:: max(1, len(support) // 100)])
    apart, _ = KDTree(points).query(centres)
    return np.asarray(apart * frame.step)


def _find_tiles(
    frame: Frame, centres: NDArray[np.intp], search: int, negative: bool | None
) -> _Tiles:
    """Look for source tiles in the target, up to ``search`` samples from their places.

    Where ``negative`` is None, the stronger of the two readings is taken.
    """
    half = _tile_half(frame)
    height, width = frame.source.shape
    rows: list[tuple[float, ...]] = []
    spread = _spread(frame.source, 2 * half + 1)
    for x, y in centres[spread[centres[:, 1], centres[:, 0]] >= LEAST_SPREAD]:
        tile = frame.source[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1]
        if min(tile.shape) <= half:
            continue
        top, left = y - max(y - half, 0), x - max(x - half, 0)
        y0, y1 = max(y - half - search, 0), min(y + half + search + 1, height)
        x0, x1 = max(x - half - search, 0), min(x + half + search + 1, width)
        scores = cv2.matchTemplate(frame.target[y0:y1, x0:x1], tile, cv2.TM_CCOEFF_NORMED)
        low, high, at_low, at_high = cv2.minMaxLoc(scores)
        if not (np.isfinite(low) and np.isfinite(high)) or max(high, -low) > 1.001:
            continue
        row: list[float] = [x, y]
        for sign, best, (u, v) in ((1, high, at_high), (-1, -low, at_low)):
            row += [
                x0 + left + _peak(sign * scores[v], u),
                y0 + top + _peak(sign * scores[:, u], v),
                best,
            ]
        rows.append(tuple(row))
    table = np.array(rows, dtype=np.float64).reshape(-1, 8)
    if negative is None:
        negative = bool(np.sum(table[:, 7] ** 2) > np.sum(table[:, 4] ** 2))
    first = 5 if negative else 2
    return _Tiles(table[:, :2], table[:, first : first + 2], table[:, first + 2], negative)


def _spread(picture: Gray, side: int) -> Gray:
    """Standard deviation over the square of ``side`` samples around every sample."""
    mean = cv2.blur(picture, (side, side))
    square = cv2.sqrBoxFilter(picture, cv2.CV_32F, (side, side))
    return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)))


def _peak(values: NDArray, index: int) -> float:
    """Place of a maximum between samples, by the parabola through its neighbours."""
    if not 0 < index < len(values) - 1:
        return float(index)
    left, middle, right = (float(v) for v in values[index - 1 : index + 2])
    bend = left - 2 * middle + right
    return index + (0.5 * (left - right) / bend if bend < -1e-9 else 0.0)


def _moved(
    transform: Transform, frame: Frame, tiles: _Tiles, search: int, least: float = 0.0
) -> Transform | None:
    """Correct a transform by where the tiles were found; None where too few agree.

    Robust from the start: tiles of ground that was not copied are found anywhere, and there may be
    more of them than of the others.
    """
    good = tiles.likeness >= max(LEAST_LIKENESS, least)
    if np.count_nonzero(good) < 3:
        return None
    centres, found = tiles.centres[good], tiles.found[good]
    # the variance of a shift found by correlation goes with (1 - r^2) / r^2
    square = np.minimum(tiles.likeness[good], 1.0) ** 2
    weight = square / (1.01 - square)
    fitted = np.eye(3)
    for scale in (0.5 * search, 3.0, 2.0, 1.0, 1.0):
        distance = np.linalg.norm(geometry.apply(fitted, centres) - found, axis=1)
        robust = weight / (1 + (distance / scale) ** 2) ** 2
        fitted = geometry.fit_supported(centres, found, reflected=False, weight=robust)
    moved = transform @ frame.grid @ fitted @ geometry.inverse(frame.grid)
    return moved if geometry.is_plausible(moved) else None
