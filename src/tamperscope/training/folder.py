"""The folder of a run: what it holds, and whether a training may go on in it.

out/run.json                 what decides the weights, as hashes: recipe and data
out/recipe.toml              the recipe as it was given
out/checkpoint.safetensors   to go on from
out/metrics.jsonl            one line for every so many steps, and for every validation
out/best.safetensors         weights with the best score; out/last.safetensors the newest
out/samples/step-0001000.png what the network said then
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tamperscope.errors import OutputError
from tamperscope.evaluation.journal import write_atomically
from tamperscope.training.checkpoint import UNFINISHED

FORMAT = "tamperscope-run/1"
RUN, RECIPE, METRICS, LOCK = "run.json", "recipe.toml", "metrics.jsonl", ".lock"
BEST, LAST, SAMPLES = "best.safetensors", "last.safetensors", "samples"


def open_folder(out: Path, text: str, decides: dict[str, Any]) -> None:
    """Begin a run in ``out``, or make sure that the run there is the same one.

    Args:
        out: The folder; made if it is not there.
        text: The recipe.
        decides: What decides the weights: names to JSON values.

    Raises:
        OutputError: The folder holds something else or another run, or cannot be written to.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"--out {out}: this is a file; name a folder")
    try:
        if (out / RUN).is_file():
            check_same(out, decides)
            for path in out.rglob(f"*{UNFINISHED}"):
                path.unlink()
            return
        if out.is_dir() and any(path.name not in (RECIPE, LOCK) for path in out.iterdir()):
            raise OutputError(
                f"--out {out}: the folder is not empty and holds no training; name another folder"
            )
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / RECIPE, text)
        write_atomically(out / RUN, json.dumps({"format": FORMAT, **decides}, indent=1) + "\n")
    except OSError as error:
        raise OutputError(f"--out {out}: cannot be written to: {error.strerror}") from error


@contextmanager
def only_here(out: Path) -> Iterator[None]:
    """Keep a second process out of the folder; the system forgets it when this one ends or dies.

    Raises:
        OutputError: Another process is training there, or the folder cannot be written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = (out / LOCK).open("w")
    except OSError as error:
        raise OutputError(f"--out {out}: cannot be written to: {error.strerror}") from error
    with file:
        try:
            lock(file.fileno())
        except OSError as error:
            raise OutputError(
                f"--out {out}: another process is training there; wait for it, or stop it"
            ) from error
        yield


def lock(handle: int) -> None:
    """Lock an open file; OSError where another process holds it."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def check_same(out: Path, decides: dict[str, Any]) -> None:
    """Raise OutputError unless the run in ``out`` is decided by the same."""
    try:
        there = json.loads((out / RUN).read_text(encoding="utf-8"))
    except ValueError as error:
        raise OutputError(f"{out / RUN} is not JSON ({error}); name another folder") from error
    wanted = json.loads(json.dumps({"format": FORMAT, **decides}))
    differ = [key for key in {**there, **wanted} if there.get(key) != wanted.get(key)]
    if differ:
        raise OutputError(
            f"--out {out}: the training there differs in {', '.join(sorted(differ))}; its recipe "
            f"is {out / RECIPE}. Name another folder, or give that recipe and its data"
        )


class Journal:
    """``metrics.jsonl``: lines that a run which was stopped takes back where it goes on.

    Args:
        out: Folder of the run.
        size: Bytes that belong to the checkpoint the run goes on from; what follows is cut off.

    Raises:
        OutputError: It cannot be written.
    """

    def __init__(self, out: Path, size: int) -> None:
        self.path = out / METRICS
        try:
            self.path.touch()
            os.truncate(self.path, min(size, self.path.stat().st_size))
            self._file = self.path.open("a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror}") from error

    def write(self, **values: Any) -> None:
        """Add a line.

        Raises:
            OutputError: It cannot be written.
        """
        try:
            self._file.write(json.dumps(values) + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror}") from error

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size

    def close(self) -> None:
        """Close the file."""
        self._file.close()
