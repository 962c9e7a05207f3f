"""Pixel MCC per subset and pooled: the score of the Western blots and of RSIID.

Manjunath et al., WIFS 2024 (subsets: how a blot was altered) and Cardenuto and Rocha, 2022
(subsets: simple or compound figures, and the operation). BioTamperNet prints one pixel MCC for each
of the two sets and says neither which subsets it took nor whether pixels were pooled or averaged;
both are given.

Pooled over subsets is dominated by the largest one; the plain mean over subsets is not.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tamperscope.data.samples import AnySample, Sample
from tamperscope.evaluation import resampling
from tamperscope.evaluation.metrics import Counts, mcc_or_zero
from tamperscope.evaluation.photographs import Record, interval_by_group, mean, pristine_part
from tamperscope.evaluation.scoring import counts_of, none_for_nan

RSIID_KINDS = ("simple", "compound")
POOLED = "pooled"


def subset_of(sample: AnySample) -> str:
    """Subset that a sample counts in: the part of a Western blot set, the operation in RSIID."""
    if sample.source != "rsiid" or not isinstance(sample, Sample):
        return sample.source
    parts = sample.image.parts[:-1]
    for kind in RSIID_KINDS:
        if kind in parts:
            rest = parts[parts.index(kind) + 1 :]
            operation = rest[1] if len(rest) > 1 and rest[0] == "forgery" else "".join(rest[:1])
            return "/".join(part for part in ("rsiid", kind, operation) if part)
    return sample.source


def summarise(records: Sequence[Record], seed: int) -> dict[str, Any]:
    """Scores of every subset, of all pixels together, and the plain mean over subsets."""
    names = sorted({record["set"] for record in records})
    subsets = [_scores(name, [r for r in records if r["set"] == name], seed) for name in names]
    scored = [entry["mcc"] for entry in subsets if entry["mcc"] is not None]
    return {
        "sets": [*subsets, _scores(POOLED, records, seed)],
        "plain_mcc": none_for_nan(mean(scored)),
    }


def _scores(name: str, records: Sequence[Record], seed: int) -> dict[str, Any]:
    counts = [counts_of(record) for record in records]
    pooled = sum(counts, Counts())
    rows = np.array([[c.hits, c.false_alarms, c.misses, c.rejections] for c in counts], float)
    tampered = [c for c in counts if c.hits + c.misses]
    return {
        "set": name,
        "images": len(records),
        "tampered": len(tampered),
        "marked_images": sum(c.hits + c.false_alarms > 0 for c in counts),
        "mcc": none_for_nan(mcc_or_zero(pooled)),
        "mcc_interval": interval_by_group(rows, records, resampling.pooled_mcc, seed),
        "f1": none_for_nan(pooled.f1),
        "mcc_mean": none_for_nan(mean([mcc_or_zero(c) for c in tampered])),
        "f1_mean": none_for_nan(mean([c.f1 for c in tampered])),
        "pristine": pristine_part([r for r in records if not r["labelled"]]),
    }
