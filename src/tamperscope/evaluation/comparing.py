"""Compares two methods on the same samples, from the records of two evaluations."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tamperscope.evaluation import resampling
from tamperscope.evaluation.result_files import read_records, read_result
from tamperscope.evaluation.scoring import none_for_nan
from tamperscope.evaluation.statistics import statistics_of
from tamperscope.evaluation.table_parts import ResultFileError, Table, cell, with_interval
from tamperscope.runtime import metadata

FORMAT = "tamperscope-comparison/1"


def compare_results(first: Path, second: Path, seed: int) -> dict[str, Any]:
    """Compare two results of one dataset, sample by sample.

    Raises:
        ResultFileError: They are of different datasets, settings or samples, or a journal is gone.
    """
    one, two = read_result(first), read_result(second)
    for name in ("setting", "sizes"):
        if one.get(name) != two.get(name):
            raise ResultFileError(
                f"{first} and {second} were scored differently ({name}); a comparison needs one "
                "dataset, threshold and size"
            )
    a, b = read_records(first), read_records(second)
    if a.keys() != b.keys():
        lone = sorted(a.keys() ^ b.keys())
        raise ResultFileError(
            f"{first} and {second} hold different samples ({len(lone)} are in one only, as "
            f"{lone[0]}); evaluate both on the same part of the dataset"
        )
    left_out = [key for key in a if "skipped" in a[key] or "skipped" in b[key]]
    keys = [key for key in a if key not in set(left_out)]
    protocol = one["setting"]["protocol"]
    scores = []
    for s, t in zip(
        statistics_of(protocol, [a[key] for key in keys]),
        statistics_of(protocol, [b[key] for key in keys]),
        strict=True,
    ):
        rng = np.random.default_rng([seed, len(s.rows)])
        found = resampling.compare(s.rows, t.rows, s.groups, s.score, rng)
        numbers = {
            name: none_for_nan(value) if isinstance(value, float) else value
            for name, value in asdict(found).items()
        }
        scores.append({"score": s.name, **numbers})
    return {
        "format": FORMAT,
        "metadata": metadata(seed),
        "first": one["method"],
        "second": two["method"],
        "setting": one["setting"],
        "scores": scores,
        "left_out": left_out,
    }


def comparison_table(result: dict[str, Any]) -> Table:
    """Lay a comparison out."""
    first, second = result["first"]["name"], result["second"]["name"]
    rows = tuple(
        (
            entry["score"],
            cell(entry["first"]),
            cell(entry["second"]),
            with_interval(entry["difference"], entry["interval"]),
            cell(entry["p"], digits=4),
            f"{entry['samples']} in {entry['groups']}",
        )
        for entry in result["scores"]
    )
    head = ("score", first, second, "second - first", "p", "samples in groups")
    notes = (
        "95 % intervals of the difference by document or scene; p of a paired randomisation test, "
        "two-sided, for one score at a time.",
    )
    return Table(f"{second} against {first} on {result['setting']['dataset']}", head, rows, notes)
