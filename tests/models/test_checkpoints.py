import argparse
import os
import pickle
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from tamperscope.errors import WeightsError
from tamperscope.models.checkpoints import read_checkpoint, sha256


class Hostile:
    """Writes a file when unpickled."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.fixture
def yacs(monkeypatch):
    """The settings type of VMamba's checkpoints, for as long as one is being written."""
    module = ModuleType("yacs.config")
    module.CfgNode = type("CfgNode", (dict,), {"__module__": "yacs.config"})
    monkeypatch.setitem(sys.modules, "yacs", ModuleType("yacs"))
    monkeypatch.setitem(sys.modules, "yacs.config", module)
    return module.CfgNode


def test_settings_of_known_types_become_plain_dictionaries(tmp_path, yacs, monkeypatch):
    content = {
        "model": {"weight": torch.arange(3.0)},
        "config": yacs({"MODEL": yacs({"DEPTHS": [2, 2, 8, 2]})}),
        "args": argparse.Namespace(lr=1e-4),
        "max_accuracy": np.float64(82.5),
    }
    torch.save(content, tmp_path / "c.pth")
    monkeypatch.delitem(sys.modules, "yacs.config")
    monkeypatch.delitem(sys.modules, "yacs")
    read = read_checkpoint(tmp_path / "c.pth")
    assert torch.equal(read["model"]["weight"], torch.arange(3.0))
    assert read["config"]["MODEL"]["DEPTHS"] == [2, 2, 8, 2]
    assert read["max_accuracy"] == 82.5
    assert "yacs" not in sys.modules


@pytest.mark.parametrize("protocol", [None, 2, 4])
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path, protocol):
    path, target = tmp_path / "hostile.pth", tmp_path / "written"
    content = {"model": {"weight": torch.ones(2)}, "extra": Hostile(target)}
    if protocol is None:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps({"extra": Hostile(target)}, protocol=protocol))
    with pytest.raises(WeightsError, match=r"hostile\.pth is no plain checkpoint.*Nothing"):
        read_checkpoint(path)
    assert not target.exists()


def test_the_refused_type_is_named(tmp_path):
    torch.save({"extra": Hostile(tmp_path / "written")}, tmp_path / "hostile.pth")
    with pytest.raises(WeightsError, match=rf"{os.mkdir.__module__}\.mkdir"):
        read_checkpoint(tmp_path / "hostile.pth")


@pytest.mark.parametrize("content", [b"", b"hello world" * 50, b"PK\x03\x04" + bytes(200)])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "other.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=r"other\.pth is no"):
        read_checkpoint(tmp_path / "other.pth")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_truncated_checkpoints_are_refused(tmp_path, kept):
    path = tmp_path / "c.pth"
    torch.save({"weight": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(WeightsError, match="not a whole PyTorch checkpoint"):
        read_checkpoint(path)


def test_what_is_no_dictionary_is_refused(tmp_path):
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="holds a list, not a dictionary"):
        read_checkpoint(tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="is not there"):
        read_checkpoint(tmp_path / "nowhere.pth")


def test_sha256_is_the_published_one_of_abc(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9c")
