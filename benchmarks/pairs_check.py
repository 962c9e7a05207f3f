"""Does BioTamperNet learn to match, and does its affinity help? A short run on forged pairs.

    python -m benchmarks.pairs_check                       3 x 10 processor minutes and the forging
    python -m benchmarks.pairs_check --minutes 1 --pool 64 --held 32

Networks of one seed, ``biotampernet_small``, the same without affinity, and with another start of
its temperature, are trained for the same processor time on the same forged pairs (recipe ``edd``,
cells of 8 pixels, flips and exchanged sides drawn anew for every batch) and answer for pairs whose
source pictures none has seen: the corpus' sources are split by repository. Beside them stands the
constant mask that marks every pixel. Scores are pooled over both panels of all held-out pairs,
pristine ones included, at a probability of 0.5; the score of a pair tells pairs that share
something from those that do not.
A check that the parts work together, not a benchmark of the method: the training is minutes long.
Results: ``benchmarks/results/pairs_check.json``.
"""

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tamperscope.errors import ForgeError
from tamperscope.evaluation.metrics import Counts, count, mcc_or_zero
from tamperscope.models import PairNetwork, create_model
from tamperscope.runtime import metadata
from tamperscope.synth.forge import make_sample
from tamperscope.synth.opening import open_sources
from tamperscope.synth.recipe import find_recipe
from tamperscope.training.pair_losses import biotampernet_loss

RESULT = Path(__file__).parent / "results" / "pairs_check.json"
NETWORKS: dict[str, dict[str, Any]] = {
    "full": {},
    "without affinity": {"affinity": False},
    "alpha 20": {"alpha": 20.0},
}
SEED = 0
BATCH = 8
RATE = 2e-3
WARM_UP = 0.05  # of the time
REGIONS = ("overlap", "paste", "unrelated", "neighbours")  # operations with a boundary to find


@dataclass(frozen=True)
class Pairs:
    """Forged pairs: two panels and two masks each."""

    images: tuple[Tensor, Tensor]  # uint8 (pair, 3, height, width)
    masks: tuple[Tensor, Tensor]  # bool (pair, height, width)

    @property
    def shared(self) -> np.ndarray:
        """Whether a pair shares anything."""
        return self.masks[0].flatten(1).any(dim=1).numpy()


def forged(corpus: Path, split: str, number: int, size: int, epoch: int) -> Pairs:
    """Make ``number`` pairs from one side of the corpus' sources."""
    recipe = find_recipe("edd")
    kept = {name: recipe.operations[name] for name in REGIONS}
    recipe = replace(recipe, size=(size, size), operations=kept)
    source = open_sources([str(corpus)], split=split)
    panels: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    masks: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    index = 0
    while len(masks[0]) < number:
        try:
            sample = make_sample(recipe, source, SEED, epoch, index)
        except ForgeError:
            sample = None
        index += 1
        if sample is not None and len(sample.panels) == 2:
            for side in (0, 1):
                panels[side].append(sample.panels[side].transpose(2, 0, 1))
                masks[side].append(sample.sources[side] | sample.targets[side])
    images = tuple(torch.from_numpy(np.stack(side)) for side in panels)
    truth = tuple(torch.from_numpy(np.stack(side)) for side in masks)
    return Pairs((images[0], images[1]), (truth[0], truth[1]))


def batch_of(pairs: Pairs, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw a batch; sides are exchanged and both panels flipped, each at even chances."""
    chosen = torch.from_numpy(rng.permutation(len(pairs.masks[0]))[:BATCH])
    first, second = (image[chosen].float() / 255 for image in pairs.images)
    source, target = (mask[chosen] for mask in pairs.masks)
    if rng.random() < 0.5:
        first, second, source, target = second, first, target, source
    for axis in (-1, -2):
        if rng.random() < 0.5:
            first, second, source, target = (x.flip(axis) for x in (first, second, source, target))
    return first, second, source, target


def trained(pairs: Pairs, changes: dict[str, Any], minutes: float) -> tuple[PairNetwork, int]:
    """Train a fresh network for so much processor time; the network and its steps."""
    network = create_model("biotampernet_small", seed=SEED, drop_path=0.0, **changes).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.05)
    rng = np.random.default_rng([SEED, 1])
    seconds, spent, steps = 60 * minutes, 0.0, 0
    while spent < seconds:
        began = time.process_time()
        done = spent / seconds
        rate = RATE * min(done / WARM_UP + 0.02, 0.5 * (1 + math.cos(math.pi * done)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        first, second, source, target = batch_of(pairs, rng)
        loss = biotampernet_loss(network(first, second), source, target)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        spent += time.process_time() - began
        steps += 1
        if steps % 20 == 0:
            print(f"  {spent:5.0f} s, step {steps}: loss {loss.item():.3f}", flush=True)
    return network.eval(), steps


def answers(network: PairNetwork, pairs: Pairs) -> tuple[list[np.ndarray], np.ndarray]:
    """Heatmaps of both sides, (pair, height, width), and the scores of the pairs."""
    heatmaps: list[list[Tensor]] = [[], []]
    scores = []
    with torch.inference_mode():
        for start in range(0, len(pairs.masks[0]), BATCH):
            part = slice(start, start + BATCH)
            logits = network(*(image[part].float() / 255 for image in pairs.images))
            heatmaps[0].append(logits.first.heatmap)
            heatmaps[1].append(logits.second.heatmap)
            scores.append(logits.score)
    return [torch.cat(side).numpy() for side in heatmaps], torch.cat(scores).numpy()


def scored(heatmaps: list[np.ndarray], pairs: Pairs) -> dict[str, float]:
    """Pooled pixel scores at a probability of 0.5, of the panel shown first and of both."""
    counts = [
        count(heat > 0.5, mask.numpy()) for heat, mask in zip(heatmaps, pairs.masks, strict=True)
    ]
    both: Counts = counts[0] + counts[1]
    return {
        "f1": both.f1,
        "mcc": mcc_or_zero(both),
        "iou": both.iou,
        "f1_first": counts[0].f1,
        "f1_second": counts[1].f1,
    }


def area_under_curve(scores: np.ndarray, shared: np.ndarray) -> float:
    """Chance that a pair with shared content scores above one without; ties count half."""
    positive, negative = scores[shared], scores[~shared]
    if not (len(positive) and len(negative)):
        return math.nan
    above = (positive[:, None] > negative[None]).mean()
    return float(above + 0.5 * (positive[:, None] == negative[None]).mean())


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="processor time a network")
    parser.add_argument("--pool", type=int, default=1000, help="pairs to train on")
    parser.add_argument("--held", type=int, default=200, help="pairs to answer for")
    parser.add_argument("--size", type=int, default=128, help="pixels of a panel, each way")
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    pool = forged(options.corpus, "train", options.pool, options.size, epoch=0)
    held = forged(options.corpus, "valid", options.held, options.size, epoch=1)
    everything = [np.ones(mask.shape, np.float32) for mask in held.masks]
    result = metadata(seed=SEED, **{k: str(v) for k, v in vars(options).items()})
    result["held"] = {"pairs": len(held.shared), "shared": int(held.shared.sum())}
    result["constant"] = scored(everything, held)
    print(f"constant mask: {json.dumps(result['constant'])}", flush=True)
    for name, changes in NETWORKS.items():
        print(name, flush=True)
        network, steps = trained(pool, changes, options.minutes)
        heatmaps, scores = answers(network, held)
        row = {"steps": steps, **scored(heatmaps, held)}
        row["pair_auc"] = area_under_curve(scores, held.shared)
        result[name] = row
        print(f"{name}: {json.dumps(row)}", flush=True)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(options.out)


if __name__ == "__main__":
    main(sys.argv[1:])
