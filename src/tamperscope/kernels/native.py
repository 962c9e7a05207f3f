"""Finds and loads the native libraries, in the instruction set that fits this processor.

The libraries are plain C, called through ctypes; ``setup.py`` builds one per source file and
instruction set (``_scan_avx512.so``, ...). The choice can be forced with the environment variable
``TAMPERSCOPE_ISA`` (``portable``, ``avx2``, ``avx512``); a forced one that is not there or that the
processor cannot run is an error.
"""

import ctypes
import os
import platform
import sys
from functools import cache
from pathlib import Path

from tamperscope.errors import MissingKernelError

LEVELS = ("avx512", "avx2", "portable")  # best first

NEEDED_FLAGS = {  # as Linux names them in /proc/cpuinfo
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma", "f16c", "bmi2"},
    "avx2": {"avx2", "fma", "f16c", "bmi2"},
    "portable": set(),
}

FOLDER = Path(__file__).parent
SUFFIX = ".dll" if sys.platform == "win32" else ".so"

COMPILER_HINT = {
    "linux": "install a C++ compiler (Debian and Ubuntu: apt install g++; Fedora: dnf install "
    "gcc-c++) and install tamperscope again",
    "darwin": "run xcode-select --install and install tamperscope again",
    "win32": "install the Visual Studio Build Tools (C++ workload) and install tamperscope again",
}


@cache
def processor_flags() -> frozenset[str]:
    """Instruction-set flags of this processor, in Linux's spelling; empty where unknown."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return frozenset()
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return frozenset(line.partition(":")[2].split())
        return frozenset()
    if sys.platform == "darwin":
        # Every Intel Mac that runs a supported macOS has AVX2; which have AVX-512 is not asked.
        return frozenset(NEEDED_FLAGS["avx2"])
    # Windows: PF_AVX2_INSTRUCTIONS_AVAILABLE is 40, PF_AVX512F_INSTRUCTIONS_AVAILABLE is 41.
    present = ctypes.windll.kernel32.IsProcessorFeaturePresent  # type: ignore[attr-defined]
    if present(41):
        return frozenset(NEEDED_FLAGS["avx512"])
    return frozenset(NEEDED_FLAGS["avx2"] if present(40) else ())


@cache
def library_path(name: str) -> Path | None:
    """Path of the best build of library ``name`` for this processor; None where none was built."""
    forced = os.environ.get("TAMPERSCOPE_ISA")
    if forced is not None and forced not in LEVELS:
        raise MissingKernelError(
            f"TAMPERSCOPE_ISA is {forced!r}; it must be one of {', '.join(LEVELS)}"
        )
    for level in (forced,) if forced else LEVELS:
        path = FOLDER / f"_{name}_{level}{SUFFIX}"
        runs_here = processor_flags() >= NEEDED_FLAGS[level]
        if path.is_file() and runs_here:
            return path
        if forced:
            reason = "is not built" if runs_here else "does not run on this processor"
            raise MissingKernelError(f"TAMPERSCOPE_ISA={forced}: that build of {name!r} {reason}")
    return None


@cache
def load(name: str) -> ctypes.CDLL:
    """Load library ``name`` once.

    Raises:
        MissingKernelError: No build of it is there; the message says how to get a compiler.
    """
    path = library_path(name)
    if path is None:
        raise MissingKernelError(
            f"the native library {name!r} was not built when tamperscope was installed: "
            + COMPILER_HINT.get(sys.platform, COMPILER_HINT["linux"])
        )
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise MissingKernelError(f"{path} cannot be loaded: {error}") from error


def is_built(name: str) -> bool:
    """Whether a build of library ``name`` is there for this processor."""
    return library_path(name) is not None
