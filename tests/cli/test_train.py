import pytest
import torch
from click.testing import CliRunner

from tamperscope.cli import main
from tamperscope.cli.train import Voice, duration
from tamperscope.models.weights import load_weights
from tamperscope.training.progress import Tick
from tests.training.small import SINGLES, written


@pytest.fixture(autouse=True)
def same_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def run(*arguments):
    options = ["--device", "cpu", "--workers", "0", "--threads", "1"]
    return CliRunner().invoke(main, ["train", *map(str, arguments), *options])


def test_a_recipe_becomes_weights_and_goes_on_where_it_was(tmp_path):
    recipe, out = written(tmp_path, SINGLES), tmp_path / "run"
    first = run(recipe, "--out", out, "--minutes", "1e-9")
    assert first.exit_code == 0, first.output
    assert "time at step 1" in first.output
    second = run(recipe, "--out", out)
    assert second.exit_code == 0, second.output
    assert "going on from step 1" in second.output
    assert "step 8: mean_f1" in second.output
    assert "finished at step 8" in second.output
    assert "8 of 8: loss" in second.output
    assert load_weights(out / "best.safetensors").builder == "loma_test"


def test_weights_can_be_shown_by_their_card(tmp_path):
    recipe, out = written(tmp_path, SINGLES), tmp_path / "run"
    assert run(recipe, "--out", out).exit_code == 0
    shown = CliRunner().invoke(main, ["weights", "show", str(out / "last.safetensors")])
    assert shown.exit_code == 0, shown.output
    assert "loma_test" in shown.output
    assert "8 steps, 32 samples" in shown.output
    assert "mean_f1" in shown.output
    assert "Apache-2.0" in shown.output


def test_a_dry_run_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tamperscope.training.rehearsal.SECONDS", 0.01)
    recipe = written(tmp_path, SINGLES)
    before = sorted(tmp_path.rglob("*"))
    result = run(recipe, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "samples a second" in result.output
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("rate = 1e-3", "rats = 1e-3"), "optimiser: unknown key 'rats'; did you mean 'rate'?"),
        (('["drawn"]', '["corpus"]'), "no folder is known for 'corpus'"),
        (('precision = "16"', ""), None),
    ],
)
def test_a_broken_recipe_is_one_line_and_2(tmp_path, change, said):
    if said is None:
        change, said = ("[run]", '[run]\nprecision = "16"'), 'precision "16" needs a GPU'
    result = run(written(tmp_path, SINGLES.replace(*change)), "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_options_that_make_no_sense_are_refused(tmp_path):
    recipe = written(tmp_path, SINGLES)
    assert "give --out FOLDER" in run(recipe).output
    assert "give --out FOLDER" in run(recipe, "--dry-run", "--out", tmp_path / "x").output
    assert "NAME=DIR" in run(recipe, "--out", tmp_path / "x", "--root", "corpus").output
    assert "cannot be read" in run(tmp_path / "none.toml", "--out", tmp_path / "x").output
    assert "cannot be cut into 6 parts" in (
        run(recipe, "--out", tmp_path / "x", "--processes", "3").output
    )


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys, monkeypatch):
    clock = iter([100.0, 101.0, 131.0, 132.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    voice = Voice()
    voice.terminal = False
    for step in (1, 2, 3, 4):
        voice.tick(Tick(step, 4, 0.5, 1e-3, 21.25, 7300.0, {"data": 0.02}))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["step 1 of 4", "step 3 of 4", "step 4 of 4"]
    assert lines[0].endswith("21.2 samples/s, 2 % waiting for samples, 2 h 2 min left")


def test_times_are_said_in_words():
    assert [duration(seconds) for seconds in (42, 1020, 12000)] == ["42 s", "17 min", "3 h 20 min"]
