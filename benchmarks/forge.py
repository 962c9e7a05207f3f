"""Pairs of training panels that the forge makes each second.

    python -m benchmarks.forge --corpus ../shared/corpus

Pairs of 256 x 256 pixels by the recipe ``edd``, from pictures that are decoded already and from
drawn panels, in one process and in two. The baseline is what no forge can avoid: cutting two panels
out of pictures and storing each as JPEG once. The first pairs of every process are checked against
those of this one before anything is timed.
"""

import argparse
import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tamperscope import runtime
from tamperscope.synth.forge import make_sample
from tamperscope.synth.opening import open_sources
from tamperscope.synth.postprocess import through_jpeg
from tamperscope.synth.recipe import Recipe, find_recipe
from tamperscope.synth.sources import PictureSource
from tamperscope.synth.work import PanelSource

RESULTS = Path(__file__).parent / "results" / "forge.json"
RECIPE = "edd"
CHECKED = 4  # pairs
Work = Callable[[int], object]


class Forge:
    """Makes pairs; the baseline too."""

    def __init__(self, recipe: Recipe, source: PanelSource) -> None:
        self.recipe, self.source = recipe, source

    def pair(self, index: int) -> object:
        """One sample of the recipe."""
        return make_sample(self.recipe, self.source, 0, 0, index)

    def baseline(self, index: int) -> object:
        """Two pristine panels, each stored as JPEG once."""
        rng = np.random.default_rng([1, index])
        panels = [self.source.draw(rng, self.recipe.size, None).pixels for _ in range(2)]
        return [through_jpeg(panel, 85, 0, 0, 0) for panel in panels]


_forge: Forge  # of a worker process


def start(recipe: Recipe, names: list[str]) -> None:
    """Open the sources in a worker process."""
    global _forge
    cv2.setNumThreads(1)
    source = open_sources(names)
    if isinstance(source, PictureSource):
        source.preload()
    _forge = Forge(recipe, source)


def digest(index: int) -> str:
    """Hash of the panels of a pair."""
    sample = make_sample(_forge.recipe, _forge.source, 0, 0, index)
    return hashlib.sha256(b"".join(panel.tobytes() for panel in sample.panels)).hexdigest()


def run(task: tuple[str, int, int]) -> float:
    """Make pairs ``first`` to ``last`` - 1 and return the seconds they took."""
    what, first, last = task
    work: Work = _forge.pair if what == "pairs" else _forge.baseline
    began = time.perf_counter()
    for index in range(first, last):
        work(index)
    return time.perf_counter() - began


def rate(pool: ProcessPoolExecutor, what: str, count: int, jobs: int, first: int) -> float:
    """Pairs a second of ``jobs`` processes that work at the same time."""
    share = count // jobs
    tasks = [(what, first + i * share, first + (i + 1) * share) for i in range(jobs)]
    return share * jobs / max(pool.map(run, tasks))


def measure(recipe: Recipe, names: list[str], jobs: int, count: int, rounds: int) -> dict[str, Any]:
    """Pairs a second, and of the baseline in turns with them."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=start, initargs=(recipe, names)) as pool:
        wanted = [digest(index) for index in range(CHECKED)]
        if list(pool.map(digest, range(CHECKED))) != wanted:
            raise SystemExit("another process makes other pairs: nothing is timed")
        list(pool.map(run, [("pairs", i, i + 2) for i in range(2 * jobs)]))  # warm
        made, bare = [], []
        for number in range(rounds):
            made.append(rate(pool, "pairs", count, jobs, number * count))
            bare.append(rate(pool, "baseline", count, jobs, number * count))
    return {
        "processes": jobs,
        "pairs_per_second": spread(made),
        "baseline_pairs_per_second": spread(bare),
        "share_of_baseline": round(float(np.median(made) / np.median(bare)), 3),
    }


def spread(values: list[float]) -> dict[str, float]:
    """Median and range."""
    return {
        "median": round(float(np.median(values)), 1),
        "lowest": round(min(values), 1),
        "highest": round(max(values), 1),
    }


def by_operation(recipe: Recipe, count: int) -> dict[str, float]:
    """Mean processor milliseconds of each operation, in this process."""
    spent: dict[str, list[float]] = {}
    for index in range(count):
        began = time.process_time()
        sample = make_sample(recipe, _forge.source, 0, 0, index)
        spent.setdefault(sample.operation, []).append(time.process_time() - began)
    return {name: round(1000 * float(np.mean(v)), 2) for name, v in sorted(spent.items())}


def main(arguments: list[str] | None = None) -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--count", type=int, default=200, help="pairs of one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    recipe = find_recipe(RECIPE)
    result: dict[str, Any] = {
        "format": "tamperscope-benchmark/1",
        "benchmark": "forge",
        "run": runtime.metadata(0),
        "recipe": {"name": recipe.name, "digest": recipe.digest, "size": list(recipe.size)},
        "pairs_of_a_round": asked.count,
        "rounds": asked.rounds,
        "sources": {},
    }
    for name, places in (("pictures", [str(asked.corpus)]), ("drawn", ["drawn"])):
        start(recipe, places)
        count = asked.count if name == "pictures" else max(asked.count // 4, 8)
        rows = [measure(recipe, places, jobs, count, asked.rounds) for jobs in (1, 2)]
        result["sources"][name] = {
            "identity": _forge.source.identity,
            "rates": rows,
            "processor_milliseconds": by_operation(recipe, count),
        }
        for row in rows:
            print(
                f"{name}, {row['processes']} processes: {row['pairs_per_second']['median']} "
                f"pairs/s, {row['share_of_baseline']} of the baseline",
                flush=True,
            )
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
