"""VMamba, the variant with one state per channel and no gate: backbone of ForMa, and classifier.

Liu et al., "VMamba: Visual State Space Model", 2024, https://arxiv.org/abs/2401.10166. The official
channel-first and channel-last forms compute the same numbers; this one is channels-last.
"""

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from tamperscope.models.layers import MLP, Classifier, Conv, DropPath, drop_path_rates, initialise
from tamperscope.models.network import ConfiguredModule
from tamperscope.models.ss2d import SS2D


@dataclass(frozen=True)
class VMambaConfig:
    """Everything that decides the shape of the backbone."""

    widths: tuple[int, ...] = (96, 192, 384, 768)  # channels of each stage
    depths: tuple[int, ...] = (2, 2, 8, 2)  # blocks in each stage
    state_size: int = 1  # numbers of state per channel
    mlp_ratio: float = 4.0  # hidden width of the MLP over the width
    drop_path: float = 0.2  # rate at the last block, training only

    def __post_init__(self) -> None:
        if not self.widths or len(self.widths) != len(self.depths):
            raise ValueError(f"widths and depths must pair up, got {self.widths} and {self.depths}")


@dataclass(frozen=True)
class VMambaClassifierConfig(VMambaConfig):
    """The backbone as it was trained on ImageNet."""

    classes: int = 1000


class PatchEmbedding(nn.Module):
    """Two strided convolutions, each with LayerNorm: a quarter of the size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = Conv(3, width // 2, 3, stride=2, padding=1)
        self.norm1 = nn.LayerNorm(width // 2)
        self.act = nn.GELU()
        self.conv2 = Conv(width // 2, width, 3, stride=2, padding=1)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, height, width, 3) -> (batch, height / 4, width / 4, channel)."""
        return self.norm2(self.conv2(self.act(self.norm1(self.conv1(image)))))


class VSSBlock(nn.Module):
    """Two pre-norm residual branches: SS2D, then MLP."""

    def __init__(self, width: int, config: VMambaConfig, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.ss2d = SS2D(
            width,
            width,
            state_size=config.state_size,
            route="cross",
            gated=False,
            conv_bias=False,
        )
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width, int(width * config.mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channel) -> the same shape."""
        x = x + self.drop_path(self.ss2d(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class Downsample(nn.Module):
    """Strided convolution and LayerNorm between stages."""

    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        self.conv = Conv(width, wider, 3, stride=2, padding=1)
        self.norm = nn.LayerNorm(wider)

    def forward(self, x: Tensor) -> Tensor:
        """Half the size, ``wider`` channels."""
        return self.norm(self.conv(x))


class VMamba(nn.Module):
    """Four maps at strides 4, 8, 16, 32."""

    def __init__(self, config: VMambaConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = PatchEmbedding(config.widths[0])
        rates = drop_path_rates(config.depths, config.drop_path)
        self.stages = nn.ModuleList(
            nn.Sequential(*[VSSBlock(width, config, rate) for rate in of_stage])
            for width, of_stage in zip(config.widths, rates, strict=True)
        )
        self.downsamples = nn.ModuleList(
            Downsample(*pair) for pair in zip(config.widths, config.widths[1:], strict=False)
        )
        self.apply(initialise)

    def forward(self, image: Tensor, extra: Tensor | None = None) -> list[Tensor]:
        """Run the stages.

        Args:
            image: (batch, 3, height, width).
            extra: Added to the patch embedding, (batch, height / 4, width / 4, channel).

        Returns:
            The output of each stage before its downsampling, channels last.
        """
        x = self.embedding(image.permute(0, 2, 3, 1).contiguous())
        if extra is not None:
            x = x + extra
        maps = []
        for index, stage in enumerate(self.stages):
            if index:
                x = self.downsamples[index - 1](x)
            x = stage(x)
            maps.append(x)
        return maps


class VMambaClassifier(ConfiguredModule):
    """VMamba with its ImageNet head; a place for the weights that ForMa starts from."""

    def __init__(self, config: VMambaClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = VMamba(config)
        self.classifier = Classifier(config.widths[-1], config.classes)
        self.classifier.apply(initialise)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, height, width), normalised by the caller -> (batch, class)."""
        return self.classifier(self.backbone(image)[-1])


def vmamba_t(**changes: Any) -> VMambaClassifier:
    """Build VMamba-T, the checkpoint ``vssm1_tiny_0230s`` (s1l8): 30.2 M parameters."""
    return VMambaClassifier(replace(VMambaClassifierConfig(), **changes))
