"""Affinity: which cells of one map look like which cells of another, or of the same map.

    E      = E(x) / |E(x)|,   E(x) = ELU(W norm(context(x))) + 1            one row a cell, >= 0
    s_ij   = alpha <C_i, B_j> K_ij                         state-space similarity, C = B if tied
    K_ij   = d^2 / (d^2 + sigma^2),  d the distance of two cells of one image; 1 between images
    P_ij   = softmax over j of s_ij  *  softmax over i of s_ij             bidirectional softmax
    map_i  = sigmoid(four convolutions over the k largest log(1 + N M P_ij) of cell i)

Nandi and Natarajan, "BioTamperNet", 2026, https://arxiv.org/abs/2602.01435, affinity block; known
from its text, slides and notes, no code is public. Chosen here, because the sources are silent or
because it detects better:

- C and B share one projection (``tied``): then two equal patches have the largest similarity there
  is before anything is learned. Untied is what a state-space reading of the text suggests.
- The k values are log(1 + N M P): with 1,600 cells even a perfect match has P of about 0.005, too
  small to be seen by a convolution; N M P is 1 where nothing stands out.
- Rotary positions inside the similarity are off by default: they make a copy less alike the
  farther it is away.

Without gradients everything runs in blocks of rows, so that no N x M map is ever whole in memory.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.layers import BatchNorm, Conv, Pointwise
from tamperscope.models.network import Size
from tamperscope.models.pair_consensus import CHANNELS, consensus
from tamperscope.models.pair_encoders import TransformerBlock
from tamperscope.models.pair_turns import TRANSPOSED, most_alike, turned_back
from tamperscope.models.rotary import rotated_1d, rotated_2d
from tamperscope.models.ss2d import SS2D

Context = Literal["scan", "cnn", "attention", "none"]
Rotary = Literal["none", "1d", "2d"]
Norm = Literal["batch", "layer"]
BLOCK_VALUES = 1_000_000  # similarities that are in memory at a time when nothing is learned


def norm_layer(kind: Norm, width: int) -> nn.Module:
    """Normalisation of a channels-last map; LayerNorm is the published ablation."""
    return BatchNorm(width) if kind == "batch" else nn.LayerNorm(width)


class ScanLayer(nn.Module):
    """Pre-norm residual selective scan, four ways over the map, gated, 16 states."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.norm = norm_layer(norm, width)
        self.ss2d = SS2D(width, width, state_size=16, route="cross", gated=True, conv_bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, rows, columns, channel) -> the same shape."""
        return x + self.ss2d(self.norm(x))


class ConvLayer(nn.Module):
    """Pre-norm residual 3 x 3 convolution: a layer of the ablation "SSM -> CNN"."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.norm = norm_layer(norm, width)
        self.conv = Conv(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, rows, columns, channel) -> the same shape."""
        return x + self.conv(self.norm(x)).relu()


def context_layers(kind: Context, layers: int, width: int, norm: Norm) -> nn.Sequential:
    """Build what tokens pass before they are compared; empty for ``none``."""
    if kind == "none":
        return nn.Sequential()
    if kind == "attention":
        heads = max(width // 64, 1)
        return nn.Sequential(*[TransformerBlock(width, heads) for _ in range(layers)])
    layer = ScanLayer if kind == "scan" else ConvLayer
    return nn.Sequential(*[layer(width, norm) for _ in range(layers)])


@dataclass(frozen=True)
class Embedding:
    """Unit vectors of the cells of a batch of maps, row by row."""

    query: Tensor  # C, (batch, cell, channel)
    key: Tensor  # B, (batch, cell, channel)
    grid: Size  # rows and columns of cells
    blocks: bool = False  # whether the channels are eight turns, to be compared under all of them

    def roll(self, count: int) -> "Embedding":
        """Move the maps of the batch on by ``count``."""
        return replace(self, query=self.query.roll(count, 0), key=self.key.roll(count, 0))


class Embedder(nn.Module):
    """Tokens -> the unit vectors whose products are similarities."""

    def __init__(
        self,
        width: int,
        *,
        context: nn.Module,
        norm: Norm,
        tied: bool,
        rotary: Rotary,
    ) -> None:
        super().__init__()
        self.rotary: Rotary = rotary
        self.context = context
        self.norm = norm_layer(norm, width)
        self.query = nn.Linear(width, width, bias=False)
        self.key = None if tied else nn.Linear(width, width, bias=False)
        for projection in (self.query, self.key):
            if projection is not None:  # wide enough that ELU + 1 bends, and patches differ
                nn.init.normal_(projection.weight, std=(2 / width) ** 0.5)

    def forward(self, x: Tensor) -> Embedding:
        """Embed (batch, rows, columns, channel)."""
        x = self.norm(self.context(x))
        query = self.unit(self.query(x))
        key = query if self.key is None else self.unit(self.key(x))
        return Embedding(query, key, (x.shape[1], x.shape[2]))

    def of_turns(self, maps: Sequence[Tensor]) -> Embedding:
        """Embed the eight turns of a map, each (batch, rows, columns, channel) as it was turned."""
        blocks: list[Tensor] = []
        for half in (maps[:TRANSPOSED], maps[TRANSPOSED:]):  # each four of one shape
            x = F.elu(self.query(self.norm(self.context(torch.cat(tuple(half)))))) + 1
            blocks += x.chunk(len(half))
        upright = [turned_back(x, turn) for turn, x in enumerate(blocks)]
        query = F.normalize(torch.cat(upright, dim=-1).flatten(1, 2).float(), dim=-1)
        return Embedding(query, query, (upright[0].shape[1], upright[0].shape[2]), blocks=True)

    def unit(self, x: Tensor) -> Tensor:
        """ELU + 1, rotary positions if asked for, length 1; cells in one row."""
        positive = F.elu(x) + 1
        if self.rotary == "1d":
            positive = rotated_1d(positive)
        elif self.rotary == "2d":
            positive = rotated_2d(positive)
        return F.normalize(positive.flatten(1, 2).float(), dim=-1)


def cell_places(grid: Size, device: torch.device) -> Tensor:
    """Row and column of every cell, row by row, float32 (cell, 2)."""
    rows, columns = (torch.arange(n, device=device, dtype=torch.float32) for n in grid)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).flatten(0, 1)


def suppression(first: Tensor, second: Tensor, sigma: float) -> Tensor:
    """K between two lists of places (n, 2) and (m, 2): 0 at distance 0, 1/2 at ``sigma`` cells."""
    squared = (first[:, None] - second[None]).square().sum(dim=-1)
    return squared / (squared + sigma**2)


def bidirectional_softmax(similarity: Tensor) -> Tensor:
    """Product of the softmax over the last axis and that over the last but one."""
    return similarity.softmax(dim=-1) * similarity.softmax(dim=-2)


@dataclass(frozen=True)
class Rows:
    """Some rows of a similarity, with what turns them into affinities.

    log P = 2 s - row - column, each the logarithm of a sum of exponentials. The row's is constant
    for a cell, so that ``half`` has the order of its partners already, in one pass over the map.
    """

    cells: slice  # of the first map
    half: Tensor  # s - column / 2, (batch, row, cell of the second map)
    row: Tensor  # (batch, row)
    other: Size  # rows and columns of cells of the second map

    def of(self, panels: slice) -> "Rows":
        """Rows of some panels of the batch."""
        return Rows(self.cells, self.half[panels], self.row[panels], self.other)

    @property
    def log_affinity(self) -> Tensor:
        """Logarithm of P, (batch, row, cell of the second map)."""
        return 2 * self.half - self.row[..., None]


class Similarity(nn.Module):
    """Scaled and suppressed similarities between two embedded maps.

    Args:
        alpha: Inverse temperature before training.
        learned: Whether ``alpha`` is learned; positive always.
        sigma: Cells at which suppression is one half; 0 switches it off.
    """

    def __init__(self, alpha: float, sigma: float, *, learned: bool) -> None:
        super().__init__()
        self.sigma = sigma
        log_alpha = torch.tensor(alpha, dtype=torch.float32).log()
        self.log_alpha = nn.Parameter(log_alpha, requires_grad=learned)

    def rows(self, first: Embedding, second: Embedding, *, same: bool) -> Iterator[Rows]:
        """Yield all rows at once while gradients are recorded, in blocks otherwise.

        Args:
            first: Whose cells ask.
            second: Whose cells answer.
            same: Whether both are one image; a cell and its neighbours are then suppressed.
        """
        count = first.query.shape[1]
        if torch.is_grad_enabled() or self.training:
            s = self.block(first, second, slice(0, count), same=same)
            half = s - s.logsumexp(1, keepdim=True) / 2
            yield Rows(slice(0, count), half, s.logsumexp(2), second.grid)
            return
        width = max(BLOCK_VALUES // (len(second.key) * second.key.shape[1]), 1)
        blocks = [slice(top, min(top + width, count)) for top in range(0, count, width)]
        column = second.key.new_full((len(second.key), 1, second.key.shape[1]), -torch.inf)
        for cells in blocks:
            s = self.block(first, second, cells, same=same)
            column = torch.logaddexp(column, s.logsumexp(1, keepdim=True))
        for cells in blocks:
            if len(blocks) > 1:
                s = self.block(first, second, cells, same=same)
            yield Rows(cells, s - column / 2, s.logsumexp(2), second.grid)

    def block(self, first: Embedding, second: Embedding, cells: slice, *, same: bool) -> Tensor:
        """Similarities of some cells of the first map, (batch, row, cell of the second map)."""
        alike = most_alike if first.blocks else plain_products
        with full_precision(first.query.device.type):
            query = first.query[:, cells].float() * self.log_alpha.exp()
            s = alike(query, second.key.float())
        if same and self.sigma > 0:
            places = cell_places(first.grid, s.device)
            s = s * suppression(places[cells], places, self.sigma).to(s.dtype)
        return s


def full_precision(device: str) -> AbstractContextManager[Any]:
    """Switch autocast off: in bfloat16, alpha times a similarity is known to a tenth only."""
    if torch.amp.is_autocast_available(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()  # "meta", on which operations are counted


def plain_products(query: Tensor, key: Tensor) -> Tensor:
    """Products of (batch, N, channel) with (batch, M, channel): (batch, N, M)."""
    return query @ key.transpose(1, 2)


@dataclass(frozen=True)
class Strongest:
    """What is kept of some rows of a similarity, once the rows are gone."""

    values: Tensor  # largest log(1 + N M P) of each cell, largest first, (batch, row, count)
    partner: Tensor  # cell of the second map that the largest belongs to, (batch, row)
    other: Size  # rows and columns of cells of the second map


def strongest(rows: Rows, count: int, cells: int) -> Strongest:
    """Return the ``count`` largest log(1 + N M P) of each cell.

    Args:
        rows: Some rows of a similarity.
        count: How many values; zeros fill up where the second map has fewer cells.
        cells: N, cells of the first map.
    """
    others = rows.half.shape[-1]
    best = rows.half.topk(min(count, others), dim=-1)
    values = F.softplus(2 * best.values - rows.row[..., None] + math.log(cells * others))
    padded = F.pad(values, (0, count - values.shape[-1]))
    return Strongest(padded, best.indices[..., 0], rows.other)


class Refinement(nn.Module):
    """Strongest values of every cell -> one logit a cell: 3 x 3, 3 x 3, 3 x 3, 1 x 1.

    Args:
        count: Strongest values of a cell.
        agreed: Whether the consensus of the cells around is looked at too.
        width: Channels between the convolutions.
    """

    def __init__(self, count: int, *, agreed: bool, width: int = 16) -> None:
        super().__init__()
        self.agreed = agreed
        inputs = count + (CHANNELS if agreed else 0)
        self.convs = nn.ModuleList(
            Conv(before, width, 3, padding=1) for before in (inputs, width, width)
        )
        self.norms = nn.ModuleList(BatchNorm(width) for _ in range(2))
        self.last = Pointwise(width, 1)

    def forward(self, parts: Sequence[Strongest], grid: Size) -> Tensor:
        """Refine what was kept of all rows of a map of ``grid`` cells: (batch, rows, columns)."""
        x = torch.cat([part.values for part in parts], dim=1)
        if self.agreed:
            partner = torch.cat([part.partner for part in parts], dim=1)
            x = torch.cat((x, consensus(partner, grid, parts[0].other)), dim=-1)
        x = x.view(len(x), *grid, -1)
        for conv, norm in zip(self.convs, self.norms, strict=False):
            x = norm(conv(x)).relu()
        return self.last(self.convs[2](x))[..., 0]
