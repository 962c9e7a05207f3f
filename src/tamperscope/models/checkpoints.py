"""Reads checkpoints of others without running anything that is in them.

``torch.load(weights_only=True)`` rebuilds tensors and plain containers and refuses every other
type. Published checkpoints carry settings of types we have no use for; those few are read as plain
ordered dictionaries, by name, so that the library they came from is neither needed nor run.
"""

import hashlib
import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tamperscope.errors import WeightsError

SETTINGS_TYPES = ("yacs.config.CfgNode", "argparse.Namespace", "types.SimpleNamespace")
SCALARS = [  # best scores are often stored as numpy scalars
    np.dtype,
    *[type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8")],
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
]


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """Read a PyTorch checkpoint written by somebody else.

    Raises:
        WeightsError: The file is missing or broken, holds types that would have to be executed, or
            is no dictionary.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is not there")
    allowed: list[Any] = [*SCALARS, *[(OrderedDict, name) for name in SETTINGS_TYPES]]
    try:
        with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other pickle protocols either work or are refused
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is no plain checkpoint: {refusal(str(error))}. Nothing in it was run; "
            "ask its authors for a state dict alone"
        ) from error
    except Exception as error:  # a broken or hostile stream makes the reader raise anything
        raise WeightsError(
            f"{path} is not a whole PyTorch checkpoint ({type(error).__name__}); fetch it again"
        ) from error
    if not isinstance(checkpoint, Mapping):
        raise WeightsError(f"{path} holds a {type(checkpoint).__name__}, not a dictionary")
    return checkpoint


def refusal(message: str) -> str:
    """Say what torch refused, out of its long advice."""
    named = re.search(r"GLOBAL:? (?:GLOBAL )?([\w.]+)", message)
    if named:
        return f"it holds a {named[1]}, which would have to be executed"
    return "it holds what only an executing reader could build"


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
