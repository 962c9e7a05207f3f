"""When a reported match counts as having found a known duplication.

A match is a *hit* if either

* its transform carries the corners of the true source region to within ``max(3 pixels, 5 % of the
  diagonal of the true target region)`` of where they belong, on average; or
* its source and its target mask both overlap the true ones with an IoU of at least 0.5.

Inside one panel source and target may trade places. Which of two copies is the original cannot be
told from the pixels.
"""

import numpy as np

from tamperscope.evaluation import metrics, placing
from tamperscope.evaluation.duplicates import Truth
from tamperscope.evaluation.metrics import Counts
from tamperscope.matching.match import Mask, Match, Transform

CORNER_SHARE = 0.05  # of the diagonal of the true target region
CORNER_PIXELS = 3.0
MASK_IOU = 0.5


def corner_error(transform: Transform, truth: Truth) -> float:
    """Mean distance in pixels by which ``transform`` misses the corners of the true target.

    Infinite where the transform sends a corner to infinity.
    """
    corners = _box(truth.source_mask)
    mapped = np.column_stack([corners, np.ones(4)]) @ transform.T
    if not np.all(np.isfinite(mapped)) or np.any(np.abs(mapped[:, 2]) < 1e-9):
        return float("inf")
    wanted = placing.map_points(truth.transform, corners)
    return float(np.linalg.norm(mapped[:, :2] / mapped[:, 2:] - wanted, axis=1).mean())


def is_hit(match: Match, truth: Truth, *, within: bool) -> bool:
    """Whether ``match`` found the duplication, by the rule above."""
    diagonal = float(np.linalg.norm(np.ptp(_box(truth.target_mask), axis=0)))
    allowed = max(CORNER_PIXELS, CORNER_SHARE * diagonal)
    transforms = [match.transform]
    pairs = [(match.source_mask, match.target_mask)]
    if within:
        pairs.append((match.target_mask, match.source_mask))
        if abs(np.linalg.det(match.transform)) > 1e-9:
            transforms.append(np.asarray(np.linalg.inv(match.transform), dtype=np.float64))
    if any(corner_error(transform, truth) <= allowed for transform in transforms):
        return True
    return any(
        _overlap(source, truth.source_mask) >= MASK_IOU
        and _overlap(target, truth.target_mask) >= MASK_IOU
        for source, target in pairs
    )


def pixel_counts(matches: list[Match], truth: Truth, *, within: bool) -> Counts:
    """Compare what all matches mark with the truth; both panels of a pair are counted.

    Inside one panel source and target regions together are the truth.
    """
    if within:
        marked = np.zeros_like(truth.source_mask)
        for match in matches:
            marked |= match.source_mask | match.target_mask
        return metrics.count(marked, truth.source_mask | truth.target_mask)
    source, target = np.zeros_like(truth.source_mask), np.zeros_like(truth.target_mask)
    for match in matches:
        source |= match.source_mask
        target |= match.target_mask
    return metrics.count(source, truth.source_mask) + metrics.count(target, truth.target_mask)


def _box(mask: Mask) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x0, x1, y0, y1 = columns[0], columns[-1], rows[0], rows[-1]
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)


def _overlap(a: Mask, b: Mask) -> float:
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0
