"""Scores of a mask against the truth. Counts add, so an image and a data set share their lines.

Where a score does not exist it is NaN and the docstring says why; a small number in a denominator
would decide it silently.
"""

import math
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """Pixels by (predicted, true)."""

    hits: int = 0  # predicted tampered, is tampered
    false_alarms: int = 0  # predicted tampered, is pristine
    misses: int = 0  # predicted pristine, is tampered
    rejections: int = 0  # predicted pristine, is pristine

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def precision(self) -> float:
        """Share of the marked pixels that are tampered; NaN if nothing was marked."""
        return ratio(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float:
        """Share of the tampered pixels that were marked; NaN if nothing is tampered."""
        return ratio(self.hits, self.hits + self.misses)

    @property
    def f1(self) -> float:
        """2 hits / (2 hits + false alarms + misses); NaN where mask and truth are both empty."""
        return ratio(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses)

    @property
    def iou(self) -> float:
        """Intersection over union; NaN where mask and truth are both empty."""
        return ratio(self.hits, self.hits + self.false_alarms + self.misses)

    @property
    def mcc(self) -> float:
        """Matthews correlation, in [-1, 1]; NaN where mask or truth is all of one value.

        A mask that marks nothing has no correlation with anything. Papers often write 0 there;
        :func:`mcc_or_zero` does that, and tables that use it say so.
        """
        marked, unmarked = self.hits + self.false_alarms, self.misses + self.rejections
        tampered, pristine = self.hits + self.misses, self.false_alarms + self.rejections
        scale = math.sqrt(marked) * math.sqrt(unmarked) * math.sqrt(tampered) * math.sqrt(pristine)
        cross = self.hits * self.rejections - self.false_alarms * self.misses
        return cross / scale if scale else math.nan


def count(predicted: Mask, truth: Mask) -> Counts:
    """Compare two masks of one shape; ValueError where the shapes differ."""
    if predicted.shape != truth.shape:
        raise ValueError(f"mask {predicted.shape} and truth {truth.shape} differ in shape")
    hits = int(np.count_nonzero(predicted & truth))
    marked, tampered = int(np.count_nonzero(predicted)), int(np.count_nonzero(truth))
    return Counts(hits, marked - hits, tampered - hits, truth.size - marked - tampered + hits)


def mcc_or_zero(counts: Counts) -> float:
    """Matthews correlation with 0 where it does not exist because nothing was marked.

    The convention of most tables in the field. Still NaN where the *truth* is all of one value.
    """
    if counts.hits + counts.misses == 0 or counts.false_alarms + counts.rejections == 0:
        return math.nan
    return 0.0 if math.isnan(counts.mcc) else counts.mcc


def ratio(part: float, whole: float) -> float:
    """``part / whole``; NaN where ``whole`` is 0."""
    return part / whole if whole else math.nan
