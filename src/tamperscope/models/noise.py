"""Noise residuals: Noiseprint++, Bayar and SRM filters, and the mixer that joins them.

Maps here are (batch, channel, height, width), as the filters are stored.

- Noiseprint++: the 17-layer DnCNN of Guillaro et al., "TruFor", 2023,
  https://arxiv.org/abs/2212.10957. Only the architecture is here; the authors' weights are for
  nonprofit use and are converted on the user's machine.
- Bayar and Stamm, "A Deep Learning Approach to Universal Image Manipulation Detection Using a New
  Convolutional Layer", 2016: a learnt filter that predicts the centre pixel from the others.
- SRM: three fixed high-pass filters of Fridrich and Kodovsky, "Rich Models for Steganalysis of
  Digital Images", 2012, as chosen by Zhou et al., 2018, https://arxiv.org/abs/1805.04953.
- ModalMixer: ForMa, after Triaridis and Mezaris, "Exploring Multi-Modal Fusion for Image
  Manipulation Detection and Localization", 2023, https://arxiv.org/abs/2312.01790.

Where this differs from ForMa's code: Noiseprint++ stays in evaluation mode while the rest trains
(there, its running statistics drift), and Bayar's kernel is normalised in place only in training
(there, also when it only predicts; the outputs are the same).
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.network import ConfiguredModule

Extractor = Literal["noiseprint++", "bayar", "srm"]
EXTRACTORS: tuple[Extractor, ...] = ("noiseprint++", "bayar", "srm")


@dataclass(frozen=True)
class NoiseprintConfig:
    """Shape of Noiseprint++."""

    depth: int = 17  # convolutions
    width: int = 64  # channels between them


class Noiseprint(ConfiguredModule):
    """Noiseprint++: a plain stack of 3 x 3 convolutions, RGB in [0, 1] to one residual channel.

    Frozen: its parameters take no gradient and it never leaves evaluation mode.
    """

    def __init__(self, config: NoiseprintConfig) -> None:
        super().__init__()
        self.config = config
        widths = [3, *[config.width] * (config.depth - 1), 1]
        last = config.depth - 1
        self.convs = nn.ModuleList(
            nn.Conv2d(narrow, wide, 3, padding=1, bias=index in (0, last))
            for index, (narrow, wide) in enumerate(itertools.pairwise(widths))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(config.width) for _ in range(config.depth - 2))
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode whatever ``mode`` is."""
        return super().train(False)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, height, width) -> (batch, 1, height, width)."""
        x = self.convs[0](image).relu_()
        for conv, norm in zip(self.convs[1:-1], self.norms, strict=True):
            x = norm(conv(x)).relu_()
        return self.convs[-1](x)


def noiseprintpp(**changes: Any) -> Noiseprint:
    """Build Noiseprint++: 557,249 parameters, frozen."""
    return Noiseprint(replace(NoiseprintConfig(), **changes))


class BayarConv(nn.Module):
    """5 x 5 convolution whose centre is -1 and whose other 24 weights sum to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.rand(3, 3, 24))

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, height, width) -> the same shape.

        The normalisation takes no part in the gradient, as in ForMa's code: what is stored is a
        point that each training step first projects onto "sums to 1".
        """
        normalised = self.kernel.detach() / self.kernel.detach().sum(dim=2, keepdim=True)
        if self.training:
            with torch.no_grad():
                self.kernel.copy_(normalised)
        # The value is the normalised kernel, the gradient is the stored one's.
        kernel = self.kernel + (normalised - self.kernel.detach())
        centre = torch.full_like(kernel[..., :1], -1.0)
        filters = torch.cat([kernel[..., :12], centre, kernel[..., 12:]], dim=-1)
        # The stored first axis serves as the output channel, as the authors' reshape has it.
        return F.conv2d(image, filters.reshape(3, 3, 5, 5), padding=2)


def srm_filters() -> Tensor:
    """Return the three SRM filters, (3, 1, 5, 5): 3 x 3 core, 5 x 5, and second difference."""
    core = torch.zeros(5, 5)
    core[1:4, 1:4] = torch.tensor([[-1.0, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4
    full = torch.tensor(
        [[-1.0, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2],
         [-1, 2, -2, 2, -1]]
    ) / 12  # fmt: skip
    line = torch.zeros(5, 5)
    line[2] = torch.tensor([0.0, 1, -2, 1, 0]) / 2
    return torch.stack([core, full, line])[:, None]


class SRM(nn.Module):
    """Three fixed high-pass filters on R + G + B, cut at +-2.

    The cut was chosen for pixels of 0 to 255; on [0, 1] it hardly ever acts. Kept, for it is part
    of the published network.
    """

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, height, width) -> (batch, 3, height, width), values in [-2, 2]."""
        total = image.sum(dim=1, keepdim=True)
        return F.conv2d(total, srm_filters().to(image), padding=2).clamp(-2.0, 2.0)


class EarlyConv(nn.Module):
    """3 x 3 convolutions with batch normalisation and ReLU, then a pointwise one.

    The first ``halvings`` convolutions have a stride of 2.
    """

    def __init__(self, channels: int, widths: tuple[int, ...], out: int, halvings: int = 0) -> None:
        super().__init__()
        steps = (channels, *widths)
        self.convs = nn.ModuleList(
            nn.Conv2d(narrow, wide, 3, stride=2 if index < halvings else 1, padding=1)
            for index, (narrow, wide) in enumerate(itertools.pairwise(steps))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(wide) for wide in widths)
        self.final = nn.Conv2d(widths[-1], out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, out, height, width), halved as asked."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x)).relu_()
        return self.final(x)


class NoiseBranch(nn.Module):
    """Noise maps of an image, mixed into three channels.

    Args:
        extractors: Which residuals, in the order in which they are joined.
        widths: Channels inside each :class:`EarlyConv`.
        dropout: Rate on the joined maps, training only.
        halvings: How many times each residual is halved before they are joined.
        out: Channels of each map and of the mixed ones.
    """

    def __init__(
        self,
        extractors: tuple[Extractor, ...],
        widths: tuple[int, ...],
        dropout: float,
        halvings: int = 0,
        out: int = 3,
    ) -> None:
        super().__init__()
        build: dict[Extractor, Callable[[], nn.Module]] = {
            "noiseprint++": noiseprintpp,
            "bayar": BayarConv,
            "srm": SRM,
        }
        self.names = extractors
        self.extractors = nn.ModuleList(build[name]() for name in extractors)
        self.blocks = nn.ModuleList(EarlyConv(3, widths, out, halvings) for _ in extractors)
        self.dropout = nn.Dropout(dropout)
        self.mixer = EarlyConv(out * len(extractors), widths, out)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, height, width) -> (batch, out, height, width), halved as asked.

        Noiseprint++ has one channel, repeated to three.
        """
        maps = []
        for extractor, block in zip(self.extractors, self.blocks, strict=True):
            residual = extractor(image)
            maps.append(block(residual.expand(-1, 3, -1, -1)))
        return self.mixer(self.dropout(torch.cat(maps, dim=1)))
