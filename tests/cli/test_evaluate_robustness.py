import json

import numpy as np
import pytest
from click.testing import CliRunner

from tamperscope.cli import main
from tamperscope.images import write_png
from tests.evaluation.drawn import texture


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos") / "root"
    mask = np.zeros((64, 64), np.uint8)
    mask[:32] = 255
    for name in ("Tp", "Gt"):
        (root / name).mkdir(parents=True)
    for number in range(2):
        write_png(root / "Tp" / f"{number}.png", texture(number, 64, 64))
        write_png(root / "Gt" / f"{number}.png", mask)
    return root


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_a_result_its_curves_and_both_in_a_table(photos, tmp_path):
    out = tmp_path / "r.json"
    asked = ("evaluate", "robustness", "--dataset", "tpgt", "--root", photos, "--detector", "seams",
             "--change", "brightness", "--change", "noise", "--out", out)  # fmt: skip
    done = run(*asked)
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    assert result["changes"] == ["brightness", "noise"]
    assert len(result["points"]) == 1 + 3 + 3
    assert out.with_suffix(".svg").read_text().startswith("<svg")
    assert run(*asked).exit_code == 2
    lines = out.with_suffix(".cases.jsonl").read_text().splitlines()
    assert len(lines) == 1 + 2 * 7
    table = run("table", out, "--plot", tmp_path / "both.svg", "--score", "IoU")
    assert table.exit_code == 0, table.output
    assert "| brightness | 0.8 |" in table.output
    assert "IoU" in (tmp_path / "both.svg").read_text()
    out.unlink()
    lines[3:] = []  # a stopped run goes on
    out.with_suffix(".cases.jsonl").write_text("\n".join(lines) + "\n")
    assert run(*asked).exit_code == 0
    assert json.loads(out.read_text())["points"] == result["points"]


def test_two_results_are_compared(photos, tmp_path):
    masks = tmp_path / "masks" / "Tp"
    for name in ("right", "wrong"):
        for number in range(2):
            mask = np.zeros((64, 64), np.uint8)
            mask[: 32 if name == "right" else 48] = 255
            masks.mkdir(parents=True, exist_ok=True)
            write_png(masks / f"{number}.png", mask)
        done = run("evaluate", "--dataset", "tpgt", "--root", photos, "--masks", masks.parent,
                   "--name", name, "--out", tmp_path / f"{name}.json")  # fmt: skip
        assert done.exit_code == 0, done.output
    done = run("evaluate", "compare", tmp_path / "wrong.json", tmp_path / "right.json",
               "--out", tmp_path / "c.json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "right against wrong on tpgt" in done.output
    result = json.loads((tmp_path / "c.json").read_text())
    assert result["metadata"]["seed"] == 0
    assert "commit" in result["metadata"]
    (f1, *_) = result["scores"]
    assert f1["difference"] == pytest.approx(1 - 2 * 32 / (32 + 48))
    assert run("table", tmp_path / "right.json", "--plot", tmp_path / "x.svg").exit_code == 2
