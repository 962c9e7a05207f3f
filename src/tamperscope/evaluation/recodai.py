"""oF1, the score of the Recod.ai/LUC competition (2025) on copy-moves in scientific figures.

A figure has a list of regions. Every predicted region is matched with at most one true one, so that
the sum of their F1 is largest (Kuhn's assignment); unmatched true regions count as 0; and the mean
is multiplied by |true| / max(|predicted|, |true|), so that scattering regions does not pay. An
authentic figure scores 1 if nothing is predicted and 0 otherwise; a forged one for which nothing is
predicted scores 0. The score is the mean over figures.

Nearly half of the figures are authentic, and the answer "authentic" everywhere scores their share.
That floor is printed beside every result: a score below it is worse than not looking.

Facts from the metric's published notebook; the regions of a mask that is not split into planes are
its connected parts (touching corners connect).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from tamperscope.data.masks import read_planes
from tamperscope.data.samples import MaskFiles, Sample
from tamperscope.evaluation import resampling
from tamperscope.evaluation.metrics import Mask, ratio
from tamperscope.evaluation.photographs import Record, interval_by_group, mean
from tamperscope.evaluation.scoring import none_for_nan


@dataclass(frozen=True)
class Region:
    """One region of a figure, cut out: figures are large and regions many."""

    top: int
    left: int
    mask: Mask  # (height, width) of its bounding box

    @property
    def area(self) -> int:
        """Pixels that it marks."""
        return int(np.count_nonzero(self.mask))


def region_of(mask: Mask) -> Region:
    """Cut out what a whole mask marks; ValueError where it marks nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise ValueError("a region marks something")
    top, left = int(rows[0]), int(columns[0])
    return Region(top, left, mask[top : rows[-1] + 1, left : columns[-1] + 1])


def shared(a: Region, b: Region) -> int:
    """Pixels that both mark."""
    top, left = max(a.top, b.top), max(a.left, b.left)
    bottom = min(a.top + a.mask.shape[0], b.top + b.mask.shape[0])
    right = min(a.left + a.mask.shape[1], b.left + b.mask.shape[1])
    if top >= bottom or left >= right:
        return 0
    parts = [r.mask[top - r.top : bottom - r.top, left - r.left : right - r.left] for r in (a, b)]
    return int(np.count_nonzero(parts[0] & parts[1]))


def of1(predicted: Sequence[Region], truth: Sequence[Region]) -> float:
    """Score of one figure, in [0, 1].

    Args:
        predicted: Regions; none for "authentic".
        truth: True regions; none for an authentic figure.
    """
    if not predicted or not truth:
        return float(len(predicted) == len(truth))
    f1 = np.array([[2 * shared(p, t) / (p.area + t.area) for t in truth] for p in predicted])
    rows, columns = linear_sum_assignment(f1, maximize=True)
    # The mean over the true regions, times their number over max(predicted, true).
    return float(f1[rows, columns].sum() / max(len(predicted), len(truth)))


def parts_of(mask: Mask) -> list[Region]:
    """Connected parts of a mask; touching corners connect."""
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    parts = []
    for label in range(1, count):
        left, top, width, height = (int(value) for value in boxes[label, :4])
        place = slice(top, top + height), slice(left, left + width)
        parts.append(Region(top, left, np.asarray(labels[place] == label)))
    return parts


def regions_of(planes: Iterable[Mask]) -> list[Region]:
    """A region for each plane that marks something."""
    return [region_of(plane) for plane in planes if plane.any()]


def true_regions(sample: Sample) -> list[Region]:
    """Regions of a figure of the set: a plane of its array each; none where it is authentic."""
    if not isinstance(sample.truth, MaskFiles):
        return []
    return [region for path in sample.truth.paths for region in regions_of(read_planes(path))]


def summarise(records: Sequence[Record], seed: int) -> dict[str, Any]:
    """Mean oF1 of all figures, with the floor beside it, and of either kind alone."""
    scores = {kind: [r["of1"] for r in records if r["labelled"] is kind] for kind in (True, False)}
    every = [record["of1"] for record in records]
    rows = np.array([[value, 1.0] for value in every]).reshape(-1, 2)
    return {
        "figures": len(records),
        "of1": none_for_nan(mean(every)),
        "of1_interval": interval_by_group(rows, records, resampling.mean_score, seed),
        "floor": none_for_nan(ratio(len(scores[False]), len(records))),
        "of1_forged": none_for_nan(mean(scores[True])),
        "of1_authentic": none_for_nan(mean(scores[False])),
        "forged": len(scores[True]),
        "authentic": len(scores[False]),
    }
