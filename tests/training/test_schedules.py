import itertools
import math

import pytest
import torch

from tamperscope.training.recipe import Schedule
from tamperscope.training.schedules import Plateau, rate_at


def test_the_cosine_rises_then_falls_to_its_floor():
    schedule = Schedule("cosine", warm_up=4, floor=0.1)
    rates = [rate_at(schedule, 1.0, step, 104, Plateau()) for step in range(105)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0
    assert rates[54] == pytest.approx(0.55)
    assert rates[104] == pytest.approx(0.1)
    assert all(a >= b for a, b in itertools.pairwise(rates[4:]))
    assert rates[29] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)


def test_a_constant_rate_stays():
    assert {rate_at(Schedule(), 0.3, step, 9, Plateau()) for step in range(9)} == {0.3}


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_the_plateau_cuts_when_torchs_own_does(patience):
    schedule = Schedule("plateau", factor=0.5, patience=patience, floor=0.02)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, "max", factor=0.5, patience=patience, threshold=0.0, min_lr=0.02, eps=0.0
    )
    plateau = Plateau()
    scores = torch.rand(60, generator=torch.Generator().manual_seed(patience)).tolist()
    for step, score in enumerate(scores):
        theirs.step(score)
        plateau.hear(score, patience)
        assert rate_at(schedule, 1.0, step, 60, plateau) == optimiser.param_groups[0]["lr"]
    assert plateau.cuts > 3
