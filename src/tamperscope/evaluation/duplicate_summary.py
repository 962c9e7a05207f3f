"""From the records of all cases to the numbers of a result file, and to a table in plain text."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tamperscope.evaluation import metrics, transforms
from tamperscope.evaluation.duplicates import MODES
from tamperscope.evaluation.intervals import bootstrap_by_source, clopper_pearson
from tamperscope.evaluation.journal import Record
from tamperscope.evaluation.metrics import Counts

PRISTINE = ("unrelated", "same-origin", "panel")
LISTED = 40  # false alarms named in the result file


def summarise(records: Sequence[Record], seed: int) -> dict[str, Any]:
    """Sum up what :class:`~tamperscope.evaluation.duplicate_cases.Measurement` recorded."""
    ran = [record for record in records if "skipped" not in record]
    positive = [record for record in ran if record["alteration"] is not None]
    share = _shares(seed)
    result: dict[str, Any] = {"recall": {}, "false_alarms": {}, "pixels": {}, "seconds": {}}
    for group in ("pair", "within"):
        own = [record for record in positive if record["group"] == group]
        result["recall"][group] = {
            "all": share(own, "hit"),
            "alteration": _by(own, "alteration", transforms.CLASSES, lambda r: share(r, "hit")),
            "kind": _by(own, "kind", None, lambda r: share(r, "hit")),
            "mode": _by(own, "mode", (*MODES, "copy-move"), lambda r: share(r, "hit")),
        }
        result["pixels"][group] = _pixel_scores(own)
    result["recall"]["all"] = share(positive, "hit")
    result["recall"]["alteration"] = _by(
        positive, "alteration", transforms.CLASSES, lambda r: share(r, "hit")
    )
    for group in PRISTINE:
        own = [record for record in ran if record["group"] == group]
        result["false_alarms"][group] = {
            "all": share(own, "alarm"),
            "kind": _by(own, "kind", None, lambda r: share(r, "alarm")),
            "alarms": [_alarm(record) for record in own if record["matches"]][:LISTED],
        }
    for name, groups in (
        ("pair", ("pair", "unrelated", "same-origin")),
        ("panel", ("within", "panel")),
    ):
        result["seconds"][name] = _seconds([r for r in ran if r["group"] in groups])
    skips = Counter((r["group"], r["skipped"]) for r in records if "skipped" in r)
    result["skipped_cases"] = [
        {"group": group, "why": why, "cases": n} for (group, why), n in sorted(skips.items())
    ]
    return result


def _shares(seed: int) -> Callable[[list[Record], str], dict[str, Any]]:
    def share(records: list[Record], what: str) -> dict[str, Any]:
        outcomes = [bool(r["hit"]) if what == "hit" else r["matches"] > 0 for r in records]
        successes, trials = sum(outcomes), len(outcomes)
        by_source = bootstrap_by_source(
            outcomes, [r["origin"] for r in records], np.random.default_rng([seed, trials])
        )
        low, high = clopper_pearson(successes, trials)
        found: dict[str, Any] = {
            "successes": successes,
            "trials": trials,
            "share": _finite(metrics.ratio(successes, trials)),
            "interval": None if trials == 0 else [low, high],
            "interval_by_origin": None if by_source is None else list(by_source),
        }
        if what == "hit":
            found["flagged"] = sum(r["matches"] > 0 for r in records)
        return found

    return share


def _by(
    records: list[Record],
    field: str,
    order: Sequence[str] | None,
    score: Callable[[list[Record]], dict[str, Any]],
) -> dict[str, Any]:
    present = {record[field] for record in records}
    names = sorted(present) if order is None else [name for name in order if name in present]
    return {name: score([r for r in records if r[field] == name]) for name in names}


def _pixel_scores(records: list[Record]) -> dict[str, Any]:
    counts = [Counts(**record["pixels"]) for record in records]
    pooled = sum(counts, Counts())
    partial = [c for c in counts if not math.isnan(metrics.mcc_or_zero(c))]
    return {
        "f1_mean": _mean([c.f1 for c in counts]),
        "mcc_mean": _mean([metrics.mcc_or_zero(c) for c in partial]),
        "mcc_samples": len(partial),
        "f1_pooled": _finite(pooled.f1),
        "mcc_pooled": _finite(pooled.mcc),
    }


def _seconds(records: list[Record]) -> dict[str, Any] | None:
    if not records:
        return None
    matching = [record["seconds"] for record in records]
    return {
        "samples": len(records),
        "matching_median": float(np.median(matching)),
        "matching_p95": float(np.quantile(matching, 0.95)),
        "matching_longest": max(matching),
        "preparing_median": float(np.median([record["seconds_preparing"] for record in records])),
        "megapixels_mean": float(np.mean([record["megapixels"] for record in records])),
    }


def _alarm(record: Record) -> dict[str, Any]:
    return {"kind": record["kind"], "sources": list(record["sources"]), **record["best"]}


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def as_text(result: dict[str, Any]) -> str:
    """Lay the summary out for a terminal."""
    lines = ["Recall: share of known duplications found (95 % interval), pairs | inside a panel"]
    pair, within = result["recall"]["pair"], result["recall"]["within"]
    for field in ("alteration", "kind", "mode"):
        lines.append(f"  by {field}")
        names = dict.fromkeys([*pair[field], *within[field]])
        for name in names:
            cells = [_cell(group[field].get(name)) for group in (pair, within)]
            lines.append(f"    {name:16} {cells[0]:30} {cells[1]}")
    lines.append(f"    {'all':16} {_cell(pair['all']):30} {_cell(within['all'])}")
    both = result["recall"]["all"]
    lines.append(f"  pairs and panels together: {_cell(both)}")
    lines.append("False alarms: share of pristine samples with any match (95 % interval)")
    for group, found in result["false_alarms"].items():
        lines.append(f"  {group:18} {_cell(found['all'])}")
        lines += [f"    {kind:16} {_cell(cell)}" for kind, cell in found["kind"].items()]
    lines.append("Pixels marked on positive samples")
    for group, scores in result["pixels"].items():
        cells = [f"{name} {_number(scores[name])}" for name in scores if name != "mcc_samples"]
        lines.append(f"  {group:18} " + ", ".join(cells))
    for name, seconds in result["seconds"].items():
        if seconds is not None:
            lines.append(
                f"Seconds per {name}: median {seconds['matching_median']:.3f}, "
                f"95 % below {seconds['matching_p95']:.3f}, "
                f"preparing {seconds['preparing_median']:.3f}"
            )
    skipped = sum(entry["cases"] for entry in result["skipped_cases"])
    lines.append(f"Cases that no picture could show: {skipped}")
    return "\n".join(lines)


def _cell(share: dict[str, Any] | None) -> str:
    if share is None or share["trials"] == 0:
        return "-"
    low, high = share["interval"]
    return f"{share['share']:.3f} ({low:.3f}-{high:.3f}) of {share['trials']}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
