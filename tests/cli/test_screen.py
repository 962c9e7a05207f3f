import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import tamperscope.report
from tamperscope.cli import COMMANDS, main

SCHEMA = json.loads(
    (Path(tamperscope.report.__file__).parent / "findings.schema.json").read_text(encoding="utf-8")
)


def run(*arguments: str | Path):
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def texture(seed: int, side: int = 200) -> np.ndarray:
    rng = np.random.default_rng([seed, 5])
    field = np.zeros((side, side))
    for cells in (5, 9, 17, 40):
        coarse = rng.uniform(0, 1, (cells, cells)) * 255
        image = Image.fromarray(coarse.astype(np.uint8)).resize(
            (side, side), Image.Resampling.BICUBIC
        )
        field += np.asarray(image, dtype=float) / 4
    grey = np.clip(field + rng.normal(0, 2, field.shape), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A picture, and another one that holds its middle, mirrored."""
    a, b = texture(1), texture(2)
    b[30:150, 40:160] = a[40:160, 40:160][:, ::-1]
    paths = tmp_path / "a.png", tmp_path / 'b "quoted" <i> ü.png'
    for path, pixels in zip(paths, (a, b), strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def test_compare_writes_masks_report_and_findings(pair, tmp_path):
    out = tmp_path / "out"
    done = run("compare", *pair, "--out", out)
    assert done.exit_code == 0, done.output
    a, b = (np.asarray(Image.open(out / f"{letter}_mask.png")) for letter in "ab")
    assert a.shape == b.shape == (200, 200)
    truth_a, truth_b = np.zeros((2, 200, 200), dtype=bool)
    truth_a[40:160, 40:160] = True
    truth_b[30:150, 40:160] = True
    for mask, truth in ((a, truth_a), (b, truth_b)):
        assert set(np.unique(mask)) <= {0, 255}
        assert ((mask > 0) & truth).sum() / ((mask > 0) | truth).sum() > 0.8
    data = json.loads((out / "findings.json").read_text(encoding="utf-8"))
    jsonschema.validate(data, SCHEMA)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<i> ü" not in page
    assert "mirrored left to right" in data["findings"][0]["reason"]


def test_screen_writes_everything_it_names_and_nothing_outside(pair, tmp_path):
    before = set(tmp_path.rglob("*"))
    out = tmp_path / "review"
    done = run("screen", *pair, "--out", out, "--jobs", "1")
    assert done.exit_code == 0, done.output
    data = json.loads((out / "findings.json").read_text(encoding="utf-8"))
    jsonschema.validate(data, SCHEMA)
    assert [finding["kind"] for finding in data["findings"]] == ["duplicate"]
    for finding in data["findings"]:
        for region in finding["regions"]:
            assert (out / region["mask"]).is_file()
        for picture in finding["evidence"]["pictures"].values():
            assert (out / picture).is_file()
    assert (out / "panels.json").is_file()
    assert all(path.is_relative_to(out) for path in set(tmp_path.rglob("*")) - before)


def test_fail_on_findings_exits_with_1(pair, tmp_path):
    done = run("screen", *pair, "--out", tmp_path / "o", "--jobs", "1", "--fail-on-findings")
    assert done.exit_code == 1


def test_the_prevalence_goes_into_the_report(pair, tmp_path):
    given = ["--detector", "seams", "--no-nets", "--jobs", "1", "--prevalence", "0.04"]
    done = run("screen", pair[0], "--out", tmp_path / "o", *given)
    assert done.exit_code == 0, done.output
    data = json.loads((tmp_path / "o" / "findings.json").read_text(encoding="utf-8"))
    assert data["run"]["parameters"]["prevalence"] == 0.04
    jsonschema.validate(data, SCHEMA)
    page = (tmp_path / "o" / "report.html").read_text(encoding="utf-8")
    assert "if something is there in 4 % of compared pairs" in page
    data["run"]["parameters"]["prevalence"] = 4
    with pytest.raises(jsonschema.ValidationError, match="4 is greater"):
        jsonschema.validate(data, SCHEMA)


def test_a_corrected_split_is_used(pair, tmp_path):
    run("screen", *pair, "--out", tmp_path / "one", "--jobs", "1")
    panels = tmp_path / "one" / "panels.json"
    data = json.loads(panels.read_text(encoding="utf-8"))
    data["figures"][1]["panels"] = []  # the second picture is not to be looked at
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(data), encoding="utf-8")
    done = run("screen", *pair, "--out", tmp_path / "two", "--panels", edited, "--jobs", "1")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("0 findings") or "\n0 findings" in done.output


def test_the_same_input_gives_the_same_bytes(pair, tmp_path):
    for name in ("one", "two"):
        run("screen", *pair, "--out", tmp_path / name, "--jobs", "1")
    one = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*"))
    two = sorted(p.relative_to(tmp_path / "two") for p in (tmp_path / "two").rglob("*"))
    assert one == two
    for path in one:
        first, second = tmp_path / "one" / path, tmp_path / "two" / path
        if first.is_file() and path.name not in ("findings.json", "report.html"):
            assert first.read_bytes() == second.read_bytes(), path
    a, b = (json.loads((tmp_path / n / "findings.json").read_text("utf-8")) for n in ("one", "two"))
    a["run"].pop("seconds")
    b["run"].pop("seconds")
    assert a == b


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["screen", "nowhere.pdf", "--out", "out"], "nowhere.pdf"),
        (["screen", "--out", "out"], "Missing argument"),
        (["compare", "nowhere.png", "--out", "out"], "nowhere.png"),
        (["scren"], "scren"),
        (["screen", "a.png", "--out", "out", "--prevalence", "4"], "0<x<1"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_line(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code in (2, 3)
    assert message in done.output
    assert "Traceback" not in done.output


def test_a_foreign_folder_is_never_overwritten(pair, tmp_path):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").write_text("mine")
    for more in ([], ["--overwrite"]):
        done = run("screen", *pair, "--out", out, *more)
        assert done.exit_code == 2
        assert "thesis" in done.output
    assert (out / "chapter.txt").read_text() == "mine"


def test_overwrite_replaces_an_earlier_result_and_keeps_other_files(pair, tmp_path):
    out = tmp_path / "out"
    assert run("compare", *pair, "--out", out).exit_code == 0
    (out / "notes.txt").write_text("mine")
    assert run("compare", *pair, "--out", out).exit_code == 2
    assert run("compare", pair[0], "--out", out, "--overwrite").exit_code == 0
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / "b_mask.png").exists()


def test_a_file_in_place_of_the_folder_is_an_error(pair, tmp_path):
    done = run("screen", *pair, "--out", pair[0])
    assert done.exit_code == 2
    assert "name a folder" in done.output


def test_nothing_readable_ends_with_3_and_a_report(tmp_path):
    (tmp_path / "empty.pdf").write_bytes(b"")
    done = run("screen", tmp_path / "empty.pdf", "--out", tmp_path / "out")
    assert done.exit_code == 3
    assert "empty.pdf" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_leaves_a_report(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(30):
        Image.fromarray(texture(index, 400)).save(folder / f"{index:02d}.png")
    code = (  # a test run that was started in the background hands down that SIGINT is ignored
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from tamperscope.cli import main; main()"
    )
    command = ["screen", str(folder), "--out", str(tmp_path / "out"), "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    figures = tmp_path / "out" / "evidence" / "figures"
    deadline = time.monotonic() + 60
    while not list(figures.glob("f01*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors.decode()
    assert "Traceback" not in errors.decode()
    data = json.loads((tmp_path / "out" / "findings.json").read_text(encoding="utf-8"))
    assert data["run"]["interrupted"]


def test_help_is_quick_and_names_every_command():
    done = run("--help")
    assert done.exit_code == 0
    assert all(name in done.output for name in COMMANDS)
    code = "import sys, tamperscope.cli; sys.exit(bool({'numpy', 'cv2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
