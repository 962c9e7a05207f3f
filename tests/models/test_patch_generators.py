import math

import pytest
import torch
import torch.nn.functional as F

from tamperscope.models import GENERATORS, create_model
from tamperscope.models.patch_diffusion import noise_share, signal
from tamperscope.models.patch_gan import (
    GAIN,
    SLOPE,
    PatchCritic,
    PatchCriticConfig,
    StyledConv,
    spread_of_batch,
)
from tamperscope.models.patch_network import CELL, enlarged, layout_of
from tamperscope.models.weights import WeightsCard, config_of, load_weights, save_weights

TINY = [name for name in GENERATORS if name.endswith("_test")]


def noise_for(network, count, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = network.noise_shapes(count, size)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def drawn(network, noise, label):
    """Draw into a layout of stripes."""
    count, _, rows, columns = noise[-1].shape  # the finest: half or a quarter of the size
    cell = CELL // (2 if len(noise) > 1 else 4)
    layout = torch.linspace(0.2, 0.8, columns // cell).expand(count, 3, rows // cell, -1)
    return network.draw(noise, label, layout)


def lively(name):
    """A network whose zeroed layers are not zero, so that all of it counts."""
    network = create_model(name, seed=3).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("size", [(64, 64), (128, 128), (16, 48)], ids=str)
def test_one_network_makes_patches_of_every_size(name, size):
    network = lively(name)
    with torch.no_grad():
        image = drawn(network, noise_for(network, 2, size), network.label_of("blot", 2))
    assert image.shape == (2, 3, *size)
    assert image.dtype == torch.float32
    assert 0 <= image.min() < image.max() <= 1


@pytest.mark.parametrize("name", TINY)
def test_a_patch_depends_on_noise_and_modality_and_not_on_its_neighbours(name):
    network = lively(name)
    noise = noise_for(network, 2, (32, 32))
    label = torch.tensor([0, 2])
    with torch.no_grad():
        both = drawn(network, noise, label)
        alone = drawn(network, [part[1:] for part in noise], label[1:])
        other = drawn(network, [part[1:] for part in noise], label[:1])
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=0)
    assert (alone - other).abs().max() > 1e-3
    assert (both[0] - both[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", TINY)
def test_every_noise_counts(name):
    network = lively(name)
    noise = noise_for(network, 1, (32, 32))
    label = network.label_of("microscopy")
    with torch.no_grad():
        before = drawn(network, noise, label)
        for place in range(len(noise)):
            changed = [-part if i == place else part for i, part in enumerate(noise)]
            assert (drawn(network, changed, label) - before).abs().max() > 1e-4, place


@pytest.mark.parametrize("name", TINY)
def test_unknown_modalities_and_odd_sizes_are_refused(name):
    network = create_model(name)
    with pytest.raises(ValueError, match="makes blot, microscopy, facs, macroscopy patches, not"):
        network.label_of("photo")
    with pytest.raises(ValueError, match="whole 16 pixels"):
        network.noise_shapes(1, (64, 40))


@pytest.mark.parametrize("name", TINY)
def test_a_weights_file_is_all_that_a_generator_needs(name, tmp_path):
    network = lively(name)
    network.strengths.copy_(torch.rand(network.strengths.shape) + 0.1)
    card = WeightsCard(name, config_of(network), "drawn", "Apache-2.0")
    save_weights(tmp_path / "w.safetensors", network, card)
    loaded = load_weights(tmp_path / "w.safetensors")
    noise, label = noise_for(network, 1, (32, 32)), network.label_of("facs")
    with torch.no_grad():
        assert torch.equal(drawn(loaded, noise, label), drawn(network, noise, label))


def test_modulating_activations_is_modulating_weights():
    """Equations 1 and 3 of the StyleGAN2 paper, on the weights as they stand there."""
    torch.manual_seed(2)
    layer = StyledConv(5, 7, 4)
    x, style, noise = torch.randn(3, 5, 9, 8), torch.randn(3, 4), torch.randn(3, 1, 9, 8)
    with torch.no_grad():
        got = layer(x, style, noise)
        scales = 1 + layer.affine(style)
        for i in range(3):
            weight = layer.weight * scales[i][None, :, None, None]
            weight = weight / weight.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
            y = F.conv2d(x[i : i + 1], weight, padding=1)
            y = y + layer.strength[:, None, None] * noise[i] + layer.bias[:, None, None]
            expected = F.leaky_relu(y, SLOPE) * GAIN
            torch.testing.assert_close(got[i : i + 1], expected, atol=1e-4, rtol=1e-4)


def test_the_critic_sees_what_the_label_says_and_every_size():
    torch.manual_seed(4)
    critic = PatchCritic(PatchCriticConfig(channels=(8, 8, 8, 8)))
    image = torch.rand(4, 3, 64, 64) * 2 - 1
    label = torch.zeros(4, dtype=torch.int64)
    with torch.no_grad():
        assert critic(image, label).shape == (4,)
        assert (critic(image, label) - critic(image, label + 1)).abs().min() > 1e-4
        assert critic(torch.rand(2, 3, 128, 128), label[:2]).shape == (2,)


def test_the_spread_of_a_batch_is_the_deviation_within_its_groups():
    x = torch.randn(8, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    spread = spread_of_batch(x)
    for first in (0, 1):
        group = x[first::2]
        expected = group.std(dim=0, unbiased=False).mean()
        torch.testing.assert_close(spread[first, 0, 0, 0], expected, atol=1e-5, rtol=0)
        assert torch.equal(spread[first], spread[first + 2])
    assert spread_of_batch(x[:1].expand(4, -1, -1, -1)).max() < 1e-3


def test_drawing_takes_the_ddim_steps_to_what_a_perfect_network_predicts():
    """A network that knows the patch: v = a e - s x for it, whatever the step."""
    network = create_model("patch_diffusion_test", seed=1).eval()
    wanted = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(8))
    label, coarse = network.label_of("blot"), layout_of(wanted)
    x = network.coefficients(wanted * 2 - 1, label, coarse * 2 - 1)
    noise = noise_for(network, 1, (32, 32))

    class Perfect(type(network)):
        def forward(self, z, t, label, layout):
            a, s = signal(t)[:, None, None, None], noise_share(t)[:, None, None, None]
            e = (z - a * x) / s
            torch.testing.assert_close(e, noise[0], atol=1e-3, rtol=0)  # one path through all steps
            return a * e - s * x

    network.__class__ = Perfect
    got = network.draw(noise, label, coarse)
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=0)


def test_the_schedule_keeps_the_variance():
    t = torch.linspace(0, 1, 7)
    torch.testing.assert_close(signal(t) ** 2 + noise_share(t) ** 2, torch.ones(7))
    assert math.isclose(noise_share(torch.tensor(1.0)).item(), 1)


@pytest.mark.parametrize("name", TINY)
def test_a_patch_is_its_layout_where_nothing_is_painted(name):
    network = create_model(name, seed=3).eval()
    network.strengths.fill_(1e-6)
    layout = torch.rand(2, 3, 4, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        got = network.draw(noise_for(network, 2, (32, 48)), network.label_of("blot", 2), layout)
    torch.testing.assert_close(got, enlarged(layout), atol=1e-4, rtol=0)
    flat = layout[:, :, :1, :1].expand(-1, -1, 4, 6)
    torch.testing.assert_close(layout_of(enlarged(flat)), flat)
