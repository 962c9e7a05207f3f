"""Rotary positions: pairs of channels turned by angles that grow with the place of a cell.

The product of two turned vectors depends on their displacement only. Su et al., "RoFormer", 2021,
https://arxiv.org/abs/2104.09864; on maps one half of the pairs turns with the row, the other with
the column, as in Han et al., "Demystify Mamba in Vision" (MLLA), 2024,
https://arxiv.org/abs/2405.16605.
"""

import torch
from torch import Tensor

BASE = 10_000.0


def angles(places: Tensor, pairs: int) -> Tensor:
    """Angles of ``pairs`` frequencies at every place, (place, pair)."""
    frequency = BASE ** (-torch.arange(pairs, device=places.device) / pairs)
    return places[:, None] * frequency


def turned(x: Tensor, angle: Tensor) -> Tensor:
    """Turn neighbouring channels (0, 1), (2, 3), ... of the last axis by ``angle``."""
    even, odd = x[..., 0::2], x[..., 1::2]
    cosine, sine = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), -1).flatten(-2)


def rotated_1d(x: Tensor) -> Tensor:
    """Turn (batch, rows, columns, channel) by the index of each cell, counted row by row."""
    rows, columns, channels = x.shape[1:]
    places = torch.arange(rows * columns, device=x.device, dtype=torch.float32)
    return turned(x, angles(places, channels // 2).view(rows, columns, -1))


def rotated_2d(x: Tensor) -> Tensor:
    """Turn (batch, rows, columns, channel) by row and by column; channels a multiple of 4."""
    rows, columns, channels = x.shape[1:]
    if channels % 4:
        raise ValueError(f"channels must be a multiple of 4, got {channels}")
    by_row, by_column = (
        angles(torch.arange(n, device=x.device, dtype=torch.float32), channels // 4)
        for n in (rows, columns)
    )
    angle = torch.cat(
        (
            by_row[:, None].expand(rows, columns, -1),
            by_column[None].expand(rows, columns, -1),
        ),
        dim=-1,
    )
    return turned(x, angle)
