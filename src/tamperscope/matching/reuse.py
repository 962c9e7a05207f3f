"""Finds reuse inside a panel and between two panels: propose, verify, merge.

Several detectors may propose one alignment; it is reported once, by the detector whose match is
the stronger one, and the others are named in ``Match.also``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from tamperscope.matching import dense_field, geometry, keypoints
from tamperscope.matching.match import Match, PreparedPanel, Proposal
from tamperscope.matching.verify import Measured, measure, verify

DETECTORS = ("keypoints", "dense-field-zm", "dense-field-pct", "dense-field-fmt")
DEFAULT = ("keypoints", "dense-field-zm")
MOST_TRIED = 8  # proposals of one detector that are verified...
MOST_FAILED = (2, 3)  # ...until so many have failed: of a dense field, of key points
MANY_KEYPOINTS = 150  # in each of two panels: then key points are not blind
SAME_SUPPORT = 0.7  # of the points of a proposal that an earlier one carries to their partners
SAME_PIXELS = 6.0
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


def best_evidence(
    a: PreparedPanel, b: PreparedPanel | None, detectors: tuple[str, ...] = DEFAULT
) -> float:
    """Evidence in nats of the best alignment, whatever chance says of it; 0 where there is none.

    The null of the chance test is made of this; ``b`` is None inside one panel.
    """
    every = (found for _, found, _ in measured_proposals(a, b, detectors) if found is not None)
    return max(0.0, max((found.evidence for found in every), default=0.0))


def measured_proposals(
    a: PreparedPanel, b: PreparedPanel | None, detectors: tuple[str, ...] = DEFAULT
) -> Iterator[tuple[Proposal, Measured | None, bool]]:
    """Measure every proposal, whatever chance says of it; ``b`` is None inside one panel.

    Yields:
        The proposal; what was measured, None where nothing agrees; and whether an earlier proposal
        said the same, so that this one was not measured.
    """
    tried = _Tried(within=b is None)
    for proposals in _proposals(a, b, detectors):
        left = _failures(proposals)
        for proposal in proposals:
            if tried.before(proposal) is not None:
                yield proposal, None, True
                continue
            if left == 0:
                break
            # as if it had failed: whether a match is looked at again depends on its chance
            left -= 1
            tried.add(proposal, None)
            yield proposal, measure(a, b, proposal), False


def _proposals(
    a: PreparedPanel, b: PreparedPanel | None, detectors: tuple[str, ...]
) -> Iterator[list[Proposal]]:
    """Let the detectors propose, one after the other, and only as far as the caller asks."""
    unknown = set(detectors) - set(DETECTORS)
    if unknown:
        raise ValueError(f"detectors must be among {DETECTORS}, got {sorted(unknown)}")
    for detector in DETECTORS:
        if detector in detectors and not _left_to_key_points(a, b, detector, detectors):
            yield _propose(a, b, detector)[:MOST_TRIED]


def _failures(proposals: list[Proposal]) -> int:
    """How many proposals of one detector may fail before the others are left alone."""
    return MOST_FAILED[proposals[0].detector == keypoints.DETECTOR] if proposals else 0


def _left_to_key_points(
    a: PreparedPanel, b: PreparedPanel | None, detector: str, detectors: tuple[str, ...]
) -> bool:
    """Whether a dense field would only repeat what key points see, at ten times the cost.

    Between two panels that both hold many key points, key points are not blind to anything.
    """
    if b is None or detector == keypoints.DETECTOR or keypoints.DETECTOR not in detectors:
        return False
    return all(len(keypoints.features_of(panel).points) >= MANY_KEYPOINTS for panel in (a, b))


def _propose(a: PreparedPanel, b: PreparedPanel | None, detector: str) -> list[Proposal]:
    if detector == keypoints.DETECTOR:
        return keypoints.propose_within(a) if b is None else keypoints.propose_between(a, b)
    features = detector.removeprefix("dense-field-")
    if b is None:
        return dense_field.propose_within(a, features)
    return dense_field.propose_between(a, b, features)


class _Tried:
    """Transforms that were looked at: what repeats one of them is not looked at again.

    What failed from the places of one detector is looked at again from those of another: where a
    proposal rests decides what it is aligned by.
    """

    def __init__(self, *, within: bool) -> None:
        self.within = within
        self.proposals: list[Proposal] = []
        self.outcomes: list[Match | None] = []

    def add(self, proposal: Proposal, outcome: Match | None) -> None:
        """Remember a proposal and what became of it."""
        self.proposals.append(proposal)
        self.outcomes.append(outcome)

    def before(self, proposal: Proposal) -> int | None:
        """Which earlier transform carries most points of a proposal; None where none does."""
        ways = [(proposal.source, proposal.target)]
        if self.within:
            ways.append((proposal.target, proposal.source))
        for index, (earlier, outcome) in enumerate(zip(self.proposals, self.outcomes, strict=True)):
            if outcome is None and earlier.detector != proposal.detector:
                continue
            for source, target in ways:
                off = np.linalg.norm(geometry.apply(earlier.transform, source) - target, axis=1)
                if np.mean(off < SAME_PIXELS) >= SAME_SUPPORT:
                    return index
        return None


def _verified(
    a: PreparedPanel, b: PreparedPanel | None, proposed: Iterable[list[Proposal]]
) -> list[Match]:
    matches: list[Match] = []
    tried = _Tried(within=b is None)
    for proposals in proposed:
        left = _failures(proposals)
        for proposal in proposals:
            earlier = tried.before(proposal)
            if earlier is not None:
                known = tried.outcomes[earlier]
                found = None if known is None else replace(known, detector=proposal.detector)
            elif left == 0:
                break
            else:
                found = verify(a, b, proposal)
                tried.add(proposal, found)
                left -= found is None
            if found is not None:
                _add(matches, found, within=b is None)
    return sorted(matches, key=lambda match: (-match.score, -match.inliers))


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
        transform=geometry.inverse(match.transform),
        source_mask=match.target_mask,
        target_mask=match.source_mask,
    )
