"""The contract of networks that take two panels: logits of two masks, panel by panel in steps.

An *image* is a float tensor (batch, 3, height, width), RGB in [0, 1], of any size from 1 x 1 on;
the two of a pair may differ in size. ``network(first, second)`` is all of it. A document with many
panels takes the steps apart, so that what belongs to one panel is computed once:

    features = network.encode(image)                     once a panel
    seen = network.look(features, other_features)        each way of each pair; cells only
    pixels = network.draw(features, seen)                where a mask is wanted

Logits above 0 mean: this pixel is part of something reused or pasted. Where a network tells roles
apart, a second logit says whether the pixel is the copy (above 0) or the original.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tamperscope.models.affinity import Embedding, Rows, Similarity
from tamperscope.models.network import ConfiguredModule, Size, check_image

TOP_SHARE = 0.01  # of the pixels of a mask, whose mean probability is its score


@dataclass(frozen=True)
class PanelFeatures:
    """What a network knows of a batch of panels without having seen a partner."""

    size: Size  # of the images as given; everything below is of the padded ones
    image: Tensor  # normalised, (batch, 3, height, width)
    tokens: Tensor  # (batch, rows, columns, channel), after self-attention
    skip4: Tensor  # for the decoder, at a quarter of the size
    skip8: Tensor  # at an eighth
    embedding: Embedding | None  # for affinities; None without affinity
    keys: Tensor | None  # for cross-attention; None without
    affinity: Tensor | None  # logits of the self-affinity map, (batch, rows, columns)
    rows: Rows | None = None  # of the self-affinity, in training only

    def partners(self) -> "PanelFeatures":
        """Exchange the halves of the batch, so that each panel's partner takes its place."""
        half = len(self.image) // 2
        moved: dict[str, Any] = {
            name: value.roll(half, 0)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        if self.embedding is not None:
            moved["embedding"] = self.embedding.roll(half)
        return replace(self, rows=None, **moved)


@dataclass(frozen=True)
class Seen:
    """One panel after it has looked at another; per cell."""

    fused: Tensor  # (batch, rows, columns, channel)
    alone: Tensor | None  # logits after self-attention, (batch, 1, rows, columns)
    crossed: Tensor | None  # logits after cross-attention, (batch, 1, rows, columns)
    affinity: Tensor | None  # logits of the cross-affinity map, (batch, rows, columns)
    rows: Rows | None = None  # of the cross-affinity, in training only


@dataclass(frozen=True)
class BranchLogits:
    """The answer for one panel of a pair; all but ``mask`` and ``role`` is there to be trained on.

    The rows are whole N x N maps; a network in evaluation mode does not keep them.
    """

    mask: Tensor  # (batch, 1, height, width)
    role: Tensor | None  # copy (above 0) or original; None where roles are not told apart
    alone: Tensor | None  # (batch, 1, rows, columns), None in the ablation without self-attention
    crossed: Tensor | None  # the same for cross-attention
    self_rows: Rows | None = None  # affinities of the panel with itself, in training only
    cross_rows: Rows | None = None  # affinities with the partner, in training only

    def halves(self) -> tuple["BranchLogits", "BranchLogits"]:
        """Split the batch in two."""
        half = len(self.mask) // 2
        first, second = (
            BranchLogits(
                mask=self.mask[part],
                role=None if self.role is None else self.role[part],
                alone=None if self.alone is None else self.alone[part],
                crossed=None if self.crossed is None else self.crossed[part],
                self_rows=None if self.self_rows is None else self.self_rows.of(part),
                cross_rows=None if self.cross_rows is None else self.cross_rows.of(part),
            )
            for part in (slice(None, half), slice(half, None))
        )
        return first, second

    @property
    def heatmap(self) -> Tensor:
        """Probability of reuse per pixel, (batch, height, width), float32 in [0, 1]."""
        return self.mask[:, 0].float().sigmoid()


@dataclass(frozen=True)
class PairLogits:
    """The answers for both panels of a pair."""

    first: BranchLogits
    second: BranchLogits

    @property
    def score(self) -> Tensor:
        """Image-level score of each pair, in [0, 1]: the lower of its masks' two scores.

        What is shared must show in both panels. See :func:`mask_score`.
        """
        return mask_score(self.first.heatmap).minimum(mask_score(self.second.heatmap))


def mask_score(heatmap: Tensor) -> Tensor:
    """Mean of the largest 1 % of the probabilities of a mask, one pixel at least; (batch,).

    Steadier than the maximum, which a single pixel decides, and as blind to the size of a region.
    """
    flat = heatmap.flatten(1)
    return flat.topk(max(round(TOP_SHARE * flat.shape[1]), 1), dim=1).values.mean(dim=1)


class PairNetwork(ConfiguredModule):
    """Two RGB images in [0, 1] in, logits of two masks out; see the module's text."""

    multiple: int = 32  # height and width are padded to a multiple of this
    side: int  # pixels: pictures of more than side x side are shrunk before they are read
    self_similarity: Similarity | None  # of cells of one image; None without affinity
    cross_similarity: Similarity | None  # of cells of two images

    def cell_of(self, image: Tensor) -> int:
        """Pixels of a cell of these images, rounded up."""
        raise NotImplementedError

    def encode(self, image: Tensor) -> PanelFeatures:
        """Compute what belongs to a panel alone."""
        raise NotImplementedError

    def look(self, panel: PanelFeatures, other: PanelFeatures, *, same: bool = False) -> Seen:
        """Let the cells of ``panel`` look at those of ``other``.

        Args:
            panel: Whose mask is wanted.
            other: Its partner; batch sizes agree.
            same: Whether both are one image: a cell is then not its own partner.
        """
        raise NotImplementedError

    def draw(self, panel: PanelFeatures, seen: Seen) -> BranchLogits:
        """Turn cells into pixels of the image as it was given."""
        raise NotImplementedError

    def forward(self, first: Tensor, second: Tensor, *, same: bool = False) -> PairLogits:
        """Logits of both masks.

        Args:
            first: Batch of images.
            second: Their partners, in the same order; may have another size.
            same: Whether each is its own partner.

        Raises:
            ValueError: An image is not (batch, 3, height, width) with at least one pixel, or the
                batch sizes differ.
            TypeError: An image is not a float tensor.
        """
        for image in (first, second):
            check_image(image)
        if len(first) != len(second):
            raise ValueError(f"{len(first)} images have {len(second)} partners")
        if same and first is second:
            one = self.encode(first)
            answer = self.draw(one, self.look(one, one, same=True))
            return PairLogits(answer, answer)
        if first.shape == second.shape:  # as one batch: one pass, and one set of batch statistics
            both = self.encode(torch.cat((first, second)))
            return PairLogits(
                *self.draw(both, self.look(both, both.partners(), same=same)).halves()
            )
        one, two = self.encode(first), self.encode(second)
        return PairLogits(
            self.draw(one, self.look(one, two, same=same)),
            self.draw(two, self.look(two, one, same=same)),
        )

    def padded(self, image: Tensor) -> Tensor:
        """``image`` with its last row and column repeated up to a multiple of ``multiple``."""
        below, right = (-image.shape[-2]) % self.multiple, (-image.shape[-1]) % self.multiple
        return F.pad(image, (0, right, 0, below), mode="replicate") if below or right else image
