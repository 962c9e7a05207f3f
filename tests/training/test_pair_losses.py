import math

import pytest
import torch
import torch.nn.functional as F

from tamperscope.models import create_model
from tamperscope.models.pair_network import BranchLogits, PairLogits
from tamperscope.training.pair_losses import biotampernet_loss, cell_shares, role_loss


def answer(mask=0.0, alone=0.0, crossed=0.0, role=None, size=(32, 32), cells=(4, 4)):
    def filled(value, shape):
        return None if value is None else torch.full((1, 1, *shape), float(value))

    branch = BranchLogits(
        filled(mask, size), filled(role, size), filled(alone, cells), filled(crossed, cells)
    )
    return PairLogits(branch, branch)


EMPTY = torch.zeros(1, 32, 32, dtype=torch.bool)
HALF = EMPTY.clone()
HALF[:, :16] = True


def test_undecided_answers_cost_log_2_for_each_weight():
    loss = biotampernet_loss(answer(), HALF, HALF, weights=(0.3, 0.7, 2.0))
    assert loss.item() == pytest.approx(3.0 * math.log(2), rel=1e-6)


def test_each_weight_belongs_to_its_answer():
    for index, name in enumerate(("alone", "crossed", "mask")):
        weights = tuple(float(index == i) for i in range(3))
        loss = biotampernet_loss(answer(**{name: 3.0}), EMPTY, EMPTY, weights=weights)
        assert loss.item() == pytest.approx(math.log1p(math.exp(3.0)), rel=1e-6)


def test_answers_that_an_ablation_lacks_are_left_out():
    loss = biotampernet_loss(answer(alone=None, crossed=None), HALF, HALF)
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize(("rows", "weight"), [(16, 1.0), (24, 1.0), (8, 3.0), (1, 5.0)])
def test_rare_positives_count_by_their_rarity_five_times_at_most(rows, weight):
    mask = EMPTY.clone()
    mask[:, :rows] = True
    share = rows / 32
    loss = biotampernet_loss(answer(mask=-1.0), mask, mask, weights=(0, 0, 1))
    missed, right = math.log1p(math.exp(1.0)), math.log1p(math.exp(-1.0))
    assert loss.item() == pytest.approx(weight * share * missed + (1 - share) * right, rel=1e-5)


def test_cells_are_held_against_the_share_that_is_covered():
    mask = torch.zeros(1, 1, 20, 32)
    mask[..., :6, :16] = 1
    shares = cell_shares(mask, torch.zeros(1, 1, 8, 8))  # padded to 32 x 32: cells of 4 x 4
    assert shares[0, 0, :3, 0].tolist() == [1.0, 0.5, 0.0]
    assert shares[0, 0, 0, 4] == 0
    mask[..., -1, :] = 1
    assert cell_shares(mask, torch.zeros(1, 1, 8, 8))[0, 0, 7, 0] == 1.0  # padding repeats the edge


def test_the_fused_term_is_pytorchs_own():
    generator = torch.Generator().manual_seed(0)
    masks = [torch.rand(2, 32, 32, generator=generator) > 0.5 for _ in range(2)]
    logits = [torch.randn(2, 1, 32, 32, generator=generator) for _ in range(2)]
    pair = PairLogits(*[BranchLogits(x, None, None, None) for x in logits])
    loss = biotampernet_loss(pair, *masks, most_weight=1.0)
    expected = F.binary_cross_entropy_with_logits(torch.cat(logits)[:, 0], torch.cat(masks).float())
    torch.testing.assert_close(loss, expected)


def test_roles_count_over_the_marked_pixels_only():
    copy = HALF.clone()
    copy[:, 8:16] = False  # the upper half of what is marked is the copy
    role = torch.zeros(1, 1, 32, 32)
    role[:, :, :8], role[:, :, 8:16], role[:, :, 16:] = 2.0, -2.0, 100.0
    assert role_loss(role, HALF, copy).item() == pytest.approx(math.log1p(math.exp(-2)), rel=1e-5)
    assert role_loss(role, EMPTY, EMPTY).item() == 0.0
    with_roles = answer(role=0.0)
    loss = biotampernet_loss(with_roles, HALF, HALF, copies=(copy, copy))
    assert loss.item() == pytest.approx(3.0 * math.log(2), rel=1e-6)


def test_copies_and_roles_need_each_other():
    with pytest.raises(ValueError, match="tell roles apart"):
        biotampernet_loss(answer(role=0.0), HALF, HALF)
    with pytest.raises(ValueError, match="tell roles apart"):
        biotampernet_loss(answer(), HALF, HALF, copies=(HALF, HALF))


def test_masks_of_another_size_are_refused():
    with pytest.raises(ValueError, match="like their logits"):
        biotampernet_loss(answer(), HALF[:, :8], HALF)


def test_the_loss_of_a_network_reaches_its_first_and_last_weights():
    network = create_model("biotampernet_test", roles=True)
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mask = HALF.expand(2, -1, -1)
    loss = biotampernet_loss(network(image, image.flip(-1)), mask, mask, copies=(mask, ~mask))
    loss.backward()
    for name in ("encoder.embedding.conv1.weight", "decoder.predict.weight"):
        assert network.get_parameter(name).grad.abs().sum() > 0
