"""Starts a worker that makes large batches, tells its number, and waits: python -m ...orphaned"""

import multiprocessing
import time

import numpy as np

from tamperscope.training.batches import Plan, rows_of
from tamperscope.training.loading import load
from tamperscope.training.streams import Example


class Large:
    """Batches that no pipe holds."""

    form, share, size, identity = 1, 1.0, (512, 512), "large"

    def example(self, number: int) -> Example:
        return Example((np.zeros((512, 512, 3), np.uint8),), (np.zeros((512, 512), bool),))


def main() -> None:
    rows = list(rows_of(0, 99, 4, rank=0, processes=1, accumulate=1))
    batches = load(Plan((Large(),), 0, 4), rows, workers=1)
    next(batches)
    (worker,) = multiprocessing.active_children()
    print(worker.pid, flush=True)
    time.sleep(60)


if __name__ == "__main__":
    main()
