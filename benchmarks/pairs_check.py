"""Does BioTamperNet learn to match? Short trainings on forged panels, answers for held-out sources.

    python -m benchmarks.pairs_check                          7 x 10 processor minutes, and forging
    python -m benchmarks.pairs_check --recipe idd --size 192  copies inside a panel
    python -m benchmarks.pairs_check --minutes 4 --network "no loss: matching=0"

Networks of one seed, each ``biotampernet_small`` with some fields changed, are trained for the same
processor time on the same forged panels (mirrored and, of pairs, exchanged anew for every batch)
and answer for panels whose sources none has seen: the corpus is split by origin. Beside them are
the constant mask that marks every pixel and the classical detectors of a screening. Rows that the
result file has already are kept (each names its commit), unless ``--anew`` is given.
``--network "NAME: FIELD=VALUE FIELD=VALUE"`` names another network; ``matching`` and ``alone``
(weights of the matching loss and of what a panel says alone) and ``rate`` may be changed like a
field.

Scores are pooled over all held-out panels, pristine ones included, at a probability of 0.5. What a
network marks of *originals*, which only matching can find, and of *copies*, which may show an edge,
is told apart. A check that the parts work together, not a benchmark of the method: the training is
minutes long. Results: ``benchmarks/results/pairs_check_RECIPE.json``.
"""

import argparse
import ast
import json
import math
import sys
import time
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from benchmarks.held_out import classical, classical_seams
from tamperscope.errors import ForgeError
from tamperscope.evaluation import resampling
from tamperscope.evaluation.metrics import Counts, count, mcc_or_zero
from tamperscope.models import PairNetwork, create_model
from tamperscope.models.pair_network import PairLogits, mask_score
from tamperscope.runtime import commit, metadata
from tamperscope.synth.forge import make_sample
from tamperscope.synth.opening import open_sources
from tamperscope.synth.recipe import find_recipe
from tamperscope.synth.sample import Sample
from tamperscope.training.pair_losses import MATCHING, WEIGHTS, biotampernet_loss
from tamperscope.training.partners import flipped, partner_maps

RESULTS = Path(__file__).parent / "results"
NETWORKS = (
    "as it is",
    "without matching loss: matching=0",
    "published affinity: descriptor='encoder' consensus=False alpha=5.0 matching=0",
    "published affinity, matching loss: descriptor='encoder' consensus=False alpha=5.0",
    "without affinity: affinity=False",
    "without self-attention: self_attention=False",
    "without cross-attention: cross_attention=False",
)
RECIPES = ("edd", "idd", "cstd")
OF_TRAINING = ("matching", "alone", "rate")  # what may be changed and is no field
FORMAT = "tamperscope-pairs-check/1"
SETTINGS = ("recipe", "minutes", "pool", "held", "size")  # that rows of one table share
CONSTANT, CLASSICAL = "constant mask", "classical detectors"
SEED = 0
BATCH = 8
RATE = 2e-3
WARM_UP = 0.05  # of the time
CELL = 8  # pixels, of the small network up to 256 x 256


@dataclass(frozen=True)
class Panels:
    """Forged pairs, or single panels; everything is there once for each panel of a sample."""

    images: tuple[Tensor, ...]  # uint8 (sample, 3, height, width)
    originals: tuple[Tensor, ...]  # bool (sample, height, width)
    copies: tuple[Tensor, ...]  # bool (sample, height, width)
    partners: tuple[Tensor, ...]  # (sample, partner, 2, rows, columns)
    operations: tuple[str, ...]
    groups: tuple[str, ...]  # the source of every sample
    samples: tuple[Sample, ...]  # that all of it was taken from
    both: bool  # whether originals are to be marked; of a seam the seam alone is

    @property
    def masks(self) -> tuple[Tensor, ...]:
        """What is to be marked."""
        if not self.both:
            return self.copies
        return tuple(a | b for a, b in zip(self.originals, self.copies, strict=True))

    @property
    def changed(self) -> np.ndarray:
        """Whether anything of a sample is to be marked."""
        return np.any([mask.flatten(1).any(dim=1).numpy() for mask in self.masks], axis=0)


def forged(
    corpus: Path, recipe_name: str, split: str, number: int, size: int, epoch: int
) -> Panels:
    """Make samples from one side of the corpus' sources."""
    recipe = replace(find_recipe(recipe_name), size=(size, size))
    source = open_sources([str(corpus)], split=split)
    samples: list[Sample] = []
    index = 0
    while len(samples) < number:
        try:
            samples.append(make_sample(recipe, source, SEED, epoch, index))
        except ForgeError:
            print(f"sample {index} could not be made", flush=True)
        index += 1
    sides = range(len(samples[0].panels))
    partners = [partner_maps(sample, CELL) for sample in samples]

    def stacked(arrays: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays))

    return Panels(
        tuple(stacked([s.panels[i].transpose(2, 0, 1) for s in samples]) for i in sides),
        tuple(stacked([s.sources[i] for s in samples]) for i in sides),
        tuple(stacked([s.targets[i] for s in samples]) for i in sides),
        tuple(stacked([maps[i] for maps in partners]) for i in sides),
        tuple(s.operation for s in samples),
        tuple(s.groups[0] for s in samples),
        tuple(samples),
        both=recipe_name != "cstd",
    )


def batch_of(
    panels: Panels, rng: np.random.Generator
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Draw a batch: images, masks and partners of each side; mirrored and exchanged by chance."""
    chosen = torch.from_numpy(rng.permutation(len(panels.operations))[:BATCH])
    images = [image[chosen].float() / 255 for image in panels.images]
    masks = [mask[chosen] for mask in panels.masks]
    partners = [places[chosen] for places in panels.partners]
    for axis in (-1, -2):
        if rng.random() < 0.5:
            images, masks = ([x.flip(axis) for x in side] for side in (images, masks))
            partners = [flipped(places, axis) for places in partners]
    if rng.random() < 0.5:
        images, masks, partners = images[::-1], masks[::-1], partners[::-1]
    return images, masks, partners


def answered(network: PairNetwork, images: list[Tensor]) -> PairLogits:
    """Compare pairs, or single panels with themselves."""
    return network(images[0], images[-1], same=len(images) == 1)


def trained(
    panels: Panels,
    changes: dict[str, Any],
    *,
    minutes: float = math.inf,
    most_steps: float = math.inf,
    seed: int = SEED,
) -> tuple[PairNetwork, int]:
    """Train a fresh network for so much processor time or so many steps; it and its steps."""
    fields = {key: value for key, value in changes.items() if key not in OF_TRAINING}
    highest, matching = changes.get("rate", RATE), changes.get("matching", MATCHING)
    weights = (changes.get("alone", WEIGHTS[0]), *WEIGHTS[1:])
    network = create_model("biotampernet_small", seed=seed, drop_path=0.0, **fields).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=highest, weight_decay=0.05)
    rng = np.random.default_rng([seed, 1])
    seconds, spent, steps = 60 * minutes, 0.0, 0
    losses: list[float] = []
    while spent < seconds and steps < most_steps:
        began = time.process_time()
        done = max(spent / seconds, steps / most_steps)
        rate = highest * min(done / WARM_UP + 0.02, 0.5 * (1 + math.cos(math.pi * done)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        images, masks, partners = batch_of(panels, rng)
        loss = biotampernet_loss(
            answered(network, images),
            masks[0],
            masks[-1],
            weights=weights,
            partners=(partners[0], partners[-1]),
            matching=matching,
            same=len(images) == 1,
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        spent += time.process_time() - began
        steps += 1
        if steps % 50 == 0:
            print(f"  {spent:5.0f} s, step {steps}: {np.mean(losses[-50:]):.3f}", flush=True)
    return network.eval(), steps


def answers(network: PairNetwork, panels: Panels) -> tuple[list[np.ndarray], np.ndarray]:
    """Heatmaps of each side, (sample, height, width), and the scores of the samples."""
    heatmaps: list[list[Tensor]] = [[] for _ in panels.images]
    with torch.inference_mode():
        for start in range(0, len(panels.operations), BATCH):
            part = slice(start, start + BATCH)
            logits = answered(network, [image[part].float() / 255 for image in panels.images])
            for kept, branch in zip(heatmaps, (logits.first, logits.second), strict=False):
                kept.append(branch.heatmap)
    joined = [torch.cat(side) for side in heatmaps]
    scores = torch.stack([mask_score(heat) for heat in joined]).amin(dim=0)
    return [heat.numpy() for heat in joined], scores.numpy()


def classical_answers(panels: Panels) -> tuple[list[np.ndarray], np.ndarray]:
    """What the classical detectors of a screening mark, in the form of :func:`answers`."""
    look = classical if panels.both else classical_seams
    marks = [look(sample) for sample in panels.samples]
    sides = [np.stack([of_sample[side] for of_sample in marks]) for side in range(len(marks[0]))]
    fired = np.any([side.any(axis=(1, 2)) for side in sides], axis=0)
    return [side.astype(np.float32) for side in sides], fired.astype(np.float32)


def scored(heatmaps: list[np.ndarray], scores: np.ndarray, panels: Panels) -> dict[str, Any]:
    """Pooled pixel scores, shares of originals and copies that were marked, and image scores.

    Intervals are 95 %, by bootstrap of whole sources.
    """
    marked = [heat > 0.5 for heat in heatmaps]
    total = Counts()
    for mine, truth in zip(marked, panels.masks, strict=True):
        total += count(mine, truth.numpy())
    images = count(scores > 0.5, panels.changed)
    intervals = {
        f"{name}_mcc_interval": resampling.interval(
            own, panels.groups, resampling.pooled_mcc, np.random.default_rng(SEED)
        )
        for name, own in counts_by_sample(marked, scores, panels).items()
    }
    return {
        **intervals,
        "pixel_f1": total.f1,
        "pixel_mcc": mcc_or_zero(total),
        "pixel_precision": total.precision,
        "originals": share_marked(marked, panels.originals),
        "copies": share_marked(marked, panels.copies),
        "image_mcc": mcc_or_zero(images),
        "image_auc": area_under_curve(scores, panels.changed),
        **by_operation(marked, panels),
    }


def counts_by_sample(
    marked: list[np.ndarray], scores: np.ndarray, panels: Panels
) -> dict[str, np.ndarray]:
    """Hits, false alarms, misses, rejections of every sample: of its pixels, of its score."""
    rows = {"pixel": np.zeros((len(scores), 4)), "image": np.zeros((len(scores), 4))}
    for index, changed in enumerate(panels.changed):
        for mine, truth in zip(marked, panels.masks, strict=True):
            rows["pixel"][index] += astuple(count(mine[index], truth[index].numpy()))
        rows["image"][index] = astuple(count(scores[index] > 0.5, changed))
    return rows


def share_marked(marked: list[np.ndarray], masks: tuple[Tensor, ...]) -> float:
    """Share of the pixels of ``masks`` that were marked; NaN if there are none."""
    hits = sum(int((mine & mask.numpy()).sum()) for mine, mask in zip(marked, masks, strict=True))
    pixels = sum(int(mask.sum()) for mask in masks)
    return hits / pixels if pixels else math.nan


def by_operation(marked: list[np.ndarray], panels: Panels) -> dict[str, float]:
    """Pixel MCC of the samples of each operation; of pristine ones the share that was marked."""
    found = {}
    names = np.array(panels.operations)
    for name in sorted(set(panels.operations)):
        chosen = names == name
        own = Counts()
        for mine, truth in zip(marked, panels.masks, strict=True):
            own += count(mine[chosen], truth.numpy()[chosen])
        tampered = own.hits + own.misses
        pristine = own.false_alarms + own.rejections
        found[name] = mcc_or_zero(own) if tampered else own.false_alarms / pristine
    return found


def area_under_curve(scores: np.ndarray, changed: np.ndarray) -> float:
    """Chance that a changed sample scores above a pristine one; ties count half."""
    positive, negative = scores[changed], scores[~changed]
    if not (len(positive) and len(negative)):
        return math.nan
    above = (positive[:, None] > negative[None]).mean()
    return float(above + 0.5 * (positive[:, None] == negative[None]).mean())


def parsed(text: str) -> tuple[str, dict[str, Any]]:
    """Read ``NAME: FIELD=VALUE FIELD=VALUE``."""
    name, _, fields = text.partition(":")
    pairs = (field.partition("=") for field in fields.split())
    return name.strip(), {key: ast.literal_eval(value) for key, _, value in pairs}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=RECIPES, default="edd")
    parser.add_argument("--network", action="append", metavar="NAME: FIELD=VALUE ...")
    parser.add_argument("--minutes", type=float, default=10.0, help="processor time a network")
    parser.add_argument("--pool", type=int, default=2000, help="samples to train on")
    parser.add_argument("--held", type=int, default=200, help="samples to answer for")
    parser.add_argument("--size", type=int, default=128, help="pixels of a panel, each way")
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--anew", action="store_true", help="measure rows again that are there")
    parser.add_argument("--out", type=Path, help="default: results/pairs_check_RECIPE.json")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    out = options.out or RESULTS / f"pairs_check_{options.recipe}.json"
    options.network = options.network or list(NETWORKS)
    networks = dict(parsed(text) for text in options.network)
    made = (options.corpus, options.recipe)
    held = forged(*made, "valid", options.held, options.size, epoch=1)
    settings = {key: getattr(options, key) for key in SETTINGS}
    rows = {} if options.anew else kept_rows(out, settings)
    everything = [np.ones(mask.shape, np.float32) for mask in held.masks]
    fixed = {
        CONSTANT: lambda: (everything, np.ones(len(held.changed))),
        CLASSICAL: lambda: classical_answers(held),
    }
    pool = None
    for name in [*fixed, *networks]:
        if name in rows:
            continue
        print(name, flush=True)
        facts: dict[str, Any] = {"commit": commit()}
        if name in fixed:
            found = fixed[name]()
        else:
            pool = pool or forged(*made, "train", options.pool, options.size, epoch=0)
            network, steps = trained(pool, networks[name], minutes=options.minutes)
            facts |= {"steps": steps, "changes": networks[name]}
            found = answers(network, held)
        rows[name] = facts | scored(*found, held)
        report(name, rows[name])
        result = {
            "format": FORMAT,
            "metadata": metadata(seed=SEED, threads=options.threads),
            "settings": settings,
            "held": {"samples": len(held.changed), "changed": int(held.changed.sum())},
            "rows": rows,
        }
        out.parent.mkdir(exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(out)


def kept_rows(out: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Rows of an earlier run with the same settings; none where there is none."""
    if not out.is_file():
        return {}
    earlier = json.loads(out.read_text(encoding="utf-8"))
    same = earlier.get("format") == FORMAT and earlier["settings"] == settings
    return dict(earlier["rows"]) if same else {}


def report(name: str, row: dict[str, Any]) -> None:
    numbers = {key: round(value, 3) for key, value in row.items() if isinstance(value, float)}
    print(f"{name}: {json.dumps(numbers)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
