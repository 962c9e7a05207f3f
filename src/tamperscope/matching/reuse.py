"""Finds reuse inside a panel and between two panels: propose, verify, merge.

Several detectors may propose one alignment; it is reported once, by the detector whose match is
the stronger one, and the others are named in ``Match.also``.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tamperscope.matching import dense_field, geometry, keypoints
from tamperscope.matching.match import Mask, Match, PreparedPanel, Proposal
from tamperscope.matching.verify import verify

DETECTORS = ("keypoints", "dense-field-zm", "dense-field-pct", "dense-field-fmt")
DEFAULT = ("keypoints", "dense-field-zm")
MOST_TRIED = 8  # proposals of one detector that are verified
SAME_SUPPORT = 0.7  # of the points of a proposal that a match explains
SAME_PIXELS = 5.0
SAME_OVERLAP = 0.5  # of the smaller mask: matches that share this much on both sides are one


def match_within(panel: PreparedPanel, detectors: tuple[str, ...] = DEFAULT) -> list[Match]:
    """Find parts of a panel that show the same content, best first.

    Args:
        panel: Prepared panel.
        detectors: Some of DETECTORS.

    Raises:
        MissingKernelError: A dense field is asked for and its native library is not built.
    """
    return _verified(panel, None, _proposals(panel, None, detectors))


def match_between(
    a: PreparedPanel, b: PreparedPanel, detectors: tuple[str, ...] = DEFAULT
) -> list[Match]:
    """Find content that two panels share, best first; arguments and errors as for within."""
    return _verified(a, b, _proposals(a, b, detectors))


def _proposals(
    a: PreparedPanel, b: PreparedPanel | None, detectors: tuple[str, ...]
) -> list[list[Proposal]]:
    unknown = set(detectors) - set(DETECTORS)
    if unknown:
        raise ValueError(f"detectors must be among {DETECTORS}, got {sorted(unknown)}")
    return [_propose(a, b, detector) for detector in DETECTORS if detector in detectors]


def _propose(a: PreparedPanel, b: PreparedPanel | None, detector: str) -> list[Proposal]:
    if detector == keypoints.DETECTOR:
        return keypoints.propose_within(a) if b is None else keypoints.propose_between(a, b)
    features = detector.removeprefix("dense-field-")
    if b is None:
        return dense_field.propose_within(a, features)
    return dense_field.propose_between(a, b, features)


def _verified(
    a: PreparedPanel, b: PreparedPanel | None, proposals: list[list[Proposal]]
) -> list[Match]:
    matches: list[Match] = []
    for of_detector in proposals:
        for proposal in of_detector[:MOST_TRIED]:
            if _explained(matches, proposal, within=b is None):
                continue
            found = verify(a, b, proposal)
            if found is not None:
                _add(matches, found, within=b is None)
    return sorted(matches, key=lambda match: (-match.score, -match.inliers))


def _explained(matches: list[Match], proposal: Proposal, *, within: bool) -> bool:
    """Whether a match already says what a proposal says; it then names the detector, too."""
    for index, match in enumerate(matches):
        ways = [(proposal.source, proposal.target)]
        if within:
            ways.append((proposal.target, proposal.source))
        for source, target in ways:
            off = np.linalg.norm(geometry.apply(match.transform, source) - target, axis=1)
            if np.mean((off < SAME_PIXELS) & _inside(match.source_mask, source)) >= SAME_SUPPORT:
                names = {*match.also, proposal.detector} - {match.detector}
                matches[index] = replace(match, also=tuple(sorted(names)))
                return True
    return False


def _inside(mask: Mask, points: geometry.Points) -> NDArray[np.bool_]:
    x = np.clip(np.rint(points[:, 0]).astype(int), 0, mask.shape[1] - 1)
    y = np.clip(np.rint(points[:, 1]).astype(int), 0, mask.shape[0] - 1)
    return np.asarray(mask[y, x])


def _add(matches: list[Match], new: Match, *, within: bool) -> None:
    """Add a match, or merge it with the one that says the same."""
    for index, old in enumerate(matches):
        if _same(old, new) or (within and _same(old, _reversed(new))):
            best, other = (new, old) if new.score > old.score else (old, new)
            names = {*old.also, *new.also, other.detector} - {best.detector}
            matches[index] = replace(best, also=tuple(sorted(names)))
            return
    matches.append(new)


def _same(a: Match, b: Match) -> bool:
    """Whether two matches relate the same places in the same way."""
    for mine, yours in ((a.source_mask, b.source_mask), (a.target_mask, b.target_mask)):
        smaller = min(np.count_nonzero(mine), np.count_nonzero(yours))
        if np.count_nonzero(mine & yours) < SAME_OVERLAP * smaller:
            return False
    return True


def _reversed(match: Match) -> Match:
    return replace(
        match,
        transform=np.linalg.inv(match.transform),
        source_mask=match.target_mask,
        target_mask=match.source_mask,
    )
