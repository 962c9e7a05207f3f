import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.small import PAIRS, written

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_killed_for_real_it_goes_on_to_the_same_bytes(tmp_path):
    recipe = written(tmp_path, PAIRS, steps="8", checkpoint_every="1")
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.killed", str(recipe), str(tmp_path)],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 2  # a fast end may escape the last ones
    for name in ("best.safetensors", "last.safetensors"):
        expected, found = (load_file(tmp_path / run / name) for run in ("whole", "killed"))
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert torch.equal(found[key], value), f"{name}: {key}"


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/status")
    return not (status.exists() and "State:\tZ" in status.read_text())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="asks for processes as Unix does")
def test_workers_do_not_outlive_a_training_that_is_killed():
    command = [sys.executable, "-m", "tests.training.orphaned"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as training:
        worker = int(training.stdout.readline())
        assert alive(worker)
        training.kill()
    for _ in range(100):
        if not alive(worker):
            break
        time.sleep(0.1)
    else:
        os.kill(worker, 9)
        pytest.fail("the worker was still there ten seconds later")
