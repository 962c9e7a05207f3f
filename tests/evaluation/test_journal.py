import json

import pytest

from tamperscope.errors import OutputError
from tamperscope.evaluation.journal import code_fingerprint, open_journal, run_journaled


def square(key):
    return {"value": int(key) ** 2}


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    path, keys, ran = tmp_path / "a" / "cases.jsonl", ["3", "1", "2"], []

    def stopping(key):
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(key)
        return square(key)

    with pytest.raises(KeyboardInterrupt):
        run_journaled(keys, stopping, path, open_journal(path, {"seed": 0}, overwrite=False),
                      jobs=1, report=lambda key: None)  # fmt: skip
    with path.open("a") as file:
        file.write('{"key": "2", "val')  # the machine went down while a line was written
    done = open_journal(path, {"seed": 0}, overwrite=False)
    assert set(done) == {"3", "1"}
    seen = []
    records = run_journaled(keys, square, path, done, jobs=1, report=seen.append)
    assert [record["value"] for record in records] == [9, 1, 4]
    assert sorted(seen) == ["1", "2", "3"]
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()[1:]] == keys


def test_two_processes_give_the_same_records_in_the_same_order(tmp_path):
    path, keys = tmp_path / "cases.jsonl", [str(i) for i in range(12)]
    done = open_journal(path, {}, overwrite=False)
    records = run_journaled(keys, square, path, done, jobs=2, report=lambda key: None)
    assert [record["value"] for record in records] == [i * i for i in range(12)]


def test_the_journal_of_another_measurement_is_refused(tmp_path):
    path = tmp_path / "cases.jsonl"
    open_journal(path, {"seed": 0}, overwrite=False)
    with pytest.raises(OutputError, match="--overwrite"):
        open_journal(path, {"seed": 1}, overwrite=False)
    assert open_journal(path, {"seed": 1}, overwrite=True) == {}


def test_the_fingerprint_of_the_code_is_stable():
    assert code_fingerprint() == code_fingerprint()
    assert len(code_fingerprint()) == 16
