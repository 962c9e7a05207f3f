"""What a dense field within one picture says of each cell, as maps that a network can read.

:mod:`tamperscope.matching.dense_field` decides what is a copy. A network that also sees colours and
noise may decide better, and tell a copy from its original. So it is given what the field knows
before the decision: how well each place has a partner, and where that is.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.kernels.dense_field import NOTHING, NearestField, Search
from tamperscope.matching.dense_field import (
    MASKING,
    SEED,
    described,
    field_between,
    stride_for,
)
from tamperscope.matching.field_regions import LinearFit, Region, connected, good_nodes
from tamperscope.matching.prepare import prepare

CELL = 4  # pixels, each way: what the patch embedding of a network covers
MAPS = ("fit", "region", "closeness", "down", "right")
FEATURES = "zm"
FAIR_ERROR = 1.5  # pixels of misfit at which ``fit`` falls to 1 / e
FAIR_DISTANCE = 2.0e6  # squared, of descriptors, at which ``closeness`` falls to 1 / e
READING = replace(
    MASKING,
    max_nodes=300_000,
    search=Search(stride=2, rounds=3, seed=SEED),
    rules=replace(MASKING.rules, min_area=200.0),
)
"""A quarter of the nodes of a mask, and fewer rounds: a network reads cells, of many pictures."""


def match_maps(pixels: NDArray[np.uint8], *, threads: int = 1) -> NDArray[np.float32]:
    """Run the field within a picture.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        threads: Threads to use; the result is the same for any number.

    Returns:
        (5, ceil(H / CELL), ceil(W / CELL)), as ``MAPS`` names them: how nearly the partners around
        a place follow one transform, whether it belongs to a region that does, and how alike the
        partner looks, each in [0, 1]; then how many cells down and to the right the partner lies.
        Source and target count alike. All 0 where there is no partner but for ``closeness``, which
        is of each place for itself.

    Raises:
        MissingKernelError: The native library is not built.
    """
    panel = prepare(pixels, "photo", name="the picture")
    one = described(panel, FEATURES, threads, READING)
    stride = min(stride_for(one, READING), CELL)  # a node at least in every cell
    search = replace(READING.search, stride=stride)
    found = field_between(one, one, search, READING.exclusion, threads)
    fit, good = good_nodes(found, one, stride, READING.rules, READING.exclusion)
    size = -(-one.height // CELL), -(-one.width // CELL)
    maps = np.zeros((len(MAPS), *size), np.float32)
    maps[1] = covered(connected(fit, good, stride, READING.rules), stride, size)
    maps[2] = cv2.resize(closeness(found), size[::-1], interpolation=cv2.INTER_AREA)
    lay_partners(maps, fit, good, stride)
    return maps


def closeness(field: NearestField) -> NDArray[np.float32]:
    """How alike the best partner looks, 1 for the same descriptor; 0 where none was found."""
    alike = np.exp(-np.minimum(field.distance / FAIR_DISTANCE, 50.0))
    return np.where(field.distance == NOTHING, 0.0, alike).astype(np.float32)


def covered(regions: list[Region], stride: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Share of each cell that regions cover, source and target alike, at most 1."""
    rows, columns = size
    count = np.zeros(size, np.float32)
    for region in regions:
        for points in (region.source, region.target):
            column, row = cell_of(points)
            inside = (column >= 0) & (row >= 0) & (row < rows) & (column < columns)
            np.add.at(count, (row[inside], column[inside]), 1)
    whole = (CELL // stride) ** 2  # nodes of a cell, at least
    return np.minimum(count / whole, 1.0)


def lay_partners(
    maps: NDArray[np.float32], fit: LinearFit, good: NDArray[np.bool_], stride: int
) -> None:
    """Write ``fit``, ``down`` and ``right`` of every good node into its cell and its partner's.

    Of several nodes the one with the least error counts.
    """
    rows, columns = maps.shape[1:]
    row, column = np.nonzero(good)
    here = np.stack([column, row], axis=-1).astype(np.float64) * stride
    there = fit.position[row, column]
    own, other = cell_of(here), cell_of(there)
    inside = (other >= 0).all(axis=0) & (other[0] < columns) & (other[1] < rows)
    quality = np.exp(-fit.error[row, column] / FAIR_ERROR)
    order = np.argsort(quality, kind="stable")
    order = order[inside[order]]
    # The best comes last, so that it stays; sources after targets, for they are what was fitted.
    for source, target in ((other, own), (own, other)):
        column, row = source[:, order]
        maps[0, row, column] = quality[order]
        maps[3, row, column] = (target - source)[1, order]
        maps[4, row, column] = (target - source)[0, order]


def cell_of(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Column and row, (2, n), of the cells that points (n, 2) as (x, y) lie in."""
    return np.floor((points + 0.5) / CELL).astype(np.int64).T
