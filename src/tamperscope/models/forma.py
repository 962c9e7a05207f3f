"""ForMa: VMamba encoder, noise-assisted decoder by pixel shuffle.

"ForMa: Lightweight Image Forensics Localization with Mamba", with the authors' code as the
arbiter. Where that code and the paper part, the code is followed, and docs/models.md says so: noise
is taken from the image already reduced to a quarter (``noise_from="full"`` takes it from the image
itself, as the paper has it), and RGB is not normalised.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.layers import BatchNorm, initialise
from tamperscope.models.match_branch import MatchBranch
from tamperscope.models.network import Network
from tamperscope.models.noise import EXTRACTORS, Extractor, NoiseBranch
from tamperscope.models.vmamba import VMamba, VMambaConfig

NoiseUse = Literal["decoder", "encoder", "none"]
NoiseFrom = Literal["quarter", "full"]
Enlarge = Literal["shuffle", "bilinear"]


@dataclass(frozen=True)
class ForMaConfig(VMambaConfig):
    """Everything that decides the shape of the network; stored beside the weights."""

    depths: tuple[int, ...] = (2, 2, 9, 2)  # blocks in each stage
    drop_path: float = 0.1  # rate at the last block, training only
    embedding: int = 96  # channels of each scale in the decoder
    noise: NoiseUse = "decoder"  # who gets the noise maps
    extractors: tuple[Extractor, ...] = EXTRACTORS  # which noise maps
    mixer_widths: tuple[int, ...] = (24, 48, 96)  # channels inside the noise mixer
    noise_width: int = 16  # channels of noise in the decoder
    noise_from: NoiseFrom = "quarter"  # size of the image that noise is taken from
    noise_maps: int = 3  # channels of each noise map and of the mixed ones
    colours: bool = True  # False: the encoder sees the noise and no RGB, an ablation
    matches: bool = False  # whether the encoder is shown matches within the image; ours
    match_widths: tuple[int, ...] = (32,)  # channels inside their branch
    enlarge: Enlarge = "shuffle"  # how coarse scales grow; bilinear is the paper's ablation

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise not in ("decoder", "encoder", "none"):
            raise ValueError(f"noise must be decoder, encoder or none, got {self.noise!r}")
        if self.enlarge not in ("shuffle", "bilinear"):
            raise ValueError(f"enlarge must be shuffle or bilinear, got {self.enlarge!r}")
        if self.noise_from not in ("quarter", "full"):
            raise ValueError(f"noise_from must be quarter or full, got {self.noise_from!r}")
        if not self.colours and self.noise != "encoder":
            raise ValueError('without colours the encoder needs noise="encoder"')
        unknown = set(self.extractors) - set(EXTRACTORS)
        if unknown or (self.noise != "none" and not self.extractors):
            raise ValueError(f"extractors must be some of {EXTRACTORS}, got {self.extractors}")


class ShuffleDecoder(nn.Module):
    """Scales grown to a quarter of the image, joined with the noise, fused, two classes."""

    def __init__(self, config: ForMaConfig) -> None:
        super().__init__()
        width = config.embedding
        self.width = width
        self.shuffles = config.enlarge == "shuffle"
        self.factors = tuple(2**scale for scale in range(len(config.widths)))  # 1, 2, 4, 8
        self.scales = nn.ModuleList(
            nn.Linear(channels, width * factor**2 if self.shuffles else width)
            for channels, factor in zip(config.widths, self.factors, strict=True)
        )
        takes_noise = config.noise == "decoder"
        self.noise = nn.Linear(config.noise_maps, config.noise_width) if takes_noise else None
        joined = len(config.widths) * width + (config.noise_width if takes_noise else 0)
        self.fuse = nn.Linear(joined, width, bias=False)
        self.fuse_norm = BatchNorm(width, eps=1e-3, momentum=0.03)
        self.dropout = nn.Dropout2d(0.1)
        self.predict = nn.Linear(width, 2)

    def forward(self, maps: list[Tensor], noise: Tensor | None) -> Tensor:
        """Predict two-class logits.

        Args:
            maps: (batch, height / (4 f), width / (4 f), channel) for f = 1, 2, 4, 8.
            noise: (batch, height / 4, width / 4, noise map), or None if the decoder takes none.

        Returns:
            (batch, 2, height / 4, width / 4).
        """
        parts = [
            self.grow(scale(x), factor)
            for scale, x, factor in zip(self.scales, maps, self.factors, strict=True)
        ][::-1]  # coarse to fine, as the authors join them
        if self.noise is not None:
            parts.append(self.noise(noise))
        x = self.fuse_norm(self.fuse(torch.cat(parts, dim=-1))).relu_()
        x = self.dropout(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.predict(x).permute(0, 3, 1, 2)

    def grow(self, x: Tensor, factor: int) -> Tensor:
        """Enlarge a channels-last map ``factor`` times each way."""
        if factor == 1:
            return x
        x = x.permute(0, 3, 1, 2)
        if self.shuffles:
            x = F.pixel_shuffle(x, factor)
        else:
            size = (x.shape[2] * factor, x.shape[3] * factor)
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        return x.permute(0, 2, 3, 1)


class ForMa(Network):
    """RGB to tamper logits at a quarter of the size; sizes are padded to a multiple of 32."""

    config: ForMaConfig
    multiple = 32

    def __init__(self, config: ForMaConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = VMamba(config)
        self.out_norms = nn.ModuleList(nn.LayerNorm(width) for width in config.widths)
        self.noise: NoiseBranch | None = None
        if config.noise != "none":
            halvings = 2 if config.noise_from == "full" else 0
            self.noise = NoiseBranch(
                config.extractors, config.mixer_widths, 0.33, halvings, config.noise_maps
            )
        # The paper names the variant "noise fed to the encoder" and not how; here: added to the
        # patch embedding, which has the resolution of the noise maps.
        self.noise_embedding: nn.Linear | None = None
        if config.noise == "encoder":
            self.noise_embedding = nn.Linear(config.noise_maps, config.widths[0])
            self.noise_embedding.apply(initialise)
        self.decoder = ShuffleDecoder(config)
        self.matches: MatchBranch | None = None
        if config.matches:
            compared = config.noise_maps if config.noise != "none" else 0
            self.matches = MatchBranch(compared, config.match_widths, config.widths[0])

    @property
    def reads_matches(self) -> bool:
        """Whether the config asks for matches."""
        return self.matches is not None

    def two_class_logits(self, image: Tensor, matches: Tensor | None = None) -> Tensor:
        """Predict two-class logits.

        Args:
            image: (batch, 3, height, width), multiples of 32.
            matches: (batch, 5, height / 4, width / 4), where the config asks for them.

        Returns:
            (batch, 2, height / 4, width / 4).
        """
        noise = None
        if self.noise is not None:
            seen = image
            if self.config.noise_from == "quarter":
                quarter = (image.shape[-2] // self.stride, image.shape[-1] // self.stride)
                seen = F.interpolate(image, size=quarter, mode="bilinear", align_corners=False)
            noise = self.noise(seen).permute(0, 2, 3, 1)
        extra = None
        if self.noise_embedding is not None:
            extra = self.noise_embedding(noise)
        if self.matches is not None:
            if matches is None:
                raise ValueError("this network reads matches within the image, and none were given")
            compared = None if noise is None else noise.permute(0, 3, 1, 2)
            shown = self.matches(matches, compared).permute(0, 2, 3, 1)
            extra = shown if extra is None else extra + shown
        maps = self.backbone(image if self.config.colours else torch.zeros_like(image), extra)
        normed = [norm(x) for norm, x in zip(self.out_norms, maps, strict=True)]
        return self.decoder(normed, noise)


def forma_base(**changes: Any) -> ForMa:
    """Build ForMa as published: 37.3 M parameters; ``changes`` are fields of the config."""
    return ForMa(replace(ForMaConfig(), **changes))


def forma_small(**changes: Any) -> ForMa:
    """Build one of 5.2 M parameters, without Noiseprint++, which needs the authors' weights.

    Its noise is taken from the image at full size and goes to the encoder, in more channels than
    published: trained from scratch, that is what it learns from first (docs/log.md).
    """
    small = ForMaConfig(
        widths=(48, 96, 192, 384),
        depths=(1, 1, 3, 1),
        embedding=48,
        noise="encoder",
        extractors=("bayar", "srm"),
        mixer_widths=(12, 24, 48),
        noise_from="full",
        noise_maps=16,
    )
    return ForMa(replace(small, **changes))


def forma_test(**changes: Any) -> ForMa:
    """Build one small enough for a unit test to run and save in milliseconds."""
    tiny = ForMaConfig(
        widths=(16, 16, 32, 32),
        depths=(1, 1, 1, 1),
        embedding=8,
        extractors=("bayar", "srm"),
        mixer_widths=(4, 4, 8),
        noise_width=4,
    )
    return ForMa(replace(tiny, **changes))
