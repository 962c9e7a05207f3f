import pytest
import torch

from tamperscope.models.pair_decoder import Detail, Strips, outstanding, steps


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_steps_are_those_between_columns():
    grey = torch.tensor([[[0.0, 1.0, 1.0, 4.0], [0.0, -1.0, 3.0, 4.0]]])
    found = steps(grey)[0]
    assert found[:, 0].tolist() == [0.0, 0.0, 2.0, 2.0]
    assert found[:, 1].tolist() == [0.0, 1.0, 2.0, 2.0]
    assert found[:, 2].tolist() == [0.0, 3.0, 3.0, 0.0]  # bends of column 1 and of column 2


def test_what_stands_out_does_so_whatever_the_brightness_and_contrast():
    strip = 0.1 * drawn(1, 1, 90)
    strip[0, 0, 40] += 0.6
    found = outstanding(strip)
    assert found[0, 0].argmax() == 40
    assert found[0, 0, 40] > 4
    torch.testing.assert_close(outstanding(7 * strip + 3), found, rtol=0.01, atol=0.02)
    assert outstanding(torch.full((1, 1, 50), 0.3)).abs().max() < 1e-3


@pytest.mark.parametrize("axis", [1, 2])
def test_a_faint_seam_shows_in_its_own_row_or_column(axis):
    """A step of a fiftieth of the noise, right across: no pixel shows it, the strip does."""
    torch.manual_seed(0)
    strips = Strips(1, 4).eval()
    image = drawn(1, 200, 200, 3)
    seamed = image.clone()
    seamed.narrow(axis, 120, 80).add_(0.05)
    x = torch.zeros(1, 200, 200, 1)
    with torch.no_grad():
        apart = (strips(seamed, x) - strips(image, x)).abs().sum(dim=3)[0]
    along = apart.mean(dim=axis % 2)  # the other axis
    assert 112 <= int(along.argmax()) <= 128


def test_rows_and_columns_are_seen_alike():
    torch.manual_seed(0)
    detail = Detail(4, strips=True).eval()
    image = drawn(1, 3, 48, 64)
    with torch.no_grad():
        for parameter in detail.parameters():
            if parameter.ndim == 4:
                parameter.copy_((parameter + parameter.transpose(2, 3)) / 2)
        there = detail(image.transpose(2, 3))
        torch.testing.assert_close(there, detail(image).transpose(1, 2))
    assert Detail(4).strips is None
