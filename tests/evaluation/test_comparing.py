import json

import numpy as np
import pytest

from tamperscope.evaluation.comparing import compare_results, comparison_table
from tamperscope.evaluation.result_files import read_records
from tamperscope.evaluation.scoring import score_picture
from tamperscope.evaluation.table_parts import ResultFileError

SETTING = {"dataset": "tpgt", "threshold": 0.5, "protocol": "photographs"}


def write(folder, name, shift, keys, **changes):
    """A method that is off by ``shift`` columns on every picture; records as measure writes."""
    truth = np.zeros((20, 30), bool)
    truth[5:15, 5:15] = True
    lines = [{"format": "tamperscope-evaluation-cases/1"}]
    for key in keys:
        moved = np.roll(truth, shift, axis=1).astype(np.float32)
        record = {"key": key, "set": "s", "group": key, "labelled": True, "tampered": True}
        lines.append(record | score_picture(moved, truth))
    if keys:
        lines[-1] = {"key": keys[-1], "set": "s", "skipped": "torn"}
    path = folder / f"{name}.json"
    path.with_suffix(".cases.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    result = {
        "format": "tamperscope-evaluation/1", "method": {"name": name}, "setting": SETTING,
        "sizes": "native", "cases": f"{name}.cases.jsonl", "measured": len(keys) - 1,
        "skipped": [{"key": keys[-1], "why": "torn"}],
    }  # fmt: skip
    path.write_text(json.dumps(result | changes))
    return path


KEYS = [f"{n}.png" for n in range(9)]


def test_the_better_method_is_found(tmp_path):
    a, b = write(tmp_path, "far", 5, KEYS), write(tmp_path, "near", 1, KEYS)
    result = compare_results(a, b, seed=0)
    assert result["left_out"] == [KEYS[-1]]
    scores = {entry["score"]: entry for entry in result["scores"]}
    assert scores["F1"]["first"] == pytest.approx(0.5)
    assert scores["F1"]["second"] == pytest.approx(0.9)
    assert scores["F1"]["samples"] == 8
    # Every picture gains the same, so that all 8 must be swapped, or none: 2 in 256.
    assert scores["F1"]["p"] == pytest.approx(2 / 256, abs=0.008)
    assert set(scores) == {"F1", "IoU", "pixel MCC"}
    table = comparison_table(json.loads(json.dumps(result)))
    assert table.rows[0][:3] == ("F1", ".500", ".900")


def test_what_cannot_be_compared_is_refused(tmp_path):
    a = write(tmp_path, "a", 5, KEYS)
    with pytest.raises(ResultFileError, match=r"different samples \(1 are in one only, as 8\.png"):
        compare_results(a, write(tmp_path, "b", 5, KEYS[:-1]), seed=0)
    other = write(tmp_path, "c", 5, KEYS, setting={**SETTING, "threshold": 0.4})
    with pytest.raises(ResultFileError, match=r"scored differently \(setting\)"):
        compare_results(a, other, seed=0)
    journal = tmp_path / "a.cases.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-2]))
    with pytest.raises(ResultFileError, match="holds 7 of 9 samples"):
        read_records(a)
    journal.unlink()
    with pytest.raises(ResultFileError, match="is not beside it"):
        read_records(a)
