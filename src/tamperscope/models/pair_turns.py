"""The eight turns and mirrors of a picture, and descriptors that are compared under all of them.

    F(x)_i = [D(g x) at the place of cell i, for each g of the eight],      a block a turn
    s_ij   = max over h of <F(x)_i, h F(y)_j>,      (h F)[g] = F[g h^-1]

If y shows x turned by h, then F(y) has the blocks of F(x) in another order, exactly; so a copy is
as like its source as if it had not been turned, whatever D is. A turn is a number: bit 0 mirrors
columns, bit 1 mirrors rows, bit 2 exchanges rows and columns, in this order.

The idea of comparing a descriptor under cyclic shifts of its orientation channel is old (it is how
log-polar descriptors are matched); for convolutions see Cohen and Welling, "Group Equivariant
Convolutional Networks", 2016, https://arxiv.org/abs/1602.07576. Not in BioTamperNet's sources.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

TURNS = 8
TRANSPOSED = 4


def turned(x: Tensor, turn: int) -> Tensor:
    """Turn a map (batch, height, width, channel); a view."""
    axes = [axis for axis, bit in ((2, 1), (1, 2)) if turn & bit]
    x = x.flip(axes) if axes else x
    return x.transpose(1, 2) if turn & TRANSPOSED else x


def turned_back(x: Tensor, turn: int) -> Tensor:
    """Undo :func:`turned`."""
    x = x.transpose(1, 2) if turn & TRANSPOSED else x
    axes = [axis for axis, bit in ((2, 1), (1, 2)) if turn & bit]
    return x.flip(axes) if axes else x


@cache
def block_orders() -> tuple[tuple[int, ...], ...]:
    """For each turn h: the numbers of the blocks g h^-1, g = 0 to 7; the first row is 0 to 7."""
    mirror, exchange = np.diag([-1, 1]), np.array([[0, 1], [1, 0]])
    matrices = []
    for turn in range(TURNS):
        matrix = np.eye(2, dtype=int)
        if turn & 1:
            matrix = mirror @ matrix
        if turn & 2:
            matrix = -mirror @ matrix
        if turn & TRANSPOSED:
            matrix = exchange @ matrix
        matrices.append(matrix)

    def number(matrix: np.ndarray) -> int:
        return next(n for n, known in enumerate(matrices) if (known == matrix).all())

    return tuple(tuple(number(g @ h.T) for g in matrices) for h in matrices)


def most_alike(query: Tensor, key: Tensor) -> Tensor:
    """Products of blocked descriptors under the turn that makes them largest.

    Args:
        query: (batch, N, 8 x channel), block by block.
        key: (batch, M, 8 x channel).

    Returns:
        (batch, N, M).
    """
    blocks = key.unflatten(2, (TURNS, -1))
    s = query @ key.transpose(1, 2)
    for order in block_orders()[1:]:
        turned_key = blocks[:, :, list(order)].flatten(2)
        s = torch.maximum(s, query @ turned_key.transpose(1, 2))
    return s
