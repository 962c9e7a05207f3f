"""The loop: samples in, weights out; stopped at any moment, it goes on as if nothing had been.

    for each step: rate, random numbers, batch, loss, gradient, clip, new weights, average
    now and then:  metrics, validation, pictures, checkpoint

A step depends on its number, on the weights and the optimiser's state before it, and on nothing
else; all of that is in the checkpoint. On one machine with one number of threads a run that was
interrupted ends with the very bytes of one that was not.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from tamperscope.errors import TrainingError
from tamperscope.runtime import commit
from tamperscope.training.batches import rows_of
from tamperscope.training.cards import write_weights
from tamperscope.training.checkpoint import check_room, load_checkpoint, save_checkpoint
from tamperscope.training.engine import Machine
from tamperscope.training.folder import BEST, LAST, SAMPLES
from tamperscope.training.loading import load
from tamperscope.training.preparation import Prepared
from tamperscope.training.progress import Position
from tamperscope.training.reports import Listener, Reports
from tamperscope.training.sheets import write_sheet
from tamperscope.training.stepping import Stepper, StepResult
from tamperscope.training.validation import Part, overall, score_part

if TYPE_CHECKING:
    from lightning_fabric import Fabric


FINISHED = "finished"


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    position: Position
    why: str  # "finished", "early stopping", "time" or "interrupted"


class Training:
    """A run in its folder.

    Args:
        fabric: The engine, started.
        prepared: What is trained on what.
        out: Folder of the run, opened.
        machine: Where it runs.
        listener: Hears how it goes.
    """

    def __init__(
        self,
        fabric: "Fabric",
        prepared: Prepared,
        out: Path,
        machine: Machine,
        listener: Listener,
    ) -> None:
        self.fabric, self.prepared, self.out = fabric, prepared, out
        self.machine, self.listener = machine, listener
        commit()  # kept from now on: the weights' card names the code that trains, not a later one
        self.recipe, self.run = prepared.recipe, prepared.recipe.run
        self.stepper = Stepper(fabric, prepared)
        self.position = Position()
        self.parts: list[Part] = []

    def go(self) -> Outcome:
        """Train to the end, or until something stops it.

        Raises:
            TrainingError: The loss is no longer a number.
            OutputError: Something cannot be written; the last checkpoint is whole.
        """
        self._take_up()
        if self.position.ended:
            return Outcome(self.position, "finished")
        self.reports = Reports(self)
        try:
            if self.fabric.is_global_zero:
                self.parts = self.prepared.validation(self.listener.count)
            self.reports.clock.restart()
            with interruptions() as interrupted:
                return self._train(interrupted)
        finally:
            self.reports.close()

    def _take_up(self) -> None:
        """Go on from the checkpoint, or write the first one: that there is room is known now."""
        found = load_checkpoint(self.out)
        self.fabric.barrier()  # all have looked before the first process writes
        if found is None:
            self._save()
            return
        tensors, state = found
        self.stepper.load(tensors)
        self.position = Position.from_json(state)
        self.fabric.strategy.precision.load_state_dict(self.position.scaler)
        if self.fabric.is_global_zero:
            self.listener.say(f"{self.out}: going on from step {self.position.step}")

    def _train(self, interrupted: Callable[[], bool]) -> Outcome:
        began, before = time.monotonic(), self.position.seconds
        rows = rows_of(
            self.position.step, self.run.steps, self.run.batch, rank=self.fabric.global_rank,
            processes=self.fabric.world_size, accumulate=self.run.accumulate,
        )  # fmt: skip
        batches = load(self.prepared.plan, list(rows), self.machine.workers)
        while True:
            result = self.stepper.step(batches, self.position)
            self.position.step += 1
            self.position.seconds = before + time.monotonic() - began
            why = self._why_stop(interrupted(), time.monotonic() - began)
            why = self._duties(result, why)
            if why is not None:
                return Outcome(self.position, why)

    def _why_stop(self, interrupted: bool, seconds: float) -> str | None:
        """Say why the run stops after this step; the same in all processes."""
        if self.position.step >= self.run.steps:
            return FINISHED
        late = self.machine.minutes is not None and seconds > 60 * self.machine.minutes
        code = 2 if interrupted else int(late)
        if self.fabric.world_size > 1:
            codes: Any = self.fabric.all_gather(torch.tensor(code, device=self.fabric.device))
            code = int(codes.max())
        return (None, "time", "interrupted")[code]

    def _duties(self, result: StepResult, why: str | None) -> str | None:
        """Do what is due after a step; return why the run stops."""
        step = self.position.step
        validating = step % self.recipe.validation.every == 0 or why == FINISHED
        self.reports.hear(result, due=validating or why is not None)
        if validating:
            self._validate()
            patience = self.run.early_stopping
            if patience and self.position.waited >= patience and why is None:
                why = "early stopping"
        if self.run.samples_every and step % self.run.samples_every == 0:
            self._draw()
        self.position.ended = why in (FINISHED, "early stopping")
        if validating or why is not None or step % self.run.checkpoint_every == 0:
            self._save()
        return why

    def _validate(self) -> None:
        """Score the network; all processes hear the score, which decides rate and end."""
        wanted, position = self.recipe.validation, self.position
        score = math.nan
        if self.fabric.is_global_zero:
            with self.stepper.evaluated() as network, self.fabric.autocast():
                scores = {
                    part.name: score_part(network, part, self.fabric.device, wanted.threshold)
                    for part in self.parts
                }
            found = overall(scores, wanted.score)
            if found is None:
                raise TrainingError(
                    f"[validation] score {wanted.score} does not exist on this set: it needs "
                    "samples with a change, and for image scores pristine ones as well"
                )
            score = found
        score = self.fabric.broadcast(score)
        if position.best is None or score > position.best:
            position.best, position.best_step, position.waited = score, position.step, 0
            if self.fabric.is_global_zero:
                position.scores = scores
                self._write(BEST)
        else:
            position.waited += 1
        position.plateau.hear(score, self.recipe.schedule.patience)
        if self.fabric.is_global_zero:
            self.reports.validation(score, scores)

    def _draw(self) -> None:
        if self.fabric.is_global_zero:
            path = self.out / SAMPLES / f"step-{self.position.step:07d}.png"
            with self.stepper.evaluated() as network, self.fabric.autocast():
                write_sheet(path, network, self.parts, self.fabric.device)

    def _save(self) -> None:
        """Write the checkpoint, and the newest weights where the run ends."""
        if self.fabric.is_global_zero:
            self.position.scaler = self.fabric.strategy.precision.state_dict()
            self.position.journal = self.reports.journal.size if self.position.step else 0
            save_checkpoint(self.out, self.stepper.tensors(), self.position.as_json())
            if self.position.ended:
                self._write(LAST)
            else:
                check_room(self.out, f"step {self.position.step}")
        self.fabric.barrier()

    def _write(self, name: str) -> None:
        position, run = self.position, self.run
        training = {
            "recipe": self.prepared.text,
            "data": self.prepared.decides["training data"],
            "validation": self.prepared.decides["validation data"],
            "manifests": self.prepared.manifests,
            "steps": position.step,
            "samples": position.step * run.batch,
            "seconds": round(position.seconds, 1),
            "score": {self.recipe.validation.score: position.best, "step": position.best_step},
            "scores": position.scores,
            "device": str(self.fabric.device),
            "processes": self.fabric.world_size,
        }
        with self.stepper.evaluated() as network:
            write_weights(
                self.out / name, network, data=self.prepared.data,
                licence=self.recipe.licence, training=training,
            )  # fmt: skip


@contextmanager
def interruptions() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM end the run after a step, with a checkpoint; a second one at once."""
    heard: list[int] = []

    def hear(number: int, _frame: Any) -> None:
        if heard:
            raise KeyboardInterrupt
        heard.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # signals are the main thread's
        return
    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
