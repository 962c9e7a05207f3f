"""Regions of a panel that a network marks as unlike their surroundings: which of them are told.

Marks on rims, small ones, those that a match explains and those that pristine panels show as often
are left out. What is left becomes a finding of one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tamperscope.errors import WeightsError
from tamperscope.matching.match import Match, PreparedPanel
from tamperscope.records import Evidence, Finding
from tamperscope.screening.findings import Mask, Place, region
from tamperscope.screening.network_chance import ALPHA, NetworkNull, strength
from tamperscope.screening.rims import rims
from tamperscope.screening.tasks import Marked, Proven

PAIR_DETECTOR = "biotampernet"
THRESHOLD = 0.5  # probability from which a pixel is marked
LEAST_SHARE = 0.001  # of a panel: smaller marks are left out, as the paper's protocol does
EXPLAINED = 0.5  # of a mark that a match or another detector's mark covers: it says nothing new
BESIDE = 6  # pixels between two detectors' marks of one seam
BAND_WIDTH, BAND_RATIO = 20, 3.0  # pixels at most, and how much longer than wide: a seam


@dataclass(frozen=True)
class Spliced:
    """A region of one panel that the network marks and no alignment explains."""

    panel: str
    mask: Mask
    score: float  # mean probability inside
    chance: float | None = None  # share of pristine panels with a mark as strong; None: not known
    null: str | None = None  # which panels, in words
    detector: str = PAIR_DETECTOR


def finite(score: float) -> float:
    """Return ``score``; WeightsError where the network answered with NaN."""
    if not np.isfinite(score):
        raise WeightsError("the network answered with NaN or infinity; its weights are damaged")
    return score


def marked(score: float) -> tuple[tuple[str, float], ...]:
    """Score of the network as a measure of evidence."""
    return (("network_score", round(score, 6)),)


def without_rims(heatmap: NDArray[np.float32], panel: PreparedPanel) -> NDArray[np.float32]:
    """Take the marks off where the panel begins: nobody made those transitions."""
    return np.where(rims(panel), np.float32(0), heatmap)


def spliced(panel: str, heatmap: NDArray[np.float32], matches: Sequence[Match]) -> list[Spliced]:
    """Regions that are marked and not covered by a match, largest first."""
    labels, count = ndimage.label(heatmap > THRESHOLD)
    covered = np.zeros(labels.shape, np.bool_)
    for match in matches:
        covered |= match.source_mask | match.target_mask
    regions = []
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    for index in 1 + np.flatnonzero(areas >= LEAST_SHARE * labels.size):
        mask = labels == index
        if covered[mask].mean() < EXPLAINED:
            regions.append(Spliced(panel, mask, float(heatmap[mask].mean())))
    return sorted(regions, key=lambda one: -int(one.mask.sum()))


def strongest(heatmap: NDArray[np.float32], panel: PreparedPanel) -> float:
    """Strength of the strongest mark of a panel, off its rims; 0 where there is none."""
    heatmap = without_rims(heatmap, panel)
    marks = spliced(panel.name, heatmap, ())
    return max((strength(heatmap, one.mask) for one in marks), default=0.0)


def rare(
    regions: Sequence[Spliced], heatmap: NDArray[np.float32], null: NetworkNull, kind: str
) -> list[Spliced]:
    """Keep the regions that pristine panels of this modality seldom show, with their chance."""
    kept = []
    for one in regions:
        chance, words = null.chance(strength(heatmap, one.mask), kind)
        if chance <= ALPHA:
            kept.append(replace(one, chance=chance, null=words))
    return kept


def untold(regions: Sequence[Spliced], told: Sequence[Marked | Spliced | Proven]) -> list[Spliced]:
    """Leave out the regions that others have marked in the same panel, or found there twice.

    What a panel shares with another one explains nothing: it may be the whole panel.

    Args:
        regions: Marked by a network.
        told: What is known.
    """
    kept = []
    for one in regions:
        known = np.zeros(one.mask.shape, np.bool_)
        for old in told:
            if isinstance(old, Proven):
                if old.first == one.panel and old.second is None:
                    known |= old.match.source_mask | old.match.target_mask
            elif old.panel == one.panel:
                known |= old.mark.mask if isinstance(old, Marked) else old.mask
        near = cv2.dilate(known.astype(np.uint8), np.ones((2 * BESIDE + 1,) * 2, np.uint8)) > 0
        if near[one.mask].mean() < EXPLAINED:
            kept.append(one)
    return kept


def finding_of_splice(found: Spliced, place: Place) -> tuple[Finding, list[NDArray[np.bool_]]]:
    """Finding (without its number) of one marked region, and its mask."""
    seam = is_band(found.mask)
    share = float(found.mask.mean())
    if seam:
        seen = (
            f"The network marks a narrow straight band in {place.name}, as where two pieces of a "
            "picture were joined."
        )
    elif found.chance is not None or found.detector != PAIR_DETECTOR:
        # asked for this and nothing else
        seen = (
            f"The network marks {share:.1%} of {place.name} as unlike its surroundings, as where "
            "something was laid in, from elsewhere or from the same picture, erased or retouched."
        )
    else:
        seen = (
            f"The network marks {share:.1%} of {place.name} as unlike its surroundings or shown "
            "twice; no second place could be aligned with it."
        )
    finding = Finding(
        id="unnumbered",
        kind="seam" if seam else "splice",
        detector=found.detector,
        score=round(found.score, 6),
        regions=(region(place, found.mask, "place"),),
        transform=None,
        evidence=Evidence(
            chance=found.chance, chance_null=found.null, measures=marked(found.score)
        ),
        reason=seen,
    )
    return finding, [found.mask]


def is_band(mask: Mask) -> bool:
    """Whether a region is narrow and straight, along rows or columns: a seam, not a patch."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    sides = sorted((rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1))
    return bool(sides[0] <= BAND_WIDTH and sides[1] >= BAND_RATIO * sides[0])
