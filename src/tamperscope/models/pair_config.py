"""What decides the shape of a BioTamperNet; docs/biotampernet.md explains the fields."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from tamperscope.models.affinity import Context, Norm, Rotary
from tamperscope.models.pair_encoders import ENCODERS, EncoderKind

VIT_DEPTH = 12
Single = Literal["self", "halves", "both"]
Descriptor = Literal["encoder", "local", "turned"]


@dataclass(frozen=True)
class BioTamperNetConfig:
    """Everything that decides the shape of the network; stored beside the weights."""

    encoder: EncoderKind = "vmamba"
    widths: tuple[int, ...] = (64, 128, 320, 832)  # channels of the encoder's stages
    depths: tuple[int, ...] = (1, 2, 2, 3)  # blocks of the encoder's stages
    drop_path: float = 0.1  # rate of the last encoder block and of AGSSM, training only
    width: int = 384  # channels of a token
    grid: int = 40  # most cells, each way, of a square image; its square is N
    cell: int = 8  # pixels of a cell, at least: small images have fewer cells
    affinity: bool = True  # False is the ablation without affinity
    context: Context = "scan"  # what tokens pass before they are compared; ablations cnn, attention
    context_layers: int = 1  # the ablations have 4
    descriptor: Descriptor = "encoder"  # what is compared: the encoder's maps; a light head's of
    # the image; a light head's of its eight turns
    descriptor_width: int = 64  # channels of the light head, of each turn
    match_scales: int = 2  # finest encoder scales that are compared; 0: all, as the tokens
    tied: bool = True  # one projection for both sides of a similarity
    rotary: Rotary = "none"  # positions inside the similarity
    sigma: float = 2.0  # cells at which a self-affinity is halved; 0: not suppressed
    alpha: float = 5.0  # inverse temperature of the similarities before training
    learn_alpha: bool = True
    top_k: int = 20  # affinities of a cell that are refined into the maps
    consensus: bool = False  # whether the maps hear if neighbours' partners are neighbours
    blocks: int = 3  # AGSSM blocks beside each other
    heads: int = 6  # of each AGSSM block and of the cross-attention
    mlp_ratio: float = 4.0  # hidden width of AGSSM's MLP over the width
    norm: Norm = "batch"  # LayerNorm is an ablation
    self_attention: bool = True  # False leaves AGSSM out
    cross_attention: bool = True  # False leaves the attention out; affinities still cross over
    global_scan: bool = False  # one more scan over the whole map after AGSSM
    decoder_width: int = 128
    detail_width: int = 12  # channels at full size
    strips: bool = False  # whether the decoder looks at means of whole rows and columns
    roles: bool = False  # tell the copy from the original
    single: Single = "self"  # how a single panel becomes a pair
    side: int = 512  # pixels; larger pictures are shrunk to this area before they are read

    def __post_init__(self) -> None:
        choices = {"encoder": ENCODERS, "single": get_args(Single), "norm": get_args(Norm)}
        choices |= {"context": get_args(Context), "rotary": get_args(Rotary)}
        choices |= {"descriptor": get_args(Descriptor)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        if len(self.widths) != len(self.depths) or len(self.widths) < 3:
            raise ValueError(
                f"three widths and depths at least must pair up, got {self.widths}, {self.depths}"
            )
        if not 0 <= self.match_scales <= len(self.widths):
            raise ValueError(f"there are {len(self.widths)} scales, not {self.match_scales}")
        if min(self.blocks, self.grid, self.cell, self.top_k, self.side) < 1 or self.alpha <= 0:
            raise ValueError("blocks, grid, cell, top_k and side are 1 at least, alpha is above 0")
        if self.descriptor == "turned" and not (self.tied and self.rotary == "none"):
            raise ValueError("turned descriptors must be tied, without rotary positions")


def changed(config: BioTamperNetConfig, changes: Mapping[str, Any]) -> BioTamperNetConfig:
    """Change fields; with ``encoder="vit"`` the stages become those of a ViT of twelve blocks."""
    if changes.get("encoder") == "vit":
        widths, depths = (*config.widths[:2], config.width), (*config.depths[:2], VIT_DEPTH)
        config = replace(config, encoder="vit", widths=widths, depths=depths)
    return replace(config, **changes)
