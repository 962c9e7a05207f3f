"""What a run writes down while it goes: ``metrics.jsonl``, lines for the user, TensorBoard."""

from typing import TYPE_CHECKING, Any, Protocol

import torch

from tamperscope.errors import MissingExtraError
from tamperscope.training.folder import Journal
from tamperscope.training.progress import Tick
from tamperscope.training.stepping import StepResult
from tamperscope.training.validation import Scores

if TYPE_CHECKING:
    from tamperscope.training.loop import Training

DECIMALS = 6


class Listener(Protocol):
    """Hears what a run has to say; only that of the first process does."""

    def tick(self, tick: Tick) -> None:
        """Hear how the steps go."""

    def say(self, text: str) -> None:
        """Hear one line."""

    def count(self, what: str, done: int, total: int | None) -> None:
        """Hear how a longer piece of work goes."""


class Reports:
    """The reports of a run; processes beside the first only take part in its means.

    Raises:
        OutputError: ``metrics.jsonl`` cannot be written.
        MissingExtraError: TensorBoard was asked for and is not installed.
    """

    def __init__(self, training: "Training") -> None:
        self.training = training
        self.first = training.fabric.is_global_zero
        self.clock = training.stepper.clock
        self.losses: list[torch.Tensor] = []
        self.steps = 0  # of this process' run so far
        self.seconds_before = training.position.seconds
        self.board: Any = None
        if self.first:
            if training.machine.tensorboard:
                self.board = open_board(training)
            self.journal = Journal(training.out, training.position.journal)
        self.clock.restart()

    def hear(self, result: StepResult, *, due: bool) -> None:
        """Take note of a step; write a line where one is due."""
        position, run = self.training.position, self.training.run
        self.losses.append(result.loss)
        self.steps += 1
        if not (due or position.step % run.log_every == 0):
            return
        fabric = self.training.fabric
        mean: Any = fabric.all_reduce(torch.stack(self.losses).mean(), reduce_op="mean")
        each = (position.seconds - self.seconds_before) / self.steps
        tick = Tick(
            step=position.step,
            steps=run.steps,
            loss=float(mean),
            rate=result.rate,
            samples_per_second=len(self.losses) * run.batch / self.clock.seconds,
            seconds_left=each * (run.steps - position.step),
            shares=self.clock.shares(),
        )
        self.losses.clear()
        self.clock.restart()
        if self.first:
            self._write(tick, float(result.norm))

    def _write(self, tick: Tick, norm: float) -> None:
        position = self.training.position
        self.journal.write(
            step=tick.step,
            seconds=round(position.seconds, 2),
            loss=round(tick.loss, DECIMALS),
            rate=tick.rate,
            gradient=round(norm, DECIMALS),
            samples_per_second=round(tick.samples_per_second, 3),
            shares=tick.shares,
            replaced=position.replaced,
        )
        self.training.listener.tick(tick)
        if self.board is not None:
            self.board.add_scalar("loss", tick.loss, tick.step)
            self.board.add_scalar("rate", tick.rate, tick.step)
            self.board.add_scalar("samples per second", tick.samples_per_second, tick.step)

    def validation(self, score: float, scores: dict[str, Scores]) -> None:
        """Write the scores of a validation."""
        position, name = self.training.position, self.training.recipe.validation.score
        self.journal.write(
            step=position.step,
            seconds=round(position.seconds, 2),
            validation={name: score, "best": position.best, "best_step": position.best_step},
            scores=scores,
        )
        each = ", ".join(f"{part} {own[name]:.3f}" for part, own in scores.items()
                         if own[name] is not None)  # fmt: skip
        best = "the best so far" if position.best_step == position.step else (
            f"best {position.best:.4f} at step {position.best_step}"
        )  # fmt: skip
        self.training.listener.say(f"step {position.step}: {name} {score:.4f} ({each}), {best}")
        if self.board is not None:
            self.board.add_scalar(name, score, position.step)
            for part, own in scores.items():
                for kind, value in own.items():
                    if value is not None:
                        self.board.add_scalar(f"{part}/{kind}", value, position.step)
        self.clock.restart()

    def close(self) -> None:
        """Close what is open."""
        if self.first:
            self.journal.close()
        if self.board is not None:
            self.board.close()


def open_board(training: "Training") -> Any:
    """Open TensorBoard's file; what it holds beyond the step of the checkpoint is left out."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError(
            "--tensorboard needs TensorBoard: pip install 'tamperscope[tensorboard]'"
        ) from error
    return SummaryWriter(training.out / "tensorboard", purge_step=training.position.step)
