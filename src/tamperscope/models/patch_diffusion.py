"""A small conditional diffusion model that fills in coarse pictures of patches.

As in super-resolution by diffusion (Saharia et al., 2021, https://arxiv.org/abs/2104.07636) the
network sees the coarse picture, a layout of one colour for each 8 x 8 pixels, beside the noisy
patch; what is drawn is the difference of the patch to its enlarged layout.

The network denoises cosine coefficients of 4 x 4 blocks (:mod:`tamperscope.models.block_dct`), each
band divided by its deviation in the training patches of the modality: a 64 x 64 patch is a grid of
16 x 16 places with 48 numbers. With z = a x + s e, a = cos(pi t / 2), s = sin(pi t / 2), t in 0..1
(Nichol and Dhariwal, 2021, https://arxiv.org/abs/2102.09672, without their offset), it predicts
v = a e - s x (Salimans and Ho, 2022, https://arxiv.org/abs/2202.00512, section 4), from which
x = a z - s v and e = s z + a v. Patches are drawn by DDIM without noise of its own (Song et al.,
2021, https://arxiv.org/abs/2010.02502, equation 12); after each step the estimate of x is clipped
to what pixels can be.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.block_dct import from_blocks, to_blocks
from tamperscope.models.network import Size
from tamperscope.models.patch_network import CELL, MODALITIES, PatchNetwork, enlarged

SIDE = 4  # pixels of a block
BANDS = 3 * SIDE**2
GROUPS = 8
FASTEST = 1000.0  # of the frequencies that tell the time t


@dataclass(frozen=True)
class PatchDiffusionConfig:
    """Shape of the network, and the number of steps that draw a patch."""

    modalities: tuple[str, ...] = MODALITIES
    channels: tuple[int, ...] = (64, 96, 128)  # at 1/4, 1/8, 1/16 of the size
    told: int = 128  # channels that carry time and modality
    steps: int = 16


class ToldBlock(nn.Module):
    """Two convolutions beside a skip; time and modality scale and shift what is between them."""

    def __init__(self, inputs: int, outputs: int, told: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, inputs)
        self.enter = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.tell = nn.Linear(told, 2 * outputs)
        self.again = nn.GroupNorm(GROUPS, outputs)
        self.leave = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """Map (batch, inputs, height, width); ``told`` is (batch, told)."""
        y = self.enter(F.silu(self.norm(x)))
        scale, shift = self.tell(told)[:, :, None, None].chunk(2, dim=1)
        y = self.leave(F.silu(self.again(y) * (1 + scale) + shift))
        return self.skip(x) + y


class PlaceAttention(nn.Module):
    """Every place looks at every other one: what holds a patch together."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.ask = nn.Conv2d(channels, 3 * channels, 1)
        self.leave = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width)."""
        batch, channels, height, width = x.shape
        parts = self.ask(self.norm(x)).reshape(batch, 3, self.heads, -1, height * width)
        query, key, value = parts.transpose(-1, -2).unbind(dim=1)
        seen = F.scaled_dot_product_attention(query, key, value)
        return x + self.leave(seen.transpose(-1, -2).reshape(batch, channels, height, width))


class PatchDiffusion(PatchNetwork):
    """The denoising network, and how it draws."""

    means: Tensor  # (modalities, 48): of each band in the training patches
    strengths: Tensor  # their deviations

    def __init__(self, config: PatchDiffusionConfig) -> None:
        super().__init__()
        self.config = config
        told, channels = config.told, config.channels
        self.label = nn.Embedding(len(config.modalities), told)
        self.time = nn.Sequential(nn.Linear(64, told), nn.SiLU(), nn.Linear(told, told))
        self.enter = nn.Conv2d(BANDS + 3, channels[0], 3, padding=1)
        self.down = nn.ModuleList(
            ToldBlock(channels[max(i - 1, 0)], c, told) for i, c in enumerate(channels)
        )
        self.attention = PlaceAttention(channels[-1])
        self.middle = ToldBlock(channels[-1], channels[-1], told)
        above = (*channels[1:], channels[-1])
        self.up = nn.ModuleList(ToldBlock(c + above[i], c, told) for i, c in enumerate(channels))
        self.norm = nn.GroupNorm(GROUPS, channels[0])
        self.leave = nn.Conv2d(channels[0], BANDS, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        bands = (len(config.modalities), BANDS)
        self.register_buffer("strengths", torch.ones(bands))
        self.register_buffer("means", torch.zeros(bands))

    def noise_shapes(self, count: int, size: Size) -> list[tuple[int, ...]]:
        """One number for each coefficient."""
        self.check_size(size)
        return [(count, BANDS, size[0] // SIDE, size[1] // SIDE)]

    def forward(self, z: Tensor, t: Tensor, label: Tensor, layout: Tensor) -> Tensor:
        """Predict v of noisy coefficients.

        Args:
            z: (batch, 48, height / 4, width / 4).
            t: (batch,) in [0, 1]; 1 is noise alone.
            label: (batch,) int64.
            layout: (batch, 3, height / 8, width / 8) in [-1, 1].
        """
        told = F.silu(self.time(waves(t)) + self.label(label))
        coarse = F.interpolate(layout, scale_factor=CELL // SIDE, mode="nearest")
        x = self.enter(torch.cat([z, coarse], dim=1))
        kept = []
        for level, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if level else x, told)
            kept.append(x)
        x = self.middle(self.attention(x), told)
        for level in reversed(range(len(self.up))):
            x = self.up[level](torch.cat([x, kept[level]], dim=1), told)
            if level:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
        return self.leave(F.silu(self.norm(x)))

    def coefficients(self, image: Tensor, label: Tensor, layout: Tensor) -> Tensor:
        """Turn images in [-1, 1] into coefficients of mean 0 and deviation 1."""
        image = image - enlarged(layout)
        means, strengths = (v[label][:, :, None, None] for v in (self.means, self.strengths))
        return (to_blocks(image, SIDE) - means) / strengths

    def image(self, coefficients: Tensor, label: Tensor, layout: Tensor) -> Tensor:
        """Turn coefficients into images around [-1, 1]."""
        means, strengths = (v[label][:, :, None, None] for v in (self.means, self.strengths))
        return enlarged(layout) + from_blocks(coefficients * strengths + means, SIDE)

    def draw(self, noise: Sequence[Tensor], label: Tensor, layout: Tensor) -> Tensor:
        """Return images (count, 3, height, width) in [0, 1]."""
        (z,) = noise
        layout = 2 * layout - 1
        times = torch.linspace(1, 0, self.config.steps + 1)
        x = z
        for now, then in pairwise(times):
            a, s = signal(now), noise_share(now)
            v = self(z, now.expand(len(z)), label, layout)
            clipped = self.image(a * z - s * v, label, layout).clamp(-1, 1)
            x = self.coefficients(clipped, label, layout)
            e = (z - a * x) / s  # what is left, so that z stays consistent with the clipped x
            z = signal(then) * x + noise_share(then) * e
        return (0.5 * self.image(x, label, layout) + 0.5).clamp(0, 1)


def signal(t: Tensor) -> Tensor:
    """Share a of the patch in z."""
    return torch.cos(t * (math.pi / 2))


def noise_share(t: Tensor) -> Tensor:
    """Share s of the noise in z."""
    return torch.sin(t * (math.pi / 2))


def waves(t: Tensor, count: int = 64) -> Tensor:
    """Sines and cosines of ``t`` at rising frequencies, (batch, count)."""
    rates = torch.exp(torch.linspace(0, math.log(FASTEST), count // 2, device=t.device))
    angles = t[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def patch_diffusion(**changes: object) -> PatchDiffusion:
    """Build the network that ships."""
    return PatchDiffusion(PatchDiffusionConfig(**changes))  # type: ignore[arg-type]


def patch_diffusion_test(**changes: object) -> PatchDiffusion:
    """Build a tiny one for tests."""
    small = {"channels": (8, 8, 16), "told": 16, "steps": 3}
    return PatchDiffusion(PatchDiffusionConfig(**{**small, **changes}))  # type: ignore[arg-type]
