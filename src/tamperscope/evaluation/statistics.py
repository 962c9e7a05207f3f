"""The scores of each protocol as sums over samples, for intervals, comparisons and curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamperscope.evaluation import biofors, resampling
from tamperscope.evaluation.metrics import Counts
from tamperscope.evaluation.resampling import Interval, Score, Sums
from tamperscope.evaluation.scoring import counts_of

Record = dict[str, Any]


@dataclass(frozen=True)
class Statistic:
    """One score of a run: what it is made of, sample by sample."""

    name: str
    rows: Sums  # (samples, columns)
    groups: tuple[str, ...]  # document, scene or source of every sample
    score: Score

    @property
    def value(self) -> float:
        """The score; NaN where it does not exist."""
        return float(self.score(self.rows.sum(axis=0)))

    def interval(self, seed: int) -> Interval | None:
        """95 % interval by group."""
        if not len(self.rows):
            return None
        rng = np.random.default_rng([seed, len(self.rows)])
        return resampling.interval(self.rows, self.groups, self.score, rng)


def statistics_of(protocol: str, records: Sequence[Record]) -> list[Statistic]:
    """Main scores of a run.

    Args:
        protocol: As :attr:`tamperscope.evaluation.measure.Setting.protocol` names it.
        records: Of every sample; those that were skipped do not count.
    """
    kept = [record for record in records if "skipped" not in record]
    if protocol == "biofors":
        return _biofors([record for record in kept if record["filters"] is not None])
    if protocol == "recodai":
        return [_mean("oF1", [record["of1"] for record in kept], kept)]
    pooled = _pooled("pixel MCC", [counts_of(record) for record in kept], kept)
    if protocol == "subsets":
        return [pooled]
    tampered = [record for record in kept if record["tampered"]]
    return [
        _mean("F1", [counts_of(record).f1 for record in tampered], tampered),
        _mean("IoU", [counts_of(record).iou for record in tampered], tampered),
        pooled,
    ]


def _biofors(records: Sequence[Record]) -> list[Statistic]:
    found = []
    for place, entry in enumerate(records[0]["filters"] if records else ()):
        area_th = entry["area_th"]
        note = "" if area_th is None else f", area filter {area_th:g}"
        entries = [record["filters"][place] for record in records]
        images = [
            biofors.image_counts(e["flagged"], r["tampered"])
            for e, r in zip(entries, records, strict=True)
        ]
        pixels = [Counts(**e["counts"]) for e in entries]
        found.append(_pooled(f"image MCC{note}", images, records))
        found.append(_pooled(f"pixel MCC{note}", pixels, records))
    return found


def _mean(name: str, values: Sequence[float], records: Sequence[Record]) -> Statistic:
    rows = np.array([[value, 1.0] for value in values]).reshape(-1, 2)
    return Statistic(name, rows, _groups(records), resampling.mean_score)


def _pooled(name: str, counts: Sequence[Counts], records: Sequence[Record]) -> Statistic:
    rows = np.array(
        [[c.hits, c.false_alarms, c.misses, c.rejections] for c in counts], dtype=float
    ).reshape(-1, 4)
    return Statistic(name, rows, _groups(records), resampling.pooled_mcc)


def _groups(records: Sequence[Record]) -> tuple[str, ...]:
    return tuple(record["group"] or record["key"] for record in records)
