import pytest
import torch

from tamperscope.models import create_model
from tamperscope.models.pair_turns import TURNS, block_orders, most_alike, turned, turned_back


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("turn", range(TURNS))
def test_turning_back_undoes_a_turn(turn):
    x = drawn(2, 4, 6, 3)
    assert torch.equal(turned_back(turned(x, turn), turn), x)


def test_the_eight_turns_of_a_picture_differ():
    x = drawn(1, 4, 4, 1)
    views = [turned(x, turn) for turn in range(TURNS)]
    assert all(not torch.equal(a, b) for i, a in enumerate(views) for b in views[:i])


def test_orders_of_blocks_are_those_of_turned_turns():
    """Block g h^-1 of a picture turned by h is block g of the picture."""
    assert block_orders()[0] == tuple(range(TURNS))
    x = drawn(1, 4, 4, 1)
    for h, order in enumerate(block_orders()):
        assert sorted(order) == list(range(TURNS))
        y = turned(x, h)
        for g in range(TURNS):
            assert torch.equal(turned(y, order[g]), turned(x, g))


def test_the_most_alike_turn_counts():
    query = torch.zeros(1, 1, 16)
    query[0, 0, 4:6] = torch.tensor([0.6, 0.8])  # all in block 2
    key = torch.zeros(1, 2, 16)
    key[0, 0, 10:12] = torch.tensor([0.6, 0.8])  # block 5: some turn brings it to block 2
    key[0, 1, 10:12] = torch.tensor([0.8, -0.6])
    torch.testing.assert_close(most_alike(query, key), torch.tensor([[[1.0, 0.0]]]))


@pytest.fixture(scope="module")
def network():
    return create_model("biotampernet_test", descriptor="turned", descriptor_width=8).eval()


@pytest.mark.parametrize("turn", range(TURNS))
@pytest.mark.parametrize("size", [(64, 64), (32, 64)], ids=str)
def test_a_turned_panel_is_as_alike_as_an_unturned_one(network, turn, size):
    image = drawn(1, 3, *size)
    view = turned(image.permute(0, 2, 3, 1), turn).permute(0, 3, 1, 2)
    with torch.no_grad():
        one, two = (network.encode(x).embedding for x in (image, view))
        rows = next(network.cross_similarity.rows(one, two, same=False))
        itself = next(network.cross_similarity.rows(one, one, same=False))
    cells = torch.arange(one.grid[0] * one.grid[1]).view(1, *one.grid, 1)
    order = turned(cells, turn).flatten()
    torch.testing.assert_close(rows.log_affinity[0], itself.log_affinity[0][:, order])
    assert torch.equal(rows.half[0].argmax(dim=0), order)


def test_likeness_under_turns_is_symmetric(network):
    with torch.no_grad():
        one, two = (network.encode(drawn(1, 3, 64, 64, seed=s)).embedding for s in (0, 1))
    there, back = most_alike(one.query, two.key), most_alike(two.query, one.key)
    torch.testing.assert_close(there, back.transpose(1, 2))
    assert there.max() <= 1 + 1e-5
