"""How the rate changes: a rise, then constant, a half cosine, or steps down on a plateau.

    rise       rate (step + 1) / warm_up                                    while step < warm_up
    cosine     floor + (rate - floor) (1 + cos(pi t)) / 2                   t from 0 to 1 after it
    plateau    rate factor^n, at least floor; n grows when ``patience`` validations in a row and one
               more brought no better score, as torch's ReduceLROnPlateau counts (threshold 0)

Loshchilov and Hutter, "SGDR", 2017, https://arxiv.org/abs/1608.03983, for the cosine.
"""

import math
from dataclasses import dataclass

from tamperscope.training.recipe import Schedule


@dataclass
class Plateau:
    """What the plateau schedule remembers; JSON values."""

    best: float | None = None
    bad: int = 0  # validations in a row without a better score
    cuts: int = 0  # times the rate was cut

    def hear(self, score: float, patience: int) -> None:
        """Take note of a validation's score; higher is better."""
        if self.best is None or score > self.best:
            self.best, self.bad = score, 0
            return
        self.bad += 1
        if self.bad > patience:
            self.bad = 0
            self.cuts += 1


def rate_at(schedule: Schedule, rate: float, step: int, steps: int, plateau: Plateau) -> float:
    """Rate of step ``step``, counted from 0, of ``steps``."""
    if step < schedule.warm_up:
        return rate * (step + 1) / schedule.warm_up
    if schedule.name == "cosine":
        done = (step - schedule.warm_up) / max(steps - schedule.warm_up, 1)
        return schedule.floor + (rate - schedule.floor) * (1 + math.cos(math.pi * done)) / 2
    if schedule.name == "plateau":
        return max(rate * schedule.factor**plateau.cuts, schedule.floor)
    return rate
