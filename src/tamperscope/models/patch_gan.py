"""A small conditional GAN that fills in coarse pictures of patches, and its discriminator.

The generator turns an image into an image: a layout, one colour for each 8 x 8 pixels, into a patch
that has this layout and the fine structure of its modality, as pix2pix turns label maps into
pictures (Isola et al., 2017, https://arxiv.org/abs/1611.07004). What differs: there is no pixelwise
truth, for the fine structure is drawn from noise; the patch is the layout, enlarged, plus what the
network paints, and a loss holds its means over 8 x 8 pixels to the layout. Inside are
style-modulated convolutions (Karras et al., "Analyzing and Improving the Image Quality of
StyleGAN", 2020, https://arxiv.org/abs/1912.04958, equations 1 and 3); scaling and demodulation are
done on activations, which is the same function and cheap on a CPU. The last layer gives cosine
coefficients of 2 x 2 blocks (:mod:`tamperscope.models.block_dct`), each band with the strength it
has in the training patches of the modality. The modality enters through the style, and in the
discriminator as a projection (Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.block_dct import from_blocks, to_blocks
from tamperscope.models.network import ConfiguredModule, Size
from tamperscope.models.patch_network import CELL, MODALITIES, PatchNetwork, enlarged

SIDE = 2  # pixels of a block
BANDS = 3 * SIDE**2
SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps the variance through the leaky rectifier


@dataclass(frozen=True)
class PatchGanConfig:
    """Shape of the generator."""

    modalities: tuple[str, ...] = MODALITIES
    latent: int = 64
    style: int = 64
    grid: int = 8  # channels of noise beside the layout
    channels: tuple[int, ...] = (80, 56, 24)  # at 1/8, 1/4, 1/2 of the size


@dataclass(frozen=True)
class PatchCriticConfig:
    """Shape of the discriminator."""

    modalities: tuple[str, ...] = MODALITIES
    channels: tuple[int, ...] = (24, 48, 64, 96)  # at 1/2, 1/4, 1/8, 1/16 of the size


class EqualConv(nn.Module):
    """A convolution (or, on vectors, a linear map) whose weights are normal and scaled in use.

    Adam then moves all layers at the same relative speed (Karras et al., 2018, section 4.1).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale, self.stride = 1 / math.sqrt(inputs * kernel**2), stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) or (batch, inputs, height, width)."""
        if x.ndim == 2:
            return F.linear(x, self.weight[:, :, 0, 0] * self.scale, self.bias)
        pad = self.weight.shape[-1] // 2
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, pad)


class StyledConv(nn.Module):
    """A modulated and demodulated convolution, with noise and a leaky rectifier behind it."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(outputs))  # of the noise
        self.affine = EqualConv(style, inputs)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """Map (batch, inputs, height, width); ``noise`` is (batch, 1, height, width)."""
        scales = 1 + self.affine(style)
        power = (scales**2) @ self.weight.square().sum(dim=(2, 3)).T
        x = F.conv2d(x * scales[:, :, None, None], self.weight, padding=1)
        x = x * torch.rsqrt(power + 1e-8)[:, :, None, None]
        x = x + noise * self.strength[:, None, None] + self.bias[:, None, None]
        return F.leaky_relu(x, SLOPE) * GAIN


class PatchGan(PatchNetwork):
    """The generator."""

    strengths: Tensor  # (modalities, 12): of what is painted, each band's in training patches

    def __init__(self, config: PatchGanConfig) -> None:
        super().__init__()
        self.config = config
        self.label = nn.Embedding(len(config.modalities), config.latent)
        self.mapping = nn.ModuleList(
            [EqualConv(2 * config.latent, config.style), EqualConv(config.style, config.style)]
        )
        inputs = (3 + config.grid, *config.channels)
        self.first = nn.ModuleList(
            StyledConv(a, b, config.style)
            for a, b in zip(inputs[:-1], config.channels, strict=True)
        )
        self.second = nn.ModuleList(StyledConv(c, c, config.style) for c in config.channels[:-1])
        self.paint = EqualConv(config.channels[-1], BANDS, 3)
        self.tint = EqualConv(config.style, BANDS)
        bands = (len(config.modalities), BANDS)
        self.register_buffer("strengths", torch.ones(bands))

    def noise_shapes(self, count: int, size: Size) -> list[tuple[int, ...]]:
        """Latent, grid, and a map for each convolution: two a resolution, one at the last."""
        self.check_size(size)
        height, width = (side // CELL for side in size)
        levels = sorted([*range(len(self.first)), *range(len(self.second))])
        maps = [(count, 1, height << level, width << level) for level in levels]
        return [(count, self.config.latent), (count, self.config.grid, height, width), *maps]

    def forward(self, noise: Sequence[Tensor], label: Tensor, layout: Tensor) -> Tensor:
        """Return images (count, 3, height, width) around [-1, 1], not clipped."""
        latent, grid, *maps = noise
        style = torch.cat([_normalised(latent), _normalised(self.label(label))], dim=1)
        for layer in self.mapping:
            style = F.leaky_relu(layer(style), SLOPE) * GAIN
        x = torch.cat([layout, grid], dim=1)
        for level, first in enumerate(self.first):
            if level:
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = first(x, style, maps[2 * level])
            if level < len(self.second):
                x = self.second[level](x, style, maps[2 * level + 1])
        bands = self.paint(x) + self.tint(style)[:, :, None, None]
        painted = from_blocks(bands * self.strengths[label][:, :, None, None], SIDE)
        return enlarged(layout) + painted

    def draw(self, noise: Sequence[Tensor], label: Tensor, layout: Tensor) -> Tensor:
        """Return images (count, 3, height, width) in [0, 1]."""
        return (0.5 * self(noise, label, 2 * layout - 1) + 0.5).clamp(0, 1)


class PatchCritic(ConfiguredModule):
    """The discriminator: how real a patch looks for its modality."""

    strengths: Tensor

    def __init__(self, config: PatchCriticConfig) -> None:
        super().__init__()
        self.config = config
        pairs = list(zip(config.channels[:-1], config.channels[1:], strict=True))
        last = config.channels[-1]
        self.enter = EqualConv(BANDS, config.channels[0], 3)
        self.same = nn.ModuleList(EqualConv(a, a, 3) for a, _ in pairs)
        self.halve = nn.ModuleList(EqualConv(a, b, 3, stride=2) for a, b in pairs)
        self.skip = nn.ModuleList(EqualConv(a, b) for a, b in pairs)
        self.mix = EqualConv(last + 1, last, 3)
        self.score = EqualConv(last, 1)
        self.label = nn.Embedding(len(config.modalities), last)
        self.register_buffer("strengths", torch.ones(len(config.modalities), BANDS))

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """Logits (batch,) of images (batch, 3, height, width) in [-1, 1]; any multiple of 16."""
        # half whitened: fine bands are seen early, and do not drown what a patch shows
        x = to_blocks(image, SIDE) / self.strengths[label].sqrt()[:, :, None, None]
        x = F.leaky_relu(self.enter(x), SLOPE) * GAIN
        for same, halve, skip in zip(self.same, self.halve, self.skip, strict=True):
            y = F.leaky_relu(same(x), SLOPE) * GAIN
            y = F.leaky_relu(halve(y), SLOPE) * GAIN
            x = (y + skip(F.avg_pool2d(x, 2))) * math.sqrt(0.5)
        x = F.leaky_relu(self.mix(torch.cat([x, spread_of_batch(x)], dim=1)), SLOPE) * GAIN
        x = x.mean(dim=(2, 3))
        projected = (x * _normalised(self.label(label))).sum(dim=1) / math.sqrt(x.shape[1])
        return self.score(x)[:, 0] + projected


def spread_of_batch(x: Tensor, group: int = 4) -> Tensor:
    """Deviation among every ``group`` patches, as one more channel: shows a collapse.

    Karras et al., "Progressive Growing of GANs", 2018, section 3.
    """
    group = math.gcd(group, x.shape[0])
    apart = x.reshape(group, -1, *x.shape[1:])
    deviation = (apart.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return deviation.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])


def _normalised(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


def patch_gan(**changes: object) -> PatchGan:
    """Build the generator that ships."""
    return PatchGan(PatchGanConfig(**changes))  # type: ignore[arg-type]


def patch_gan_test(**changes: object) -> PatchGan:
    """Build a tiny one for tests."""
    small = {"latent": 8, "style": 8, "grid": 4, "channels": (8, 8, 4)}
    return PatchGan(PatchGanConfig(**{**small, **changes}))  # type: ignore[arg-type]
