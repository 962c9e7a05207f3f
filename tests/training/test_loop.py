import hashlib
import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from tamperscope.errors import OutputError, TrainingError
from tamperscope.models.weights import load_weights, read_card
from tamperscope.synth.drawn_source import DrawnSource
from tamperscope.synth.recipe import read_recipe
from tamperscope.synth.writing import Task, write_set
from tamperscope.training import loop, stepping
from tests.training.small import FORGE, OPERATIONS, PAIRS, SINGLES, Quiet, trained, written


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Killed(BaseException):
    """Stands for a kill: nobody catches it, nothing is saved because of it."""


def killed_after(monkeypatch, steps):
    """Let the training die in the middle of a step, before anything is saved for it."""
    real = stepping.Stepper.step
    left = [steps]

    def step(self, batches, position):
        result = real(self, batches, position)
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return result

    monkeypatch.setattr(stepping.Stepper, "step", step)


def steps_of(out):
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


@pytest.mark.parametrize("text", [PAIRS, SINGLES], ids=["pairs", "singles"])
def test_a_run_killed_again_and_again_ends_with_the_same_bytes(tmp_path, monkeypatch, text):
    recipe = written(tmp_path, text)
    whole = trained(recipe, tmp_path / "whole")
    assert whole.why == "finished"
    for steps in (0, 3, 4):
        with monkeypatch.context() as patched:
            killed_after(patched, steps)
            with pytest.raises(Killed):
                trained(recipe, tmp_path / "killed")
    listener = Quiet()
    outcome = trained(recipe, tmp_path / "killed", listener)
    assert outcome.position.step == 8
    assert "going on from step" in listener.lines[0]
    for name in ("best.safetensors", "last.safetensors", "checkpoint.safetensors"):
        expected = load_file(tmp_path / "whole" / name)
        found = load_file(tmp_path / "killed" / name)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert torch.equal(found[key], value), f"{name}: {key}"
    assert steps_of(tmp_path / "killed") == steps_of(tmp_path / "whole")


def test_training_changes_weights_and_writes_a_card(tmp_path):
    recipe = written(tmp_path)
    outcome = trained(recipe, tmp_path / "run")
    network = load_weights(tmp_path / "run" / "last.safetensors")
    card = read_card(tmp_path / "run" / "last.safetensors")
    assert card.builder == "biotampernet_test"
    assert card.licence == "Apache-2.0"
    assert card.training["recipe"] == recipe.read_text()
    assert card.training["steps"] == 8
    assert card.training["score"]["step"] == outcome.position.best_step
    start = load_file(tmp_path / "run" / "checkpoint.safetensors")
    fresh = load_weights(tmp_path / "run" / "best.safetensors").state_dict()
    assert network.state_dict().keys() == fresh.keys()
    average = {k.removeprefix("average/module."): v for k, v in start.items()
               if k.startswith("average/module.")}  # fmt: skip
    for key, value in network.state_dict().items():
        assert torch.equal(value, average[key]), key


def test_a_set_on_disk_trains_as_well(tmp_path):
    recipe = read_recipe(FORGE + OPERATIONS["singles"], "singles")
    write_set(Task(recipe, DrawnSource(), tmp_path / "set"), 6)
    text = SINGLES.replace('forge = "{folder}/singles.toml"\nsources = ["drawn"]',
                           'dataset = "forged"\nroot = "own"\nsize = [64, 64]')  # fmt: skip
    path = written(tmp_path, text + f'\n[roots]\nown = "{tmp_path}/set"\n', steps="3")
    outcome = trained(path, tmp_path / "run")
    assert (outcome.why, outcome.position.step) == ("finished", 3)
    manifest = (tmp_path / "set" / "manifest.jsonl").read_bytes()
    told = read_card(tmp_path / "run" / "last.safetensors").training
    assert told["manifests"] == {"own/manifest.jsonl": hashlib.sha256(manifest).hexdigest()}


def test_a_second_start_of_a_finished_run_does_nothing(tmp_path):
    recipe = written(tmp_path, SINGLES)
    trained(recipe, tmp_path / "run")
    before = (tmp_path / "run" / "checkpoint.safetensors").stat().st_mtime_ns
    assert trained(recipe, tmp_path / "run").why == "finished"
    assert (tmp_path / "run" / "checkpoint.safetensors").stat().st_mtime_ns == before


def test_another_recipe_in_the_same_folder_is_refused(tmp_path):
    trained(written(tmp_path, SINGLES), tmp_path / "run", minutes=1e-9)
    other = written(tmp_path, SINGLES, rate="2e-3")
    with pytest.raises(OutputError, match="differs in optimiser"):
        trained(other, tmp_path / "run")


def test_time_that_is_up_leaves_a_checkpoint(tmp_path):
    recipe = written(tmp_path, SINGLES)
    outcome = trained(recipe, tmp_path / "run", minutes=1e-9)
    assert (outcome.why, outcome.position.step) == ("time", 1)
    assert trained(recipe, tmp_path / "run").position.step == 8


def test_a_signal_ends_the_run_after_its_step_with_a_checkpoint(tmp_path):
    class Interrupting(Quiet):
        def tick(self, tick):
            if tick.step == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    recipe, before = written(tmp_path, SINGLES), signal.getsignal(signal.SIGTERM)
    outcome = trained(recipe, tmp_path / "run", Interrupting())
    assert (outcome.why, outcome.position.step) == ("interrupted", 3)
    assert signal.getsignal(signal.SIGTERM) is before
    listener = Quiet()
    assert trained(recipe, tmp_path / "run", listener).position.step == 8
    assert "from step 3" in listener.lines[0]


def test_a_loss_that_is_no_number_stops_before_the_weights_do(tmp_path, monkeypatch):
    recipe = written(tmp_path, SINGLES)
    monkeypatch.setattr(
        "tamperscope.training.objectives.dice_focal_loss",
        lambda logits, *_, **__: logits.sum() * float("nan"),
    )
    with pytest.raises(TrainingError, match="step 0: the loss is nan"):
        trained(recipe, tmp_path / "run")
    kept = load_file(tmp_path / "run" / "checkpoint.safetensors")
    assert all(value.isfinite().all() for value in kept.values())


def test_no_room_for_the_next_checkpoint_stops_while_everything_is_saved(tmp_path, monkeypatch):
    recipe = written(tmp_path, SINGLES)
    saved = []

    def check_room(folder, what):
        saved.append(what)
        if len(saved) == 2:
            raise OutputError(f"{folder}: no room; {what} is saved")

    monkeypatch.setattr(loop, "check_room", check_room)
    with pytest.raises(OutputError, match="step 2 is saved"):
        trained(recipe, tmp_path / "run")
    monkeypatch.undo()
    listener = Quiet()
    trained(recipe, tmp_path / "run", listener)
    assert "from step 2" in listener.lines[0]


def test_early_stopping_ends_a_run_that_gets_no_better(tmp_path, monkeypatch):
    text = SINGLES.replace("[run]", "[run]\nearly_stopping = 1").replace("every = 4", "every = 1")
    recipe = written(tmp_path, text)
    monkeypatch.setattr(loop, "overall", lambda scores, name: 0.5)
    outcome = trained(recipe, tmp_path / "run")
    assert (outcome.why, outcome.position.step) == ("early stopping", 2)
    assert outcome.position.best_step == 1
    assert trained(recipe, tmp_path / "run").position.step == 2


def test_pictures_of_predictions_are_written(tmp_path):
    text = SINGLES.replace("[run]", "[run]\nsamples_every = 4")
    trained(written(tmp_path, text), tmp_path / "run")
    names = sorted(path.name for path in (tmp_path / "run" / "samples").iterdir())
    assert names == ["step-0000004.png", "step-0000008.png"]


def test_mixed_precision_trains_nearly_alike(tmp_path):
    losses = []
    for run, precision in (("exact", "32"), ("mixed", "bf16")):
        listener = Quiet()
        changed = SINGLES.replace("[run]", f'[run]\nprecision = "{precision}"')
        trained(written(tmp_path, changed), tmp_path / run, listener)
        losses.append([tick.loss for tick in listener.ticks])
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], rel=0.03)
