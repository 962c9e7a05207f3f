"""Scan routes: the orders in which the cells of a map are laid out as one-dimensional sequences.

A route set is an integer map (direction, length): the row-major cell each step of each sequence
visits, or -1 where the step falls on zero padding.

``cross`` (VMamba, Liu et al. 2024, https://arxiv.org/abs/2401.10166): row by row, column by column,
and both reversed; every cell is visited by all four directions, and merging sums.
``atrous`` (EfficientVMamba, Pei et al. 2024, https://arxiv.org/abs/2403.09977, step 2): the map is
padded with zeros at the right and bottom to even size and split into its four sub-grids of every
second cell: even rows and columns, row by row; odd rows and even columns, column by column; even
rows and odd columns, row by row; odd rows and columns, column by column. No direction is reversed,
every cell is visited once, and merging puts it back; padding takes part in the scan as zeros.
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

ROUTES = ("cross", "atrous")


def cross_index(height: int, width: int) -> Tensor:
    """Cells visited by the cross scan, int64 (4, height * width)."""
    cells = torch.arange(height * width).view(height, width)
    rows, columns = cells.flatten(), cells.t().flatten()
    return torch.stack([rows, columns, rows.flip(0), columns.flip(0)])


def atrous_index(height: int, width: int) -> Tensor:
    """Cells visited by the atrous scan, int64 (4, ceil(h / 2) * ceil(w / 2)); -1 is padding."""
    cells = torch.arange(height * width).view(height, width)
    cells = F.pad(cells, (0, width % 2, 0, height % 2), value=-1)
    return torch.stack(
        [
            cells[0::2, 0::2].flatten(),
            cells[1::2, 0::2].t().flatten(),
            cells[0::2, 1::2].flatten(),
            cells[1::2, 1::2].t().flatten(),
        ]
    )


def route_index(route: str, height: int, width: int, device: torch.device) -> Tensor:
    """Index map of ``route`` on ``device``; treat it as read-only, it is shared between calls."""
    if route not in ROUTES:
        raise ValueError(f"route must be one of {', '.join(ROUTES)}, got {route!r}")
    if height < 1 or width < 1:
        raise ValueError(f"a map needs at least one cell, got {height} x {width}")
    if torch.compiler.is_compiling():  # a traced tensor must not outlive its trace
        return build_index(route, height, width).to(device)
    return cached_index(route, height, width, device)


@cache
def cached_index(route: str, height: int, width: int, device: torch.device) -> Tensor:
    """Build an index map once."""
    return build_index(route, height, width).to(device)


def build_index(route: str, height: int, width: int) -> Tensor:
    """Index map of a route whose name is known."""
    return cross_index(height, width) if route == "cross" else atrous_index(height, width)


def lay_out(image: Tensor, index: Tensor) -> Tensor:
    """Lay (batch, channel, height, width) out along ``index``: (batch, 4, channel, length)."""
    cells = F.pad(image.flatten(2), (0, 1))  # the added last cell is the zero that -1 points to
    sequences = cells[:, :, index.where(index >= 0, cells.shape[2] - 1)]
    return sequences.transpose(1, 2)


def put_back(sequences: Tensor, index: Tensor, cells: int) -> Tensor:
    """Sum (batch, 4, channel, length) back onto the map: (batch, channel, cells)."""
    batch, _, channel, _ = sequences.shape
    merged = sequences.new_zeros(batch, channel, cells + 1)
    target = index.where(index >= 0, cells).flatten()
    merged = merged.index_add(2, target, sequences.transpose(1, 2).flatten(2))
    return merged[..., :cells]


def cross_scan(image: Tensor) -> Tensor:
    """Four sequences of every map: (batch, channel, h, w) -> (batch, 4, channel, h * w)."""
    return lay_out(image, route_index("cross", image.shape[2], image.shape[3], image.device))


def cross_merge(sequences: Tensor, height: int, width: int) -> Tensor:
    """Sum the four sequences cell by cell; the adjoint of :func:`cross_scan`.

    (batch, 4, channel, h * w) -> (batch, channel, h * w), row-major.
    """
    index = route_index("cross", height, width, sequences.device)
    return put_back(sequences, index, height * width)


def atrous_scan(image: Tensor) -> Tensor:
    """Four sub-grid sequences: (batch, channel, h, w) -> (batch, 4, channel, padded quarter)."""
    return lay_out(image, route_index("atrous", image.shape[2], image.shape[3], image.device))


def atrous_merge(sequences: Tensor, height: int, width: int) -> Tensor:
    """Put the four sub-grids back, dropping the padding; the adjoint of :func:`atrous_scan`.

    (batch, 4, channel, padded quarter) -> (batch, channel, h * w), row-major.
    """
    index = route_index("atrous", height, width, sequences.device)
    return put_back(sequences, index, height * width)
