"""One step of a training, and the tensors that it changes."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from tamperscope.errors import TrainingError
from tamperscope.training.averaging import averaged
from tamperscope.training.batches import Batch
from tamperscope.training.checkpoint import (
    load_module,
    load_optimiser,
    module_tensors,
    optimiser_tensors,
    seed_step,
)
from tamperscope.training.objectives import AnyNetwork, as_tensors
from tamperscope.training.preparation import Prepared
from tamperscope.training.progress import Clock, Position
from tamperscope.training.schedules import rate_at
from tamperscope.training.sharing import share_statistics

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class StepResult:
    """What is known of a step after it."""

    loss: Tensor  # mean over the samples of this process
    norm: Tensor  # of the gradient, before it was clipped
    rate: float


class Stepper:
    """Takes steps; holds network, average and optimiser on the device.

    Args:
        fabric: The engine, started.
        prepared: What is trained on what.
        exact: Whether to wait for a GPU after each part of a step, so that times are right.
    """

    def __init__(self, fabric: "Fabric", prepared: Prepared, *, exact: bool = False) -> None:
        self.fabric, self.prepared = fabric, prepared
        self.recipe = prepared.recipe
        self.network = prepared.network
        if fabric.world_size > 1:
            share_statistics(self.network)
        self.objective, self.optimiser = fabric.setup(prepared.objective, prepared.optimiser)
        decay = self.recipe.optimiser.average
        self.average: AveragedModel | None = averaged(self.network, decay) if decay else None
        self.clock = Clock(fabric.device, exact=exact)

    def step(self, batches: Iterator[Batch], position: Position) -> StepResult:
        """Take the step of a position.

        Raises:
            TrainingError: The loss or its gradient is no longer a number; weights are untouched.
        """
        run = self.recipe.run
        rate = rate_at(
            self.recipe.schedule, self.recipe.optimiser.rate, position.step, run.steps,
            position.plateau,
        )  # fmt: skip
        for group in self.prepared.optimiser.param_groups:
            group["lr"] = rate
        seed_step(run.seed, position.step, self.fabric.global_rank)
        total = torch.zeros((), device=self.fabric.device)
        for part in range(run.accumulate):
            with self.clock.part("data"):
                batch = next(batches)
                tensors = as_tensors(batch, self.fabric.device)
            position.replaced += batch.replaced
            more = part < run.accumulate - 1
            with self.fabric.no_backward_sync(self.objective, enabled=more):
                with self.clock.part("forward"):
                    loss = self.objective(*tensors) / run.accumulate
                with self.clock.part("backward"):
                    self.fabric.backward(loss)
            total += loss.detach()
        with self.clock.part("update"):
            norm = self._update(total, position.step)
        return StepResult(total, norm, rate)

    def _update(self, loss: Tensor, step: int) -> Tensor:
        norm = self.fabric.clip_gradients(
            self.objective, self.optimiser, max_norm=self.recipe.optimiser.clip or math.inf,
            error_if_nonfinite=False,
        )  # fmt: skip
        assert norm is not None
        # With 16 bit the engine itself leaves a step out whose gradient overflowed.
        fine = torch.isfinite(loss) and (self.recipe.run.precision == "16" or norm.isfinite())
        if not fine:
            raise TrainingError(
                f"step {step}: the loss is {loss.item():g} and the norm of its gradient "
                f"{norm.item():g}; the last checkpoint is of an earlier step and whole. Lower "
                "[optimiser] rate, or set its clip to 1"
            )
        self.optimiser.step()
        self.optimiser.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return norm

    @contextmanager
    def evaluated(self) -> Iterator[AnyNetwork]:
        """Give the network whose weights are kept, in evaluation mode: the average if there is."""
        network = self.network
        if self.average is not None:
            network = cast(AnyNetwork, self.average.module)
        network.eval()
        try:
            yield network
        finally:
            self.network.train()

    def tensors(self) -> dict[str, Tensor]:
        """Everything a checkpoint must hold."""
        average = {} if self.average is None else module_tensors("average", self.average)
        return {
            **module_tensors("network", self.network),
            **average,
            **optimiser_tensors(self.prepared.optimiser),
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up what :meth:`tensors` gave."""
        load_module("network", self.network, tensors)
        load_optimiser(self.prepared.optimiser, tensors)
        if self.average is not None:
            load_module("average", self.average, tensors)
