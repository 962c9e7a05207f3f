"""The photograph protocol of ForMa and LoMa, and what it leaves out.

For every tampered picture F1 and IoU at the threshold 0.5; the mean over the pictures of a set;
over sets the mean weighted by their pictures (what both papers print) and the plain one. Guo et
al., arXiv 2502.09941, Table I, and Lou et al., arXiv 2412.11214, with the authors' published code.

A picture whose truth is empty has no F1. It is left out and counted; how much of it was marked is
the false-alarm area. ``legacy`` is the papers' convention: the small constants of their code in
every denominator, and 0 for an empty truth, over all pictures that the set calls tampered.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tamperscope.evaluation import resampling
from tamperscope.evaluation.metrics import Counts, mcc_or_zero, ratio
from tamperscope.evaluation.scoring import GRID, counts_of, nan_for_none, none_for_nan

Record = dict[str, Any]
PAPER_EPSILON = 1e-6  # of the test loops of both; ForMa's script for saved masks has 1e-8


def paper_f1(counts: Counts, epsilon: float = PAPER_EPSILON) -> float:
    """F1 as the authors' code has it: 2PR / (P + R + eps), eps in P and R too; 0 where empty."""
    precision = counts.hits / (counts.hits + counts.false_alarms + epsilon)
    recall = counts.hits / (counts.hits + counts.misses + epsilon)
    return 2 * precision * recall / (precision + recall + epsilon)


def paper_iou(counts: Counts, epsilon: float = PAPER_EPSILON) -> float:
    """IoU as the authors' code has it: eps in the denominator."""
    return counts.hits / (counts.hits + counts.false_alarms + counts.misses + epsilon)


def summarise(records: Sequence[Record], seed: int) -> dict[str, Any]:
    """Scores per set, and both means over sets.

    Args:
        records: Of :func:`tamperscope.evaluation.scoring.score_picture`, with ``set``, ``group``,
            ``labelled`` (the set calls it tampered), ``tampered`` (the truth marks something) and
            ``operation`` (what was done to it, None where the set does not tell).
        seed: Of the bootstrap.
    """
    names = sorted({record["set"] for record in records})
    sets = [summarise_set(name, [r for r in records if r["set"] == name], seed) for name in names]
    return {"sets": sets, "average": averages(sets)}


def summarise_set(name: str, records: Sequence[Record], seed: int) -> dict[str, Any]:
    """Scores of one set; see the text of the module."""
    tampered = [record for record in records if record["tampered"]]
    labelled = [record for record in records if record["labelled"]]
    counts = [counts_of(record) for record in tampered]
    pooled = sum(map(counts_of, records), Counts())
    return {
        "set": name,
        "images": len(records),
        "tampered": len(tampered),
        "empty_truths": len(labelled) - len(tampered),
        "f1": none_for_nan(mean([c.f1 for c in counts])),
        "iou": none_for_nan(mean([c.iou for c in counts])),
        "mcc": none_for_nan(mean([mcc_or_zero(c) for c in counts])),
        "f1_interval": _mean_interval([c.f1 for c in counts], tampered, seed),
        "iou_interval": _mean_interval([c.iou for c in counts], tampered, seed),
        "marked_images": sum(c.hits + c.false_alarms > 0 for c in counts),
        "pooled": {"f1": none_for_nan(pooled.f1), "mcc": none_for_nan(mcc_or_zero(pooled))},
        "pristine": pristine_part([r for r in records if not r["labelled"]]),
        "graded": graded_part(tampered, records),
        "legacy": {
            "f1": none_for_nan(mean([paper_f1(counts_of(r)) for r in labelled])),
            "iou": none_for_nan(mean([paper_iou(counts_of(r)) for r in labelled])),
            "images": len(labelled),
        },
        "operations": by_operation(tampered, seed),
    }


def by_operation(tampered: Sequence[Record], seed: int) -> dict[str, dict[str, Any]]:
    """Means over the pictures of each operation that the set tells of."""
    found = {}
    for name in sorted({record["operation"] for record in tampered} - {None}):
        own = [record for record in tampered if record["operation"] == name]
        f1 = [counts_of(record).f1 for record in own]
        found[name] = {
            "images": len(own),
            "f1": none_for_nan(mean(f1)),
            "f1_interval": _mean_interval(f1, own, seed),
            "iou": none_for_nan(mean([counts_of(record).iou for record in own])),
            "auc": none_for_nan(mean([nan_for_none(record["auc"]) for record in own])),
        }
    return found


def pristine_part(records: Sequence[Record]) -> dict[str, Any] | None:
    """What was marked in pictures in which nothing is tampered; None where there are none."""
    if not records:
        return None
    area = [ratio(c.false_alarms, c.false_alarms + c.rejections) for c in map(counts_of, records)]
    return {
        "images": len(records),
        "false_alarm_area": mean(area),
        "worst_area": max(area),
        "marked_images": sum(a > 0 for a in area),
    }


def graded_part(tampered: Sequence[Record], records: Sequence[Record]) -> dict[str, Any] | None:
    """What heatmaps add to masks; None where no prediction is more than a mask.

    ``auc`` is the mean over pictures of the area under the ROC curve over pixels.
    ``image_auc`` orders the pictures of the set by their largest heat.
    ``best_f1`` takes the best threshold of every picture, ``best_fixed`` the one threshold of GRID
    that is best on this very set: both are oracles.
    """
    if not any(record["graded"] for record in records):
        return None
    totals = np.array([mean([_f1_at(r, i) for r in tampered]) for i in range(len(GRID))])
    best = None if np.isnan(totals).all() else int(np.nanargmax(totals))
    return {
        "auc": none_for_nan(mean([nan_for_none(r["auc"]) for r in tampered])),
        "image_auc": none_for_nan(image_auc(records)),
        "best_f1": none_for_nan(mean([nan_for_none(r["best_f1"]) for r in tampered])),
        "best_fixed": None if best is None else {"threshold": GRID[best], "f1": totals[best]},
    }


def _f1_at(record: Record, place: int) -> float:
    """F1 at one threshold of GRID; a mask is the same at all of them."""
    counts = counts_of(record)
    tampered = counts.hits + counts.misses
    hits, alarms = record.get("grid", [[counts.hits, counts.false_alarms]] * len(GRID))[place]
    return ratio(2 * hits, hits + alarms + tampered)


def image_auc(records: Sequence[Record]) -> float:
    """Area under the ROC curve of the largest heat; NaN without pictures of both kinds."""
    heat = np.array([record["heat"] for record in records])
    truth = np.array([record["labelled"] for record in records], dtype=bool)
    if truth.all() or not truth.any():
        return float("nan")
    above = (heat[truth][:, None] > heat[~truth]).mean()
    equal = (heat[truth][:, None] == heat[~truth]).mean()
    return float(above + equal / 2)


def averages(sets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over sets: weighted by the pictures that have the score, and plain."""
    return {
        "sets": len(sets),
        "weighted": {name: _over(sets, name, "tampered", weighted=True) for name in SCORES},
        "plain": {name: _over(sets, name, "tampered", weighted=False) for name in SCORES},
        "legacy_weighted": {
            name: _over([s["legacy"] for s in sets], name, "images", weighted=True)
            for name in SCORES
        },
        "legacy_plain": {
            name: _over([s["legacy"] for s in sets], name, "images", weighted=False)
            for name in SCORES
        },
    }


SCORES = ("f1", "iou")


def _over(parts: Sequence[dict[str, Any]], name: str, size: str, *, weighted: bool) -> float | None:
    scored = [(part[name], part[size]) for part in parts if part[name] is not None]
    if not scored:
        return None
    values, sizes = np.array(scored, dtype=float).T
    return float(np.average(values, weights=sizes if weighted else None))


def mean(values: Sequence[float]) -> float:
    """Mean of what is not NaN; NaN where nothing is left."""
    there = [value for value in values if not np.isnan(value)]
    return float(np.mean(there)) if there else float("nan")


def _mean_interval(
    values: Sequence[float], records: Sequence[Record], seed: int
) -> tuple[float, float] | None:
    rows = np.array([[value, 1.0] for value in values]).reshape(-1, 2)
    return interval_by_group(rows, records, resampling.mean_score, seed)


def interval_by_group(
    rows: np.ndarray, records: Sequence[Record], score: Callable[..., Any], seed: int
) -> tuple[float, float] | None:
    """Interval by document or scene; a picture that belongs to none is its own."""
    groups = [record["group"] or record["key"] for record in records]
    rng = np.random.default_rng([seed, len(records)])
    return resampling.interval(rows, groups, score, rng) if len(records) else None
