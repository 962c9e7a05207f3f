"""Long measurements: cases run in several processes, written down one by one, taken up again.

The journal is JSON lines: a header that says what is measured, then one line per finished case. A
run that was stopped continues where it was, if the header is the same; otherwise it stops with an
error, because lines of two detectors would look like one result.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2

import tamperscope
from tamperscope.errors import OutputError

Record = dict[str, Any]
AHEAD = 4  # cases handed out per process, so that stopping loses little


def code_fingerprint(parts: Sequence[str] = ("matching", "kernels")) -> str:
    """Hash of the source of ``parts`` (folders or files): other code, another measurement."""
    digest = hashlib.sha256()
    root = Path(tamperscope.__path__[0])
    for part in parts:
        files = [root / part] if (root / part).is_file() else sorted((root / part).rglob("*"))
        for path in files:
            if path.suffix in {".py", ".cpp", ".json", ".npz"}:
                digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def open_journal(path: Path, header: Record, *, overwrite: bool) -> dict[str, Record]:
    """Start a journal, or read the cases that it already holds, by key.

    Raises:
        OutputError: It is about another measurement, or cannot be written.
    """
    text = json.dumps(header, sort_keys=True)
    try:
        if path.exists() and not overwrite:
            lines = path.read_text(encoding="utf-8").split("\n")
            if lines[0] != text:
                raise OutputError(
                    f"{path} is the journal of another measurement (other code, pictures or "
                    "options); give --overwrite to start again"
                )
            whole = lines[:-1]  # what follows the last line break was cut off
            write_atomically(path, "".join(line + "\n" for line in whole))
            return {record["key"]: record for record in map(json.loads, whole[1:])}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text + "\n")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    return {}


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that it is there whole or as it was, whenever the power fails."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def run_journaled(
    keys: Sequence[str],
    function: Callable[[str], Record],
    path: Path,
    done: dict[str, Record],
    *,
    jobs: int,
    report: Callable[[str], None],
) -> list[Record]:
    """Run ``function`` on every key that is not done; records in the order of ``keys``.

    Args:
        keys: Names of the cases.
        function: Makes the record of a case; must be picklable where ``jobs`` > 1.
        path: The journal.
        done: What :func:`open_journal` returned.
        jobs: Processes.
        report: Called with the key of every case that is finished, also those done before.
    """
    records = {key: done[key] for key in keys if key in done}
    for key in records:
        report(key)
    missing = [key for key in keys if key not in records]
    with path.open("a", encoding="utf-8") as file:
        for key, record in _results(missing, function, jobs):
            records[key] = {"key": key, **record}
            try:
                file.write(json.dumps(records[key]) + "\n")
                file.flush()
            except OSError as error:
                raise OutputError(f"cannot write {path}: {error.strerror}") from error
            report(key)
    return [records[key] for key in keys]


def _results(
    keys: Sequence[str], function: Callable[[str], Record], jobs: int
) -> Iterator[tuple[str, Record]]:
    if jobs == 1:
        for key in keys:
            yield key, function(key)
        return
    # spawn: a forked process may inherit a lock that a thread of OpenCV holds
    context = get_context("spawn")
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin, initargs=(function,)
    ) as pool:
        waiting: dict[Future[Record], str] = {}
        rest = iter(keys)
        while True:
            for key in itertools.islice(rest, AHEAD * jobs - len(waiting)):
                waiting[pool.submit(_run, key)] = key
            if not waiting:
                return
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                key = waiting.pop(future)
                yield key, future.result()


_functions: list[Callable[[str], Record]] = []
"""In a process of the pool: what it was started for. Sent once, not with every case."""


def _begin(function: Callable[[str], Record]) -> None:
    cv2.setNumThreads(1)
    _functions.append(function)


def _run(key: str) -> Record:
    return _functions[-1](key)
