"""Encoders of a pair network: one image in, maps at strides 4, 8, 16 (32) out, channels last.

Three kinds, exchangeable: VMamba (the default), plain residual convolutions, and a ViT behind a
small convolutional stem. The stem is there because a decoder that draws seams needs maps finer than
a patch of 16 pixels. BioTamperNet's sources contradict each other about the encoder ("ViT-Base" of
width 384 in notes, "SSM" in the complexity table, 36.7 M parameters in all); docs/biotampernet.md
says what was chosen.
"""

from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.layers import MLP, BatchNorm, Conv, DropPath, drop_path_rates, initialise
from tamperscope.models.network import Size
from tamperscope.models.vmamba import VMamba, VMambaConfig

EncoderKind = Literal["vmamba", "conv", "vit"]
ENCODERS: tuple[EncoderKind, ...] = ("vmamba", "conv", "vit")
PATCH = 16  # pixels of a ViT patch, each way
POSITIONS = 14  # learned ViT positions, each way: those of 224 pixels, enlarged for other sizes


class EncoderConfig(Protocol):
    """What an encoder reads of the network's config."""

    @property
    def encoder(self) -> EncoderKind:
        """Which kind."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage."""

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks of each stage."""

    @property
    def drop_path(self) -> float:
        """Rate at the last block."""


class ResidualConv(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation around a residual."""

    def __init__(self, width: int, drop_path: float) -> None:
        super().__init__()
        self.conv1 = Conv(width, width, 3, padding=1, bias=False)
        self.norm1 = BatchNorm(width)
        self.conv2 = Conv(width, width, 3, padding=1, bias=False)
        self.norm2 = BatchNorm(width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channel) -> the same shape."""
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (x + self.drop_path(y)).relu()


class ConvEncoder(nn.Module):
    """Residual stages behind strided convolutions, as in a ResNet."""

    def __init__(
        self, widths: tuple[int, ...], depths: tuple[int, ...], drop_path: float = 0.0
    ) -> None:
        super().__init__()
        self.widths = widths
        first = max(widths[0] // 2, 4)
        self.stem = Conv(3, first, 3, stride=2, padding=1, bias=False)
        self.stem_norm = BatchNorm(first)
        narrower = (first, *widths[:-1])
        self.downsamples = nn.ModuleList(
            Conv(before, width, 3, stride=2, padding=1, bias=False)
            for before, width in zip(narrower, widths, strict=True)
        )
        self.norms = nn.ModuleList(BatchNorm(width) for width in widths)
        self.stages = nn.ModuleList(
            nn.Sequential(*[ResidualConv(width, rate) for rate in of_stage])
            for width, of_stage in zip(widths, drop_path_rates(depths, drop_path), strict=True)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(batch, 3, height, width) -> one map a stage."""
        x = self.stem_norm(self.stem(image.permute(0, 2, 3, 1))).relu()
        maps = []
        for downsample, norm, stage in zip(self.downsamples, self.norms, self.stages, strict=True):
            x = stage(norm(downsample(x)).relu())
            maps.append(x)
        return maps


class SelfAttention(nn.Module):
    """Multi-head softmax attention over all cells of a map."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, rows, columns, channel) -> the same shape."""
        batch, rows, columns, width = x.shape
        parts = self.qkv(x).view(batch, rows * columns, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, rows, columns, width))


class TransformerBlock(nn.Module):
    """Pre-norm attention and MLP, each with its residual."""

    def __init__(self, width: int, heads: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width, 4 * width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, rows, columns, channel) -> the same shape."""
        x = x + self.drop_path(self.attention(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class ViTEncoder(nn.Module):
    """A ViT on patches of 16 pixels, its width the third one; a stem makes strides 4 and 8.

    Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, https://arxiv.org/abs/2010.11929.
    ``depths`` counts the stem's blocks twice and the transformer's blocks third: a ViT-S has widths
    (.., .., 384), depths (.., .., 12) and 6 heads.
    """

    def __init__(
        self, widths: tuple[int, ...], depths: tuple[int, ...], drop_path: float = 0.0
    ) -> None:
        super().__init__()
        if len(widths) != 3:
            raise ValueError(f"a ViT encoder has three widths, got {widths}")
        self.widths = widths
        width = widths[2]
        self.stem = ConvEncoder(widths[:2], depths[:2])
        self.patches = Conv(3, width, PATCH, stride=PATCH)
        self.positions = nn.Parameter(torch.empty(1, width, POSITIONS, POSITIONS))
        nn.init.trunc_normal_(self.positions, std=0.02)
        rates = drop_path_rates(depths[2:], drop_path)[0]
        heads = max(width // 64, 1)
        self.blocks = nn.Sequential(*[TransformerBlock(width, heads, rate) for rate in rates])
        self.blocks.apply(initialise)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(batch, 3, height, width) -> maps at strides 4, 8 and 16."""
        x = self.patches(image.permute(0, 2, 3, 1))
        size = (x.shape[1], x.shape[2])
        places = F.interpolate(self.positions, size=size, mode="bicubic", align_corners=False)
        return [*self.stem(image), self.blocks(x + places.permute(0, 2, 3, 1))]


def build_encoder(config: EncoderConfig) -> nn.Module:
    """Build the encoder that ``config`` names; it has ``widths`` and returns one map for each."""
    if config.encoder == "vmamba":
        settings = VMambaConfig(config.widths, config.depths, drop_path=config.drop_path)
        return VMamba(settings)
    kind = ConvEncoder if config.encoder == "conv" else ViTEncoder
    return kind(config.widths, config.depths, config.drop_path)


class Tokens(nn.Module):
    """All scales of an encoder brought to one grid and one width, and added up.

    Shallow maps carry the texture by which a copy is recognised, deep ones what surrounds it.
    """

    def __init__(self, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for channels in widths)
        self.scales = nn.ModuleList(nn.Linear(channels, width) for channels in widths)

    def forward(self, maps: list[Tensor], grid: Size) -> Tensor:
        """Channels-last maps -> (batch, rows, columns, width)."""
        parts = [
            scale(resized(norm(x), grid))
            for norm, scale, x in zip(self.norms, self.scales, maps, strict=True)
        ]
        return torch.stack(parts).sum(dim=0)


def resized(x: Tensor, size: Size) -> Tensor:
    """Bring a channels-last map to ``size``: means where it shrinks, bilinear where it grows."""
    if (x.shape[1], x.shape[2]) == size:
        return x
    y = x.permute(0, 3, 1, 2)
    shrunk = (min(y.shape[2], size[0]), min(y.shape[3], size[1]))
    if shrunk != (y.shape[2], y.shape[3]):
        y = F.adaptive_avg_pool2d(y, shrunk)
    if shrunk != size:
        y = F.interpolate(y, size=size, mode="bilinear", align_corners=False)
    return y.permute(0, 2, 3, 1)
