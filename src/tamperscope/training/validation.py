"""Scores a network on a fixed set while it is trained; the numbers are the evaluation package's.

The set is forged or read once and kept. Each stream of it is scored by itself; the score that
decides about best weights, plateau and early stopping is the mean over streams, so that large
regions in one do not hide small ones in another.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tamperscope.evaluation.biofors import image_counts
from tamperscope.evaluation.metrics import Counts, count, mcc_or_zero, ratio
from tamperscope.evaluation.scoring import curve, none_for_nan
from tamperscope.models.network import Network
from tamperscope.models.pair_network import mask_score
from tamperscope.models.pair_reading import single_logits
from tamperscope.training.batches import Batch, stacked
from tamperscope.training.objectives import AnyNetwork, as_tensors
from tamperscope.training.recipe import Stream
from tamperscope.training.streams import Example, SampleStream

Scores = dict[str, float | None]
"""By name, as ``recipe.Score`` lists them; None where a score does not exist."""


@dataclass(frozen=True, eq=False)
class Part:
    """The samples of one stream, in batches that a network takes at once."""

    name: str
    batches: tuple[Batch, ...]
    identity: str


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says of the examples of a batch."""

    heatmaps: tuple[np.ndarray, ...]  # float32 (batch, height, width), of each panel
    scores: np.ndarray  # float32 (batch,): of each example as a whole


def make_parts(
    streams: Sequence[tuple[str, int, SampleStream]],
    batch: int,
    report: Callable[[str, int, int | None], None],
    *,
    matches: bool = False,
) -> list[Part]:
    """Make the samples of a validation set.

    Args:
        streams: Name, number of samples, and the stream.
        batch: Samples that a network takes at once.
        report: Called with a word, how many are made, and of how many.
        matches: Whether to look for matches within the panels.
    """
    total, done, parts = sum(samples for _, samples, _ in streams), 0, []
    for name, samples, stream in streams:
        examples: list[Example] = []
        for number in range(samples):
            examples.append(stream.example(number))
            done += 1
            report("validation samples", done, total)
        batches = tuple(
            stacked(examples[start : start + batch], matches=matches)
            for start in range(0, samples, batch)
        )
        parts.append(Part(name, batches, stream.identity))
    return parts


def named(
    streams: Sequence[Stream], opened: Sequence[Sequence[SampleStream]]
) -> list[tuple[str, int, SampleStream]]:
    """Name validation streams and share out the samples that each is to have.

    Args:
        streams: As the recipe says.
        opened: The one or two streams that each of them became.
    """
    found = []
    for place, (stream, parts) in enumerate(zip(streams, opened, strict=True)):
        name = str(stream.forge or stream.dataset).rpartition("/")[2].removesuffix(".toml")
        twice = sum((s.forge or s.dataset) == (stream.forge or stream.dataset) for s in streams) > 1
        name = f"{name}-{place}" if twice else name
        for part in parts:
            samples = max(round(stream.samples * part.share / stream.share), 1)
            form = {1: "single", 2: "pair"}[part.form] if len(parts) == 2 else ""
            found.append((f"{name} {form}".strip(), samples, part))
    return found


@torch.no_grad()
def answer(network: AnyNetwork, batch: Batch, device: torch.device) -> Answer:
    """Ask a network, in evaluation mode, about a batch."""
    panels, _, _, matches = as_tensors(batch, device)
    images = [panel.permute(0, 3, 1, 2).contiguous().float() / 255 for panel in panels]
    heatmaps: list[Tensor]
    if isinstance(network, Network):
        heatmaps = [network.heatmap(images[0], matches)]
    elif len(images) == 1:
        heatmaps = [single_logits(network, images[0]).heatmap]
    else:
        pair = network(images[0], images[1])
        heatmaps = [pair.first.heatmap, pair.second.heatmap]
    scores = torch.stack([mask_score(heatmap) for heatmap in heatmaps]).amin(dim=0)
    return Answer(tuple(h.cpu().numpy() for h in heatmaps), scores.cpu().numpy())


def score_part(
    network: AnyNetwork, part: Part, device: torch.device, threshold: float
) -> dict[str, float | None]:
    """Score one stream.

    Returns:
        pixel_mcc, pixel_f1, pixel_iou: all pixels of all examples in one table of counts;
        image_mcc, image_auc: of each example as a whole, by ``pair_network.mask_score``, of a pair
        the lower of the two; mean_f1, mean_f1_iou: means over examples with a change;
        false_area: share of the pixels of pristine examples that is marked.
    """
    pixels, images, pristine = Counts(), Counts(), Counts()
    each: list[Counts] = []
    scores: list[float] = []
    labels: list[bool] = []
    for batch in part.batches:
        said = answer(network, batch, device)
        for row in range(len(batch)):
            own = Counts()
            for heatmap, mask in zip(said.heatmaps, batch.masks, strict=True):
                own += count(heatmap[row] > threshold, mask[row])
            changed = own.hits + own.misses > 0
            pixels += own
            images += image_counts(bool(said.scores[row] > threshold), changed)
            if changed:
                each.append(own)
            else:
                pristine += own
            scores.append(float(said.scores[row]))
            labels.append(changed)
    f1, iou = (mean([getattr(own, name) for own in each]) for name in ("f1", "iou"))
    found = {
        "pixel_mcc": mcc_or_zero(pixels),
        "pixel_f1": pixels.f1,
        "pixel_iou": pixels.iou,
        "image_mcc": mcc_or_zero(images),
        "image_auc": curve(np.array([scores]), np.array([labels])).auc,
        "mean_f1": f1,
        "mean_f1_iou": (f1 + iou) / 2,
        "false_area": ratio(pristine.false_alarms, pristine.false_alarms + pristine.rejections),
    }
    return {name: none_for_nan(value) for name, value in found.items()}


def mean(values: Sequence[float]) -> float:
    """Mean; NaN of nothing."""
    return float(np.mean(values)) if values else math.nan


def overall(scores: dict[str, Scores], name: str) -> float | None:
    """Mean of one score over the streams that have it; None where none has."""
    values = [own[name] for own in scores.values()]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
