"""95 % intervals for shares: exact where samples are independent, by source where they are not.

Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
binomial", Biometrika 26, 1934. Cluster bootstrap: Davison and Hinkley, "Bootstrap Methods and their
Application", 1997, section 3.8 (whole sources are drawn with replacement).
"""

import math
from collections.abc import Hashable, Sequence

import numpy as np
from scipy.stats import beta

Interval = tuple[float, float]


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Exact interval of a share; (nan, nan) for no trials.

    Raises:
        ValueError: ``successes`` lies outside 0..``trials``.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"successes must lie in 0..{trials}, got {successes}")
    if trials == 0:
        return math.nan, math.nan
    tail = (1 - level) / 2
    low = beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)


def bootstrap_by_source(
    outcomes: Sequence[float],
    sources: Sequence[Hashable],
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 2000,
) -> Interval | None:
    """Percentile interval of the mean outcome when samples of one source are not independent.

    Returns None where the bootstrap says nothing: fewer than two sources, or all outcomes equal
    (every draw would give the same mean and an interval of no width).
    """
    if len(outcomes) != len(sources):
        raise ValueError(f"{len(outcomes)} outcomes but {len(sources)} sources")
    names = sorted(set(sources), key=str)
    if len(names) < 2 or len(set(outcomes)) < 2:
        return None
    place = {name: i for i, name in enumerate(names)}
    index = np.array([place[source] for source in sources])
    sums = np.bincount(index, weights=np.asarray(outcomes, dtype=float), minlength=len(names))
    sizes = np.bincount(index, minlength=len(names))
    drawn = rng.integers(len(names), size=(draws, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
