import os
import subprocess
import sys
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
