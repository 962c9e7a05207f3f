"""From a nearest-neighbour field to transforms that many of its nodes follow.

For proposals, recall counts: a copy that was blurred or compressed leaves only some nodes with the
right partner, too few for a dense linear fit. Here nearby nodes are linked where the distance
between their partners is as the distance between them asks, linked groups vote by random sampling
for a similarity, and every node of the field that follows it supports it. M. Fischler, R. Bolles,
"Random sample consensus", CACM 24(6), 1981.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tamperscope.matching.field_regions import Points, fitted_similarity, links, residuals
from tamperscope.matching.match import Transform


@dataclass(frozen=True)
class Votes:
    """What a transform must fulfil; lengths in pixels of the panel."""

    tolerance: float = 3.0  # of a node's partner from its image
    length_tolerance: float = 2.0  # of the distance between two linked nodes' partners
    scales: tuple[float, float] = (0.8, 2.4)
    min_group: int = 6  # linked nodes that may vote
    min_support: int = 14  # nodes that must follow
    min_area: float = 160.0  # pixels of the source that they must stand for
    max_groups: int = 60
    samples: int = 300  # drawn pairs per group


@dataclass(frozen=True, eq=False)
class Supported:
    """A transform and the nodes that follow it."""

    transform: Transform
    source: Points
    target: Points
    weight: float  # of all these nodes: each counts the more, the nearer its partner's descriptor


def linked_groups(
    positions: NDArray[np.float64], factors: NDArray[np.float64], stride: int, votes: Votes
) -> list[NDArray[np.int64]]:
    """Group nodes whose partners keep their distances, the largest group first.

    Args:
        positions: (rows, columns, 2) partners, NaN where there is none.
        factors: (rows, columns) scale of the layer each partner was found in.
        stride: Pixels between nodes.
        votes: The rules.
    """
    start, end = links(positions, factors, stride, votes.length_tolerance)
    size = factors.size
    graph = sparse.coo_array((np.ones(len(start), np.int8), (start, end)), (size, size))
    _, labels = sparse.csgraph.connected_components(graph, directed=False)
    sizes = np.bincount(labels)
    large = np.flatnonzero(sizes >= votes.min_group)
    large = large[np.argsort(-sizes[large], kind="stable")][: votes.max_groups]
    order = np.argsort(labels, kind="stable")
    first = np.searchsorted(labels[order], large)
    return [order[f : f + sizes[label]] for f, label in zip(first, large, strict=True)]


def supported_transforms(
    positions: NDArray[np.float64],
    factors: NDArray[np.float64],
    weights: NDArray[np.float64],
    stride: int,
    votes: Votes,
    rng: np.random.Generator,
) -> list[Supported]:
    """Find the transforms that the nodes of a field follow, the greatest weight first.

    Args:
        positions: (rows, columns, 2) partners, NaN where there is none.
        factors: (rows, columns) scale of the layer each partner was found in.
        weights: (rows, columns) what each node's support counts.
        stride: Pixels between nodes.
        votes: The rules.
        rng: Draws the samples.
    """
    rows, columns = factors.shape
    y, x = np.indices((rows, columns), np.float64)
    source = np.stack([x, y], axis=-1).reshape(-1, 2) * stride
    target = positions.reshape(-1, 2)
    free = ~np.isnan(target[:, 0])
    least = max(votes.min_support, math.ceil(votes.min_area / stride**2))
    found = []
    for group in linked_groups(positions, factors, stride, votes):
        members = group[free[group]]
        while len(members) >= votes.min_group:
            transform = voted_similarity(source[members], target[members], votes, rng)
            if transform is None:
                break
            known = np.flatnonzero(free)
            for _ in range(3):
                near = residuals(transform, source[known], target[known]) <= votes.tolerance
                if near.sum() < least:
                    break
                transform = fitted_similarity(source[known[near]], target[known[near]])
            following = known[near]
            if len(following) < least:
                break
            weight = float(weights.reshape(-1)[following].sum())
            found.append(Supported(transform, source[following], target[following], weight))
            free[following] = False
            members = members[free[members]]
    return sorted(found, key=lambda s: -s.weight)


def voted_similarity(
    source: Points, target: Points, votes: Votes, rng: np.random.Generator
) -> Transform | None:
    """Draw pairs of points, take the similarity, turned or mirrored, that most points follow."""
    n = len(source)
    if n > 400:  # enough to count votes
        keep = rng.choice(n, 400, replace=False)
        source, target, n = source[keep], target[keep], 400
    one, two = rng.integers(0, n, (2, votes.samples))
    # As complex numbers: z' = a z + b, or a conj(z) + b where mirrored.
    z, w = source @ [1, 1j], target @ [1, 1j]
    best: tuple[int, complex, complex, bool] | None = None
    for mirrored in (False, True):
        u = z.conj() if mirrored else z
        with np.errstate(divide="ignore", invalid="ignore"):
            a = (w[one] - w[two]) / (u[one] - u[two])
        scale = np.abs(a)
        a = a[(scale >= votes.scales[0]) & (scale <= votes.scales[1])]
        kept = one[(scale >= votes.scales[0]) & (scale <= votes.scales[1])]
        if len(a) == 0:
            continue
        b = w[kept] - a * u[kept]
        count = (np.abs(a[:, None] * u + b[:, None] - w) <= votes.tolerance).sum(1)
        winner = int(count.argmax())
        if best is None or count[winner] > best[0]:
            best = (int(count[winner]), a[winner], b[winner], mirrored)
    if best is None or best[0] < votes.min_group:
        return None
    _, a, b, mirrored = best
    sign = -1 if mirrored else 1
    return np.array([[a.real, -sign * a.imag, b.real], [a.imag, sign * a.real, b.imag], [0, 0, 1]])
