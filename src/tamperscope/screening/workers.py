"""Runs matching tasks over panels, in one process or several, with bounded memory.

A task names panels by id; each process decodes and prepares the panels it needs and keeps the most
recent ones. What takes long to work out of a panel is left in a folder for the other processes, and
for later. Results come back in the order of the tasks whatever the number of processes, so a
screening does not depend on ``--jobs``.
"""

import multiprocessing
import signal
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.images import read_pixels
from tamperscope.matching.keypoints import features_of, remember
from tamperscope.matching.match import PreparedPanel
from tamperscope.matching.prepare import prepare
from tamperscope.records import Box
from tamperscope.screening.annotations import annotation_mask
from tamperscope.screening.scratch import Scratch

Task = TypeVar("Task")
Result = TypeVar("Result")

PREPARED_PANELS = 48
"""Panels that one process keeps prepared (about 10 MB each with their features)."""

DECODED_FIGURES = 4
"""Figures that one process keeps decoded; tasks come in the order of figures."""


@dataclass(frozen=True)
class PanelSource:
    """Where a panel's pixels are, and what is known of it."""

    id: str
    figure: Path  # file that decodes to the figure's pixels
    box: Box
    kind: str


class PanelCache:
    """Prepared panels by id, least recently used ones dropped.

    Args:
        sources: The panels.
        scratch: Where marks and key points are kept; None works them out whenever they are wanted.
    """

    def __init__(self, sources: Sequence[PanelSource], scratch: Scratch | None = None) -> None:
        self._scratch = scratch
        self.sources = {source.id: source for source in sources}
        self._prepared: OrderedDict[str, PreparedPanel] = OrderedDict()
        self._figures: OrderedDict[Path, NDArray[np.uint8]] = OrderedDict()

    def pixels(self, id: str) -> NDArray[np.uint8]:
        """Pixels of panel ``id``, uint8 (height, width, 3)."""
        source = self.sources[id]
        figure = self._figures.pop(source.figure, None)
        if figure is None:
            figure = read_pixels(source.figure)
        self._figures[source.figure] = figure
        while len(self._figures) > DECODED_FIGURES:
            self._figures.popitem(last=False)
        return np.ascontiguousarray(figure[source.box.slices])

    def panel(self, id: str) -> PreparedPanel:
        """Panel ``id`` as the matchers see it: letters, arrows and scale bars masked."""
        prepared = self._prepared.pop(id, None)
        if prepared is None:
            prepared = self._prepare(id)
        self._prepared[id] = prepared
        while len(self._prepared) > PREPARED_PANELS:
            self._prepared.popitem(last=False)
        return prepared

    def _prepare(self, id: str) -> PreparedPanel:
        pixels, kind = self.pixels(id), self.sources[id].kind
        if self._scratch is None:
            return prepare(pixels, kind, annotation_mask(pixels), name=id)
        kept = self._scratch.load(id)
        if kept is not None:
            ignore, features = kept
            panel = prepare(pixels, kind, ignore, name=id)
            remember(panel, features)
            return panel
        ignore = annotation_mask(pixels)
        panel = prepare(pixels, kind, ignore, name=id)
        self._scratch.keep(id, ignore, features_of(panel))
        return panel


_cache: PanelCache  # of a worker process, set once by _start


def _start(sources: Sequence[PanelSource], scratch: Scratch | None) -> None:
    global _cache  # a process pool offers no other place for state of its processes
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that reports
    cv2.setNumThreads(1)  # the processes share the cores among themselves
    _cache = PanelCache(sources, scratch)


def _call(function: Callable[[PanelCache, Any], Any], task: Any) -> Any:
    return function(_cache, task)


class Workers:
    """Processes that look at the same panels, for one list of tasks after the other.

    Args:
        sources: The panels that tasks may name.
        jobs: Processes; 1 works in this one.
        scratch: Where they leave for each other what takes long to work out.
    """

    def __init__(
        self, sources: Sequence[PanelSource], jobs: int, scratch: Scratch | None = None
    ) -> None:
        self._sources, self._jobs, self._scratch = sources, jobs, scratch
        self._pool: ProcessPoolExecutor | None = None
        self._own: PanelCache | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if self._pool is None:
            return
        # On Ctrl-C nothing that has not begun is begun, and what has begun is not waited for: the
        # processes are gone before the caller removes the folder they write to.
        self._pool.shutdown(wait=error is None, cancel_futures=True)
        if error is not None:
            own = set(multiprocessing.active_children()) - self._others
            for process in own:
                process.terminate()
            for process in own:
                process.join()

    def run(
        self, function: Callable[[PanelCache, Task], Result], tasks: Sequence[Task]
    ) -> Iterator[Result]:
        """Yield ``function(cache, task)`` for each task, in order.

        Args:
            function: A module-level function, so that another process can import it.
            tasks: What to hand to it, one at a time.
        """
        if self._jobs == 1:
            return self._here(function, tasks)
        if self._pool is None:
            # Not fork: OpenCV and other libraries hold threads that a forked child would lack.
            context = multiprocessing.get_context("spawn")
            start = (self._sources, self._scratch)
            self._others = set(multiprocessing.active_children())
            self._pool = ProcessPoolExecutor(self._jobs, context, _start, start)
        chunk = max(1, min(8, len(tasks) // (4 * self._jobs)))
        return self._pool.map(partial(_call, function), tasks, chunksize=chunk)

    def _here(
        self, function: Callable[[PanelCache, Task], Result], tasks: Sequence[Task]
    ) -> Iterator[Result]:
        if self._own is None:
            self._own = PanelCache(self._sources, self._scratch)
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            for task in tasks:
                yield function(self._own, task)
        finally:
            cv2.setNumThreads(threads)
