"""Where the time of a training step goes, and whether the samples arrive in time.

    python -m benchmarks.training                        the three small recipes of examples/
    python -m benchmarks.training --recipe FILE --seconds 20 --rounds 5

Each recipe is trained from scratch, in turns: with samples made by the process itself when it wants
them (the baseline), by one worker beside one thread of the network, and by one worker beside two.
Medians over the rounds are reported:

    samples per second     of the whole step
    shares                 of the step: waiting for samples (data), forward with the loss, backward
                           with its gradients, update (clipping, AdamW, average)
    loader                 samples that one process makes each second while nothing else runs here;
                           the loader starves a step that could take more

Weights are fresh, and all steps are the first ones: speed does not depend on them.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import cv2
import torch

from tamperscope.runtime import keep_freed_memory, metadata
from tamperscope.training.batches import rows_of
from tamperscope.training.engine import Machine, start_engine
from tamperscope.training.preparation import Prepared
from tamperscope.training.progress import PARTS
from tamperscope.training.rehearsal import measured_steps, sizes
from tamperscope.training.running import read_and_prepare
from tamperscope.training.stepping import Stepper

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).parent / "results" / "training.json"
RECIPES = ("biotampernet_small_pairs", "forma_small", "loma_small")
SETTINGS = (  # name, threads of the network, workers
    ("baseline: no worker, 1 thread", 1, 0),
    ("1 worker, 1 thread", 1, 1),
    ("1 worker, 2 threads", 2, 1),
)
LOADED = 4  # steps whose samples the loader alone makes


def loader_rate(prepared: Prepared, first: int) -> float:
    """Samples that this process makes in a second."""
    batch = prepared.recipe.run.batch
    rows = rows_of(first, first + LOADED, batch, rank=0, processes=1, accumulate=1)
    began = time.perf_counter()
    for row in rows:
        prepared.plan.make(row)
    return LOADED * batch / (time.perf_counter() - began)


def measured(path: Path, roots: dict[str, str], rounds: int, seconds: float) -> dict[str, Any]:
    """Measure one recipe."""
    prepared = read_and_prepare(path, roots)
    fabric = start_engine(Machine(), prepared.recipe.run, unused=False)
    stepper = Stepper(fabric, prepared, exact=True)
    batch = prepared.recipe.run.batch
    loader_rate(prepared, 0)  # pictures are decoded now
    rates: dict[str, list[float]] = {name: [] for name, _, _ in SETTINGS}
    shares: dict[str, list[dict[str, float]]] = {name: [] for name, _, _ in SETTINGS}
    loaded = []
    for number in range(rounds):
        cv2.setNumThreads(1)
        loaded.append(loader_rate(prepared, 10 * (number + 1)))
        for name, threads, workers in SETTINGS:
            torch.set_num_threads(threads)
            each, parts = measured_steps(stepper, workers, seconds=seconds)
            rates[name].append(batch / each)
            shares[name].append(parts)
    cost = list(sizes(prepared))  # of every size of panel
    baseline = statistics.median(rates[SETTINGS[0][0]])
    return {
        "network": cost,
        "batch": batch,
        "device": str(fabric.device),
        "loader_samples_per_second": statistics.median(loaded),
        "settings": {
            name: {
                "samples_per_second": statistics.median(rates[name]),
                "rounds": rates[name],
                "of_baseline": statistics.median(rates[name]) / baseline,
                "shares": {
                    part: statistics.median(one[part] for one in shares[name]) for part in PARTS
                },
            }
            for name, _, _ in SETTINGS
        },
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipe", type=Path, action="append", help="instead of the small ones")
    parser.add_argument("--root", action="append", default=[], metavar="NAME=DIR")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    keep_freed_memory()
    roots = dict(root.split("=", 1) for root in options.root)
    paths = options.recipe or [ROOT / "examples" / f"{name}.toml" for name in RECIPES]
    result = metadata(seed=0, rounds=options.rounds, seconds=options.seconds)
    result["recipes"] = {}
    for path in paths:
        result["recipes"][path.stem] = row = measured(path, roots, options.rounds, options.seconds)
        print(f"{path.stem}: the loader makes {row['loader_samples_per_second']:.1f} samples/s")
        for name, one in row["settings"].items():
            parts = ", ".join(f"{part} {share:.1%}" for part, share in one["shares"].items())
            print(f"  {name}: {one['samples_per_second']:.2f} samples/s ({parts})", flush=True)
        options.out.parent.mkdir(exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(options.out)


if __name__ == "__main__":
    main()
