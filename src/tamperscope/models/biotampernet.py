"""BioTamperNet: a pair of panels in, two masks out; a single panel is compared with itself.

    V  = tokens(encoder(image))                     one encoder, all its scales on one grid
    a  = affinity map of V with itself, near cells suppressed
    S  = V + conv1x1(mean of three AGSSM blocks of (V, a))
    X1 = S1 + cross-attention(S1, S2), X2 = S2 + cross-attention(S2, S1), with the cross-affinity
    O  = decoder(conv1x1([S, X, affinity maps]), finer maps, image)

Nandi and Natarajan, "BioTamperNet: Affinity-Guided State-Space Model Detecting Tampered Biomedical
Images", ICLR 2026, https://arxiv.org/abs/2602.01435. No code of the authors is public; what is
known comes from the paper's text, slides and notes. Where they are silent or disagree, what is
expected to detect best was chosen; docs/biotampernet.md lists every such choice. The three largest:
the encoder's scales are all used and a full-size path ends in the decoder (a 40 x 40 grid cannot
see seams), both affinity maps reach the decoder directly, and a single panel is compared with
itself, near cells suppressed, instead of with its other half: no mask is needed and no cut leaves
edges. Both images go through the same weights, so swapped inputs give swapped outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from tamperscope.models.affinity import (
    Context,
    Embedder,
    Norm,
    Refinement,
    Rotary,
    ScanLayer,
    Similarity,
    context_layers,
    strongest,
)
from tamperscope.models.agssm import AGSSM
from tamperscope.models.cross_attention import CrossAttention
from tamperscope.models.layers import Pointwise
from tamperscope.models.network import Size, check_image
from tamperscope.models.pair_decoder import PairDecoder
from tamperscope.models.pair_encoders import ENCODERS, EncoderKind, Tokens, build_encoder
from tamperscope.models.pair_network import BranchLogits, PairNetwork, PanelFeatures, Seen

VIT_DEPTH = 12
PRIOR = -2.2  # logit before training: about a tenth of the pixels of a tampered panel are marked
MEAN, DEVIATION = 0.5, 0.25  # of scientific pictures, roughly; white gels and black fields alike
Single = Literal["self", "halves", "both"]


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
    match_scales: int = 2  # finest encoder scales that are compared; 0: all, as the tokens
    tied: bool = True  # one projection for both sides of a similarity
    rotary: Rotary = "none"  # positions inside the similarity
    sigma: float = 2.0  # cells at which a self-affinity is halved; 0: not suppressed
    alpha: float = 5.0  # inverse temperature of the similarities before training
    learn_alpha: bool = True
    top_k: int = 20  # affinities of a cell that are refined into the maps
    blocks: int = 3  # AGSSM blocks beside each other
    heads: int = 6  # of each AGSSM block and of the cross-attention
    mlp_ratio: float = 4.0  # hidden width of AGSSM's MLP over the width
    norm: Norm = "batch"  # LayerNorm is an ablation
    self_attention: bool = True  # False leaves AGSSM out
    cross_attention: bool = True  # False leaves the attention out; affinities still cross over
    global_scan: bool = False  # one more scan over the whole map after AGSSM
    decoder_width: int = 128
    detail_width: int = 12  # channels at full size
    roles: bool = False  # tell the copy from the original
    single: Single = "self"  # how a single panel becomes a pair
    side: int = 512  # pixels; larger pictures are shrunk to this area before they are read

    def __post_init__(self) -> None:
        choices = {"encoder": ENCODERS, "single": get_args(Single), "norm": get_args(Norm)}
        choices |= {"context": get_args(Context), "rotary": get_args(Rotary)}
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


class BioTamperNet(PairNetwork):
    """A pair of images to the logits of two masks at full size."""

    config: BioTamperNetConfig

    def __init__(self, config: BioTamperNetConfig) -> None:
        super().__init__()
        self.config = config
        self.side = config.side
        width = config.width
        self.encoder = build_encoder(config)
        self.tokens = Tokens(config.widths, width)
        self.embedder: Embedder | None = None
        self.self_similarity = self.cross_similarity = None
        self.refine: Refinement | None = None
        self.match_tokens: Tokens | None = None
        if config.affinity:
            if config.match_scales:
                self.match_tokens = Tokens(config.widths[: config.match_scales], width)
            self.embedder = Embedder(
                width,
                context=context_layers(config.context, config.context_layers, width, config.norm),
                norm=config.norm,
                tied=config.tied,
                rotary=config.rotary,
            )
            learned = config.learn_alpha
            self.self_similarity = Similarity(config.alpha, config.sigma, learned=learned)
            self.cross_similarity = Similarity(config.alpha, config.sigma, learned=learned)
            self.refine = Refinement(config.top_k)
        if config.self_attention:
            self.guided = nn.ModuleList(
                AGSSM(
                    width,
                    config.heads,
                    mlp_ratio=config.mlp_ratio,
                    drop_path=config.drop_path,
                    norm=config.norm,
                )
                for _ in range(config.blocks)
            )
            self.join = Pointwise(width, width)
        self.whole = ScanLayer(width, config.norm) if config.global_scan else None
        self.cross = CrossAttention(
            width,
            config.heads,
            config.top_k if config.affinity else 0,
            attend=config.cross_attention,
        )
        self.head_alone = Pointwise(width, 1) if config.self_attention else None
        self.head_crossed = Pointwise(width, 1) if config.cross_attention else None
        joined = width * (2 if config.cross_attention else 1) + (2 if config.affinity else 0)
        self.fuse = Pointwise(joined, width)
        self.decoder = PairDecoder(
            width,
            (config.widths[1], config.widths[0]),
            config.decoder_width,
            config.detail_width,
            2 if config.roles else 1,
        )
        self.start_low()

    def start_low(self) -> None:
        """Let the heads of a fresh network answer "nothing here" almost everywhere."""
        for head in (self.head_alone, self.head_crossed, self.decoder.predict):
            if head is not None and head.bias is not None:
                with torch.no_grad():
                    head.bias[0] = PRIOR

    def grid(self, size: Size) -> Size:
        """Rows and columns of cells of an image; cells are about square."""
        height, width = size
        cell = max(self.config.cell, (height * width) ** 0.5 / self.config.grid)
        rows, columns = (min(max(round(n / cell), 1), max(n // 4, 1)) for n in size)
        return rows, columns

    def cell_of(self, image: Tensor) -> int:
        """Pixels of a cell of these images, rounded up."""
        height, width = self.padded(image).shape[2:]
        rows, columns = self.grid((height, width))
        return max(-(-height // rows), -(-width // columns))

    def encode(self, image: Tensor) -> PanelFeatures:
        """Compute what belongs to a panel alone: encoder, self-affinity, self-attention."""
        check_image(image)
        padded = (self.padded(image) - MEAN) / DEVIATION
        maps = self.encoder(padded)
        grid = self.grid((padded.shape[2], padded.shape[3]))
        tokens = self.tokens(maps, grid)
        compared = tokens
        if self.match_tokens is not None:
            compared = self.match_tokens(maps[: self.config.match_scales], grid)
        embedding = None if self.embedder is None else self.embedder(compared)
        affinity = None
        if self.refine is not None and self.self_similarity is not None and embedding is not None:
            count = embedding.query.shape[1]
            parts = [
                strongest(rows, self.config.top_k, count)
                for rows in self.self_similarity.rows(embedding, embedding, same=True)
            ]
            affinity = self.refine(torch.cat(parts, dim=1), embedding.grid)
        tokens = self.attended(tokens, affinity)
        skip4, skip8 = self.decoder.skips(maps[0], maps[1])
        return PanelFeatures(
            size=(image.shape[2], image.shape[3]),
            image=padded,
            tokens=tokens,
            skip4=skip4,
            skip8=skip8,
            embedding=embedding,
            keys=self.cross.keys(tokens) if self.cross.attend else None,
            affinity=affinity,
        )

    def attended(self, tokens: Tensor, affinity: Tensor | None) -> Tensor:
        """Self-attention: the mean of the blocks, added through a 1 x 1 convolution."""
        if self.config.self_attention:
            weight = tokens.new_zeros(tokens.shape[:3]) if affinity is None else affinity.sigmoid()
            blocks = torch.stack([block(tokens, weight) for block in self.guided])
            tokens = tokens + self.join(blocks.mean(dim=0))
        return tokens if self.whole is None else self.whole(tokens)

    def look(self, panel: PanelFeatures, other: PanelFeatures, *, same: bool = False) -> Seen:
        """Cross-attention and cross-affinity, one way, and what the heads say of the cells."""
        crossed, affinity = self.cross(
            panel.tokens,
            panel.embedding,
            other.keys,
            other.embedding,
            self.cross_similarity,
            same=same,
        )
        parts = [panel.tokens]
        if self.config.cross_attention:
            parts.append(crossed)
        parts += [x[..., None] for x in (panel.affinity, affinity) if x is not None]
        return Seen(
            fused=self.fuse(torch.cat(parts, dim=-1)),
            alone=cell_logits(self.head_alone, panel.tokens, panel.affinity),
            crossed=cell_logits(self.head_crossed, crossed, affinity),
            affinity=affinity,
        )

    def draw(self, panel: PanelFeatures, seen: Seen) -> BranchLogits:
        """Decode cells, with the finer maps and the image, and cut the padding off."""
        height, width = panel.size
        pixels = self.decoder(seen.fused, panel.skip4, panel.skip8, panel.image)
        pixels = pixels[..., :height, :width]
        return BranchLogits(
            mask=pixels[:, :1],
            role=pixels[:, 1:] if self.config.roles else None,
            alone=seen.alone,
            crossed=seen.crossed,
        )


def cell_logits(head: nn.Module | None, tokens: Tensor, affinity: Tensor | None) -> Tensor | None:
    """One logit a cell, (batch, 1, rows, columns); None without a head.

    The affinity map's own logits are part of the answer: so the loss reaches the similarities by
    the shortest way, and not through the decoder alone.
    """
    if head is None:
        return None
    logits = head(tokens)[..., 0]
    return (logits if affinity is None else logits + affinity)[:, None]


def biotampernet_base(**changes: Any) -> BioTamperNet:
    """Build about the published size; ``changes`` are fields of the config."""
    return BioTamperNet(changed(BioTamperNetConfig(), changes))


def biotampernet_small(**changes: Any) -> BioTamperNet:
    """Build one that trains on two processor cores, or in half an hour on a GPU."""
    small = BioTamperNetConfig(
        widths=(32, 64, 128, 256),
        depths=(1, 2, 2, 2),
        width=96,
        grid=32,
        heads=2,
        mlp_ratio=2.0,
        decoder_width=64,
        detail_width=8,
        side=256,
    )
    return BioTamperNet(changed(small, changes))


def biotampernet_test(**changes: Any) -> BioTamperNet:
    """Build one small enough for a unit test to run and save in milliseconds."""
    tiny = BioTamperNetConfig(
        widths=(8, 16, 16),
        depths=(1, 1, 1),
        width=16,
        grid=8,
        top_k=6,
        heads=2,
        mlp_ratio=2.0,
        decoder_width=16,
        detail_width=4,
        side=64,
    )
    return BioTamperNet(changed(tiny, changes))


def changed(config: BioTamperNetConfig, changes: Mapping[str, Any]) -> BioTamperNetConfig:
    """Change fields; with ``encoder="vit"`` the stages become those of a ViT of twelve blocks."""
    if changes.get("encoder") == "vit":
        widths, depths = (*config.widths[:2], config.width), (*config.depths[:2], VIT_DEPTH)
        config = replace(config, encoder="vit", widths=widths, depths=depths)
    return replace(config, **changes)
