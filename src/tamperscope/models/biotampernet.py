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

from typing import Any

import torch
from torch import Tensor, nn

from tamperscope.models.affinity import (
    Embedder,
    Embedding,
    Refinement,
    ScanLayer,
    Similarity,
    context_layers,
    strongest,
)
from tamperscope.models.agssm import AGSSM
from tamperscope.models.cross_attention import CrossAttention
from tamperscope.models.layers import Pointwise
from tamperscope.models.network import Size, check_image
from tamperscope.models.pair_config import BioTamperNetConfig, changed
from tamperscope.models.pair_decoder import PairDecoder
from tamperscope.models.pair_descriptor import LocalDescriptor, locally_normalised
from tamperscope.models.pair_encoders import Tokens, build_encoder, resized
from tamperscope.models.pair_network import BranchLogits, PairNetwork, PanelFeatures, Seen
from tamperscope.models.pair_turns import TRANSPOSED, TURNS, turned

PRIOR = -2.2  # logit before training: about a tenth of the pixels of a tampered panel are marked
MEAN, DEVIATION = 0.5, 0.25  # of scientific pictures, roughly; white gels and black fields alike


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
        self.descriptor: LocalDescriptor | None = None
        if config.affinity:
            compared = width if config.descriptor == "encoder" else config.descriptor_width
            if config.descriptor != "encoder":
                self.descriptor = LocalDescriptor(compared)
            elif config.match_scales:
                self.match_tokens = Tokens(config.widths[: config.match_scales], width)
            self.embedder = Embedder(
                compared,
                context=context_layers(
                    config.context, config.context_layers, compared, config.norm
                ),
                norm=config.norm,
                tied=config.tied,
                rotary=config.rotary,
            )
            learned = config.learn_alpha
            self.self_similarity = Similarity(config.alpha, config.sigma, learned=learned)
            self.cross_similarity = Similarity(config.alpha, config.sigma, learned=learned)
            self.refine = Refinement(config.top_k, agreed=config.consensus)
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
            agreed=config.consensus,
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
            strips=config.strips,
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
        embedding = self.embedded(self.padded(image), maps, tokens)
        affinity = kept = None
        if self.refine is not None and self.self_similarity is not None and embedding is not None:
            count = embedding.query.shape[1]
            parts = []
            for rows in self.self_similarity.rows(embedding, embedding, same=True):
                parts.append(strongest(rows, self.config.top_k, count))
                kept = rows if self.training else None
            affinity = self.refine(parts, embedding.grid)
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
            rows=kept,
        )

    def embedded(self, image: Tensor, maps: list[Tensor], tokens: Tensor) -> Embedding | None:
        """Embed the cells of padded images for comparison; None without affinity.

        Args:
            image: (batch, 3, height, width), in [0, 1].
            maps: Of the encoder.
            tokens: Of all its scales.
        """
        if self.embedder is None:
            return None
        grid = (tokens.shape[1], tokens.shape[2])
        if self.descriptor is None:
            scales = self.config.match_scales
            compared = (
                tokens if self.match_tokens is None else self.match_tokens(maps[:scales], grid)
            )
            return self.embedder(compared)
        normalised = locally_normalised(image)
        if self.config.descriptor == "local":
            return self.embedder(resized(self.descriptor(normalised), grid))
        halves = [
            torch.cat([turned(normalised, turn) for turn in turns])
            for turns in (range(TRANSPOSED), range(TRANSPOSED, TURNS))
        ]
        described = [
            resized(self.descriptor(half), size)
            for half, size in zip(halves, (grid, grid[::-1]), strict=True)
        ]
        return self.embedder.of_turns([x for half in described for x in half.chunk(TRANSPOSED)])

    def attended(self, tokens: Tensor, affinity: Tensor | None) -> Tensor:
        """Self-attention: the mean of the blocks, added through a 1 x 1 convolution."""
        if self.config.self_attention:
            weight = tokens.new_zeros(tokens.shape[:3]) if affinity is None else affinity.sigmoid()
            blocks = torch.stack([block(tokens, weight) for block in self.guided])
            tokens = tokens + self.join(blocks.mean(dim=0))
        return tokens if self.whole is None else self.whole(tokens)

    def look(self, panel: PanelFeatures, other: PanelFeatures, *, same: bool = False) -> Seen:
        """Cross-attention and cross-affinity, one way, and what the heads say of the cells."""
        crossed, affinity, rows = self.cross(
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
            rows=rows,
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
            self_rows=panel.rows,
            cross_rows=seen.rows,
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
    """Build one that trains on two processor cores, or in half an hour on a GPU.

    It has what was measured to learn matching sooner (docs/log.md): a descriptor of its own, a
    higher temperature to start from, the neighbours' consensus; and means along seams.
    """
    small = BioTamperNetConfig(
        widths=(32, 64, 128, 256),
        depths=(1, 2, 2, 2),
        width=96,
        grid=32,
        heads=2,
        mlp_ratio=2.0,
        descriptor="local",
        sigma=1.0,
        alpha=20.0,
        consensus=True,
        strips=True,
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
