"""Layers that several networks share. Maps are (batch, height, width, channel), channels last.

Channels last makes every projection a plain matrix product and every LayerNorm a walk over
neighbouring numbers; convolutions see the same memory as (batch, channel, height, width) in
``torch.channels_last``, so nothing is copied on the way.
"""

import torch
from torch import Tensor, nn


class Conv(nn.Conv2d):
    """Convolution of a channels-last map."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, in) -> (batch, height', width', out)."""
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation of a channels-last map."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel over batch, height and width."""
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Pointwise(nn.Linear):
    """A 1 x 1 convolution of the authors as a matrix product; starts as torch starts both."""


class DropPath(nn.Module):
    """Drop a whole residual branch per sample, and scale what stays.

    Huang et al., "Deep Networks with Stochastic Depth", 2016, https://arxiv.org/abs/1603.09382.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate  # probability that a sample's branch is dropped

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` itself in evaluation."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        kept = torch.empty(x.shape[0], *[1] * (x.ndim - 1), dtype=x.dtype, device=x.device)
        return x * kept.bernoulli_(keep) / keep

    def extra_repr(self) -> str:
        """Show the rate."""
        return f"rate={self.rate:.4g}"


class MLP(nn.Module):
    """Linear, exact GELU, linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.reduce = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Act on the last axis."""
        return self.reduce(self.act(self.expand(x)))


class MapPool(nn.Module):
    """Mean over height and width, kept as a 1 x 1 map; a module, for the papers count it."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channel) -> (batch, 1, 1, channel)."""
        return x.mean(dim=(1, 2), keepdim=True)


class Classifier(nn.Module):
    """LayerNorm, mean over the map, linear: the head both backbones were pretrained with."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.pool = MapPool()
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channel) -> (batch, class)."""
        return self.head(self.pool(self.norm(x))[:, 0, 0])


def drop_path_rates(depths: tuple[int, ...], most: float) -> list[list[float]]:
    """Rates per stage and block, growing linearly from 0 to ``most`` over all blocks."""
    flat = torch.linspace(0.0, most, sum(depths), device="cpu", dtype=torch.float64).tolist()
    return [[flat.pop(0) for _ in range(depth)] for depth in depths]


def initialise(module: nn.Module) -> None:
    """Set linear layers and LayerNorms as VMamba does; use as ``network.apply(initialise)``.

    Linear weights are drawn from a normal of deviation 0.02 cut at +-2, biases are 0; convolutions,
    pointwise ones too, and batch normalisation keep torch's own start.
    """
    if isinstance(module, nn.Linear) and not isinstance(module, Pointwise):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
