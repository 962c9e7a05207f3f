"""Moving average of the weights: what is validated and kept, where a recipe asks for it.

    average <- d average + (1 - d) weights,    d = min(decay, (1 + n) / (10 + n))

after n updates, so that the start is forgotten soon. Numbers that batch normalisation keeps are
averaged as well. Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging",
1992, in the exponential form.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """Return a copy of ``network`` that follows it with every ``update_parameters``."""
    return AveragedModel(network, multi_avg_fn=follow(decay), use_buffers=True)


def follow(decay: float) -> Callable[[Any, Any, Any], None]:
    """Return the update rule, as AveragedModel calls it."""

    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], count: Tensor) -> None:
        n = int(count)
        keep = min(decay, (1 + n) / (10 + n))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, 1 - keep)
            return
        for average, value in zip(averages, values, strict=True):
            average.copy_(value)  # counters

    return update
