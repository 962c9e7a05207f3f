import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from tamperscope.models.noise import SRM, BayarConv, NoiseBranch, noiseprintpp


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_srm_is_three_high_passes_of_the_sum_of_the_colours():
    """Against scipy, with the filters written out once more."""
    third = np.zeros((5, 5))
    third[2] = [0, 0.5, -1, 0.5, 0]
    image = 5 * drawn(1, 3, 9, 11)
    expected = correlate(image[0].sum(0).numpy(), third, mode="constant").clip(-2, 2)
    assert (abs(expected) == 2).any(), "the cut at 2 must be seen to act"
    np.testing.assert_allclose(SRM()(image)[0, 2], expected, atol=1e-5)


def test_srm_sees_nothing_in_a_plain_area():
    flat = torch.full((1, 3, 20, 20), 0.7)
    assert SRM()(flat)[..., 2:-2, 2:-2].abs().max() < 1e-5


def test_bayar_predicts_a_plain_area_from_its_neighbours():
    """The 24 weights of each filter sum to 1 and the centre is -1; three filters add up."""
    flat = torch.full((1, 3, 12, 12), 0.3)
    assert BayarConv().eval()(flat)[..., 2:-2, 2:-2].abs().max() < 1e-5


def test_bayar_changes_its_kernel_only_in_training():
    layer = BayarConv().eval()
    before = layer.kernel.detach().clone()
    evaluated = layer(drawn(1, 3, 8, 8))
    assert torch.equal(layer.kernel, before)
    trained = layer.train()(drawn(1, 3, 8, 8))
    torch.testing.assert_close(layer.kernel.sum(dim=2), torch.ones(3, 3))
    torch.testing.assert_close(trained, evaluated)


def test_noiseprint_stays_frozen_while_the_rest_trains():
    branch = NoiseBranch(("noiseprint++", "bayar"), (4, 4), dropout=0.1).train()
    noiseprint = branch.extractors[0]
    statistics = noiseprint.norms[0].running_mean.clone()
    branch(drawn(2, 3, 16, 16)).sum().backward()
    assert not any(module.training for module in noiseprint.modules())
    assert torch.equal(noiseprint.norms[0].running_mean, statistics)
    assert all(parameter.grad is None for parameter in noiseprint.parameters())
    assert branch.extractors[1].kernel.grad.any()
    assert branch.blocks[0].norms[0].training


@pytest.mark.parametrize(("distance", "seen"), [(17, True), (18, False)])
def test_noiseprint_sees_seventeen_pixels_far(distance, seen):
    network = noiseprintpp().double()
    image = drawn(1, 3, 40, 40).double().requires_grad_()
    network(image)[0, 0, 20, 20].backward()
    assert bool(image.grad[0, :, 20 - distance, 20].any()) is seen
