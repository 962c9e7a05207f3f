"""Scores a whole dataset: taken up again where it was stopped, written when it is complete."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tamperscope.data.samples import AnySample, PairSample
from tamperscope.errors import OutputError
from tamperscope.evaluation import measure, selection
from tamperscope.evaluation.journal import (
    code_fingerprint,
    open_journal,
    run_journaled,
    write_atomically,
)
from tamperscope.evaluation.predictions import Predictor
from tamperscope.evaluation.table_parts import FORMAT
from tamperscope.runtime import metadata

CASES = "tamperscope-evaluation-cases/1"
SCORER = (  # what decides the record of a sample; summaries are made anew every time
    "data",
    *(
        f"evaluation/{name}.py"
        for name in (
            "biofors",
            "mask_folder",
            "measure",
            "metrics",
            "predictions",
            "recodai",
            "scoring",
        )
    ),
)


@dataclass(frozen=True)
class Job:
    """One method on one dataset."""

    setting: measure.Setting
    samples: dict[str, AnySample]
    predictor: Predictor
    method: dict[str, Any]  # what the result says about it: name, kind, weights, code, files
    part: str  # "all", "tampered" or "pristine"
    limit: int | None
    sizes: str  # "native", "forma" or "loma"
    seed: int

    def header(self) -> dict[str, Any]:
        """What decides the records: a journal with another header is another measurement."""
        decided = {name: value for name, value in self.method.items() if name != "name"}
        header = {
            "format": CASES,
            "setting": measure.setting_as_json(self.setting),
            "sizes": self.sizes,
            "samples": len(self.samples),
            "pictures": selection.fingerprint(self.samples),
            "method": decided,
            "scorer": code_fingerprint(SCORER),
        }
        return dict(json.loads(json.dumps(header)))  # as it is read back: tuples are lists


def journal_of(out: Path) -> Path:
    """Journal beside a result file."""
    return out.with_suffix(".cases.jsonl")


def score(
    job: Job, out: Path, *, jobs: int, overwrite: bool, report: Callable[[int, int], None]
) -> dict[str, Any]:
    """Score every sample, write the result file and return what is in it.

    Args:
        job: What to score.
        out: The result file; its journal lies beside it.
        jobs: Processes; 1 for a method that cannot be pickled.
        overwrite: Start again over an earlier journal.
        report: Called with the number of samples done and of how many.

    Raises:
        OutputError: The journal is of another measurement, or nothing can be written.
    """
    path = journal_of(out)
    done = open_journal(path, job.header(), overwrite=overwrite)
    finished = itertools.count(1)
    records = run_journaled(
        list(job.samples),
        measure.Measurement(job.samples, job.predictor, job.setting),
        path,
        done,
        jobs=jobs,
        report=lambda key: report(next(finished), len(job.samples)),
    )
    result = {
        "format": FORMAT,
        "metadata": metadata(job.seed),
        "method": job.method,
        "setting": measure.setting_as_json(job.setting),
        "part": job.part,
        "limit": job.limit,
        "sizes": job.sizes,
        "cases": path.name,
        "reconstructed_pairs": any(
            isinstance(sample, PairSample) and not sample.listed for sample in job.samples.values()
        ),
        **measure.summarise(job.setting, records, job.seed),
    }
    try:
        write_atomically(out, json.dumps(result, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror}") from error
    return result
