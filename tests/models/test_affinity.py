import math

import pytest
import torch
from torch import nn

from tamperscope.models import affinity
from tamperscope.models.affinity import (
    Embedder,
    Embedding,
    Refinement,
    Similarity,
    Strongest,
    bidirectional_softmax,
    cell_places,
    strongest,
    suppression,
)
from tamperscope.models.rotary import rotated_1d, rotated_2d


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def embedded(batch, rows, columns, channels, seed=0):
    x = drawn(batch, rows * columns, channels, seed=seed).abs()
    unit = nn.functional.normalize(x, dim=-1)
    return Embedding(unit, unit, (rows, columns))


def test_suppression_is_zero_on_the_diagonal_half_at_sigma_and_one_far_away():
    places = cell_places((3, 40), torch.device("cpu"))
    kernel = suppression(places, places, 2.0)
    assert torch.equal(kernel.diagonal(), torch.zeros(120))
    assert kernel[0, 2].item() == pytest.approx(0.5)  # two columns away
    assert kernel[0, 80].item() == pytest.approx(0.5)  # two rows away
    assert kernel[0, 41].item() == pytest.approx(2 / (2 + 4))  # the diagonal neighbour
    assert kernel[0, 39].item() > 0.997
    assert torch.equal(kernel, kernel.T)


def test_both_softmaxes_sum_to_one():
    s = drawn(2, 7, 5)
    p = bidirectional_softmax(s)
    torch.testing.assert_close((p / s.softmax(dim=2)).sum(dim=1), torch.ones(2, 5))
    torch.testing.assert_close((p / s.softmax(dim=1)).sum(dim=2), torch.ones(2, 7))
    assert p.sum() <= 10


def test_equal_similarities_have_an_affinity_of_one_over_n_m():
    rows = next(Similarity(5.0, 0.0, learned=True).rows(*[ones(6), ones(4)], same=False))
    torch.testing.assert_close(rows.log_affinity.exp(), torch.full((1, 6, 4), 1 / 24))
    # ... which is what log(1 + N M P) calls log 2.
    best = strongest(rows, 3, 6)
    torch.testing.assert_close(best.values, torch.full((1, 6, 3), math.log(2)))
    assert best.other == (1, 4)


def ones(cells):
    x = torch.ones(1, cells, 4) / 2
    return Embedding(x, x, (1, cells))


def test_one_perfect_match_among_many_has_the_weight_of_the_closed_form():
    """Two equal unit vectors, all others orthogonal: P = (e^a / (e^a + n - 1))^2."""
    eye = torch.eye(10)[None]
    first = Embedding(eye[:, :1], eye[:, :1], (1, 1))
    second = Embedding(eye, eye, (1, 10))
    rows = next(Similarity(5.0, 0.0, learned=False).rows(first, second, same=False))
    row_weight = math.exp(5) / (math.exp(5) + 9)
    assert rows.log_affinity[0, 0, 0].exp().item() == pytest.approx(row_weight * 1.0, rel=1e-5)
    both = next(Similarity(5.0, 0.0, learned=False).rows(second, second, same=False))
    expected = torch.full((10,), row_weight**2)
    torch.testing.assert_close(both.log_affinity[0].diagonal().exp(), expected)


def test_rows_are_the_logarithm_of_the_bidirectional_softmax():
    first, second = embedded(2, 3, 4, 8), embedded(2, 2, 5, 8, seed=1)
    similarity = Similarity(7.0, 2.0, learned=True)
    s = 7.0 * first.query @ second.key.transpose(1, 2)
    rows = next(similarity.rows(first, second, same=False))
    torch.testing.assert_close(rows.log_affinity.exp(), bidirectional_softmax(s))


def test_one_image_never_finds_a_cell_in_itself():
    one = embedded(1, 6, 6, 8)
    similarity = Similarity(50.0, 1.0, learned=False)
    free = next(similarity.rows(one, one, same=False)).log_affinity[0]
    assert torch.equal(free.argmax(dim=1), torch.arange(36))  # with itself everything agrees best
    rows = next(similarity.rows(one, one, same=True))
    assert not (rows.log_affinity[0].argmax(dim=1) == torch.arange(36)).any()


@pytest.mark.parametrize("same", [False, True])
def test_blocks_of_rows_give_what_the_whole_map_gives(monkeypatch, same):
    first = embedded(2, 6, 7, 8)
    second = first if same else embedded(2, 5, 9, 8, seed=1)
    similarity = Similarity(20.0, 2.0, learned=True).eval()
    whole = next(similarity.rows(first, second, same=same))
    monkeypatch.setattr(affinity, "BLOCK_VALUES", 2 * second.key.shape[1] * 8)
    with torch.no_grad():
        blocks = list(similarity.rows(first, second, same=same))
    assert [block.cells for block in blocks][-1] == slice(40, 42)
    assert max(block.half.numel() for block in blocks) <= affinity.BLOCK_VALUES
    together = torch.cat([block.log_affinity for block in blocks], dim=1)
    torch.testing.assert_close(together, whole.log_affinity)


def test_few_partners_are_filled_up_with_nothing():
    rows = next(Similarity(5.0, 0.0, learned=True).rows(ones(6), ones(4), same=False))
    values = strongest(rows, 9, 6).values
    assert values.shape == (1, 6, 9)
    assert torch.equal(values[..., 4:], torch.zeros(1, 6, 5))
    assert (values[..., :4] > 0).all()


def test_the_strongest_partner_is_named():
    first, second = embedded(2, 3, 4, 8), embedded(2, 2, 5, 8, seed=1)
    rows = next(Similarity(7.0, 2.0, learned=True).rows(first, second, same=False))
    best = strongest(rows, 3, 12)
    assert torch.equal(best.partner, rows.log_affinity.argmax(dim=2))
    largest = torch.log1p(120 * rows.log_affinity.exp().amax(dim=2))
    torch.testing.assert_close(best.values[..., 0], largest)


def embedder(tied, rotary="none"):
    torch.manual_seed(0)
    return Embedder(16, context=nn.Sequential(), norm="batch", tied=tied, rotary=rotary).eval()


def test_tied_sides_make_a_cell_its_own_nearest_and_untied_ones_do_not():
    x = drawn(1, 4, 4, 16)
    tied, untied = embedder(tied=True)(x), embedder(tied=False)(x)
    for embedding in (tied, untied):
        torch.testing.assert_close(embedding.query.norm(dim=-1), torch.ones(1, 16))
        assert (embedding.key >= 0).all()
    s = tied.query @ tied.key.transpose(1, 2)
    torch.testing.assert_close(s[0].diagonal(), torch.ones(16))
    assert not torch.allclose(untied.query, untied.key)


@pytest.mark.parametrize("rotary", ["1d", "2d"])
def test_rotary_positions_make_equal_patches_less_alike_with_distance(rotary):
    x = drawn(1, 1, 1, 16).expand(1, 8, 8, 16)  # one patch everywhere
    plain, turned = embedder(tied=True)(x), embedder(tied=True, rotary=rotary)(x)
    torch.testing.assert_close(plain.query[0] @ plain.key[0].T, torch.ones(64, 64))
    alike = turned.query[0] @ turned.key[0].T
    torch.testing.assert_close(alike.diagonal(), torch.ones(64))
    assert alike[0, 1] > alike[0, 3]


@pytest.mark.parametrize("turn", [rotated_1d, rotated_2d])
def test_rotated_products_depend_on_displacement_only(turn):
    x = drawn(1, 1, 1, 8).expand(1, 6, 6, 8)
    y = drawn(1, 1, 1, 8, seed=1).expand(1, 6, 6, 8)
    products = (turn(x).flatten(1, 2) @ turn(y).flatten(1, 2).transpose(1, 2))[0]
    products = products.view(6, 6, 6, 6)
    torch.testing.assert_close(products[0, 0, 2, 3], products[3, 1, 5, 4])
    assert not torch.isclose(products[0, 0, 2, 3], products[0, 0, 3, 2])
    torch.testing.assert_close(turn(x).norm(dim=-1), x.norm(dim=-1))


def test_rotating_by_row_and_column_needs_four_channels():
    with pytest.raises(ValueError, match="multiple of 4"):
        rotated_2d(torch.zeros(1, 2, 2, 6))


def kept(values, partner=None):
    """What is kept of 15 x 15 cells, in two blocks of rows."""
    partner = torch.zeros(values.shape[:2], dtype=torch.long) if partner is None else partner
    return [
        Strongest(values[:, part], partner[:, part], (15, 15))
        for part in (slice(None, 100), slice(100, None))
    ]


def test_refinement_sees_a_neighbourhood_of_seven_by_seven():
    torch.manual_seed(0)
    refine = Refinement(3, agreed=False).eval()
    values = torch.zeros(1, 15 * 15, 3)
    values[0, 7 * 15 + 7] = 5.0
    before = refine(kept(torch.zeros_like(values)), (15, 15))[0]
    changed = refine(kept(values), (15, 15))[0] - before
    rows, columns = changed.abs().gt(1e-7).nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 10, 4, 10)


def test_refinement_hears_the_consensus_only_if_asked_to():
    torch.manual_seed(0)
    values = torch.zeros(1, 15 * 15, 3)
    together = torch.arange(15 * 15)[None]
    for agreed in (False, True):
        refine = Refinement(3, agreed=agreed).eval()
        alike = torch.equal(
            refine(kept(values), (15, 15)), refine(kept(values, together), (15, 15))
        )
        assert alike != agreed
