import pytest
import torch
import torch.nn.functional as F

from tamperscope.errors import ModelNameError
from tamperscope.models import MODELS, create_model, list_models
from tamperscope.models.efficientvmamba import ChannelAttentionBlock
from tamperscope.models.network import enlarge

TEST_MODELS = [name for name in MODELS if name.endswith("_test")]
SIZES = [(1, 1), (3, 2), (4, 4), (37, 61), (64, 96), (1, 500)]


@pytest.fixture(scope="module", params=TEST_MODELS)
def network(request):
    return create_model(request.param).eval()


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size_gives_one_logit_per_cell_and_one_probability_per_pixel(network, size):
    image = drawn(2, 3, *size)
    with torch.no_grad():
        logits = network(image)
        heatmap = network.heatmap(image)
    assert logits.shape == (2, 1, -(-size[0] // 4), -(-size[1] // 4))
    assert logits.isfinite().all()
    assert heatmap.shape == (2, *size)
    assert heatmap.dtype == torch.float32
    assert 0 <= heatmap.min() <= heatmap.max() <= 1


def test_padding_is_undone_exactly(network):
    """An odd image gives what its own padded form gives, cut to the cells it covers."""
    image = drawn(1, 3, 37, 61)
    padded = F.pad(image, (0, 3, 0, 27), mode="replicate")  # 64 x 64 fits every network
    if network.multiple == 4:
        padded = padded[..., :40, :]
    with torch.no_grad():
        whole = network(padded)
        torch.testing.assert_close(network(image), whole[..., :10, :16], rtol=0, atol=1e-5)
        pixels = network.pixel_logits(padded)[..., :37, :61]
        torch.testing.assert_close(network.pixel_logits(image), pixels, rtol=0, atol=1e-5)


def test_the_tamper_logit_is_the_gap_between_the_two_classes(network):
    image = drawn(1, 3, 64, 96)
    with torch.no_grad():
        classes = network.class_logits(image)
        logits = network(image)
        heatmap = network.heatmap(image)
    assert classes.shape == (1, 2, 16, 24)
    torch.testing.assert_close(logits[:, 0], classes[:, 1] - classes[:, 0])
    # The authors enlarge both logits and then take the softmax.
    softmax = enlarge(classes, (64, 96)).softmax(dim=1)[:, 1]
    torch.testing.assert_close(heatmap, softmax, rtol=0, atol=1e-6)


def test_images_of_a_batch_do_not_see_each_other(network):
    images = drawn(3, 3, 32, 32)
    with torch.no_grad():
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (1, 4, 8, 8), (1, 3, 0, 8)], ids=str)
def test_what_is_no_rgb_batch_is_refused(network, shape):
    with pytest.raises(ValueError, match=r"batch, 3|at least one pixel"):
        network(torch.zeros(shape))


def test_integers_are_refused(network):
    with pytest.raises(TypeError, match="divide 8 bits by 255"):
        network.class_logits(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))


def test_loma_drops_what_does_not_fill_a_cell_as_its_authors_do():
    network = create_model("loma_test").eval()
    image = drawn(1, 3, 39, 62)
    with torch.no_grad():
        classes = network.class_logits(image)
        cut = network.class_logits(image[..., :36, :60])
    assert classes.shape == (1, 2, 9, 15)
    torch.testing.assert_close(classes, cut)


def test_forma_pads_sizes_that_its_authors_network_cannot_take():
    network = create_model("forma_test").eval()
    with torch.no_grad():
        assert network.class_logits(drawn(1, 3, 250, 186)).shape == (1, 2, 63, 47)


@pytest.mark.parametrize("name", TEST_MODELS)
def test_a_training_step_reaches_every_parameter(name):
    network = create_model(name, drop_path=0.0).train()
    for dropout in (m for m in network.modules() if isinstance(m, torch.nn.Dropout2d)):
        dropout.p = 0.0  # a channel that is dropped has no gradient
    for module in network.modules():
        if isinstance(module, ChannelAttentionBlock):
            module.reduce.bias.data += 1.0  # this small, it has one ReLU, which may be dead
    network(drawn(2, 3, 64, 64)).square().mean().backward()
    idle = [
        key
        for key, parameter in network.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    assert idle == []


def test_seeds_decide_the_weights_and_leave_torch_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, same, other = (create_model("loma_test", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    weights = [network.state_dict()["decoder.predict.weight"] for network in (first, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_lists_are_complete_and_sorted():
    assert list_models() == sorted(MODELS)
    assert {"forma_base", "forma_small", "loma_base", "loma_small"} <= set(list_models())
    assert all(name == build.__name__ for name, build in MODELS.items())


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("lomabase", "Did you mean 'loma_base'"), ("xyz", "There are: biotampernet_base")],
)
def test_wrong_names_get_a_hint(wrong, hint):
    with pytest.raises(ModelNameError, match=hint):
        create_model(wrong)
