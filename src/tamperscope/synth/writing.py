"""Writes a set of samples to a folder; a run that was stopped goes on where it was.

    out/manifest.jsonl               a header, then one line for each sample, in order
    out/images/000000.png            a single panel; of a pair 000000_a.png and 000000_b.png
    out/masks/000000_target.png      where it lies, or what was changed (0/255); pairs: _a_, _b_
    out/masks/000000_source.png      where it was taken from, where there is such a place

The bytes are the same for every number of processes, and for one run or several.
:func:`tamperscope.data.forged.index_forged` reads the folder.
"""

import json
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from tamperscope.data.forged import FORMAT, MANIFEST
from tamperscope.errors import ForgeError, OutputError
from tamperscope.images import encode_png
from tamperscope.synth.forge import check_recipe, make_sample
from tamperscope.synth.generators import use_one_thread
from tamperscope.synth.recipe import Recipe
from tamperscope.synth.sample import Link
from tamperscope.synth.work import PanelSource, PatchGenerator

IMAGES, MASKS = "images", "masks"
UNFINISHED = ".part"
DECIMALS = 6  # of matrices in the manifest


@dataclass(frozen=True)
class Task:
    """What decides a set, without the number of its samples."""

    recipe: Recipe
    source: PanelSource
    out: Path
    seed: int = 0
    epoch: int = 0
    split: str | None = None  # that the sources are of, for the manifest
    generators: tuple[PatchGenerator, ...] = ()  # for generated patches


@dataclass
class Written:
    """What a run did."""

    made: int = 0  # samples written by this run
    there: int = 0  # samples that were there before
    given_up: dict[int, str] = field(default_factory=dict)  # samples that could not be made
    skipped: dict[str, str] = field(default_factory=dict)  # sources that could not be used


def write_set(task: Task, count: int, *, jobs: int = 1, progress: Any = None) -> Written:
    """Write samples 0 to ``count`` - 1, but for those that are there.

    Args:
        task: What is made, of what, and where it goes.
        count: Samples of the whole set.
        jobs: Processes.
        progress: Called with a word, how many samples are done and of how many.

    Raises:
        OutputError: The folder holds something else, or a set that was made otherwise.
        RecipeError: The recipe asks for what the sources cannot give.
    """
    check_recipe(task.recipe, task.source, task.generators)
    manifest = task.out / MANIFEST
    lines = _lines_there(task, manifest)
    if len(lines) > count:
        raise OutputError(
            f"{task.out} holds {len(lines)} samples already, more than the {count} asked for"
        )
    done = Written(there=len(lines))
    for number, line in enumerate(lines):
        if "skipped" in line:
            done.given_up[number] = line["skipped"]
    lost = [line["index"] for line in lines if not _files_there(task.out, line)]
    todo = [*lost, *range(len(lines), count)]
    with manifest.open("a", encoding="utf-8", newline="\n") as file:
        for number, (line, skipped) in enumerate(_run(task, todo, jobs), start=1):
            done.skipped.update(skipped)
            if "skipped" in line:
                done.given_up[line["index"]] = line["skipped"]
            if line["index"] >= len(lines):
                file.write(_as_text(line))
                file.flush()
                done.made += "skipped" not in line
            if progress is not None:
                progress("samples", done.there - len(lost) + number, count)
    return done


def _as_text(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n"


def _header(task: Task) -> dict[str, Any]:
    made_by = {"generators": [g.identity for g in task.generators]} if task.generators else {}
    return {
        **made_by,
        "format": FORMAT,
        "recipe": task.recipe.name,
        "digest": task.recipe.digest,
        "sources": task.source.identity,
        "split": task.split,
        "seed": task.seed,
        "epoch": task.epoch,
    }


def _lines_there(task: Task, manifest: Path) -> list[dict[str, Any]]:
    """Read what an earlier run wrote, or begin a manifest; drop a line that was cut off."""
    try:
        if not manifest.exists():
            _begin(task, manifest)
            return []
        data = manifest.read_bytes()
        whole = data.rpartition(b"\n")[0]
        if len(whole) + 1 < len(data):
            manifest.write_bytes(whole + b"\n")  # the run was stopped in the middle of a line
        lines = [_parsed(line, manifest, n) for n, line in enumerate(whole.split(b"\n"), start=1)]
        for folder in (IMAGES, MASKS):
            for path in (task.out / folder).glob(f"*{UNFINISHED}"):
                path.unlink()
    except OSError as error:
        raise OutputError(f"{task.out} cannot be written to: {error.strerror}") from error
    if lines[0] != _header(task):
        differ = [key for key, value in _header(task).items() if lines[0].get(key) != value]
        raise OutputError(
            f"{task.out} holds a set that differs in {', '.join(differ)}; name another folder, "
            "or remove it"
        )
    for number, line in enumerate(lines[1:]):
        if line.get("index") != number:
            raise OutputError(f"{manifest}, line {number + 2} should be sample {number}")
    return lines[1:]


def _begin(task: Task, manifest: Path) -> None:
    if task.out.exists() and not task.out.is_dir():
        raise OutputError(f"{task.out} is a file; name a folder")
    files = (path for path in task.out.rglob("*") if path.is_file())
    if any(path.suffix != UNFINISHED for path in files):
        raise OutputError(f"{task.out} is not empty and holds no set; name another folder")
    for folder in (IMAGES, MASKS):
        (task.out / folder).mkdir(parents=True, exist_ok=True)
    _put(manifest, _as_text(_header(task)).encode())


def _parsed(line: bytes, manifest: Path, number: int) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise OutputError(
            f"{manifest}, line {number} is not JSON ({error}); the set cannot go on from there: "
            "cut the file before that line, or name another folder"
        ) from error
    if not isinstance(data, dict):
        raise OutputError(f"{manifest}, line {number} is no object")
    return data


def _files_there(out: Path, line: dict[str, Any]) -> bool:
    if "skipped" in line:
        return True
    names = [*line["panels"], *line["sources"], *line["targets"]]
    return all((out / name).is_file() for name in names if name is not None)


def write_sample(task: Task, index: int) -> dict[str, Any]:
    """Make one sample, write its files, and return its line of the manifest."""
    try:
        sample = make_sample(
            task.recipe, task.source, task.seed, task.epoch, index, task.generators
        )
    except ForgeError as error:
        return {"index": index, "skipped": str(error)}
    sides = ("",) if len(sample.panels) == 1 else ("_a", "_b")
    line: dict[str, Any] = {
        "index": index,
        "kind": sample.kind,
        "operation": sample.operation,
        "modality": sample.modality,
        "panels": [],
        "sources": [],
        "targets": [],
        "links": [_link(link) for link in sample.links],
        "names": list(sample.names),
        "groups": list(sample.groups),
        "parameters": sample.parameters,
    }
    for i, side in enumerate(sides):
        name = f"{IMAGES}/{index:06d}{side}.png"
        _put(task.out / name, encode_png(sample.panels[i]))
        line["panels"].append(name)
        for role, mask in (("source", sample.sources[i]), ("target", sample.targets[i])):
            name = f"{MASKS}/{index:06d}{side}_{role}.png"
            if mask.any():
                _put(task.out / name, encode_png(mask))
            line[f"{role}s"].append(name if mask.any() else None)
    return line


def _link(link: Link) -> dict[str, Any]:
    matrix = [[round(float(value), DECIMALS) for value in row] for row in link.matrix]
    return {"from": link.source_panel, "to": link.target_panel, "matrix": matrix}


def _put(path: Path, data: bytes) -> None:
    """Write a file so that it is whole or not there."""
    part = path.with_name(path.name + UNFINISHED)
    part.write_bytes(data)
    part.replace(path)


_task: Task  # of a worker process, set once by _start


def _start(task: Task) -> None:
    global _task  # a process pool offers no other place for state of its processes
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that reports
    cv2.setNumThreads(1)  # the processes share the cores among themselves
    use_one_thread(task.generators)
    _task = task


def _call(index: int) -> tuple[dict[str, Any], dict[str, str]]:
    return write_sample(_task, index), dict(_task.source.skipped)


def _run(
    task: Task, indices: Sequence[int], jobs: int
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Yield manifest lines in the order of ``indices``, with what sources were skipped."""
    if jobs == 1 or len(indices) < 2:
        for index in indices:
            yield write_sample(task, index), dict(task.source.skipped)
        return
    # Not fork: OpenCV and other libraries hold threads that a forked child would lack.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        min(jobs, len(indices)), context, initializer=_start, initargs=(task,)
    )
    try:
        yield from pool.map(_call, indices, chunksize=max(1, min(16, len(indices) // (4 * jobs))))
    finally:
        # On Ctrl-C or an early end nothing that has not begun is begun.
        pool.shutdown(wait=False, cancel_futures=True)
