"""LoMa: EfficientVMamba encoder with channel attention, a SegFormer-like decoder.

"Image Forgery Localization with State Space Models" (LoMa), with the authors' code as the arbiter;
docs/models.md lists where code and paper part. There is no noise branch.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.efficientvmamba import EfficientVMamba, EfficientVMambaConfig
from tamperscope.models.layers import BatchNorm
from tamperscope.models.network import Network, Size


@dataclass(frozen=True)
class LoMaConfig(EfficientVMambaConfig):
    """Everything that decides the shape of the network; stored beside the weights."""

    channel_attention: bool = True  # False is the paper's ablation without CAB
    decoder_width: int = 768  # channels of each scale in the decoder


class SumDecoder(nn.Module):
    """Every scale to a common width and to the finest size, one pointwise layer, two classes.

    The authors enlarge, join the four scales on the channels and multiply by one matrix. A
    pointwise layer and a bilinear enlargement commute, so here each scale meets its columns of
    that matrix first and the enlarged products are added: the same numbers up to rounding, a third
    of the operations. ``join_first`` computes in the authors' order, for counting and comparison.
    """

    join_first = False

    def __init__(self, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(BatchNorm(channels) for channels in widths)
        self.scales = nn.ModuleList(nn.Linear(channels, width) for channels in widths)
        self.fuse = nn.Linear(len(widths) * width, width, bias=False)
        self.fuse_norm = BatchNorm(width, eps=1e-3, momentum=0.03)
        self.dropout = nn.Dropout2d(0.1)
        self.predict = nn.Linear(width, 2)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Channels-last maps, fine to coarse -> (batch, 2, height / 4, width / 4) logits."""
        parts = [
            scale(norm(x)) for scale, norm, x in zip(self.scales, self.norms, maps, strict=True)
        ]
        x = self.joined(parts) if self.join_first else self.added(parts)
        x = self.fuse_norm(x).relu_()
        x = self.dropout(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.predict(x).permute(0, 3, 1, 2)

    def joined(self, parts: list[Tensor]) -> Tensor:
        """Fuse as the authors do: enlarge, join from coarse to fine, multiply."""
        size = (parts[0].shape[1], parts[0].shape[2])
        grown = [grow(x, size) for x in parts[:0:-1]]
        return self.fuse(torch.cat([*grown, parts[0]], dim=-1))

    def added(self, parts: list[Tensor]) -> Tensor:
        """Fuse by adding products, each made at its own scale."""
        # The matrix holds the scales from coarse to fine.
        blocks = self.fuse.weight.chunk(len(parts), dim=1)[::-1]
        finest, *coarse = [F.linear(x, block) for x, block in zip(parts, blocks, strict=True)]
        return add_grown(finest, coarse)


def add_grown(finest: Tensor, coarse: list[Tensor]) -> Tensor:
    """Add coarse channels-last maps to the finest one, enlarged to its size.

    Rows are enlarged first, by a small matrix for each map; then one product per row enlarges the
    columns of all maps and adds them up, so that no map is written out at full size. ``finest`` is
    overwritten.
    """
    batch, rows, columns, channels = finest.shape
    grown, weights = [], []
    for x in coarse:
        by_row = interpolation(x.shape[1], rows, x) @ x.flatten(2)
        grown.append(by_row.view(batch * rows, x.shape[2], channels))
        weights.append(interpolation(x.shape[2], columns, x))
    by_column = torch.cat(weights, dim=1).expand(batch * rows, -1, -1)
    flat = finest.reshape(batch * rows, columns, channels)
    return flat.baddbmm_(by_column, torch.cat(grown, dim=1)).view_as(finest)


def interpolation(source: int, target: int, like: Tensor) -> Tensor:
    """Return the matrix (target, source) of bilinear enlargement along one axis."""
    identity = torch.eye(source, dtype=like.dtype, device=like.device)
    columns = F.interpolate(identity[None], size=target, mode="linear", align_corners=False)
    return columns[0].t()


def grow(x: Tensor, size: Size) -> Tensor:
    """Enlarge a channels-last map to ``size``, bilinear, corners not aligned."""
    x = F.interpolate(x.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
    return x.permute(0, 2, 3, 1)


class LoMa(Network):
    """RGB to tamper logits at a quarter of the size.

    The authors' network takes any size from 4 x 4 on and drops up to three rows and columns that do
    not fill a cell; ``class_logits`` does the same, ``forward`` pads to a multiple of 4 instead.
    """

    config: LoMaConfig
    multiple = 4

    def __init__(self, config: LoMaConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = EfficientVMamba(config)
        self.out_norms = nn.ModuleList(nn.LayerNorm(width) for width in config.widths)
        self.decoder = SumDecoder(config.widths, config.decoder_width)

    def takes(self, size: Size) -> bool:
        """Whether at least one cell fits."""
        return min(size) >= self.stride

    def two_class_logits(self, image: Tensor, matches: Tensor | None = None) -> Tensor:
        """(batch, 3, height, width), at least 4 x 4 -> (batch, 2, height // 4, width // 4)."""
        maps = self.backbone(image)
        return self.decoder([norm(x) for norm, x in zip(self.out_norms, maps, strict=True)])


def loma_base(**changes: Any) -> LoMa:
    """Build LoMa as published: 37.0 M parameters; ``changes`` are fields of the config."""
    return LoMa(replace(LoMaConfig(), **changes))


def loma_small(**changes: Any) -> LoMa:
    """Build one of 4.5 M parameters."""
    small = LoMaConfig(
        widths=(48, 96, 192, 384), depths=(1, 2, 4, 1), state_size=4, decoder_width=128
    )
    return LoMa(replace(small, **changes))


def loma_test(**changes: Any) -> LoMa:
    """Build one small enough for a unit test to run and save in milliseconds."""
    tiny = LoMaConfig(widths=(16, 16, 32, 32), depths=(1, 1, 1, 1), state_size=2, decoder_width=8)
    return LoMa(replace(tiny, **changes))
