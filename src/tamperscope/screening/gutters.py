"""Straight separators inside a picture: where one panel ends and the next begins.

Three signs are looked for, over the full height (or width) of a region:

* a *gutter*: columns of one colour whose both edges are abrupt in many rows at once. Gaps between
  lanes or cells are as empty, but what borders them fades or touches few rows;
* a *line* of one to four pixels: two such edges close together;
* an *abutting* edge: one column where most rows step more than their own texture does.

Everything is written for columns; rows are the same on the transposed picture.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.screening.channels import channel_max

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB

UNIFORM = 8.0  # grey levels: standard deviation of a gutter column, above JPEG's ringing
EDGE_SHARE = 0.4  # of rows that must change colour at both edges of a gutter
MARGIN_SHARE = 0.7  # of rows that must change colour where a margin ends
ABRUPT = 0.6  # share of what differs a dozen pixels further on must differ at the edge already
STEP = 8.0  # grey levels: the least step that counts in one row
OUTSTANDING = 2.2  # times the row's own mean step over thirteen pixels
LINE_SHARE = 0.75  # of rows that must step at both edges of a thin line
ABUTTING_SHARE = 0.85  # of rows that must step where two panels touch
MOST = 9  # gutters side by side; more are the gaps of a plate of colonies or wells
WIDE = 16  # columns: a gutter this wide has a block that JPEG leaves clean
CLEAN = 1.5  # grey levels: spread of its cleanest column; the ground of a blot has grain
THIN = 9  # pixels: separators up to this width are lines


@dataclass(frozen=True)
class Separator:
    """Columns ``start`` to ``stop`` (half-open) divide a region; equal where panels touch."""

    start: int
    stop: int
    strength: float  # share of rows that show it

    @property
    def width(self) -> int:
        """Columns between the two panels."""
        return self.stop - self.start


@dataclass(frozen=True, eq=False)
class Steps:
    """What :func:`_step_share` measures, both (width - 1,)."""

    share: NDArray[np.float64]  # of rows with a step between columns c and c + 1
    either: NDArray[np.float64]  # the same, or between c + 1 and c + 2


def find_separators(
    region: Pixels, least: int, lines: bool = True, touching: bool = True
) -> list[Separator]:
    """Return the vertical separators of a region, from left to right.

    Args:
        region: uint8 (height, width, 3).
        least: Columns a panel must have; separators that leave less are dropped.
        lines: Whether to look for lines, too; drawings are full of them.
        touching: Whether to look for panels that touch, too.
    """
    if region.shape[1] < 2 * least or region.shape[0] < 8:
        return []
    found = _gutters(region)
    if len(found) > MOST:
        found = []
    if not lines and not touching:
        return _apart(found, least, region.shape[1])
    steps = _step_share(region)
    if lines:
        found += _lines(region, steps)
    if touching:
        found += _touching(steps, region.shape[0])
    return _apart(found, least, region.shape[1])


def margins(region: Pixels) -> tuple[int, int]:
    """Columns of one colour at the left and at the right that end abruptly; 0 where they fade."""
    width = region.shape[1]
    if width < 16:
        return 0, 0
    mean, spread = _column_statistics(region)
    found = []
    for flip in (slice(None), slice(None, None, -1)):
        level, grain, side = mean[flip], spread[flip], region[:, flip]
        plain = (grain <= UNIFORM) & (np.abs(level - level[0]).max(-1) < 4)
        stop = int(np.argmin(plain)) if not plain.all() else 0
        tolerance = max(2.0, 4 * float(grain[: max(stop, 1)].mean()))
        abrupt = stop > 0 and _edge(side[:, stop : stop + 13], level[0], tolerance) >= MARGIN_SHARE
        found.append(stop if abrupt else 0)
    left, right = found
    return (left, right) if left + right < width // 2 else (0, 0)


def transposed(region: Pixels) -> Pixels:
    """Exchange rows and columns."""
    return np.ascontiguousarray(region.transpose(1, 0, 2))


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _column_statistics(region: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (width, 3) and largest standard deviation over channels (width,) of every column."""
    rows = region.shape[0]
    mean = cv2.reduce(region, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F)[0] / rows
    square = cv2.reduce(region.astype(np.float32), 0, cv2.REDUCE_SUM2, dtype=cv2.CV_32F)[0] / rows
    spread = np.sqrt(np.maximum(square - mean**2, 0)).max(-1)
    return mean, spread


def _gutters(region: Pixels) -> list[Separator]:
    mean, spread = _column_statistics(region)
    steady = np.abs(np.diff(mean, axis=0)).max(-1) < 4
    uniform = spread <= UNIFORM
    starts = uniform.copy()
    starts[1:] &= ~(uniform[:-1] & steady)
    group = np.cumsum(starts)
    found = []
    for start, stop in runs(uniform):
        for label in np.unique(group[start:stop]):
            members = start + np.flatnonzero(group[start:stop] == label)
            a, b = int(members[0]), int(members[-1]) + 1
            if a == 0 or b == region.shape[1]:
                continue
            if b - a >= WIDE and spread[a:b].min() > CLEAN:
                continue
            colour = mean[a:b].mean(0)
            tolerance = max(2.0, 4 * float(spread[a:b].mean()))
            left = _edge(region[:, max(a - 13, 0) : a][:, ::-1], colour, tolerance)
            right = _edge(region[:, b : b + 13], colour, tolerance)
            if min(left, right) >= EDGE_SHARE:
                found.append(Separator(a, b, min(left, right)))
    return found


def _edge(outside: Pixels, colour: NDArray[np.float32], tolerance: float) -> float:
    """Share of rows that leave the gutter's colour at once; 0 where they do so gradually."""
    differs = (channel_max(np.abs(outside.astype(np.float32) - colour)) > tolerance).mean(0)
    if differs.size < 4:
        return 0.0
    near = float(differs[:3].max())
    return near if near >= ABRUPT * float(differs[3:].mean()) else 0.0


def _step_share(region: Pixels) -> Steps:
    """Share of rows that step out of their own texture between columns c and c + 1."""
    step = channel_max(cv2.absdiff(region[:, 1:], region[:, :-1])).astype(np.float32)
    usual = cv2.blur(step, (13, 1), borderType=cv2.BORDER_REFLECT)
    outstanding = step > np.maximum(STEP, OUTSTANDING * usual)
    either = outstanding.copy()
    either[:, :-1] |= outstanding[:, 1:]  # a blurred edge is two columns wide
    return Steps(outstanding.mean(0), either.mean(0))


def _peaks(steps: Steps, least: float) -> list[tuple[int, float]]:
    """(c, share): the step between c and c + 1, one for each run of high shares."""
    found = []
    for a, b in runs(steps.either >= least):
        place = a + int(np.argmax(steps.share[a : b + 1]))
        found.append((place, float(steps.either[a:b].max())))
    return found


def _lines(region: Pixels, steps: Steps) -> list[Separator]:
    """Pairs of steps with one colour between them."""
    found = []
    for (a, first), (b, second) in pairwise(_peaks(steps, LINE_SHARE)):
        if not 1 <= b - a <= THIN:
            continue
        middle = region[:, (a + b + 1) // 2].astype(np.float32)
        if float(middle.std(0).max()) <= 4 * UNIFORM:
            found.append(Separator(a + 1, b + 1, min(first, second)))
    return found


def _touching(steps: Steps, rows: int) -> list[Separator]:
    least = min(1.0, ABUTTING_SHARE + 4 / rows)
    return [Separator(c + 1, c + 1, 0.9 * share) for c, share in _peaks(steps, least)]


def _apart(found: list[Separator], least: int, width: int) -> list[Separator]:
    """Keep what leaves room for panels, the widest and then the clearest first."""
    kept: list[Separator] = []
    for one in sorted(found, key=lambda s: (min(s.width, THIN), s.strength), reverse=True):
        if one.start < least or width - one.stop < least:
            continue
        if all(one.start - k.stop >= least or k.start - one.stop >= least for k in kept):
            kept.append(one)
    return sorted(kept, key=lambda s: s.start)
