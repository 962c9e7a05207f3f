"""ForMa and LoMa on one 512 x 512 image: what the scan costs, and what preparing saves.

    python -m benchmarks.networks              both networks; about ten minutes on two cores
    python -m benchmarks.networks --quick      256 x 256, fewer rounds

Compared, always in turns, so that a busy machine disturbs all alike; medians are reported:

    sequential   the network with the step-by-step PyTorch scan, as the authors' code on a CPU
    removed      the network with each SS2D core replaced by the identity: no scan, no projections
                 of its own, no routes; the floor that the scan is measured against
    scan         the network as it is, with the native scan
    prepared     the same after ``for_inference``: folded and merged
    prepared-removed, and with --compile: compiled   (torch.compile of the prepared network)

Before anything is timed, all forms that should agree must agree. Peak memory is that of a process
of its own that runs one form once. Weights are fresh and seeded: speed does not depend on them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch
from torch import Tensor

from tamperscope.models import create_model
from tamperscope.models.inference import for_inference
from tamperscope.models.network import Network
from tamperscope.models.ss2d import SS2D
from tamperscope.runtime import keep_freed_memory, metadata

RESULT = Path(__file__).parent / "results" / "networks.json"
NETWORKS = ("forma_base", "loma_base")
FORMS = ("sequential", "removed", "scan", "prepared", "prepared-removed")
SEED = 0
TOLERANCE = 3e-4  # on the logits, as in the parity tests
TARGETS = {"forma_base": 1.2, "loma_base": 1.15}  # scan over removed


@contextmanager
def scan_named(name: str):
    """Let the networks scan with the implementation called ``name``."""
    before = os.environ.get("TAMPERSCOPE_SCAN")
    os.environ["TAMPERSCOPE_SCAN"] = name
    try:
        yield
    finally:
        os.environ.pop("TAMPERSCOPE_SCAN")
        if before is not None:
            os.environ["TAMPERSCOPE_SCAN"] = before


def without_core(network: Network) -> Network:
    """Replace every SS2D core by the identity, in place."""
    for module in network.modules():
        if isinstance(module, SS2D):
            module.core = lambda x: x  # type: ignore[method-assign]
    return network


def form_of(name: str, form: str) -> Callable[[Tensor], Tensor]:
    network = create_model(name, seed=SEED).eval().requires_grad_(False)
    if form.startswith(("prepared", "compiled")):
        network = for_inference(network)
    if form.endswith("removed"):
        network = without_core(network)
    run = torch.compile(network) if form == "compiled" else network
    scan = "reference" if form == "sequential" else "native"

    def call(image: Tensor) -> Tensor:
        with scan_named(scan), torch.inference_mode():
            return run(image)

    return call


def drawn(size: int) -> Tensor:
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(SEED))


def timed(call: Callable[[Tensor], Tensor], image: Tensor) -> float:
    start = time.perf_counter()
    call(image)
    return time.perf_counter() - start


def refuse_on_disagreement(name: str, calls: dict[str, Callable], image: Tensor) -> float:
    """Return the largest difference from the sequential form; leave if it is too large."""
    expected = calls["sequential"](image)
    agreeing = [form for form in calls if not form.endswith("removed") and form != "sequential"]
    worst = max(float((calls[form](image) - expected).abs().max()) for form in agreeing)
    if worst > TOLERANCE:
        sys.exit(f"{name}: forms that should agree differ by {worst:.3g}; nothing was timed")
    return worst


def measured(name: str, forms: tuple[str, ...], size: int, rounds: int) -> dict:
    """Time every form in turns; the slow sequential one only every third round."""
    image = drawn(size)
    calls = {form: form_of(name, form) for form in forms}
    difference = refuse_on_disagreement(name, calls, image)
    for call in calls.values():
        call(image)  # threads, memory and tables are warm before the clock starts
    seconds: dict[str, list[float]] = {form: [] for form in forms}
    for index in range(rounds):
        for form, call in calls.items():
            if form != "sequential" or index % 3 == 0:
                seconds[form].append(timed(call, image))
    median = {form: statistics.median(values) for form, values in seconds.items()}
    return {
        "size": size,
        "largest_difference": difference,
        "seconds": {
            form: {"median": median[form], "min": min(v), "max": max(v), "runs": len(v)}
            for form, v in seconds.items()
        },
        "scan_over_removed": median["scan"] / median["removed"],
        "target": TARGETS[name],
        "prepared_over_prepared_removed": median["prepared"] / median["prepared-removed"],
        "sequential_over_scan": median["sequential"] / median["scan"],
        "sequential_over_prepared": median["sequential"] / median["prepared"],
    }


def peak_of_own_process(name: str, form: str, size: int, threads: int) -> dict[str, float]:
    """Run one form once in a fresh process and return its memory in megabytes."""
    command = [sys.executable, "-m", "benchmarks.networks", "--memory", name, form]
    done = subprocess.run(
        [*command, "--size", str(size), "--threads", str(threads)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def print_memory(name: str, form: str, size: int) -> None:
    """Print resident memory before and at the peak of one run, as JSON."""
    call, image = form_of(name, form), drawn(size)
    before = psutil.Process().memory_info().rss
    call(image)
    print(json.dumps({"before_mb": before / 1e6, "peak_mb": peak_memory() / 1e6}))


def peak_memory() -> float:
    """Most resident bytes of this process so far."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count the parent too: Linux hands its peak to children
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * float(line.split()[1])
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource  # Unix only

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="256 x 256, three rounds")
    parser.add_argument("--compile", action="store_true", help="also time torch.compile")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--memory", nargs=2, metavar=("NETWORK", "FORM"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    keep_freed_memory()  # as `tamperscope localize` does
    torch.set_num_threads(options.threads)
    if options.memory:
        name, form = options.memory
        print_memory(name, form, options.size)
        return
    size, rounds = (256, 3) if options.quick else (options.size, options.rounds)
    forms = (*FORMS, "compiled") if options.compile else FORMS
    result = metadata(seed=SEED, threads=options.threads, rounds=rounds)
    for name in NETWORKS:
        row = measured(name, forms, size, rounds)
        row["memory"] = {
            form: peak_of_own_process(name, form, size, options.threads)
            for form in ("sequential", "removed", "scan", "prepared")
        }
        result[name] = row
        report(name, row)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(options.out)


def report(name: str, row: dict) -> None:
    size, difference = row["size"], row["largest_difference"]
    print(f"{name}, {size} x {size}, largest difference {difference:.1e}")
    for form, spread in row["seconds"].items():
        peak = row["memory"].get(form, {}).get("peak_mb")
        memory = f"  peak {peak:,.0f} MB" if peak else ""
        print(f"  {form:<18}{spread['median']:8.3f} s{memory}")
    print(
        f"  scan / removed {row['scan_over_removed']:.2f} (target {row['target']}), "
        f"prepared / prepared-removed {row['prepared_over_prepared_removed']:.2f}, "
        f"sequential / scan {row['sequential_over_scan']:.1f}, "
        f"sequential / prepared {row['sequential_over_prepared']:.1f}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
