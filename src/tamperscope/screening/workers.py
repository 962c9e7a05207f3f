"""Runs matching tasks over panels, in one process or several, with bounded memory.

A task names panels by id; each process decodes and prepares the panels it needs and keeps the most
recent ones. Results come back in the order of the tasks whatever the number of processes, so a
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
from tamperscope.matching.match import PreparedPanel
from tamperscope.matching.prepare import prepare
from tamperscope.records import Box
from tamperscope.screening.annotations import annotation_mask

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
    """Prepared panels by id, least recently used ones dropped."""

    def __init__(self, sources: Sequence[PanelSource]) -> None:
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
            pixels = self.pixels(id)
            ignore = annotation_mask(pixels)
            prepared = prepare(pixels, self.sources[id].kind, ignore, name=id)
        self._prepared[id] = prepared
        while len(self._prepared) > PREPARED_PANELS:
            self._prepared.popitem(last=False)
        return prepared


_cache: PanelCache  # of a worker process, set once by _start


def _start(sources: Sequence[PanelSource]) -> None:
    global _cache  # a process pool offers no other place for state of its processes
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that reports
    cv2.setNumThreads(1)  # the processes share the cores among themselves
    _cache = PanelCache(sources)


def _call(function: Callable[[PanelCache, Any], Any], task: Any) -> Any:
    return function(_cache, task)


def run_tasks(
    function: Callable[[PanelCache, Task], Result],
    tasks: Sequence[Task],
    sources: Sequence[PanelSource],
    jobs: int,
) -> Iterator[Result]:
    """Yield ``function(cache, task)`` for each task, in order.

    Args:
        function: A module-level function, so that another process can import it.
        tasks: What to hand to it, one at a time.
        sources: The panels that tasks may name.
        jobs: Processes; 1 works in this one.
    """
    if jobs == 1 or len(tasks) < 2:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            cache = PanelCache(sources)
            for task in tasks:
                yield function(cache, task)
        finally:
            cv2.setNumThreads(threads)
        return
    # Not fork: OpenCV and other libraries hold threads that a forked child would lack.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        min(jobs, len(tasks)), context, initializer=_start, initargs=(sources,)
    )
    try:
        chunk = max(1, min(8, len(tasks) // (4 * jobs)))
        yield from pool.map(partial(_call, function), tasks, chunksize=chunk)
    finally:
        # On Ctrl-C or an early end nothing that has not begun is begun.
        pool.shutdown(wait=False, cancel_futures=True)
