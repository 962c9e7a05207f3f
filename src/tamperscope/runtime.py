"""The machine underneath: device choice, threads, and the metadata block of every result file."""

import ctypes
import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamperscope import __version__
from tamperscope.errors import DeviceError, MissingExtraError

if TYPE_CHECKING:
    import torch

REPORTED = ("numpy", "scipy", "opencv-python-headless", "pillow", "torch")


@cache
def commit() -> str | None:
    """Commit of the checkout this package runs from, "-dirty" if edited; None outside of one.

    As it was when first asked: what runs for hours asks at its start, and edits made meanwhile are
    not taken for the code that ran.
    """
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        head = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--short=12", "HEAD"],
            capture_output=True, text=True, check=True, timeout=10,
        ).stdout.strip()  # fmt: skip
        changed = subprocess.run(
            ["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"],
            capture_output=True, text=True, check=True, timeout=10,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}-dirty" if changed else head


def processor() -> str:
    """Name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in REPORTED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cpu_count() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # parameters of glibc's mallopt


def keep_freed_memory() -> bool:
    """Let this process reuse the memory it frees, instead of asking the system for new pages.

    glibc hands every large block back when it is freed. A network on the CPU allocates hundreds of
    them in each pass, and the system clears each page anew. Costs memory that stays with the
    process, so a command decides on it, and importing the package never does.

    Returns:
        Whether it was done; False where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    wanted = ((MMAP_MAX, 0), (TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, 64 * 2**20))
    return all(mallopt(parameter, value) == 1 for parameter, value in wanted)


def metadata(seed: int | None = None, **more: Any) -> dict[str, Any]:
    """Return the block every result file carries: what ran, where, and how it was called."""
    return {
        "tamperscope": __version__,
        "commit": commit(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "machine": {
            "processor": processor(),
            "cpus": cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": versions(),
        "seed": seed,
        **more,
    }


def pick_device(name: str = "auto") -> "torch.device":
    """Return the device called ``name``: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        MissingExtraError: torch is not installed.
        DeviceError: The device is not there; ``auto`` never fails, it takes what there is.
    """
    try:
        import torch  # heavy, and only networks need it
    except ImportError as error:
        raise MissingExtraError("networks need PyTorch: pip install 'tamperscope[nets]'") from error
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if name == "cuda":
        if not torch.cuda.is_available():
            raise DeviceError("--device cuda: PyTorch finds no CUDA device here; use --device cpu")
        return torch.device("cuda")
    raise DeviceError(f"no device is called {name!r}; use auto, cpu or cuda")
