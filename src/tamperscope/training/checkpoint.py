"""The state of a training in one file that is there whole or as it was.

A safetensors file: tensors of the network, its average and the optimiser, and in the header one
JSON text with everything else. It is written beside the old one, brought to the disk and renamed,
so that a process may be killed, or the power fail, at any moment. Nothing is ever unpickled.

Random states are not in it, because there are none to carry: numbers of the data follow from the
step (:mod:`tamperscope.training.batches`), those of the network from :func:`seed_step`.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tamperscope.errors import OutputError, TrainingError

FORMAT = "tamperscope-checkpoint/1"
NAME = "checkpoint.safetensors"
UNFINISHED = ".part"
READABLE = 0o644  # safetensors writes files for their owner only
SPARE = 1.2  # checkpoints for which there must be room before training goes on
DROPOUT = 11  # of the random numbers of a step: [seed, DROPOUT, step, rank]


def seed_step(seed: int, step: int, rank: int) -> None:
    """Decide the random numbers that a step draws while it trains (dropout, dropped paths)."""
    state = np.random.SeedSequence([seed, DROPOUT, step, rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))


def save_checkpoint(folder: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Replace the checkpoint of a folder.

    Raises:
        OutputError: It cannot be written; the one before is untouched.
    """
    stored = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    header = {"format": FORMAT, "state": json.dumps(state)}

    def write(path: Path) -> None:
        save_file(stored, path, metadata=header)

    write_whole(folder / NAME, write)


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file so that it is there whole or as it was, whenever the process or power fails.

    Args:
        path: Where it shall be.
        write: Writes it to the path it is given.

    Raises:
        OutputError: There is no room, or the folder cannot be written to.
    """
    part = path.with_name(path.name + UNFINISHED)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.chmod(READABLE)
        part.replace(path)
        sync_folder(path.parent)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        kept = f"; {path.name} is there as it was before" if path.is_file() else ""
        raise OutputError(f"{path} cannot be written: {error}{kept}") from error


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_room(folder: Path, what: str) -> None:
    """Stop while everything is saved, if the next checkpoint would not fit on the disk.

    Raises:
        OutputError: It would not.
    """
    needed = SPARE * (folder / NAME).stat().st_size
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"{folder}: {free / 1e6:.0f} MB are free and the next checkpoint needs "
            f"{needed / 1e6:.0f} MB; {what} is saved. Make room and start again to go on"
        )


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read the checkpoint of a folder; None where there is none.

    Raises:
        TrainingError: It is broken or not ours.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if header.get("format") != FORMAT:
            raise ValueError(f"it is not {FORMAT}")
        return tensors, dict(json.loads(header["state"]))
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise TrainingError(
            f"{path} cannot be read: {error}; put it away to begin again, or restore a copy"
        ) from error


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of a module, under a prefix."""
    return {f"{prefix}/{key}": value for key, value in module.state_dict().items()}


def load_module(prefix: str, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a module the tensors under a prefix; all of them, and no others."""
    own = {
        key.removeprefix(f"{prefix}/"): value
        for key, value in tensors.items()
        if key.startswith(f"{prefix}/")
    }
    module.load_state_dict(own)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and step counts of every parameter, by its number."""
    return {
        f"optimiser/{number}/{name}": value
        for number, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }


def load_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser its moments back; parameters that had no gradient yet have none."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        kind, _, rest = key.partition("/")
        if kind == "optimiser":
            number, _, name = rest.partition("/")
            state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
