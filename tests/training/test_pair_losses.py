import math

import pytest
import torch
import torch.nn.functional as F

from tamperscope.models import create_model
from tamperscope.models.affinity import Embedding, Rows, Similarity
from tamperscope.models.pair_network import BranchLogits, PairLogits
from tamperscope.training.pair_losses import (
    biotampernet_loss,
    cell_shares,
    cells_beside,
    matching_loss,
    role_loss,
)
from tamperscope.training.partners import PARTNERS


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


def rows_of(similarity, other):
    """All rows of similarities (batch, N, M)."""
    half = similarity - similarity.logsumexp(1, keepdim=True) / 2
    return Rows(slice(0, similarity.shape[1]), half, similarity.logsumexp(2), other)


def no_partners(count, grid):
    return torch.full((count, PARTNERS, 2, *grid), torch.nan)


def places(*partners, grid=(2, 3)):
    """Partners of one panel from {cell: (x, y)}, a dictionary for each of its partners."""
    found = no_partners(1, grid)
    for number, of_cells in enumerate(partners):
        for (row, column), place in of_cells.items():
            found[0, number, :, row, column] = torch.tensor(place)
    return found


def test_of_undecided_affinities_a_partner_costs_the_logarithm_of_their_number():
    """P = 1 / (N M) everywhere; half its logarithm is charged; no cell is far from a partner."""
    rows = rows_of(torch.zeros(1, 6, 8), (2, 4))
    loss = matching_loss(rows, places({(0, 1): (3.0, 1.0)}))
    assert loss.item() == pytest.approx(math.log(6 * 8) / 2)
    between = matching_loss(rows, places({(0, 1): (1.5, 0.25)}))  # four cells show it
    assert between.item() == pytest.approx(math.log(6 * 8 / 4) / 2)
    either = matching_loss(rows, places({(0, 1): (3.0, 1.0)}, {(0, 1): (0.0, 0.0)}))
    assert either.item() == pytest.approx(math.log(6 * 8 / 2) / 2)


def test_cells_without_a_partner_cost_what_they_claim():
    rows = rows_of(torch.zeros(1, 16, 16), (4, 4))
    alone = matching_loss(rows, no_partners(1, (4, 4)))
    assert alone.item() == pytest.approx(-math.log1p(-1 / 256), rel=1e-4)
    sure = rows_of(60 * torch.eye(16)[None], (4, 4))
    assert matching_loss(sure, no_partners(1, (4, 4))).item() == pytest.approx(
        -math.log(1e-3), rel=1e-3
    )
    # the neighbours of a cell that has one are not asked: they may show a part of it
    spared = matching_loss(sure, places({(1, 1): (1.0, 1.0)}, grid=(4, 4)))
    assert spared.item() == pytest.approx(-math.log(1e-3), rel=1e-3)
    known = {(1, 1): (1.0, 1.0), (2, 3): (3.0, 2.0), (3, 1): (1.0, 3.0), (1, 2): (2.0, 1.0)}
    assert matching_loss(sure, places(known, grid=(4, 4))).item() < 1e-6  # none is far from these


def test_the_right_affinities_cost_nothing_and_wrong_ones_much():
    grid = (2, 3)
    right = {(r, c): (float(2 - c), float(r)) for r in range(2) for c in range(3)}
    order = torch.tensor([2, 1, 0, 5, 4, 3])
    mirrored = 40 * torch.eye(6)[order][None]
    assert matching_loss(rows_of(mirrored, grid), places(right)).item() < 1e-6
    assert matching_loss(rows_of(40 * torch.eye(6)[None], grid), places(right)).item() > 20


def test_cells_beside_a_place_are_those_less_than_one_away():
    index, counts = cells_beside(
        places({(0, 0): (0.5, 0.25), (0, 1): (2.0, 1.0), (1, 0): (-0.25, 0.0)}), (2, 3)
    )
    assert index.shape == counts.shape == (1, 6, 4 * PARTNERS)
    beside = [sorted(index[0, n][counts[0, n]].tolist()) for n in range(6)]
    assert beside == [[0, 1, 3, 4], [5], [], [0], [], []]


def test_matching_has_gradients_where_nothing_matches():
    for partners in (no_partners(2, (4, 4)), no_partners(2, (4, 4)).nan_to_num(3.0)):
        similarity = torch.randn(2, 16, 16, generator=torch.Generator().manual_seed(0))
        similarity.requires_grad_()
        matching_loss(rows_of(similarity, (4, 4)), partners).backward()
        assert similarity.grad.isfinite().all()
        assert similarity.grad.abs().sum() > 0


def test_partners_of_other_cells_are_refused():
    with pytest.raises(ValueError, match="do not go with affinities"):
        matching_loss(rows_of(torch.zeros(1, 6, 8), (2, 4)), no_partners(1, (4, 4)))


def test_matching_can_be_learned_from_the_loss_alone():
    """Free vectors of cells; after a few steps each finds the partner it was told of."""
    generator = torch.Generator().manual_seed(0)
    free = torch.randn(2, 1, 24, 8, generator=generator).requires_grad_()
    order = torch.randperm(24, generator=generator)
    told = places(
        {(n // 6, n % 6): (float(order[n] % 6), float(order[n] // 6)) for n in range(24)},
        grid=(4, 6),
    )
    similarity = Similarity(5.0, 0.0, learned=True)
    optimiser = torch.optim.Adam([free, *similarity.parameters()], lr=0.05)
    for _ in range(60):
        first, second = (Embedding(*[F.normalize(x, dim=-1)] * 2, (4, 6)) for x in free)
        rows = next(similarity.rows(first, second, same=False))
        optimiser.zero_grad()
        matching_loss(rows, told).backward()
        optimiser.step()
    assert torch.equal(rows.half[0].argmax(dim=1), order)


def test_the_matching_term_takes_what_the_network_keeps_in_training_only():
    network = create_model("biotampernet_test", drop_path=0.0)
    images = torch.rand(2, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    masks = (HALF.expand(2, -1, -1),) * 2
    some = places({(0, 1): (3.0, 2.0)}, grid=(4, 4)).expand(2, -1, -1, -1, -1)
    logits = network.train()(*images)
    plain = biotampernet_loss(logits, *masks)
    total = biotampernet_loss(logits, *masks, partners=(some, some), matching=0.7)
    nothing = no_partners(2, (4, 4))
    expected = torch.stack([
        (matching_loss(branch.cross_rows, some) + matching_loss(branch.self_rows, nothing)) / 2
        for branch in (logits.first, logits.second)
    ])  # fmt: skip
    torch.testing.assert_close(total - plain, 0.7 * expected.mean())
    itself = biotampernet_loss(logits, *masks, partners=(some, some), matching=1.0, same=True)
    assert itself > total
    assert biotampernet_loss(logits, *masks, partners=(some, some), matching=0.0) == plain
    with torch.no_grad():
        quiet = network.eval()(*images)
    assert quiet.first.cross_rows is None
    assert quiet.first.self_rows is None
