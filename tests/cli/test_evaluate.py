import json

import pytest
from click.testing import CliRunner

from tamperscope.cli import main
from tests.evaluation.drawn import write_pictures


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("pristine") / "root")


def run(*arguments):
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def few(pictures, out, *more):
    return run("duplicates", "--images", pictures, "--count", 0, "--pristine", 1, "--panels", 1,
               "--detector", "keypoints", "--out", out, *more)  # fmt: skip


def test_pristine_panels_are_counted_and_what_cannot_serve_is_said(pictures, tmp_path):
    out = tmp_path / "deep" / "result.json"
    done = few(pictures, out)
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    assert result["format"] == "tamperscope-duplicates/1"
    assert result["false_alarms"]["panel"]["all"]["trials"] == 1
    assert result["false_alarms"]["unrelated"]["all"]["trials"] == 1
    assert {entry["why"].partition(":")[0] for entry in result["skipped_pictures"]} == {
        "constant",
        "too small",
    }
    assert result["metadata"]["seed"] == 0
    assert "False alarms" in done.output
    again = few(pictures, out)
    assert again.exit_code == 2
    assert "--overwrite" in again.output
    out.unlink()
    assert few(pictures, out).exit_code == 0  # from the journal
    resumed = json.loads(out.read_text())
    assert resumed["seconds"] == result["seconds"]
    out.unlink()
    other = few(pictures, out, "--seed", 1)
    assert other.exit_code == 2
    assert "another measurement" in other.output


def test_seams_are_measured_on_the_blots_of_a_folder(pictures, tmp_path):
    out = tmp_path / "seams.json"
    done = run("seams", "--images", pictures, "--count", 0, "--out", out)
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    assert result["false_alarms"]["either"]["trials"] == 4
    assert result["metadata"]["pictures"] == 4


def test_folders_that_cannot_serve_are_one_line_errors(pictures, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("duplicates", "--images", tmp_path / "empty", "--out", tmp_path / "x.json")
    assert done.exit_code == 2
    assert "holds no pictures" in done.output
    assert "Traceback" not in done.output
    done = run("seams", "--images", pictures / "microscopy", "--out", tmp_path / "x.json")
    assert done.exit_code == 2
    assert "blots" in done.output
