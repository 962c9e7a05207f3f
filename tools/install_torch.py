"""Installs torch into this environment: the CPU build where no NVIDIA GPU is, else the default one.

On Linux the registry's plain ``torch`` brings gigabytes of CUDA libraries; a machine without a GPU
is better served by the pinned release, of which a CPU build can be provided.
"""

import importlib.util
import shutil
import subprocess
import sys

PINNED = "torch==2.13.0"


def main() -> int:
    """Install torch unless it is there; return pip's exit status."""
    if importlib.util.find_spec("torch"):
        return 0
    command = [sys.executable, "-m", "pip", "install", "--quiet"]
    has_gpu = shutil.which("nvidia-smi") is not None
    return subprocess.run([*command, "torch>=2.10" if has_gpu else PINNED], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
