"""Where a picture steps from one column to the next, in many rows at the same column.

For every column boundary and every block of rows, the step of two columns against the two before
is compared with the steps at other boundaries nearby. Where it exceeds all of them by half, the
block votes for the boundary. Other boundaries include those 8 and 16 columns away, so that the grid
of JPEG gets no votes, and those 3 columns away, so that a blurred edge gets none either. Votes are
summed along each boundary and the best run of rows is kept (maximal-sum segment; Bentley,
"Programming pearls: algorithm design techniques", Communications of the ACM 27(9), 1984).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.match import Gray, Mask

OTHERS = (3, 4, 5, 6, 7, 8, 16)  # columns to either side
EXCESS = 1.5  # times the largest step nearby
LEAST_STEP = 0.5 / 255  # brightness; rounding makes smaller ones
VOTE, MISS = 1.5, 0.75  # about the log-likelihood of a vote at a seam against one elsewhere
MARGIN = 8  # columns that must be usable on both sides
USABLE = 14  # of the 16


@dataclass(frozen=True)
class Run:
    """A run of rows that step at one column boundary."""

    column: int  # the step lies between columns ``column - 1`` and ``column``
    start: int  # first row
    stop: int  # row after the last
    votes: float  # VOTE for each block that votes, less MISS for each that does not
    share: float  # of the blocks that vote


def find_runs(gray: Gray, usable: Mask, block: int, least: float, most: int) -> list[Run]:
    """Find the strongest runs of an image (height, width), at most one in 13 columns.

    Args:
        gray: Image in [0, 1].
        usable: Where steps may be looked for.
        block: Rows that are averaged before voting.
        least: Smallest sum of votes.
        most: Largest number of runs.
    """
    height, width = gray.shape
    if height < 2 * block or width < 4 * MARGIN:
        return []
    step, votes, possible = votes_of(gray, usable, block)
    weight = np.where(votes, VOTE, -MISS)
    weight[~possible] = -MISS
    best, start, stop = best_runs(weight)
    runs: list[Run] = []
    while len(runs) < most:
        column = int(best.argmax())
        if best[column] < least:
            break
        rows = slice(int(start[column]), int(stop[column]))
        share = float(votes[rows, column].mean())
        # the boundaries beside a step have its votes too, but less of its height
        first = max(column - 2, 0)
        place = first + int(step[rows, first : column + 3].sum(axis=0).argmax())
        runs.append(Run(place, rows.start * block, rows.stop * block, float(best[column]), share))
        best[max(column - 6, 0) : column + 7] = 0
    return runs


def votes_of(gray: Gray, usable: Mask, block: int) -> tuple[NDArray[np.float32], Mask, Mask]:
    """Steps, votes, and where a vote is possible, by (block, boundary)."""
    height, width = gray.shape
    count = height // block
    rows = gray[: count * block].reshape(count, block, width).mean(axis=1)
    open_ = usable[: count * block].reshape(count, block, width).all(axis=1)
    step = np.zeros((count, width), dtype=np.float32)
    # boundary c: columns c and c + 1 against c - 2 and c - 1
    pairs = (rows[:, 1:] + rows[:, :-1]) / 2
    step[:, 2 : width - 1] = np.abs(pairs[:, 2:] - pairs[:, :-2])
    reach = max(OTHERS)
    kernel = np.zeros((1, 2 * reach + 1), dtype=np.uint8)
    kernel[0, [reach + k * side for k in OTHERS for side in (-1, 1)]] = 1
    nearby = cv2.dilate(step, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    total = np.cumsum(np.pad(open_, ((0, 0), (1, 0))), axis=1)
    possible = np.zeros((count, width), dtype=bool)
    middle = np.arange(MARGIN, width - MARGIN + 1)
    middle = middle[middle < width]
    possible[:, middle] = total[:, middle + MARGIN] - total[:, middle - MARGIN] >= USABLE
    return step, (step > EXCESS * nearby + LEAST_STEP) & possible, possible


def best_runs(
    weight: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Maximal-sum run of every column: (sum, first block, block after the last)."""
    width = weight.shape[1]
    best, running = np.zeros(width), np.zeros(width)
    begun, start, stop = (np.zeros(width, dtype=np.int64) for _ in range(3))
    for row, values in enumerate(weight):
        begun = np.where(running <= 0, row, begun)
        running = np.maximum(running, 0) + values
        better = running > best
        best = np.where(better, running, best)
        start = np.where(better, begun, start)
        stop = np.where(better, row + 1, stop)
    return best, start, stop
