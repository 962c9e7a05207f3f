"""Links that affinities make: which cell of one panel goes with which cell of another.

A link joins two cells that are each other's strongest affinity; its weight is that affinity, the
product of both softmaxes, in (0, 1]. Where the link ends is refined below the size of a cell by the
mean of the nine cells around, each weighed by its affinity. Everything runs in blocks of rows: no
N x M map is whole in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tamperscope.models.affinity import Embedding, Rows, Similarity
from tamperscope.models.network import Size
from tamperscope.models.pair_network import PairNetwork, PanelFeatures

Points = NDArray[np.float64]  # (n, 2), (x, y) at pixel centres


@dataclass(frozen=True, eq=False)
class Links:
    """Linked places of two panels, strongest first."""

    source: Points
    target: Points
    weight: NDArray[np.float64]  # (n,), in (0, 1]
    cell: float  # pixels of the second panel between two cells


def similarity_rows(
    network: PairNetwork, first: PanelFeatures, second: PanelFeatures, *, same: bool
) -> Iterator[Rows]:
    """Rows of the cross-similarity of two panels, or of the self-similarity of one.

    Raises:
        ValueError: The network was built without affinity.
    """
    similarity: Similarity | None = network.self_similarity if same else network.cross_similarity
    if similarity is None or first.embedding is None or second.embedding is None:
        raise ValueError("this network was built without affinity; it links nothing")
    return similarity.rows(first.embedding, second.embedding, same=same)


def mutual_links(
    network: PairNetwork,
    first: PanelFeatures,
    second: PanelFeatures,
    first_size: Size,
    second_size: Size,
    *,
    same: bool,
) -> Links:
    """Link the cells of two panels, batches of one; sizes are those of the panels in pixels."""
    target, weight, back = best_partners(network, first, second, same=same)
    cells = torch.arange(len(target), device=target.device)
    mutual = cells[back[target] == cells]
    grid = embedding_of(second).grid
    refined = refined_places(network, first, second, target, grid, same=same)
    source_xy = to_panel(places(mutual, embedding_of(first).grid), first, first_size)
    target_xy = to_panel(refined[mutual], second, second_size)
    weights = weight[mutual].double().cpu().numpy()
    inside = within(source_xy, first_size) & within(target_xy, second_size)
    order = np.argsort(-weights, kind="stable")
    order = order[inside[order]]
    cell = float(np.sqrt(second_size[0] * second_size[1] / (grid[0] * grid[1])))
    return Links(source_xy[order], target_xy[order], weights[order], cell)


def best_partners(
    network: PairNetwork, first: PanelFeatures, second: PanelFeatures, *, same: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Partner and affinity of every cell of the first map; partner of every one of the second."""
    targets, weights = [], []
    best: Tensor | None = None
    back: Tensor | None = None
    for rows in similarity_rows(network, first, second, same=same):
        log_affinity = rows.log_affinity[0]
        value, target = log_affinity.max(dim=1)
        targets.append(target)
        weights.append(value.exp())
        column, index = log_affinity.max(dim=0)
        index = index + rows.cells.start
        if best is None or back is None:
            best, back = column, index
        else:
            back = torch.where(column > best, index, back)
            best = torch.maximum(best, column)
    assert back is not None
    return torch.cat(targets), torch.cat(weights), back


def refined_places(
    network: PairNetwork,
    first: PanelFeatures,
    second: PanelFeatures,
    target: Tensor,
    grid: Size,
    *,
    same: bool,
) -> Tensor:
    """Places (row, column) around each partner, weighed by affinity, float32 (cell, 2)."""
    rows_of, columns_of = target // grid[1], target % grid[1]
    refined = []
    for rows in similarity_rows(network, first, second, same=same):
        affinity = rows.log_affinity[0].exp()
        here = slice(rows.cells.start, rows.cells.stop)
        total = affinity.new_zeros(len(affinity))
        moment = affinity.new_zeros(len(affinity), 2)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                row, column = rows_of[here] + down, columns_of[here] + right
                there = (row >= 0) & (row < grid[0]) & (column >= 0) & (column < grid[1])
                index = row.clamp(0, grid[0] - 1) * grid[1] + column.clamp(0, grid[1] - 1)
                weight = affinity.gather(1, index[:, None])[:, 0] * there
                total += weight
                moment += weight[:, None] * torch.stack((row, column), dim=1)
        refined.append(moment / total[:, None].clamp(min=torch.finfo(total.dtype).tiny))
    return torch.cat(refined)


def partners_of(
    network: PairNetwork,
    first: PanelFeatures,
    second: PanelFeatures,
    point: tuple[float, float],
    size: Size,
    *,
    same: bool,
) -> Tensor:
    """Affinities of the cell at ``point`` (x, y) with all cells: (rows, columns).

    Raises:
        ValueError: The point lies outside the panel.
    """
    x, y = point
    if not (0 <= x < size[1] and 0 <= y < size[0]):
        raise ValueError(f"({x:g}, {y:g}) lies outside a panel of {size[1]} x {size[0]} pixels")
    rows, columns = embedding_of(first).grid
    down = (y + 0.5) / size[0] * first.size[0] / first.image.shape[2]
    across = (x + 0.5) / size[1] * first.size[1] / first.image.shape[3]
    cell = int(down * rows) * columns + int(across * columns)
    for block in similarity_rows(network, first, second, same=same):
        if block.cells.start <= cell < block.cells.stop:
            row = block.log_affinity[0, cell - block.cells.start].exp()
            return row.view(embedding_of(second).grid)
    raise AssertionError("every cell is in a block")


def embedding_of(features: PanelFeatures) -> Embedding:
    """Embedding of a panel whose network has affinity."""
    if features.embedding is None:
        raise ValueError("this network was built without affinity; it links nothing")
    return features.embedding


def places(cells: Tensor, grid: Size) -> Tensor:
    """Row and column of cells, (n, 2)."""
    return torch.stack((cells // grid[1], cells % grid[1]), dim=1).float()


def to_panel(place: Tensor, features: PanelFeatures, size: Size) -> Points:
    """Rows and columns of cells -> (x, y) in pixels of the panel as it was given."""
    grid = embedding_of(features).grid
    row_column = place.double().cpu().numpy() + 0.5
    pixels = [
        row_column[:, axis] / grid[axis] * features.image.shape[2 + axis]
        / features.size[axis] * size[axis] - 0.5
        for axis in (1, 0)
    ]  # fmt: skip
    return np.stack(pixels, axis=1)


def within(points: Points, size: Size) -> NDArray[np.bool_]:
    """Mark points that lie inside a panel and not in its padding."""
    inside = (points >= -0.5) & (points <= np.array([size[1], size[0]]) - 0.5)
    return np.asarray(inside.all(axis=1))
