"""How a score falls when the pictures are changed: one run per kind and level of change.

The pictures and truths are those of :mod:`tamperscope.evaluation.measure`; what the method sees is
changed first. The unchanged run stands beside every curve.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamperscope.data.samples import AnySample, PairSample, Sample
from tamperscope.evaluation import measure
from tamperscope.evaluation.journal import Record
from tamperscope.evaluation.perturbations import FAMILIES
from tamperscope.evaluation.predictions import Prediction, PredictionError, Predictor
from tamperscope.evaluation.scoring import heatmap_at, none_for_nan
from tamperscope.evaluation.statistics import statistics_of

UNCHANGED = "unchanged"
BETWEEN = "|"  # change, level and sample in a key


@dataclass(frozen=True)
class ChangedPredictor:
    """A method that sees changed pictures; its answer has the size of the unchanged one."""

    inner: Predictor
    family: str  # in FAMILIES
    level: float
    seed: int

    def check(self, samples: Sequence[AnySample]) -> None:
        """As the method itself."""
        self.inner.check(samples)

    def on_picture(self, sample: Sample, pixels: np.ndarray) -> Prediction:
        """Answer for the changed picture."""
        family = FAMILIES[self.family]
        name = zlib.crc32(f"{sample.source} {sample.image.name} {self.family}".encode())
        changed = family.change(pixels, self.level, np.random.default_rng([self.seed, name]))
        answer = self.inner.on_picture(sample, changed)
        size = (pixels.shape[0], pixels.shape[1])
        return Prediction(heatmap_at(answer.heatmap, size, graded=answer.graded), answer.graded)

    def on_pair(self, pair: PairSample) -> tuple[Prediction, Prediction]:
        """Refused: the two pictures of a pair are read by the method itself."""
        raise PredictionError("robustness is measured on single pictures, not on pairs")


@dataclass(frozen=True)
class RobustnessMeasurement:
    """Everything that is needed to score one sample under one change, by its key."""

    samples: dict[str, AnySample]
    predictor: Predictor
    setting: measure.Setting
    seed: int

    def check(self) -> None:
        """Refuse pairs before anything is scored."""
        if any(isinstance(sample, PairSample) for sample in self.samples.values()):
            raise PredictionError("robustness is measured on single pictures, not on pairs")

    def keys(self, families: Sequence[str]) -> list[str]:
        """Every sample unchanged, then under every change and level."""
        changes = [f"{UNCHANGED}{BETWEEN}"]
        changes += [f"{f}{BETWEEN}{level:g}" for f in families for level in FAMILIES[f].levels]
        return [f"{change}{BETWEEN}{key}" for change in changes for key in self.samples]

    def __call__(self, key: str) -> Record:
        """Score one sample under one change."""
        family, level, name = key.split(BETWEEN, 2)
        predictor = self.predictor
        if family != UNCHANGED:
            predictor = ChangedPredictor(predictor, family, float(level), self.seed)
        return measure.Measurement(self.samples, predictor, self.setting)(name)


def summarise(
    setting: measure.Setting, records: Sequence[Record], seed: int
) -> dict[str, list[dict[str, Any]]]:
    """Scores by change and level, with 95 % intervals by document or scene, and what was skipped.

    Returns:
        ``points``: {family, axis, level, scores: {name: {value, interval}}}, the unchanged run
        first; ``skipped``: {key, why} of the unchanged run.
    """
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        family, level, name = record["key"].split(BETWEEN, 2)
        found.setdefault((family, level), []).append({**record, "key": name})
    points = []
    for (family, level), own in found.items():
        changed = family != UNCHANGED
        points.append({
            "family": family,
            "axis": FAMILIES[family].axis if changed else None,
            "level": float(level) if changed else None,
            "scores": {
                s.name: {"value": none_for_nan(s.value), "interval": s.interval(seed)}
                for s in statistics_of(setting.protocol, own)
            },
        })  # fmt: skip
    skipped = [r for r in found.get((UNCHANGED, ""), []) if "skipped" in r]
    return {"points": points, "skipped": [{"key": r["key"], "why": r["skipped"]} for r in skipped]}
