"""The selective scan against a sequential loop, a chunked form, and the machine's own limit.

    python -m benchmarks.scan              every setting; ten to fifteen minutes on two idle cores
    python -m benchmarks.scan --brief      for a busy machine: processor time of one thread,
                                           batch 1, fewer and shorter loops

The shapes are the four stages of VMamba-T at 512 x 512 (state 1), and the same with twice the
channels and state 16 as in LoMa's backbone. Everything that is compared runs in turn, so that a
busy machine disturbs all alike; medians are reported, and rates that make the limit are measured in
the same turns. In its turn what is short runs back to back, as those rates do: after a first call
that finds what the others left in the caches, calls are timed until 20 ms have passed. The loop is
``kernels/reference.py``. Where it would take minutes or gigabytes it is left out and recorded as
null.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from benchmarks.scan_inputs import (
    SEED,
    STAGES,
    Call,
    Inputs,
    map_by,
    maps,
    refuse_on_disagreement,
    scan_by,
    sequences,
)
from benchmarks.scan_peaks import Traffic, arithmetic_rate, scan_limit
from benchmarks.scan_table import write_table
from tamperscope.kernels import chosen_implementation, native, native_ss2d
from tamperscope.runtime import keep_freed_memory, metadata

RESULT = Path(__file__).parent / "results" / "scan.json"
TURN = 0.02  # seconds of timed calls; a single call that takes longer is a turn
# Batch x channels x states x steps up to which they run: minutes or gigabytes lie beyond.
CHUNKED_WORK = 1.1e8
LOOP_WORK = {
    False: {"forward": 2.1e8, "forward+backward": 2.1e8},  # the latter with several threads only
    True: {"forward": 1.1e8, "forward+backward": 1.3e7},  # brief
}

Runs = dict[str, tuple[Callable[[], object], int]]  # what runs, and in how many rounds


def forward(call: Call, inputs: Inputs) -> Callable[[], None]:
    def run() -> None:
        with torch.no_grad():
            call(**inputs)

    return run


def both_ways(call: Call, inputs: Inputs) -> Callable[[], None]:
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in inputs.items()}

    def run() -> None:
        y = call(**leaves)
        torch.autograd.grad(y, list(leaves.values()), torch.ones_like(y))

    return run


def kernel_alone(inputs: Inputs) -> Callable[[], None]:
    """ss2d without the matrix product that comes before it."""
    x, x_proj, dt_projs, dt_bias, A_logs, Ds = inputs.values()
    projected = native_ss2d.project_cells(x, x_proj, "cross")
    dt_weight, A = dt_projs.transpose(1, 2).contiguous(), -A_logs.exp()
    return lambda: native_ss2d.map_op(x, projected, dt_weight, dt_bias, A, Ds, "cross", False)


def turn(run: Callable[[], object], clock: Callable[[], float]) -> list[float]:
    """Milliseconds of calls back to back; of a long one alone, of short ones without the first."""
    times: list[float] = []
    while not times or (sum(times) < TURN and times[0] < TURN):
        start = clock()
        run()
        times.append(clock() - start)
    return [1e3 * seconds for seconds in times[1:] or times]


def alternate(
    runs: Runs, measures: dict[str, Callable[[], float]], clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Milliseconds of every run and values of every measure, taken in turns."""
    for run, rounds in runs.values():
        if rounds > 2:  # what runs once or twice takes seconds: warming up would not show
            run()
    values: dict[str, list[float]] = {name: [] for name in (*runs, *measures)}
    for number in range(max(rounds for _, rounds in runs.values())):
        for name, (run, rounds) in runs.items():
            if number < rounds:
                values[name].extend(turn(run, clock))
        for name, measure in measures.items():
            values[name].append(measure())
    return values


def planned(
    make: Callable[[Call, Inputs], Callable],
    inputs: Inputs,
    by: Callable[[str], Call],
    work: float,
    most: float,
    brief: bool,
) -> Runs:
    """Native and, where ``work`` allows them, the chunked form and the loop."""
    slow = brief or work > 3e7
    runs: Runs = {
        "native": (make(by("native"), inputs), 7 if slow else 15),
    }
    if work <= CHUNKED_WORK:
        runs["chunked"] = (make(by("chunked"), inputs), 1 if slow else 5)
    if work <= most:
        runs["loop"] = (make(by("reference"), inputs), 1 if slow else 3)
    return runs


def spread(values: list[float]) -> dict[str, float]:
    return {
        "median": statistics.median(values),
        "least": min(values),
        "most": max(values),
        "runs": len(values),
    }


def measured(operator: str, direction: str, shape: dict, threads: int, brief: bool) -> dict:
    """One row: times of what is compared, the limit where there is one, and the ratios."""
    batch, side, channel, states, rank = shape.values()
    inputs = sequences(batch, side, channel, states)
    by = scan_by
    if operator == "ss2d":
        inputs, by = maps(*shape.values()), map_by
    elements = batch * 4 * channel * side * side
    is_forward = direction == "forward"
    clock = time.process_time if brief else time.perf_counter
    most = LOOP_WORK[brief or (threads == 1 and not is_forward)][direction]
    runs = planned(forward if is_forward else both_ways, inputs, by, elements * states, most, brief)
    measures: dict[str, Callable[[], float]] = {}
    moved = 4 * 3 * elements
    if operator == "ss2d":
        moved = 4 * batch * side * side * (2 * channel + 4 * (rank + 2 * states))
    if is_forward:
        if operator == "ss2d":
            runs["kernel alone"] = (kernel_alone(inputs), runs["native"][1])
        for kind in ("exp2", "softplus", "multiply_add"):
            measures[kind] = partial(arithmetic_rate, kind, threads, clock)
        measures["bytes"] = Traffic(moved, threads, clock).rate
    values = alternate(runs, measures, clock)
    row = {"operator": operator, "pass": direction, **shape, "threads": threads}
    row["ms"] = {name: spread(values[name]) for name in runs}
    native_ms = row["ms"]["native"]["median"]
    row["loop_over_native"] = row["ms"]["loop"]["median"] / native_ms if "loop" in runs else None
    chunked = row["ms"].get("chunked")
    row["chunked_over_native"] = chunked["median"] / native_ms if chunked else None
    if measures:
        rates = {name: statistics.median(values[name]) for name in measures}
        limit = scan_limit(rates, elements, states, rank if operator == "ss2d" else 0, moved)
        compared = row["ms"].get("kernel alone", row["ms"]["native"])["median"]
        row["rates_per_second"] = rates
        row["limit_ms"] = {"bytes": 1e3 * limit.traffic, "arithmetic": 1e3 * limit.arithmetic}
        row["native_over_limit"] = compared / (1e3 * limit.seconds)
    return row


def measured_rows(brief: bool, all_states: list[int]) -> Iterator[dict]:
    """Every row, each after its shape has been compared."""
    threads_before = torch.get_num_threads()
    for states in all_states:
        for stage, (side, width) in enumerate(STAGES, start=1):
            rank, channel = width // 16, width * (2 if states == 16 else 1)
            refuse_on_disagreement(states, side, channel, rank)
            for batch, threads in [(1, 1)] if brief else [(1, 2), (1, 1), (4, 2), (4, 1)]:
                torch.set_num_threads(threads)
                shape = {"batch": batch, "side": side, "channel": channel}
                shape |= {"states": states, "rank": rank}
                for operator in ("selective_scan", "ss2d"):
                    for direction in ("forward", "forward+backward"):
                        row = measured(operator, direction, shape, threads, brief)
                        yield {"stage": stage, **row}
            torch.set_num_threads(threads_before)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--brief", action="store_true", help="for a busy machine: processor time, one thread"
    )
    parser.add_argument(
        "--fresh-memory",
        action="store_true",
        help="let every call fault in new pages, see docs/scan.md",
    )
    parser.add_argument(
        "--states", type=int, nargs="+", choices=(1, 16), default=[1, 16], help="to measure"
    )
    asked = parser.parse_args(argv)
    brief = asked.brief
    kept = not asked.fresh_memory and keep_freed_memory()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    rows = []
    for row in measured_rows(brief, asked.states):
        print(line(row), flush=True)
        rows.append(row)
    built = native.library_path("scan")
    assert built is not None  # it has run
    result = {
        "format": "tamperscope-benchmark-scan/1",
        **metadata(seed=SEED, brief=brief),
        "implementation": chosen_implementation(torch.zeros(1), "native"),
        "library": built.name,
        "memory": "kept" if kept else "fresh",  # whether freed blocks are reused, by all alike
        "clock": "processor time" if brief else "wall time",
        "load_before": load,  # of other work: above 1, the times are too long and ratios unsure
        "rows": rows,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    write_table(result)


def line(row: dict) -> str:
    times = ", ".join(f"{name} {ms['median']:.2f}" for name, ms in row["ms"].items())
    ratios = (
        "" if row["loop_over_native"] is None else f"  loop/native {row['loop_over_native']:.0f}"
    )
    if "native_over_limit" in row:
        ratios += f"  native/limit {row['native_over_limit']:.2f}"
    return (
        f"{row['operator']} {row['pass']} state {row['states']} stage {row['stage']} "
        f"batch {row['batch']} threads {row['threads']}: {times} ms{ratios}"
    )


if __name__ == "__main__":
    main()
