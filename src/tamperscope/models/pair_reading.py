"""Reads panels with a pair network: pixels in, heatmaps, scores and links out, in panel pixels.

A :class:`PairReader` encodes each panel once; the result serves all pairs it takes part in, and
the panel alone. A large panel is shrunk to the network's ``side`` first, by means.

A single panel becomes a pair in one of three ways, the config's ``single``:

    self     with itself, near cells suppressed
    halves   its left half with its right one and its upper half with its lower one; what lies
             within two cells of a cut is taken from the other cut
    both     the larger of the two logits
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tamperscope.models.network import Size
from tamperscope.models.pair_links import Links, mutual_links, partners_of
from tamperscope.models.pair_network import (
    BranchLogits,
    PairNetwork,
    PanelFeatures,
    mask_score,
)
from tamperscope.models.tiling import GRID, Progress, blending_weights, tile_ranges

Heatmap = NDArray[np.float32]  # (height, width) of the panel, values in [0, 1]
BAND = 2  # cells beside a cut whose logits are not used
LEAST_HALF = 16  # pixels, shorter side of a half; smaller panels are not cut


@dataclass(frozen=True)
class ReadPanel:
    """A panel as the network knows it; keep it for all pairs the panel takes part in."""

    features: PanelFeatures  # of a batch of one
    image: Tensor  # (1, 3, height, width), shrunk, in [0, 1]
    size: Size  # of the panel as given


@dataclass(frozen=True)
class PanelReading:
    """What the network says of one panel."""

    heatmap: Heatmap  # probability of being reused or pasted
    copy: Heatmap | None  # probability of being the copy; None where roles are not told apart
    score: float  # see pair_network.mask_score


@dataclass(frozen=True)
class PairReading:
    """What the network says of two panels."""

    first: PanelReading
    second: PanelReading

    @property
    def score(self) -> float:
        """The lower of the two: what is shared shows in both."""
        return min(self.first.score, self.second.score)


class PairReader:
    """A pair network, ready to read panels, on the device where its weights are.

    Args:
        network: In evaluation mode.
    """

    def __init__(self, network: PairNetwork) -> None:
        self.network = network.eval().requires_grad_(False)
        self.device = next(network.parameters()).device

    @property
    def tile(self) -> int:
        """Pixels of a side of the largest square that is read without being shrunk."""
        return max(self.network.side // GRID, 2) * GRID

    @torch.inference_mode()
    def read(self, pixels: NDArray[np.uint8]) -> ReadPanel:
        """Encode a panel, uint8 (height, width, 3) RGB."""
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"pixels are uint8 (height, width, 3), got {pixels.shape}")
        own = np.require(pixels, requirements=("C", "W"))  # a copy of what is read-only
        image = torch.from_numpy(own).to(self.device)
        image = image.permute(2, 0, 1)[None].float() / 255
        size = (pixels.shape[0], pixels.shape[1])
        smaller = working_size(size, self.network.side)
        if smaller != size:
            image = F.interpolate(
                image, size=smaller, mode="bilinear", antialias=True, align_corners=False
            )
        return ReadPanel(self.network.encode(image), image, size)

    @torch.inference_mode()
    def rate(self, first: ReadPanel, second: ReadPanel) -> float:
        """Score a pair from its cells alone, without drawing masks: for short lists.

        The lower of the two panels' scores, as :attr:`PairReading.score`, of the answer after
        cross-attention; of the drawn masks where the network has no such answer.
        """
        seen = [
            self.network.look(one.features, other.features)
            for one, other in ((first, second), (second, first))
        ]
        if any(one.crossed is None for one in seen):
            return self.compare(first, second).score
        return min(
            float(mask_score(one.crossed[:, 0].float().sigmoid()))
            for one in seen
            if one.crossed is not None
        )

    @torch.inference_mode()
    def compare(self, first: ReadPanel, second: ReadPanel) -> PairReading:
        """Mark what two panels share."""
        one, two = (
            self.network.draw(a.features, self.network.look(a.features, b.features))
            for a, b in ((first, second), (second, first))
        )
        return PairReading(reading(one, first.size), reading(two, second.size))

    @torch.inference_mode()
    def alone(self, panel: ReadPanel) -> PanelReading:
        """Mark what one panel holds twice, or what was pasted into it."""
        return reading(single_logits(self.network, panel.image, panel.features), panel.size)

    @torch.inference_mode()
    def in_tiles(self, pixels: NDArray[np.uint8], progress: Progress | None = None) -> PanelReading:
        """Mark what changes abruptly in a panel, uint8 (height, width, 3), at its own size.

        A seam is a few pixels wide: shrunk to the network's ``side``, a large panel has lost it. So
        it is read tile by tile, and what tiles say of a place is averaged. Copies of what lies in
        another tile are not seen. ``progress`` is told about every tile.
        """
        ranges = [tile_ranges(length, self.tile) for length in pixels.shape[:2]]
        down, across = (list(zip(r, blending_weights(r), strict=True)) for r in ranges)
        heatmap = np.zeros(pixels.shape[:2], np.float32)
        for count, ((rows, down_weights), (columns, across_weights)) in enumerate(
            product(down, across), start=1
        ):
            place = slice(rows.start, rows.stop), slice(columns.start, columns.stop)
            weights = down_weights.numpy()[:, None] * across_weights.numpy()
            heatmap[place] += self.alone(self.read(pixels[place])).heatmap * weights
            if progress is not None:
                progress(count, len(down) * len(across))
        return PanelReading(heatmap, None, float(mask_score(torch.from_numpy(heatmap)[None])))

    @torch.inference_mode()
    def links(self, first: ReadPanel, second: ReadPanel | None = None) -> Links:
        """Cells that are each other's strongest affinity, in panel pixels; in one if None.

        Raises:
            ValueError: The network was built without affinity.
        """
        other = first if second is None else second
        return mutual_links(
            self.network, first.features, other.features, first.size, other.size,
            same=second is None,
        )  # fmt: skip

    @torch.inference_mode()
    def partners(
        self, point: tuple[float, float], first: ReadPanel, second: ReadPanel | None = None
    ) -> Heatmap:
        """Affinities of the cell at ``point`` (x, y) of the first panel with all of the second.

        Scaled so that the strongest is 1; the size of the second panel, of the first if None.

        Raises:
            ValueError: The point lies outside the panel, or the network has no affinity.
        """
        other = first if second is None else second
        row = partners_of(
            self.network, first.features, other.features, point, first.size, same=second is None
        )
        heat = enlarged((row / row.max())[None, None], other.features, other.size)
        return heat / heat.max()

    @torch.inference_mode()
    def affinity_maps(
        self, panel: ReadPanel, other: ReadPanel | None = None
    ) -> tuple[Heatmap, Heatmap]:
        """Refined affinity maps of a panel: with itself, and with ``other`` (itself if None).

        Raises:
            ValueError: The network was built without affinity.
        """
        partner = panel if other is None else other
        seen = self.network.look(panel.features, partner.features, same=other is None)
        if panel.features.affinity is None or seen.affinity is None:
            raise ValueError("this network was built without affinity; there is nothing to show")
        alone, crossed = (
            enlarged(logits.sigmoid()[:, None], panel.features, panel.size)
            for logits in (panel.features.affinity, seen.affinity)
        )
        return alone, crossed


def working_size(size: Size, side: int) -> Size:
    """Size at which a panel is read: as it is, or shrunk to an area of ``side`` squared."""
    height, width = size
    shrink = min(side / (height * width) ** 0.5, 1.0)
    return max(round(height * shrink), 1), max(round(width * shrink), 1)


def single_logits(
    network: PairNetwork, image: Tensor, features: PanelFeatures | None = None
) -> BranchLogits:
    """Answer for single images, made into pairs as the network's config says.

    Args:
        network: A pair network.
        image: (batch, 3, height, width), in [0, 1].
        features: Of these images, where they are known already.
    """
    how = network.config.single
    height, width = image.shape[2:]
    cuts = [axis for axis, n in ((3, width), (2, height)) if n >= 2 * LEAST_HALF]
    answers = []
    if how in ("self", "both") or not cuts:
        whole = network.encode(image) if features is None else features
        answers.append(network.draw(whole, network.look(whole, whole, same=True)))
    if how in ("halves", "both") and cuts:
        answers.append(cut_logits(network, image, cuts))
    if len(answers) == 1:
        return answers[0]
    one, two = answers
    return replace(one, mask=one.mask.maximum(two.mask), role=larger(one, two))


def larger(one: BranchLogits, two: BranchLogits) -> Tensor | None:
    """Roles of the answer that is the surer of each pixel."""
    if one.role is None or two.role is None:
        return None
    return torch.where(one.mask >= two.mask, one.role, two.role)


def cut_logits(network: PairNetwork, image: Tensor, axes: list[int]) -> BranchLogits:
    """Answers of the halves, put together; every pixel from a cut that is not near it."""
    masks, roles = [], []
    for axis in axes:
        middle = image.shape[axis] // 2
        first, second = image.tensor_split([middle], dim=axis)
        pair = network(first, second)
        mask = torch.cat((pair.first.mask, pair.second.mask), dim=axis)
        band = min(BAND * network.cell_of(first), middle // 2)
        mask.narrow(axis, middle - band, 2 * band).fill_(-torch.inf)
        masks.append(mask)
        if pair.first.role is not None and pair.second.role is not None:
            roles.append(torch.cat((pair.first.role, pair.second.role), dim=axis))
    stacked = torch.stack(masks)
    best = stacked.amax(dim=0)
    lowest = best[best.isfinite()].min() if best.isfinite().any() else best.new_zeros(())
    role = torch.stack(roles).gather(0, stacked.argmax(dim=0, keepdim=True))[0] if roles else None
    # Where both cuts are near, nothing was seen: the lowest logit of the image.
    return BranchLogits(best.where(best.isfinite(), lowest), role, None, None)


def reading(branch: BranchLogits, size: Size) -> PanelReading:
    """Logits of a batch of one, enlarged to the panel, as probabilities."""
    probability, copy = (
        None if logits is None else panel_probabilities(logits, size)
        for logits in (branch.mask, branch.role)
    )
    assert probability is not None
    score = float(mask_score(torch.from_numpy(probability)[None]))
    return PanelReading(probability, copy, score)


def panel_probabilities(logits: Tensor, size: Size) -> Heatmap:
    """(1, 1, height, width) logits -> probabilities at ``size``."""
    if (logits.shape[2], logits.shape[3]) != size:
        logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    return np.ascontiguousarray(logits[0, 0].float().sigmoid().cpu().numpy())


def enlarged(cells: Tensor, features: PanelFeatures, size: Size) -> Heatmap:
    """Cells (1, 1, rows, columns) of the padded image, at the size of the panel."""
    padded = (features.image.shape[2], features.image.shape[3])
    pixels = F.interpolate(cells.float(), size=padded, mode="bilinear", align_corners=False)
    pixels = pixels[..., : features.size[0], : features.size[1]]
    if features.size != size:
        pixels = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
    return np.ascontiguousarray(pixels[0, 0].clamp(0, 1).cpu().numpy())


def ranked_pairs(reader: PairReader, panels: list[ReadPanel]) -> Iterator[tuple[int, int, float]]:
    """Yield (i, j, score) for every two of the panels, i < j; each panel was encoded once."""
    for i, first in enumerate(panels):
        for j in range(i + 1, len(panels)):
            yield i, j, reader.rate(first, panels[j])
