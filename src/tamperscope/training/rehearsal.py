"""A training tried out: its data checked, some steps measured, nothing written."""

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from tamperscope.models.complexity import complexity
from tamperscope.models.pair_network import PairNetwork
from tamperscope.models.weights import config_of, empty_network
from tamperscope.training.batches import rows_of
from tamperscope.training.engine import Machine, start_engine
from tamperscope.training.loading import load
from tamperscope.training.preparation import Prepared
from tamperscope.training.progress import Position
from tamperscope.training.reports import Listener
from tamperscope.training.running import read_and_prepare
from tamperscope.training.stepping import Stepper
from tamperscope.training.validation import score_part

WARM_UP = 3  # steps that are not measured
SECONDS = 20.0  # that are, or at least MEASURED steps
MEASURED = 5
CHECKED = 4  # samples of every stream


def rehearse(
    file: Path, machine: Machine, roots: Mapping[str, str], listener: Listener
) -> Iterator[str]:
    """Check the data of a recipe, take some steps, and tell what the training would cost.

    Args:
        file: The recipe.
        machine: Where it would run; one process of it is tried.
        roots: Folders by name, over those of the recipe.
        listener: Hears how it goes.

    Yields:
        Lines of text.

    Raises:
        TamperscopeError: As ``running.train`` would.
    """
    prepared = read_and_prepare(file, roots)
    yield from check_data(prepared)
    yield from sizes(prepared)
    # A share of the batch for each process, as each would take.
    run = replace(prepared.recipe.run, batch=prepared.recipe.run.batch // machine.processes)
    tried = replace(prepared, recipe=replace(prepared.recipe, run=run))
    fabric = start_engine(replace(machine, processes=1), run, unused=False)
    stepper = Stepper(fabric, tried, exact=True)
    seconds, shares = measured_steps(stepper, machine.workers)
    yield (
        f"steps: {1 / seconds:.3g} a second, {run.batch * machine.processes / seconds:.1f} "
        f"samples a second with {machine.processes} processes of {torch.get_num_threads()} "
        f"threads and {machine.workers} workers on {fabric.device}"
    )
    yield "time of a step: " + ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    yield f"memory: {memory(fabric.device)}"
    stored = sum(tensor.nbytes for tensor in stepper.tensors().values())
    yield f"disk: {stored / 2**20:.0f} MB for a checkpoint, twice that while one is written"
    parts = prepared.validation(listener.count)
    began = time.monotonic()
    with stepper.evaluated() as network, fabric.autocast():
        for part in parts:
            score_part(network, part, fabric.device, prepared.recipe.validation.threshold)
    validating = time.monotonic() - began
    rounds = max(run.steps // prepared.recipe.validation.every, 1)
    hours = (run.steps * seconds + rounds * validating) / 3600
    yield (
        f"all of it: {run.steps} steps and {rounds} validations of {validating:.1f} s, "
        f"about {hours:.2f} hours"
    )


def check_data(prepared: Prepared) -> Iterator[str]:
    """Make the first samples of every stream; tell what they are."""
    streams = [("training", stream.share, stream) for stream in prepared.plan.streams]
    streams += [("validation", float(count), stream) for _, count, stream in prepared.held_out]
    for use, weight, stream in streams:
        began = time.monotonic()
        made = [stream.example(number) for number in range(CHECKED)]
        each = (time.monotonic() - began) / CHECKED
        marked = sum(float(mask.mean()) for one in made for mask in one.masks)
        marked /= sum(len(one.masks) for one in made)
        form = {1: "single panels", 2: "pairs"}[stream.form]
        amount = f"share {weight:.3g}" if use == "training" else f"{weight:.0f} samples"
        yield (
            f"{use}: {form} of {stream.size[1]} x {stream.size[0]}, {amount}, {stream.identity}: "
            f"{each * 1000:.0f} ms each in one process, {marked:.1%} marked"
        )


def sizes(prepared: Prepared) -> Iterator[str]:
    """Tell parameters and operations."""
    network = prepared.network
    empty = empty_network(network.builder, config_of(network))
    each = "one panel of a pair" if isinstance(network, PairNetwork) else "one picture"
    for height, width in sorted({stream.size for stream in prepared.plan.streams}):
        cost = complexity(empty, height, width)
        operations = (cost.operations + cost.scan_operations) / 1e9
        yield (
            f"{network.builder}: {cost.parameters:,} parameters, {cost.trainable:,} of them learn; "
            f"{operations:.3f} G operations for {each} of {width} x {height}, forward"
        )


def measured_steps(
    stepper: Stepper, workers: int, *, seconds: float = SECONDS
) -> tuple[float, dict[str, float]]:
    """Take steps; return the seconds of one, and the share of each part of it.

    Args:
        stepper: Takes them.
        workers: Processes that make samples.
        seconds: How long at least.
    """
    run = stepper.recipe.run
    rows = list(rows_of(0, run.steps, run.batch, rank=0, processes=1, accumulate=run.accumulate))
    batches = load(stepper.prepared.plan, rows, workers)
    position = Position()
    for _ in range(min(WARM_UP, run.steps - 1)):
        stepper.step(batches, position)
        position.step += 1
    stepper.clock.restart()
    steps = 0
    while position.step < run.steps and (steps < MEASURED or stepper.clock.seconds < seconds):
        stepper.step(batches, position)
        position.step += 1
        steps += 1
    return stepper.clock.seconds / steps, stepper.clock.shares()


def memory(device: torch.device) -> str:
    """Most memory that was in use so far, in words."""
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / 2**20:.0f} MB of the GPU"
    if sys.platform == "win32":
        return "not measured on Windows"
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return f"{most * unit / 2**20:.0f} MB of the process, without its workers"
