import pytest
import torch

from tamperscope.models.agssm import AGSSM, EPSILON, GuidedAttention, linear_attention
from tamperscope.models.rotary import rotated_2d


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_linear_attention_equals_its_quadratic_form():
    q, k = drawn(2, 4, 5, 8).double() + 0.1, drawn(2, 4, 5, 8, seed=1).double() + 0.1
    v = drawn(2, 4, 5, 8, seed=2).double() - 0.5
    turned = rotated_2d(q).flatten(1, 2) @ rotated_2d(k).flatten(1, 2).transpose(1, 2)
    total = (q.flatten(1, 2) @ k.flatten(1, 2).transpose(1, 2)).sum(dim=-1, keepdim=True)
    expected = (turned / (total + 20 * EPSILON)) @ v.flatten(1, 2)
    actual = linear_attention(q, k, v).flatten(1, 2)
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-9)


def test_without_rotation_to_speak_of_equal_values_come_back():
    """One cell: nothing to turn against, the weights sum to one."""
    q, k = drawn(1, 1, 1, 8) + 0.5, drawn(1, 1, 1, 8, seed=1) + 0.5
    v = drawn(1, 1, 1, 8, seed=2)
    torch.testing.assert_close(linear_attention(q, k, v), v, rtol=1e-4, atol=1e-6)


def test_a_constant_affinity_changes_nothing_in_the_attention():
    torch.manual_seed(0)
    attention = GuidedAttention(16, 2).double()
    v = drawn(2, 3, 4, 16).double()
    flat = [attention(v, torch.full((2, 3, 4), a, dtype=torch.double)) for a in (0.1, 0.9)]
    torch.testing.assert_close(*flat, rtol=1e-4, atol=1e-6)
    guided = attention(v, drawn(2, 3, 4, seed=1).double())
    assert not torch.allclose(flat[0], guided, atol=1e-4)


def test_cells_without_affinity_are_hardly_read():
    torch.manual_seed(0)
    attention = GuidedAttention(16, 2)
    attention.local.weight.data.zero_()
    attention.local.bias.data.zero_()
    v = drawn(1, 2, 4, 16)
    only_first = torch.zeros(1, 2, 4)
    only_first[0, 0, 0] = 1.0
    changed = v.clone()
    changed[0, 1, 3] += 1.0
    unread = (attention(changed, only_first) - attention(v, only_first))[0, 0, 1].abs().max()
    even = torch.ones(1, 2, 4)
    read = (attention(changed, even) - attention(v, even))[0, 0, 1].abs().max()
    assert unread < 0.5 * read


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_the_map_guides_the_whole_block_in_either_normalisation(norm):
    torch.manual_seed(0)
    block = AGSSM(16, 2, mlp_ratio=2.0, drop_path=0.0, norm=norm)
    x, a = drawn(2, 4, 6, 16), drawn(2, 4, 6, seed=1)
    y = block(x, a)
    assert y.shape == x.shape
    assert not torch.allclose(y, block(x, 1 - a), atol=1e-4)
    y.square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in block.parameters())


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        GuidedAttention(16, 3)
