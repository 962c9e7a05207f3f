"""Pairs per second of BioTamperNet, with each panel encoded once and with both encoded every time.

    python -m benchmarks.pairs                     both sizes; some minutes on two cores
    python -m benchmarks.pairs --quick             the small one, six panels

Every two of the panels are compared in four ways, in turns over blocks of pairs, so that a busy
machine disturbs all alike:

    uncached    both panels are encoded for every pair, both masks are drawn: the baseline
    cached      panels are encoded once, their time counted; both masks are drawn
    rated       panels are encoded once; pairs are scored by their cells, no mask is drawn
    shortlist   as rated, and masks are drawn for the tenth of the pairs that scores highest

Before anything is timed, cached and uncached answers must agree. Peak memory is that of a process
of its own that rates and draws one pair. Weights are fresh and seeded: speed does not depend on
them. Results: ``benchmarks/results/pairs.json``.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.networks import peak_memory
from tamperscope.models import create_model
from tamperscope.models.complexity import complexity
from tamperscope.models.pair_reading import PairReader
from tamperscope.models.weights import empty_network
from tamperscope.runtime import metadata

RESULT = Path(__file__).parent / "results" / "pairs.json"
NETWORKS = {"biotampernet_small": 256, "biotampernet_base": 512}
FORMS = ("uncached", "cached", "rated", "shortlist")
SEED = 0
DOCUMENT = 60  # panels of the document that the figures are extrapolated to
TOLERANCE = 1e-4  # on probabilities


def drawn_panels(count: int, size: int) -> list[np.ndarray]:
    """Noise of several sizes, uint8 (size, size, 3)."""
    rng = np.random.default_rng(SEED)
    coarse = rng.integers(0, 256, (count, size // 8, size // 8, 3))
    fine = np.kron(coarse, np.ones((1, 8, 8, 1))) + rng.normal(0, 20, (count, size, size, 3))
    return list(np.clip(fine, 0, 255).astype(np.uint8))


def forms_of(reader: PairReader, panels: list[np.ndarray]) -> dict[str, Callable[[], Any]]:
    """Each form as a function that compares every two panels."""
    pairs = list(combinations(range(len(panels)), 2))

    def uncached() -> list[Any]:
        return [reader.compare(reader.read(panels[i]), reader.read(panels[j])) for i, j in pairs]

    def cached() -> list[Any]:
        read = [reader.read(panel) for panel in panels]
        return [reader.compare(read[i], read[j]) for i, j in pairs]

    def rated() -> list[float]:
        read = [reader.read(panel) for panel in panels]
        return [reader.rate(read[i], read[j]) for i, j in pairs]

    def shortlist() -> list[Any]:
        read = [reader.read(panel) for panel in panels]
        scores = [reader.rate(read[i], read[j]) for i, j in pairs]
        best = np.argsort(scores)[::-1][: max(len(pairs) // 10, 1)]
        return [reader.compare(*(read[k] for k in pairs[index])) for index in best]

    return {"uncached": uncached, "cached": cached, "rated": rated, "shortlist": shortlist}


def refuse_on_disagreement(name: str, forms: dict[str, Callable[[], Any]]) -> float:
    """Largest difference between cached and uncached heatmaps; leave if it is too large."""
    worst = max(
        float(np.abs(getattr(one, side).heatmap - getattr(two, side).heatmap).max())
        for one, two in zip(forms["uncached"](), forms["cached"](), strict=True)
        for side in ("first", "second")
    )
    if not worst < TOLERANCE:
        sys.exit(f"{name}: cached and uncached answers differ by {worst:.3g}; nothing was timed")
    return worst


def steps(reader: PairReader, panels: list[np.ndarray], rounds: int) -> dict[str, float]:
    """Median seconds of encoding a panel, of rating a pair and of rating and drawing one."""
    read = [reader.read(panel) for panel in panels[:2]]
    calls: dict[str, Callable[[], Any]] = {
        "encode": lambda: reader.read(panels[0]),
        "rate": lambda: reader.rate(*read),
        "compare": lambda: reader.compare(*read),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(timed(call))
    return {name: float(np.median(values)) for name, values in seconds.items()}


def timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measured(name: str, size: int, count: int, rounds: int) -> dict[str, Any]:
    """Time every form in turns."""
    reader = PairReader(create_model(name, seed=SEED))
    panels = drawn_panels(count, size)
    forms = forms_of(reader, panels)
    difference = refuse_on_disagreement(name, forms)
    pairs = count * (count - 1) // 2
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    for _ in range(rounds):
        for form in FORMS:
            seconds[form].append(timed(forms[form]))
    median = {form: float(np.median(values)) for form, values in seconds.items()}
    each = steps(reader, panels, 3 * rounds)
    document = DOCUMENT * (DOCUMENT - 1) // 2
    counted = complexity(empty_network(name, {}), size, size, training=False)
    return {
        "size": size,
        "panels": count,
        "pairs": pairs,
        "largest_difference": difference,
        "parameters": counted.parameters,
        "operations_per_pair": 2 * counted.operations,
        "seconds": {
            form: {"median": median[form], "min": min(v), "max": max(v)}
            for form, v in seconds.items()
        },
        "pairs_per_second": {form: pairs / median[form] for form in FORMS},
        "over_uncached": {form: median["uncached"] / median[form] for form in FORMS},
        "step_seconds": each,
        "document": {
            "panels": DOCUMENT,
            "pairs": document,
            "uncached_seconds": document * (2 * each["encode"] + each["compare"]),
            "cached_seconds": DOCUMENT * each["encode"] + document * each["compare"],
            "rated_seconds": DOCUMENT * each["encode"] + document * each["rate"],
        },
    }


def peak_of_own_process(name: str, size: int, threads: int) -> dict[str, float]:
    """Compare one pair in a fresh process and return its memory in megabytes."""
    command = [sys.executable, "-m", "benchmarks.pairs", "--memory", name, str(size)]
    done = subprocess.run(
        [*command, "--threads", str(threads)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def print_memory(name: str, size: int) -> None:
    """Print memory before and at the peak of one pair, as JSON."""
    reader = PairReader(create_model(name, seed=SEED))
    panels = drawn_panels(2, size)
    before = peak_memory()
    reader.compare(*(reader.read(panel) for panel in panels))
    print(json.dumps({"before_mb": before / 1e6, "peak_mb": peak_memory() / 1e6}))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the small network, six panels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--panels", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--memory", nargs=2, metavar=("NETWORK", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.memory:
        print_memory(options.memory[0], int(options.memory[1]))
        return
    networks = ["biotampernet_small"] if options.quick else list(NETWORKS)
    panels = min(options.panels, 6) if options.quick else options.panels
    result = metadata(seed=SEED, threads=options.threads, rounds=options.rounds)
    for name in networks:
        row = measured(name, NETWORKS[name], panels, options.rounds)
        row["memory"] = peak_of_own_process(name, NETWORKS[name], options.threads)
        result[name] = row
        report(name, row)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(options.out)


def report(name: str, row: dict[str, Any]) -> None:
    print(f"{name}, {row['pairs']} pairs of {row['size']} x {row['size']}")
    for form in FORMS:
        rate, ratio = row["pairs_per_second"][form], row["over_uncached"][form]
        print(f"  {form:<10}{rate:8.2f} pairs/s  {ratio:5.2f} x uncached")
    document = row["document"]
    rated, cached, uncached = (document[f"{how}_seconds"] for how in FORMS[2::-1])
    print(
        f"  a document of {document['panels']} panels: {rated:.0f} s rated, {cached:.0f} s cached, "
        f"{uncached:.0f} s uncached; peak {row['memory']['peak_mb']:,.0f} MB"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
