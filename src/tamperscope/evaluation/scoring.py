"""Scores one prediction against the truth of one picture: counts, and what a heatmap adds.

A *heatmap* is float in [0, 1]; a prediction that only marks is a heatmap of zeros and ones. Its
mask is ``heatmap > threshold``: a tie is authentic, as in the argmax of both papers' code.

The *best* threshold is an oracle: it is chosen with the truth in hand, per picture or per set, and
says what the heatmap is worth, not what a user would get. It is never mixed with the scores at the
fixed threshold.
"""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.evaluation import metrics
from tamperscope.evaluation.metrics import Counts, Mask, ratio

Heatmap = NDArray[np.floating]
Size = tuple[int, int]  # (height, width)

THRESHOLD = 0.5
GRID = tuple(round(0.05 * i, 2) for i in range(1, 20))
"""Thresholds at which every graded picture is counted, for the curve of its set."""


@dataclass(frozen=True)
class Curve:
    """What the ordering of a heatmap is worth, whatever the threshold."""

    auc: float  # area under the ROC curve over pixels; NaN where the truth is all of one value
    best_f1: float  # largest F1 over all thresholds: an oracle; NaN where nothing is tampered
    best_threshold: float  # pixels of at least this heat give best_f1; NaN with it


def curve(heatmap: Heatmap, truth: Mask) -> Curve:
    """Compare a heatmap with the truth at every threshold that it has; exact, ties included."""
    if heatmap.shape != truth.shape:
        raise ValueError(f"heatmap {heatmap.shape} and truth {truth.shape} differ in shape")
    tampered = int(np.count_nonzero(truth))
    if tampered == 0:
        return Curve(np.nan, np.nan, np.nan)
    order = np.argsort(heatmap, axis=None)[::-1]
    heat, hit = heatmap.ravel()[order], truth.ravel()[order]
    last = np.flatnonzero(np.append(heat[1:] != heat[:-1], True))  # of each run of equal heat
    hits = np.cumsum(hit)[last]
    alarms = last + 1 - hits
    f1 = 2 * hits / (hits + alarms + tampered)
    best = int(f1.argmax())
    # Twice the area under hits over false alarms, in whole pixels: no rounding.
    sides = hits + np.append(0, hits[:-1])
    area = int(np.sum(np.diff(alarms, prepend=0) * sides))
    auc = ratio(area, 2 * tampered * (truth.size - tampered))
    return Curve(auc, float(f1[best]), float(heat[last[best]]))


def score_picture(heatmap: Heatmap, truth: Mask, *, threshold: float = THRESHOLD) -> dict[str, Any]:
    """Score one picture; the record is plain JSON, NaN written as None.

    Args:
        heatmap: (H, W) in [0, 1].
        truth: (H, W).
        threshold: Pixels above it are marked.

    Returns:
        ``counts`` at the threshold; ``graded``, whether the heatmap holds anything but 0 and 1;
        ``heat``, its largest value, as a score of the picture; ``auc``, ``best_f1`` and
        ``best_threshold``; and for a graded one ``grid``: hits and false alarms at each of GRID.
    """
    graded = bool(np.any((heatmap > 0) & (heatmap < 1)))
    record: dict[str, Any] = {
        "counts": asdict(metrics.count(heatmap > threshold, truth)),
        "graded": graded,
        "heat": float(heatmap.max()),
    }
    record |= {name: none_for_nan(v) for name, v in asdict(curve(heatmap, truth)).items()}
    if graded:
        record["grid"] = [_hits_and_alarms(heatmap > level, truth) for level in GRID]
    return record


def _hits_and_alarms(mask: Mask, truth: Mask) -> list[int]:
    counted = metrics.count(mask, truth)
    return [counted.hits, counted.false_alarms]


def counts_of(record: dict[str, Any]) -> Counts:
    """Counts of a record of :func:`score_picture`."""
    return Counts(**record["counts"])


def none_for_nan(value: float) -> float | None:
    """``value``, or None where it is NaN: JSON has no NaN."""
    return None if np.isnan(value) else float(value)


def nan_for_none(value: float | None) -> float:
    """Undo :func:`none_for_nan`."""
    return np.nan if value is None else value


def truth_at(truth: Mask, size: Size) -> Mask:
    """Bring a truth to another size as LoMa's loader does: bilinear, then above half is tampered.

    Edges may lie a pixel beside those of nearest neighbour.
    """
    if truth.shape == size:
        return truth
    scaled = cv2.resize(
        truth.astype(np.uint8) * 255, (size[1], size[0]), interpolation=cv2.INTER_LINEAR
    )
    return np.asarray(scaled > 127)


def heatmap_at(heatmap: Heatmap, size: Size, *, graded: bool) -> Heatmap:
    """Bring a heatmap to another size: bilinear where graded, nearest where it only marks."""
    if heatmap.shape == size:
        return heatmap
    way = cv2.INTER_LINEAR if graded else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(heatmap, (size[1], size[0]), interpolation=way))
