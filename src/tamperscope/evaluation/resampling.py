"""95 % intervals of any score that is made of sums, and the paired comparison of two methods.

Pictures of one document or scene are not independent: whole groups are drawn with replacement
(Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8). A pooled score
is computed anew from the pooled sums of every draw, a mean from its sum and number.

Two methods are compared on the same draws, so that what is easy for both does not count as a
difference. The p value is that of a paired randomisation test: under the null hypothesis the two
methods may trade places within any group (Good, "Permutation, Parametric and Bootstrap Tests of
Hypotheses", 2005, section 3.6); a swap of everything is among the draws, so that p is never 0.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamperscope.evaluation.intervals import Interval

Sums = NDArray[np.float64]
Score = Callable[[Sums], NDArray[np.float64]]
"""Sums (..., columns) -> score (...); NaN where it does not exist."""

DRAWS = 2000


def mean_score(sums: Sums) -> NDArray[np.float64]:
    """Mean from the columns (sum, number)."""
    with np.errstate(all="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def pooled_f1(sums: Sums) -> NDArray[np.float64]:
    """F1 from the columns (hits, false alarms, misses, rejections)."""
    hits, alarms, misses, _ = np.moveaxis(sums, -1, 0)
    with np.errstate(all="ignore"):
        return np.asarray(2 * hits / (2 * hits + alarms + misses))


def pooled_mcc(sums: Sums) -> NDArray[np.float64]:
    """Matthews correlation from the columns (hits, false alarms, misses, rejections).

    0 where nothing, or everything, was marked; NaN where the truth is all of one value: as
    :func:`tamperscope.evaluation.metrics.mcc_or_zero`.
    """
    hits, alarms, misses, rejections = np.moveaxis(sums, -1, 0)
    truth = np.sqrt(hits + misses) * np.sqrt(alarms + rejections)
    marked = np.sqrt(hits + alarms) * np.sqrt(misses + rejections)
    with np.errstate(all="ignore"):
        found = (hits * rejections - alarms * misses) / (marked * truth)
    found = np.where(marked == 0, 0.0, found)
    return np.asarray(np.where(truth == 0, np.nan, found))


def sum_by_group(rows: Sums, groups: Sequence[Hashable]) -> Sums:
    """Add up the rows of every group: (samples, columns) -> (groups, columns), sorted by name."""
    if len(rows) != len(groups):
        raise ValueError(f"{len(rows)} rows but {len(groups)} groups")
    names = sorted(set(groups), key=str)
    place = {name: i for i, name in enumerate(names)}
    summed = np.zeros((len(names), rows.shape[1]))
    np.add.at(summed, [place[group] for group in groups], rows)
    return summed


def interval(
    rows: Sums,
    groups: Sequence[Hashable],
    score: Score,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    draws: int = DRAWS,
) -> Interval | None:
    """Percentile interval of ``score`` over draws of whole groups.

    Returns None where the bootstrap says nothing: fewer than two groups, or every draw the same.
    Draws without a score (nothing tampered was drawn) are left out.
    """
    sums = sum_by_group(rows, groups)
    if len(sums) < 2:
        return None
    scores = score(_weights(len(sums), draws, rng) @ sums)
    return _percentiles(scores, level)


def _weights(groups: int, draws: int, rng: np.random.Generator) -> Sums:
    """How often each group is drawn, (draws, groups)."""
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(np.float64)


def _percentiles(scores: NDArray[np.float64], level: float) -> Interval | None:
    scores = scores[np.isfinite(scores)]
    if scores.size == 0 or np.ptp(scores) == 0:
        return None
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Comparison:
    """Second method minus first, on the same samples."""

    first: float
    second: float
    difference: float
    interval: Interval | None  # 95 %, of the difference
    p: float  # two-sided; NaN where a score does not exist
    samples: int
    groups: int


def compare(
    first: Sums,
    second: Sums,
    groups: Sequence[Hashable],
    score: Score,
    rng: np.random.Generator,
    *,
    draws: int = DRAWS,
) -> Comparison:
    """Compare two methods on the same samples.

    Args:
        first: What ``score`` needs of every sample, (samples, columns).
        second: The same of the other method, in the same order.
        groups: Document, scene or source of every sample.
        score: Made of sums.
        rng: Draws the groups and the swaps.
        draws: Of either kind.
    """
    if first.shape != second.shape:
        raise ValueError(f"sums of shape {first.shape} and {second.shape} do not pair up")
    a, b = sum_by_group(first, groups), sum_by_group(second, groups)
    one, two = float(score(a.sum(axis=0))), float(score(b.sum(axis=0)))
    weights = _weights(len(a), draws, rng)
    between = _percentiles(score(weights @ b) - score(weights @ a), 0.95) if len(a) > 1 else None
    swapped = rng.random((draws, len(a))) < 0.5
    total, change = a.sum(axis=0) + b.sum(axis=0), b - a
    a_drawn = a.sum(axis=0) + swapped @ change
    spread = np.abs(score(total - a_drawn) - score(a_drawn))
    as_large = int(np.count_nonzero(spread >= abs(two - one) - 1e-12))
    p = (as_large + 1) / (draws + 1) if np.isfinite(two - one) else float("nan")
    return Comparison(one, two, two - one, between, p, len(first), len(a))
