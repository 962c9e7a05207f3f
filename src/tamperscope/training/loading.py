"""Worker processes that make batches ahead of the network; torch's own loader runs them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from tamperscope.training.batches import Batch, Plan, Rows

AHEAD = 4  # batches that each worker holds ready


class PlannedBatches(Dataset[Batch]):
    """A plan as torch's loader wants it: batches by their rows."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __getitem__(self, rows: Rows) -> Batch:  # type: ignore[override]
        """Make one batch."""
        return self.plan.make(rows)


def load(plan: Plan, rows: Sequence[Rows], workers: int) -> Iterator[Batch]:
    """Yield the batches of ``rows`` in their order; the same for any number of workers.

    Args:
        plan: What a step is made of.
        rows: Batches that are wanted.
        workers: Processes that make them; 0: this one, when they are asked for.
    """
    loader = DataLoader(
        PlannedBatches(plan),
        sampler=rows,
        batch_size=None,
        collate_fn=unchanged,
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        # Not fork: OpenCV and other libraries hold threads that a forked child would lack.
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=start_worker if workers else None,
        generator=torch.Generator(),  # not torch's own, whose state decides dropout
    )
    return iter(loader)


def unchanged(batch: Any) -> Any:
    """Leave arrays as they are: they go through a pipe, not through scarce shared memory."""
    return batch


def start_worker(_number: int) -> None:
    """Leave the processor's cores to the network, and Ctrl-C to the process that reports."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """End this worker when the training is killed: a batch that nobody takes would hold it back."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
