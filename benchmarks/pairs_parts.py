"""What are the parts of BioTamperNet worth? Ablations of several seeds, at equal steps, paired.

    python -m benchmarks.pairs_parts                     28 x 14 minutes of one core, and forging
    python -m benchmarks.pairs_parts --seed 1            one seed of each; others may run beside it
    python -m benchmarks.pairs_parts --network "wider: width=192"

``python -m benchmarks.pairs_check`` gives every network the same time, so that a part must pay for
the steps it costs; here all take the same number of steps on the same batches, from several seeds,
and answer for the same pairs of held-out sources at a probability of 0.5. All are held against the
network as it is: differences of the scores pooled over the seeds that both have, with 95 %
intervals by bootstrap of whole sources and p by swaps of whole sources
(:mod:`tamperscope.evaluation.resampling`).

Every finished training is kept in ``--runs``; a command that is given again goes on with the next.
The result, ``benchmarks/results/pairs_parts_RECIPE.json``, is made from all that are kept there.
"""

import argparse
import json
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.pairs_check import (
    RECIPES,
    RESULTS,
    Panels,
    answers,
    area_under_curve,
    counts_by_sample,
    forged,
    parsed,
    trained,
)
from tamperscope.evaluation import resampling
from tamperscope.runtime import commit, metadata

TRAINED = Path(__file__).parent.parent / "examples" / "biotampernet_small_pairs.toml"
WHOLE = "as it is"
OTHERWISE = {
    "without affinity": "affinity=False",
    "without cross-attention": "cross_attention=False",
    "CNN for the scan": "context='cnn' context_layers=4",
    "attention for the scan": "context='attention' context_layers=4",
    "with LayerNorm": "norm='layer'",
    "with a global scan": "global_scan=True",
}
ATTENDED = "with self-attention"
NETWORKS = (
    WHOLE,
    *(f"{name}: {fields}" for name, fields in OTHERWISE.items()),
    f"{ATTENDED}: self_attention=True",
    *(f"{ATTENDED}, {name}: self_attention=True {fields}" for name, fields in OTHERWISE.items()),
)
"""The published ablations, of the network that is shipped for pairs and of it with self-attention,
which the paper's has."""
FORMAT = "tamperscope-pairs-parts/1"
SETTINGS = ("recipe", "steps", "pool", "held", "size")  # that trainings of one table share
SCORES = ("pixel", "image")


def shipped_fields() -> dict[str, Any]:
    """Fields in which the network that is shipped for pairs differs from biotampernet_small."""
    fields = dict(tomllib.loads(TRAINED.read_text(encoding="utf-8"))["model"]["config"])
    del fields["drop_path"]  # no training here drops any
    return fields


def outcome(
    panels: Panels, pool: Panels, changes: dict[str, Any], steps: int, seed: int
) -> dict[str, Any]:
    """Train one network and count its answers for held-out ``panels``, sample by sample."""
    network, _ = trained(pool, changes, most_steps=steps, seed=seed)
    heatmaps, scores = answers(network, panels)
    counts = counts_by_sample([heat > 0.5 for heat in heatmaps], scores, panels)
    return {
        "commit": commit(),
        "changes": changes,
        "seed": seed,
        "image_auc": area_under_curve(scores, panels.changed),
        "groups": panels.groups,
        **{name: rows.astype(int).tolist() for name, rows in counts.items()},
    }


def pooled(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Scores of one network: of every seed, and over all."""
    groups = [group for run in runs for group in run["groups"]]
    row: dict[str, Any] = {"commits": sorted({run["commit"] for run in runs})}
    row["changes"] = runs[0]["changes"]
    row["seeds"] = [run["seed"] for run in runs]
    row["image_auc"] = float(np.mean([run["image_auc"] for run in runs]))
    for name in SCORES:
        counts = joined(runs, name)
        row[f"{name}_mcc"] = float(resampling.pooled_mcc(counts.sum(axis=0)))
        row[f"{name}_mcc_interval"] = resampling.interval(
            counts, groups, resampling.pooled_mcc, np.random.default_rng(0)
        )
        row[f"{name}_mcc_of_seeds"] = [
            float(resampling.pooled_mcc(np.array(run[name], float).sum(axis=0))) for run in runs
        ]
    return row


def joined(runs: list[dict[str, Any]], name: str) -> np.ndarray:
    """Counts of all samples of all seeds, (sample, 4)."""
    return np.concatenate([np.array(run[name], float) for run in runs])


def against(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> dict[str, Any]:
    """Second network minus first, over the seeds that both have."""
    shared = sorted({run["seed"] for run in first} & {run["seed"] for run in second})
    pairs = [[run for run in runs if run["seed"] in shared] for runs in (first, second)]
    groups = [group for run in pairs[0] for group in run["groups"]]
    return {"seeds": shared} | {
        f"{name}_mcc": asdict(
            resampling.compare(
                joined(pairs[0], name),
                joined(pairs[1], name),
                groups,
                resampling.pooled_mcc,
                np.random.default_rng(0),
            )
        )
        for name in SCORES
    }


def table(runs: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    """Lay all trainings out by network, the whole one first."""
    of: dict[str, list[dict[str, Any]]] = {WHOLE: []}
    for run in sorted(runs, key=lambda run: (run["name"], run["seed"])):
        of.setdefault(run["name"], []).append(run)
    rows = {name: pooled(own) for name, own in of.items() if own}
    for name in set(rows) - {WHOLE}:
        if {run["seed"] for run in of[name]} & {run["seed"] for run in of[WHOLE]}:
            rows[name]["against"] = against(of[WHOLE], of[name])
    changed = [hits + misses for hits, _, misses, _ in runs[0]["image"]]
    return {
        "format": FORMAT,
        "metadata": metadata(seed=0, threads=torch.get_num_threads()),
        "settings": settings,
        "held": {"samples": len(changed), "changed": sum(changed)},
        "rows": rows,
    }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=RECIPES, default="edd")
    parser.add_argument("--network", action="append", metavar="NAME: FIELD=VALUE ...")
    parser.add_argument("--seed", action="append", type=int, help="default: 0 and 1")
    parser.add_argument("--steps", type=int, default=1000, help="of each training, 8 samples each")
    parser.add_argument("--pool", type=int, default=2000, help="samples to train on")
    parser.add_argument("--held", type=int, default=400, help="samples to answer for")
    parser.add_argument("--size", type=int, default=128, help="pixels of a panel, each way")
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/pairs_parts"))
    parser.add_argument("--out", type=Path, help="default: results/pairs_parts_RECIPE.json")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    settings = {key: getattr(options, key) for key in SETTINGS}
    kept = options.runs / "-".join(str(value) for value in settings.values())
    kept.mkdir(parents=True, exist_ok=True)
    made = (options.corpus, options.recipe)
    held = pool = None
    for seed in options.seed or [0, 1]:
        for name, changed in map(parsed, options.network or NETWORKS):
            changes = shipped_fields() | changed
            path = kept / f"{name.replace(' ', '_')}-{seed}.json"
            if path.exists():
                known = json.loads(path.read_text(encoding="utf-8"))["changes"]
                if known != changes:
                    sys.exit(f"{path} is of {known}, not of {changes}; give it another name")
                continue
            held = held or forged(*made, "valid", options.held, options.size, epoch=1)
            pool = pool or forged(*made, "train", options.pool, options.size, epoch=0)
            print(f"{name}, seed {seed}", flush=True)
            run = {"name": name, **outcome(held, pool, changes, options.steps, seed)}
            written = path.with_suffix(".part")  # another process may be reading
            written.write_text(json.dumps(run), encoding="utf-8")
            written.replace(path)
            write(options, kept, settings)
    write(options, kept, settings)


def write(options: argparse.Namespace, kept: Path, settings: dict[str, Any]) -> None:
    """Write the table of all trainings that are kept, and print it."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in kept.glob("*.json")]
    result = table(runs, settings)
    out = options.out or RESULTS / f"pairs_parts_{options.recipe}.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, row in result["rows"].items():
        mccs = " ".join(f"{key} {row[f'{key}_mcc']:.3f}" for key in SCORES)
        print(f"  {name}, seeds {row['seeds']}: {mccs}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
