import pytest
import torch

from tamperscope.models.pair_consensus import consensus

GRID = (12, 16)


def partners(move, other=GRID):
    """Index of the partner of each cell by a function of rows and columns; (1, cell)."""
    rows, columns = torch.meshgrid(torch.arange(12), torch.arange(16), indexing="ij")
    row, column = move(rows, columns)
    return (row.clamp(0, other[0] - 1) * other[1] + column.clamp(0, other[1] - 1)).view(1, -1)


def maps(index, other=GRID):
    return consensus(index, GRID, other)[0].view(*GRID, 2).unbind(-1)


def test_a_shift_agrees_with_itself():
    other = (20, 24)
    shift, rigid = maps(partners(lambda r, c: (r + 5, c + 3), other), other)
    assert torch.equal(shift[2:-2, 2:-2], torch.ones(8, 12))
    assert torch.equal(rigid[2:-2, 2:-2], torch.ones(8, 12))
    assert shift[0, 0] == pytest.approx(8 / 24)  # neighbours outside of the map agree with nobody


@pytest.mark.parametrize(
    "move", [lambda r, c: (11 - r, c), lambda r, c: (c, r), lambda r, c: (11 - r, 15 - c)],
    ids=["flip", "transpose", "half turn"],
)  # fmt: skip
def test_flips_and_turns_are_rigid_but_no_shift(move):
    other = (16, 16)
    shift, rigid = maps(partners(move, other), other)
    assert torch.equal(rigid[2:-2, 2:-2], torch.ones(8, 12))
    assert shift[2:-2, 2:-2].max() <= 0.5


def test_scattered_partners_agree_by_chance_only():
    index = torch.randint(0, 12 * 16, (1, 12 * 16), generator=torch.Generator().manual_seed(0))
    shift, rigid = maps(index)
    assert shift.mean() < 0.08  # 9 of 192 cells
    assert rigid.mean() < 0.2  # a ring of 12 to 40 of them


def test_what_has_one_partner_for_all_is_no_copy():
    shift, rigid = maps(torch.full((1, 12 * 16), 77))
    assert shift[2:-2, 2:-2].max() == pytest.approx(8 / 24)  # neighbours one step away
    assert rigid[2:-2, 2:-2].max() == pytest.approx(4 / 24)
