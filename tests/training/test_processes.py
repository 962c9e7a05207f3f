import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.small import PAIRS, written

COMMAND = Path(sys.executable).parent / "tamperscope"
STEPS = 6
CHANGES = {  # leave out what depends on how samples are shared out
    'name = "biotampernet_test"': 'name = "biotampernet_test"\nconfig.drop_path = 0.0',
    "matching = 0.1": "most_weight = 1.0",  # the balance of a batch
    "rate = 1e-3": "rate = 1e-3\nepsilon = 1e-4",  # rounding decides the sign of a gradient of 0
    "steps = 8": f"steps = {STEPS}",
    "batch = 2": "batch = 4",
    "log_every = 2": "log_every = 1",
}


def recipe_in(folder):
    text = PAIRS
    for before, after in CHANGES.items():
        assert before in text
        text = text.replace(before, after)
    return written(folder, text)


def run(recipe, out, *options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(COMMAND), "train", str(recipe), "--out", str(out), "--device", "cpu",
         "--workers", "0", "--threads", "1", *options],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line], load_file(
        out / "checkpoint.safetensors"
    )


@pytest.mark.slow
def test_two_processes_train_as_one_with_twice_the_batch(tmp_path):
    recipe = recipe_in(tmp_path)
    losses, expected = run(recipe, tmp_path / "one")
    shared, found = run(recipe, tmp_path / "two", "--processes", "2")
    assert len(losses) == STEPS
    assert shared == pytest.approx(losses, rel=1e-4)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-3, atol=1e-4, msg=key)
