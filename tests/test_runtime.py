import subprocess
import sys

import pytest

from tamperscope import runtime
from tamperscope.errors import DeviceError


def test_metadata_names_what_ran():
    block = runtime.metadata(seed=7, note="x")
    assert block["seed"] == 7
    assert block["note"] == "x"
    assert block["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert block["machine"]["cpus"] >= 1


def test_commit_is_the_checkouts_own():
    folder = runtime.Path(runtime.__file__).parents[2]
    head = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    assert head.startswith((runtime.commit() or "none").removesuffix("-dirty"))


def test_a_device_that_is_not_there_is_an_error():
    torch = pytest.importorskip("torch")
    assert runtime.pick_device("auto").type in ("cpu", "cuda")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="use --device cpu"):
            runtime.pick_device("cuda")
    with pytest.raises(DeviceError, match="'gpu'"):
        runtime.pick_device("gpu")


KEEPING = """
import resource, sys
from tamperscope.runtime import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit(77)
bytearray(64 * 2**20)  # first pages
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    block = bytearray(64 * 2**20)
    block[::4096] = bytes(len(block[::4096]))
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_memory_is_reused():
    faults = {}
    for way in ("kept", "default"):
        done = subprocess.run([sys.executable, "-c", KEEPING, way], capture_output=True, text=True)
        if done.returncode == 77:
            pytest.skip("the C library is not glibc")
        faults[way] = int(done.stdout)
    assert faults["kept"] < faults["default"] / 3
