"""Turns links between cells, which a network's affinities make, into proposals of transforms.

A link joins a place of the source panel with one of the target panel, up to a fraction of a cell;
many are wrong. Every two links that lie near each other suggest a similarity, one for each
handedness; what most links agree with is fitted, its links are taken out, and the search goes on.
No random sampling: the result depends on the links alone. What is proposed here still has to be
verified by alignment.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tamperscope.matching import geometry
from tamperscope.matching.geometry import Points
from tamperscope.matching.match import Proposal, Transform

MOST_LINKS = 400  # strongest ones that are looked at
NEIGHBOURS = 8  # links near another that suggest a similarity with it
NEAREST, FARTHEST = 1.5, 12.0  # cells between two such links
LEAST_SUPPORT = 6  # links that make a transform
MOST_PROPOSALS = 4
STAYS = 2.0  # cells: inside one panel a link this short joins neighbours, not copies
BATCH = 512  # hypotheses whose agreement is in memory at a time


def propose(
    detector: str,
    source: Points,
    target: Points,
    weight: NDArray[np.float64],
    *,
    cell: float,
    within: bool,
) -> list[Proposal]:
    """Find transforms that many links agree on, best supported first.

    Args:
        detector: Name to put on the proposals.
        source: (n, 2), strongest link first.
        target: (n, 2), their partners.
        weight: (n,) of each link.
        cell: Pixels of the target panel between two cells; a link follows a transform that leads
            to within one cell of its partner.
        within: Whether both panels are one: a link and its reverse then say the same.
    """
    source, target, weight = source[:MOST_LINKS], target[:MOST_LINKS], weight[:MOST_LINKS]
    if within:
        apart = np.linalg.norm(target - source, axis=1) > STAYS * cell
        source, target, weight = source[apart], target[apart], weight[apart]
    proposals: list[Proposal] = []
    free = np.ones(len(source), dtype=bool)
    while len(proposals) < MOST_PROPOSALS and np.count_nonzero(free) >= LEAST_SUPPORT:
        found = _best(source, target, weight, free, cell)
        if found is None:
            break
        transform, members = found
        free[members] = False
        if within:  # the same links, read from the other end
            back = geometry.apply(geometry.inverse(transform), source) - target
            free &= np.linalg.norm(back, axis=1) > cell
        proposals.append(Proposal(detector, transform, source[members], target[members]))
    return proposals


def _best(
    source: Points,
    target: Points,
    weight: NDArray[np.float64],
    free: NDArray[np.bool_],
    cell: float,
) -> tuple[Transform, NDArray[np.intp]] | None:
    """Transform with the largest weight of free links, fitted to them, and their indices."""
    best, most, handed = None, 0.0, False
    for reflected in (False, True):
        for linear, shift in _hypotheses(source, target, free, cell, reflected=reflected):
            mapped = np.einsum("hij,nj->hni", linear, source) + shift[:, None]
            follows = (np.linalg.norm(mapped - target, axis=2) < cell) & free
            support = follows @ weight
            index = int(np.argmax(support))
            if support[index] > most and np.count_nonzero(follows[index]) >= LEAST_SUPPORT:
                best, most, handed = follows[index], float(support[index]), reflected
    if best is None:
        return None
    transform = np.eye(3)
    members = np.flatnonzero(best)
    for _ in range(4):
        transform = geometry.fit_supported(
            source[members], target[members], reflected=handed, weight=weight[members]
        )
        off = np.linalg.norm(geometry.apply(transform, source) - target, axis=1)
        grown = np.flatnonzero((off < cell) & free)
        if len(grown) < LEAST_SUPPORT or np.array_equal(grown, members):
            break
        members = grown
    return (transform, members) if geometry.is_plausible(transform) else None


def _hypotheses(
    source: Points, target: Points, free: NDArray[np.bool_], cell: float, *, reflected: bool
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield batches of similarities: (h, 2, 2) linear parts and (h, 2) shifts."""
    here = np.flatnonzero(free)
    z, t = source[here] @ [1, 1j], target[here] @ [1, 1j]
    if reflected:
        z = np.conj(z)
    distance = np.abs(z[:, None] - z[None])
    distance[(distance < NEAREST * cell) | (distance > FARTHEST * cell)] = np.inf
    near = np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]
    first, second = np.repeat(np.arange(len(here)), near.shape[1]), near.ravel()
    known = np.isfinite(distance[first, second])
    first, second = first[known], second[known]
    a = (t[second] - t[first]) / (z[second] - z[first])
    scale = np.abs(a)
    likely = (scale > geometry.SMALLEST_SCALE) & (scale < geometry.LARGEST_SCALE)
    a, b = a[likely], (t[first] - a * z[first])[likely]
    sign = -1.0 if reflected else 1.0
    linear = np.stack(
        [np.stack([a.real, -sign * a.imag], 1), np.stack([a.imag, sign * a.real], 1)], 1
    )
    shift = np.stack([b.real, b.imag], axis=1)
    for start in range(0, len(a), BATCH):
        yield linear[start : start + BATCH], shift[start : start + BATCH]
