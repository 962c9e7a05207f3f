"""EfficientVMamba, with optional channel-attention blocks: encoder of LoMa, and classifier.

State-space blocks while the map is large, inverted residuals once it is small. Pei et al.,
"EfficientVMamba: Atrous Selective Scan for Light Weight Visual Mamba", 2024,
https://arxiv.org/abs/2403.09977; the channel-attention block is that of Guo et al., "MambaIR",
2024, https://arxiv.org/abs/2402.15648, although LoMa's paper calls it squeeze-and-excitation.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.layers import (
    BatchNorm,
    Classifier,
    Conv,
    DropPath,
    MapPool,
    Pointwise,
    drop_path_rates,
    initialise,
)
from tamperscope.models.network import ConfiguredModule
from tamperscope.models.ss2d import SS2D


@dataclass(frozen=True)
class EfficientVMambaConfig:
    """Everything that decides the shape of the encoder."""

    widths: tuple[int, ...] = (96, 192, 384, 768)  # channels of each stage
    depths: tuple[int, ...] = (2, 2, 9, 2)  # blocks in each stage; the first two are state-space
    state_size: int = 16  # numbers of state per channel
    ssm_ratio: int = 2  # scanned channels over the width
    expand_ratio: int = 4  # inner width of an inverted residual over the width
    channel_attention: bool = False  # whether state-space blocks end in a channel-attention block
    drop_path: float = 0.1  # rate at the last block, training only

    def __post_init__(self) -> None:
        if len(self.widths) != 4 or len(self.depths) != 4:
            raise ValueError(f"four stages are needed, got {self.widths} and {self.depths}")


@dataclass(frozen=True)
class EfficientVMambaClassifierConfig(EfficientVMambaConfig):
    """The encoder as it was trained on ImageNet."""

    classes: int = 1000


class PatchEmbedding(nn.Module):
    """One convolution of 4 x 4 pixels without overlap, LayerNorm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = Conv(3, width, 4, stride=4)
        self.norm = nn.LayerNorm(width)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, height, width, 3) -> (batch, height // 4, width // 4, channel)."""
        return self.norm(self.conv(image))


class BiAttention(nn.Module):
    """Weight channels by what the whole map says."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.reduce = nn.Linear(width, width // 8)
        self.act = nn.GELU()
        self.select = nn.Linear(width // 8, width)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply ``x`` itself, not its normalised form, by a weight per channel."""
        pooled = self.norm(x).mean(dim=(1, 2), keepdim=True)
        return x * self.select(self.act(self.reduce(pooled))).sigmoid()


class ChannelAttentionBlock(nn.Module):
    """Two 3 x 3 convolutions through a third of the channels, then channel attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        squeezed = max(1, width // 3)
        self.compress = Conv(width, squeezed, 3, padding=1)
        self.act = nn.GELU()
        self.restore = Conv(squeezed, width, 3, padding=1)
        self.pool = MapPool()
        self.reduce = Pointwise(width, max(1, width // 30))
        self.expand = Pointwise(max(1, width // 30), width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channel) -> the same shape, without the residual."""
        x = self.restore(self.act(self.compress(x)))
        return x * self.expand(F.relu(self.reduce(self.pool(x)))).sigmoid()


class ConvBranch(nn.Module):
    """Depthwise 3 x 3, batch normalisation, GELU, pointwise: what the sub-grids cannot see."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = Conv(width, width, 3, padding=1, groups=width)
        self.norm = BatchNorm(width)
        self.act = nn.GELU()
        self.pointwise = Pointwise(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channel) -> the same shape."""
        return self.pointwise(self.act(self.norm(self.depthwise(x))))


class EfficientVSSBlock(nn.Module):
    """Atrous SS2D beside a convolution, one attention used on both, then channel attention."""

    def __init__(self, width: int, config: EfficientVMambaConfig, drop_path: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ss2d = SS2D(
            width,
            width * config.ssm_ratio,
            state_size=config.state_size,
            route="atrous",
            gated=True,
            conv_bias=True,
        )
        self.conv_branch = ConvBranch(width)
        self.attention = BiAttention(width)
        self.drop_path = DropPath(drop_path)
        self.channel_norm = nn.LayerNorm(width) if config.channel_attention else None
        self.channel_attention = ChannelAttentionBlock(width) if config.channel_attention else None

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channel) -> the same shape."""
        y = self.norm(x)
        branches = self.attention(self.ss2d(y)) + self.attention(self.conv_branch(y))
        x = x + self.drop_path(branches)
        if self.channel_norm is None or self.channel_attention is None:
            return x
        return x + self.channel_attention(self.channel_norm(x))


class SqueezeExcite(nn.Module):
    """Weight channels by their means over the map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pool = MapPool()
        self.reduce = Pointwise(width, width // 8)
        self.expand = Pointwise(width // 8, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channel) -> the same shape."""
        return x * self.expand(F.relu(self.reduce(self.pool(x)))).sigmoid()


class InvertedResidual(nn.Module):
    """Widen, depthwise 3 x 3, squeeze-and-excitation, narrow; ReLU throughout."""

    def __init__(self, width: int, expand_ratio: int, drop_path: float) -> None:
        super().__init__()
        inner = width * expand_ratio
        self.widen = Pointwise(width, inner, bias=False)
        self.widen_norm = BatchNorm(inner)
        self.depthwise = Conv(inner, inner, 3, padding=1, groups=inner, bias=False)
        self.depthwise_norm = BatchNorm(inner)
        self.squeeze = SqueezeExcite(inner)
        self.narrow = Pointwise(inner, width, bias=False)
        self.narrow_norm = BatchNorm(width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channel) -> the same shape."""
        y = self.widen_norm(self.widen(x)).relu_()
        y = self.depthwise_norm(self.depthwise(y)).relu_()
        return x + self.drop_path(self.narrow_norm(self.narrow(self.squeeze(y))))


class PatchMerging(nn.Module):
    """Stack each 2 x 2 patch on the channels, LayerNorm, linear; odd sizes get a zero row."""

    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, wider, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channel) -> (batch, ceil(h / 2), ceil(w / 2), wider)."""
        below, right = x.shape[1] % 2, x.shape[2] % 2
        if below or right:
            x = F.pad(x, (0, 0, 0, right, 0, below))
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(corners, dim=-1)))


class EfficientVMamba(nn.Module):
    """Four maps at strides 4, 8, 16, 32, sizes rounded up after the first."""

    def __init__(self, config: EfficientVMambaConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = PatchEmbedding(config.widths[0])
        rates = drop_path_rates(config.depths, config.drop_path)
        self.stages = nn.ModuleList()
        for index, (width, of_stage) in enumerate(zip(config.widths, rates, strict=True)):
            blocks = [
                EfficientVSSBlock(width, config, rate)
                if index < 2
                else InvertedResidual(width, config.expand_ratio, rate)
                for rate in of_stage
            ]
            self.stages.append(nn.Sequential(*blocks))
        self.downsamples = nn.ModuleList(
            PatchMerging(*pair) for pair in zip(config.widths, config.widths[1:], strict=False)
        )
        self.apply(initialise)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return each stage's output before its downsampling, channels last.

        Args:
            image: (batch, 3, height, width), at least 4 x 4.
        """
        x = self.embedding(image.permute(0, 2, 3, 1).contiguous())
        maps = []
        for index, stage in enumerate(self.stages):
            if index:
                x = self.downsamples[index - 1](x)
            x = stage(x)
            maps.append(x)
        return maps


class EfficientVMambaClassifier(ConfiguredModule):
    """EfficientVMamba with its ImageNet head; a place for the weights that LoMa starts from."""

    def __init__(self, config: EfficientVMambaClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = EfficientVMamba(config)
        self.classifier = Classifier(config.widths[-1], config.classes)
        self.classifier.apply(initialise)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, height, width), normalised by the caller -> (batch, class)."""
        return self.classifier(self.backbone(image)[-1])


def efficientvmamba_b(**changes: Any) -> EfficientVMambaClassifier:
    """Build EfficientVMamba-B as trained on ImageNet: 33.7 M parameters."""
    return EfficientVMambaClassifier(replace(EfficientVMambaClassifierConfig(), **changes))
