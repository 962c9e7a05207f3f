import numpy as np
import pytest
import torch
from scipy.fft import dctn

from tamperscope.models.block_dct import block_basis, from_blocks, to_blocks

IMAGE = torch.rand(2, 3, 12, 20, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("side", [2, 4])
def test_the_basis_is_orthonormal_and_the_inverse_gives_the_image_back(side):
    rows = block_basis(side).reshape(3 * side**2, -1)
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-6)
    torch.testing.assert_close(from_blocks(to_blocks(IMAGE, side), side), IMAGE)


def test_the_first_colour_is_scipys_transform_of_the_sum_of_the_channels():
    blocks = to_blocks(IMAGE, 4)[1, :16, 2, 3].reshape(4, 4)
    grey = IMAGE[1, :, 8:12, 12:16].sum(dim=0) / 3**0.5
    np.testing.assert_allclose(blocks, dctn(grey.numpy(), norm="ortho"), atol=1e-5)


def test_grey_has_no_colour():
    grey = IMAGE[:, :1].expand(-1, 3, -1, -1)
    assert to_blocks(grey, 4)[:, 16:].abs().max() < 1e-6


def test_a_side_that_is_no_whole_block_is_refused():
    with pytest.raises(ValueError, match="not made of blocks of 8 x 8"):
        to_blocks(IMAGE, 8)
