"""Pixels as blocks of cosine coefficients, and back: what the generators of patches paint in.

A block of ``side`` x ``side`` pixels becomes one place with 3 side^2 numbers: three opponent
colours, (1, 1, 1) / sqrt 3, (1, 0, -1) / sqrt 2, (1, -2, 1) / sqrt 6, each through the plane
DCT-II (Ahmed, Natarajan, Rao, "Discrete cosine transform", 1974). The transform is orthonormal, so
the inverse is its transpose and squared errors are the same on either side. It makes an image
``side`` times smaller each way, which is what a network on a CPU pays for, and it keeps fine detail
apart from coarse, so that each band can be brought to the same strength.
"""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])


@lru_cache(maxsize=8)
def block_basis(side: int) -> NDArray[np.float32]:
    """Return the basis pictures, (3 side^2, 3, side, side): colour slowest, then rows, columns."""
    place = np.arange(side)
    cosines = np.cos(math.pi * np.outer(place, 2 * place + 1) / (2 * side)) * math.sqrt(2 / side)
    cosines[0] /= math.sqrt(2)
    basis = np.einsum("ac,iy,jx->aijcyx", OPPONENT, cosines, cosines)
    return np.ascontiguousarray(basis.reshape(3 * side**2, 3, side, side), dtype=np.float32)


def to_blocks(image: Tensor, side: int) -> Tensor:
    """Turn (batch, 3, height, width) into (batch, 3 side^2, height / side, width / side)."""
    if image.shape[-2] % side or image.shape[-1] % side:
        raise ValueError(f"{tuple(image.shape)} is not made of blocks of {side} x {side} pixels")
    return F.conv2d(image, _basis_like(image, side), stride=side)


def from_blocks(blocks: Tensor, side: int) -> Tensor:
    """Turn what :func:`to_blocks` made into the image again."""
    return F.conv_transpose2d(blocks, _basis_like(blocks, side), stride=side)


def _basis_like(values: Tensor, side: int) -> Tensor:
    return torch.from_numpy(block_basis(side)).to(values)
