"""Builds the native kernels: plain C++17 shared libraries behind a C interface, loaded with ctypes.

Each library is built once per instruction set and the one that fits the processor is chosen at run
time (``tamperscope.kernels.native``). Nothing here includes Python or torch headers, so one
build serves every Python version. Without a compiler the package still installs; whatever needs a
kernel then says how to get one.
"""

import platform
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

try:  # setuptools >= 70.1 has its own; older ones take wheel's
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel

CSRC = Path("src/tamperscope/kernels/csrc")
MSVC = sys.platform == "win32"
X86 = platform.machine().lower() in ("x86_64", "amd64")

# Instruction sets, best last. The names are parsed by tamperscope.kernels.native.
LEVELS: dict[str, list[str]] = {"portable": []}
if X86:
    LEVELS["avx2"] = ["/arch:AVX2"] if MSVC else ["-mavx2", "-mfma", "-mf16c", "-mbmi2"]
    LEVELS["avx512"] = (
        ["/arch:AVX512"]
        if MSVC
        else ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma", "-mf16c",
              "-mbmi2", "-mprefer-vector-width=512"]
    )  # fmt: skip

# Each library: its sources. One library a job, so that a fault in one leaves the others usable.
LIBRARIES: dict[str, list[str]] = {
    path.stem: [path.as_posix()] for path in sorted(CSRC.glob("*.cpp"))
}

COMMON = ["/std:c++17", "/O2", "/EHsc"] if MSVC else [
    "-std=c++17", "-O3", "-fvisibility=hidden", "-fno-math-errno", "-Wall", "-Wextra",
    "-Wno-psabi",
]  # fmt: skip


class BuildLibraries(build_ext):
    """Shared libraries without a Python init function, named without a Python tag."""

    def get_ext_filename(self, fullname: str) -> str:
        """``tamperscope.kernels._scan_avx2`` -> ``tamperscope/kernels/_scan_avx2.so``."""
        suffix = ".dll" if MSVC else ".so"
        return str(Path(*fullname.split("."))) + suffix

    def get_export_symbols(self, ext: Extension) -> list[str]:
        """Export what the sources mark, and no PyInit function."""
        return ext.export_symbols

    def get_libraries(self, ext: Extension) -> list[str]:
        """Link nothing of Python."""
        return ext.libraries


class PlatformWheel(bdist_wheel):
    """A wheel for this platform and any Python 3: the libraries do not know Python."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return py3-none-PLATFORM."""
        return "py3", "none", super().get_tag()[2]


setup(
    cmdclass={"build_ext": BuildLibraries, "bdist_wheel": PlatformWheel},
    ext_modules=[
        Extension(
            f"tamperscope.kernels._{library}_{level}",
            sources=sources,
            depends=[path.as_posix() for path in sorted(CSRC.glob("*.h"))],
            extra_compile_args=COMMON + flags,
            extra_link_args=[] if MSVC else ["-pthread"],
            language="c++",
            optional=True,
        )
        for library, sources in LIBRARIES.items()
        for level, flags in LEVELS.items()
    ],
)
