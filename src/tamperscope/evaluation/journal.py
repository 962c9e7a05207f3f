"""Long measurements: cases run in several processes, written down one by one, taken up again.

The journal is JSON lines: a header that says what is measured, then one line per finished case. A
run that was stopped continues where it was, if the header is the same; otherwise it stops with an
error, because lines of two detectors would look like one result.
"""

import hashlib
import itertools
import json
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


def code_fingerprint() -> str:
    """Hash of the source of the matchers and kernels: another detector is another measurement."""
    digest = hashlib.sha256()
    root = Path(tamperscope.__path__[0])
    for part in ("matching", "kernels"):
        for path in sorted((root / part).rglob("*")):
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
            path.write_text("".join(line + "\n" for line in whole), encoding="utf-8")
            return {record["key"]: record for record in map(json.loads, whole[1:])}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    return {}


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
            file.write(json.dumps(records[key]) + "\n")
            file.flush()
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
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_one_thread) as pool:
        waiting: dict[Future[Record], str] = {}
        rest = iter(keys)
        while True:
            for key in itertools.islice(rest, AHEAD * jobs - len(waiting)):
                waiting[pool.submit(function, key)] = key
            if not waiting:
                return
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                key = waiting.pop(future)
                yield key, future.result()


def _one_thread() -> None:
    cv2.setNumThreads(1)
