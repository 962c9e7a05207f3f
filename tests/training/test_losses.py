import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tamperscope.training.losses import dice_focal_loss

GOLDEN = Path(__file__).parents[1] / "models" / "golden" / "loss_metric.npz"
CASES = ["up4", "same", "odd"]  # logits a quarter of the mask, equal, and of odd sizes


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return dict(file)


def loss_and_gradient(case, **switches):
    class_logits = torch.from_numpy(case["logits"]).double().requires_grad_()
    tamper = class_logits[:, 1:] - class_logits[:, :1]
    mask = torch.from_numpy(case["mask"])[:, 0]
    loss = dice_focal_loss(tamper, mask, **switches)
    return loss.item(), torch.autograd.grad(loss, class_logits)[0].numpy()


@pytest.mark.parametrize("name", CASES)
def test_terms_and_gradient_are_those_of_the_authors(golden, name):
    case = {k.removeprefix(f"{name}."): v for k, v in golden.items() if k.startswith(f"{name}.")}
    total, gradient = loss_and_gradient(case)
    assert total == pytest.approx(float(case["forma_total_f64"]), rel=1e-12)
    np.testing.assert_allclose(gradient, case["grad_logits"], rtol=1e-9, atol=1e-15)
    dice, _ = loss_and_gradient(case, focal=False)
    focal, _ = loss_and_gradient(case, dice=False)
    assert dice == pytest.approx(float(case["forma_dice_f64"]), rel=1e-12)
    assert focal == pytest.approx(float(case["forma_focal_f64"]), rel=1e-12)


def test_undecided_logits_cost_what_paper_and_pencil_say():
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[:, :2] = True
    undecided = torch.zeros(1, 1, 4, 4)
    dice = dice_focal_loss(undecided, mask, focal=False).item()
    assert dice == pytest.approx(1 - 2 * 4 / (8 + 8), abs=1e-6)  # p = 1/2 everywhere, m on half
    focal = dice_focal_loss(undecided, mask, dice=False).item()
    assert focal == pytest.approx(0.5 * 0.25 * math.log(2), rel=1e-6)


def test_certain_and_wrong_stays_finite():
    logits = torch.full((1, 1, 2, 2), 200.0, requires_grad=True)
    loss = dice_focal_loss(logits, torch.zeros(1, 2, 2, dtype=torch.bool))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("logits", "mask", "switches"),
    [
        ((2, 2, 4, 4), (2, 8, 8), {}),
        ((2, 1, 4, 4), (2, 1, 8, 8), {}),
        ((2, 1, 4, 4), (3, 8, 8), {}),
        ((2, 1, 4, 4), (2, 8, 8), {"dice": False, "focal": False}),
    ],
)
def test_what_does_not_go_together_is_refused(logits, mask, switches):
    with pytest.raises(ValueError, match=r"batch|switch on"):
        dice_focal_loss(torch.zeros(logits), torch.zeros(mask), **switches)
