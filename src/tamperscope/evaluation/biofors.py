"""BioFors' protocol: pooled pixels, and an image label from any marked pixel.

Sabir et al., "BioFors: A Large Biomedical Image Forensics Dataset", ICCV 2021, and the evaluation
scripts of its code page (one for each task). Common to the three tasks:

* the truth is the union of boxes at the panel's own size; a prediction is a mask of that size;
* pixels of all panels (EDD: of both panels of every pair) go into one table of counts;
* an image counts as flagged as soon as one pixel is marked, wherever that is;
* *combined* is the same count over several categories, not a mean of their scores.

EDD erases, before anything is counted, the mask of a panel that marks less than ``area_th`` of it;
0.1 unless told otherwise. IDD and CSTD have no such filter. An EDD pair belongs to the category of
its first panel, and is flagged if either panel is.

:func:`corrected` computes the scores from these counts: a score that does not exist is None, and
MCC may be negative, or 0 where nothing was marked. :func:`official` repeats the arithmetic of the
scripts, so that their printed numbers come out: MCC through logarithms of 64-bit products (NaN
where it is negative or a margin is empty; products wrap around), and a stop at the first division
of whole numbers by zero.

What the scripts do with files that are missing or grey differs between them; ``LEGACY`` says how.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from tamperscope.data.biofors import KIND_OF
from tamperscope.evaluation import resampling
from tamperscope.evaluation.intervals import Interval
from tamperscope.evaluation.metrics import Counts, Mask, mcc_or_zero, ratio
from tamperscope.evaluation.predictions import PredictionError
from tamperscope.evaluation.scoring import none_for_nan

TASKS = ("edd", "idd", "cstd")
AREA_THRESHOLDS = (0.1, 0.0)  # of EDD; the script's default first
CATEGORY_OF = {ours: theirs for theirs, ours in KIND_OF.items()}
COMBINED = "Combined"


@dataclass(frozen=True)
class LegacyRule:
    """What a task's script does with files that are not as they should be."""

    missing: str  # "error", "empty" (nothing marked) or "skip" (panel left out)
    grey: bool  # whether a mask that holds 255 may hold other values; they then count as 0


LEGACY = {
    "edd": LegacyRule(missing="error", grey=True),
    "idd": LegacyRule(missing="empty", grey=False),
    "cstd": LegacyRule(missing="skip", grey=False),
}


def read_binary_mask(data: bytes, name: str, *, grey: bool = False) -> Mask:
    """Decode a mask as the scripts do, through OpenCV's grey values.

    Values are 0 and 255, or 0 and 1. With ``grey`` a mask that holds 255 may hold anything: EDD's
    script divides by 255 and cuts off the fraction, so that grey disappears.

    Raises:
        PredictionError: Not an image, or other values: where the script stops.
    """
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if values is None:
        raise PredictionError(f"{name} is not an image that can be read")
    white = values == 255
    if not white.any():
        wrong = values > 1
        mask = values == 1
    else:
        wrong = np.zeros_like(white) if grey else ~white & (values > 0)
        mask = white
    if wrong.any():
        raise PredictionError(
            f"{name} holds the value {int(values[wrong].flat[0])}; masks for BioFors hold 0 and "
            "255, or 0 and 1"
        )
    return np.asarray(mask)


def area_filter(mask: Mask, area_th: float) -> Mask:
    """Erase a mask that marks less than ``area_th`` of the panel; exactly that much stays."""
    height, width = mask.shape
    if np.count_nonzero(mask) < area_th * (height * width):
        return np.zeros_like(mask)
    return mask


def image_counts(flagged: bool, tampered: bool) -> Counts:
    """One image (or pair) as counts."""
    return Counts(
        hits=int(flagged and tampered),
        false_alarms=int(flagged and not tampered),
        misses=int(not flagged and tampered),
        rejections=int(not flagged and not tampered),
    )


def corrected(counts: Counts) -> dict[str, float | None]:
    """Scores by their definitions; None where one does not exist.

    MCC is 0 where nothing (or everything) was marked, and None where the truth is all of one value.
    """
    total = sum(asdict(counts).values())
    return {
        "accuracy": none_for_nan(ratio(counts.hits + counts.rejections, total)),
        "precision": none_for_nan(counts.precision),
        "recall": none_for_nan(counts.recall),
        "f1": none_for_nan(counts.f1),
        "mcc": none_for_nan(mcc_or_zero(counts)),
        "ts": none_for_nan(counts.iou),
    }


def official(counts: Counts, level: str) -> dict[str, Any]:
    """Scores by the arithmetic of the scripts.

    Args:
        counts: Of images or of pixels.
        level: "image" (whole numbers: a division by zero stops the script, ``stops`` says where)
            or "pixel" (64-bit numbers of NumPy: it goes on with NaN).

    Returns:
        ``precision``, ``recall``, ``f1``, ``mcc``, and ``accuracy`` for images or ``ts`` for
        pixels. NaN where the script prints nan; None where it stops before it prints.
    """
    if level == "image":
        return _official_image(counts)
    with np.errstate(all="ignore"):
        tp, fp, fn, tn = (np.int64(n) for n in _in_order(counts))
        precision, recall = tp / (tp + fp), tp / (tp + fn)
        f1 = 2 * (precision * recall) / (precision + recall)
        ts = tp / (tp + fp + fn)
        mcc = _log_mcc(tp, fp, fn, tn)
    scores = {"precision": precision, "recall": recall, "f1": f1, "mcc": mcc, "ts": ts}
    return {name: float(value) for name, value in scores.items()}


def _official_image(counts: Counts) -> dict[str, Any]:
    tp, fp, fn, tn = _in_order(counts)
    scores: dict[str, Any] = dict.fromkeys(("accuracy", "precision", "recall", "f1", "mcc"))
    step = "precision"
    try:
        precision = tp / (tp + fp)
        step = "recall"
        recall = tp / (tp + fn)
        step = "f1"
        f1 = 2 * (precision * recall) / (precision + recall)
    except ZeroDivisionError:
        return {**scores, "stops": f"ZeroDivisionError at the image-level {step}"}
    with np.errstate(all="ignore"):
        mcc = float(_log_mcc(tp, fp, fn, tn))
    return {
        "accuracy": (tp + tn) / (tp + tn + fp + fn),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "mcc": mcc,
    }


def _log_mcc(tp: Any, fp: Any, fn: Any, tn: Any) -> Any:
    half = 0.5 * (np.log(tp + fp) + np.log(tp + fn) + np.log(tn + fp) + np.log(tn + fn))
    return np.exp(np.log(tp * tn - fp * fn) - half)


def _in_order(counts: Counts) -> tuple[int, int, int, int]:
    """(tp, fp, fn, tn)."""
    return counts.hits, counts.false_alarms, counts.misses, counts.rejections


def summarise(task: str, records: Sequence[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Scores per category and combined, for EDD once per area filter.

    Args:
        task: One of TASKS.
        records: Of :class:`tamperscope.evaluation.measure.Measurement`: ``category``, ``tampered``
            and ``filters``, a list of {area_th, flagged, counts}, or None for a skipped panel.
        seed: Of the bootstrap over documents.

    Returns:
        One entry per area filter and category: ``area_th``, ``category``, ``units``, ``missing``,
        ``image`` and ``pixel``, each with ``counts``, ``corrected`` (None where predictions are
        missing: then there is no correct score) and ``legacy``.
    """
    thresholds: tuple[float | None, ...] = AREA_THRESHOLDS if task == "edd" else (None,)
    entries = []
    for place, area_th in enumerate(thresholds):
        found = dict.fromkeys(record["category"] for record in records)
        names = [name for name in KIND_OF if name in found]
        for name in [*names, COMBINED]:
            own = [r for r in records if name in (COMBINED, r["category"])]
            missing = sum(r["missing"] for r in own)
            entries.append(
                {
                    "area_th": area_th,
                    "category": name,
                    "units": len(own),
                    "missing": missing,
                    **_levels(own, place, seed, complete=missing == 0),
                }
            )
    return entries


def _levels(
    records: Sequence[dict[str, Any]], place: int, seed: int, *, complete: bool
) -> dict[str, Any]:
    kept = [record for record in records if record["filters"] is not None]
    entries = [record["filters"][place] for record in kept]
    tables = {
        "image": [
            image_counts(entry["flagged"], record["tampered"])
            for entry, record in zip(entries, kept, strict=True)
        ],
        "pixel": [Counts(**entry["counts"]) for entry in entries],
    }
    groups = [record["group"] or record["key"] for record in kept]
    levels: dict[str, Any] = {}
    for level, table in tables.items():
        counts = sum(table, Counts())
        levels[level] = {
            "counts": asdict(counts),
            "corrected": corrected(counts) if complete else None,
            "mcc_interval": _interval(table, groups, seed) if complete else None,
            "legacy": for_json(official(counts, level)),
        }
    return levels


def _interval(table: list[Counts], groups: list[str], seed: int) -> Interval | None:
    """95 % interval of MCC by document."""
    rows = np.array([_in_order(counts) for counts in table], float).reshape(-1, 4)
    rng = np.random.default_rng([seed, len(table)])
    return resampling.interval(rows, groups, resampling.pooled_mcc, rng)


def for_json(scores: dict[str, Any]) -> dict[str, Any]:
    """Write NaN, which JSON has not, as the word the scripts print."""
    return {
        name: "nan" if isinstance(value, float) and math.isnan(value) else value
        for name, value in scores.items()
    }
