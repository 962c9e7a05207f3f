"""Where the copy of every cell lies: the truth that affinities are trained on.

A sample's links say which regions are there twice and by which map. Here they become small arrays,
one a panel, that a batch can carry: for each cell of the network's grid the places that show the
same thing. A region that was copied several times has several; its copies are each other's
partners too.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tamperscope.synth.geometry import inverse, map_points
from tamperscope.synth.sample import Link, Mask, Matrix, Sample, Size

PARTNERS = 4  # places that one cell may have; further ones are left out
COVERED = 0.5  # of a cell, at least, for its place in the other copy to count
Places = NDArray[np.float64]  # (cell, 2), (x, y) in pixels


def partner_maps(sample: Sample, cell: float) -> tuple[NDArray[np.float32], ...]:
    """Return the partners of the cells of each panel.

    Args:
        sample: One panel or two. In two, partners are in the other panel; in one, in itself.
        cell: Pixels of a cell, each way; a panel has ``round(side / cell)`` of them, one at least.
            For a network: ``side / rows`` with the ``(rows, columns)`` of ``network.grid(size)``,
            on panels whose sides are multiples of 32 (others are padded before they are cut).

    Returns:
        One float32 array (PARTNERS, 2, rows, columns) a panel: x and y of up to four partners, in
        cells of the panel they lie in (0 is the centre of its first cell), NaN where there is no
        such partner. Arrays of panels of one size stack: ``torch.from_numpy(np.stack(...))`` is
        what :func:`tamperscope.training.pair_losses.biotampernet_loss` takes as ``partners``.

    Raises:
        ValueError: A cell has no extent.
    """
    if not cell > 0:
        raise ValueError(f"a cell has a side above 0 pixels, got {cell}")
    found = []
    for index, pixels in enumerate(sample.panels):
        wanted = 1 - index if len(sample.panels) == 2 else index
        size, other = pixels.shape[:2], sample.panels[wanted].shape[:2]
        grid = grid_of(size, cell)
        centres = cell_centres(grid, size)
        places = [
            to_cells(np.where(covered[:, None], place, np.nan), other, grid_of(other, cell))
            for covered, place in _hops(sample.links, centres, grid, index, wanted)
        ]
        found.append(_first_ones(places, grid))
    return tuple(found)


def flipped(partners: Tensor, axis: int) -> Tensor:
    """Partners after both panels, of one grid, were flipped: ``axis`` -1 sideways, -2 upside down.

    Args:
        partners: (..., 2, rows, columns).
        axis: -1 or -2, as for ``Tensor.flip``.
    """
    turned = partners.flip(axis)
    place = turned.select(-3, 0 if axis == -1 else 1)
    place.copy_(partners.shape[axis] - 1 - place)
    return turned


def grid_of(size: Size, cell: float) -> Size:
    """Rows and columns of cells of a panel."""
    return max(round(size[0] / cell), 1), max(round(size[1] / cell), 1)


def cell_centres(grid: Size, size: Size) -> Places:
    """Centres of all cells in pixels, row by row."""
    y, x = ((np.arange(n) + 0.5) * side / n - 0.5 for n, side in zip(grid, size, strict=True))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def to_cells(places: Places, size: Size, grid: Size) -> Places:
    """Pixels of a panel of ``size`` -> cells of ``grid``."""
    return (places + 0.5) * (grid[1] / size[1], grid[0] / size[0]) - 0.5


def _hops(
    links: tuple[Link, ...], centres: Places, grid: Size, index: int, wanted: int
) -> Iterator[tuple[NDArray[np.bool_], Places]]:
    """Yield which cells of panel ``index`` have a partner in ``wanted``, and where it is."""
    for link in links:
        if (link.source_panel, link.target_panel) == (index, wanted):
            yield _landed(_covered(link.source, grid), link.matrix, centres, link.target)
        if link.target_panel != index:
            continue
        covered, origin = _landed(
            _covered(link.target, grid), inverse(link.matrix), centres, link.source
        )
        if link.source_panel == wanted:
            yield covered, origin
        for third in links:  # the other copies of the same thing
            if third is not link and (third.source_panel, third.target_panel) == (
                link.source_panel, wanted,
            ):  # fmt: skip
                yield _landed(covered & _at(third.source, origin), third.matrix, origin,
                              third.target)  # fmt: skip


def _landed(
    covered: NDArray[np.bool_], matrix: Matrix, places: Places, onto: Mask
) -> tuple[NDArray[np.bool_], Places]:
    """Map places; those that fall outside of the panel are no longer covered."""
    moved = map_points(matrix, places)
    height, width = onto.shape
    inside = (moved >= -0.5) & (moved <= (width - 0.5, height - 0.5))
    return covered & inside.all(axis=1), moved


def _covered(mask: Mask, grid: Size) -> NDArray[np.bool_]:
    values = np.ascontiguousarray(mask, dtype=np.float32)  # a turned sample's masks are views
    shares = cv2.resize(values, (grid[1], grid[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(shares.reshape(-1) >= COVERED)


def _at(mask: Mask, places: Places) -> NDArray[np.bool_]:
    """Mask at the pixels nearest to places."""
    height, width = mask.shape
    column, row = np.rint(places).astype(np.int64).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return inside & mask[row.clip(0, height - 1), column.clip(0, width - 1)]


def _first_ones(places: list[Places], grid: Size) -> NDArray[np.float32]:
    """Put the partners that a cell has before those that it lacks."""
    cells = grid[0] * grid[1]
    empty = np.full((PARTNERS, cells, 2), np.nan)
    stacked = np.concatenate((np.stack(places), empty)) if places else empty
    order = np.isnan(stacked[..., 0]).argsort(axis=0, kind="stable")[:PARTNERS]
    chosen = np.take_along_axis(stacked, order[..., None], axis=0)
    shaped = chosen.reshape(PARTNERS, *grid, 2).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(shaped, dtype=np.float32)
