"""Which pairs of panels are worth comparing in full: a short list at about linear cost.

The strongest key-point descriptors of all panels go into one inverted file: every descriptor
belongs to the cell of its nearest *centre*, and looks for partners in the few cells nearest to it
(H. Jegou, M. Douze, C. Schmid, "Product quantization for nearest neighbor search", IEEE TPAMI
33(1), 2011, without the quantised residuals). Descriptors re-ordered for the mirrored and the
negative picture ask as well, so that every flip and inversion is found. A partner counts by how
much nearer it is than what one finds anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.keypoints import VARIANTS, features_of, reorder
from tamperscope.matching.match import PreparedPanel

MOST_DESCRIPTORS = 256  # of one panel
LEVELS = 512.0  # descriptor entries are kept as bytes, entry * LEVELS
PER_CELL = 64  # descriptors, on average
MOST_CELLS = 4096
PROBES = 4  # nearest cells in which a descriptor looks for partners
COMPARED_WITH = 8  # the distance of this partner is what one finds anyway
PARTNERS = 8  # panels that one panel is compared with at most, not counting those that chose it
LEAST_VOTES = 0.5
BLOCK = 4096  # descriptors asked at once


@dataclass(frozen=True, eq=False)
class Descriptor:
    """What the short list needs to know of one panel; small, and cheap to send."""

    entries: NDArray[np.uint8]  # (n, 128)


def describe(panel: PreparedPanel) -> Descriptor:
    """Describe one panel for :func:`shortlist`."""
    features = features_of(panel)
    order = np.argsort(-features.response, kind="stable")[:MOST_DESCRIPTORS]
    entries = np.clip(np.rint(features.descriptors[order] * LEVELS), 0, 255)
    return Descriptor(entries.astype(np.uint8))


def shortlist(panels: Sequence[Descriptor], partners: int = PARTNERS) -> list[tuple[int, int]]:
    """List the pairs (i, j), i < j, that should be compared in full, sorted.

    Every panel keeps its ``partners`` most voted ones, so that the list grows linearly. Panels
    without key points pair with nothing.
    """
    votes = _votes([panel.entries for panel in panels])
    pairs = set()
    for i in range(len(panels)):
        row = votes[i] + votes[:, i]
        row[i] = 0
        for j in np.argsort(-row, kind="stable")[:partners]:
            if row[j] >= LEAST_VOTES:
                pairs.add((min(i, int(j)), max(i, int(j))))
    return sorted(pairs)


def _votes(entries: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Votes of panel i for panel j, the best of the four variants, (panels, panels)."""
    count = len(entries)
    owner = np.repeat(np.arange(count), [len(e) for e in entries])
    votes = np.zeros((count, count), np.float32)
    if len(owner) < 2:
        return votes
    everything = np.concatenate(entries).astype(np.float32) / LEVELS
    everything /= np.maximum(np.linalg.norm(everything, axis=1, keepdims=True), 1e-6)
    cells = int(np.clip(len(owner) // PER_CELL, 1, MOST_CELLS))
    centres = everything[np.linspace(0, len(owner) - 1, cells).astype(int)]
    members = _members(everything, centres)
    for mirrored, negative in VARIANTS:
        asked = reorder(everything, mirrored=mirrored, negative=negative)
        found = np.zeros((count, count), np.float32)
        for start in range(0, len(asked), BLOCK):
            _ask(asked, start, owner, everything, centres, members, found)
        np.maximum(votes, found, out=votes)
    return votes


def _members(everything: NDArray, centres: NDArray) -> list[NDArray[np.intp]]:
    """Descriptors of every cell."""
    nearest = np.concatenate(
        [
            np.argmax(everything[start : start + BLOCK] @ centres.T, axis=1)
            for start in range(0, len(everything), BLOCK)
        ]
    )
    order = np.argsort(nearest, kind="stable")
    ends = np.searchsorted(nearest[order], np.arange(len(centres) + 1))
    return [order[ends[c] : ends[c + 1]] for c in range(len(centres))]


def _ask(
    asked: NDArray,
    start: int,
    owner: NDArray[np.intp],
    everything: NDArray,
    centres: NDArray,
    members: list[NDArray[np.intp]],
    found: NDArray[np.float32],
) -> None:
    """Let one block of descriptors look for partners, and add their votes to ``found``."""
    block = asked[start : start + BLOCK]
    own = owner[start : start + BLOCK]
    likeness = block @ centres.T
    probes = min(PROBES, len(centres))
    near = np.argpartition(-likeness, probes - 1, axis=1)[:, :probes]
    best = np.full((len(block), COMPARED_WITH), -1.0, np.float32)
    whose = np.full((len(block), COMPARED_WITH), -1, np.intp)
    for cell in np.unique(near):
        inside = members[cell]
        rows = np.flatnonzero((near == cell).any(axis=1))
        if not len(inside):
            continue
        scores = block[rows] @ everything[inside].T
        scores[own[rows][:, None] == owner[inside][None, :]] = -1
        merged = np.concatenate([best[rows], scores], axis=1)
        names = np.concatenate(
            [whose[rows], np.broadcast_to(owner[inside], (len(rows), len(inside)))], axis=1
        )
        top = np.argsort(-merged, axis=1, kind="stable")[:, :COMPARED_WITH]
        best[rows] = np.take_along_axis(merged, top, axis=1)
        whose[rows] = np.take_along_axis(names, top, axis=1)
    distance = np.sqrt(np.maximum(2 - 2 * best, 0))
    usual = np.maximum(distance[:, -1:], 1e-6)
    weight = np.maximum(1 - distance / (0.9 * usual), 0)
    weight[whose < 0] = 0
    np.add.at(found, (np.repeat(own, COMPARED_WITH), whose.ravel()), weight.ravel())
