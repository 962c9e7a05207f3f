import pytest
import torch

from tamperscope.models import create_model
from tamperscope.models.forma import ForMaConfig, ShuffleDecoder
from tamperscope.models.weights import empty_network


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_parameters_are_as_many_as_published():
    network = empty_network("forma_base", {})
    parts = {
        "all": sum(p.numel() for p in network.parameters()),
        "trainable": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "backbone": sum(
            p.numel() for part in (network.backbone, network.out_norms) for p in part.parameters()
        ),
        "decoder": sum(p.numel() for p in network.decoder.parameters()),
        "extractors": sum(p.numel() for p in network.noise.extractors.parameters()),
    }
    assert parts == {
        "all": 37_255_319,
        "trainable": 36_698_070,
        "backbone": 31_045_056,
        "decoder": 5_438_370,
        "extractors": 557_465,
    }


VARIANTS = {
    "without noise": {"noise": "none"},
    "noise to the encoder": {"noise": "encoder"},
    "noise from the image itself": {"noise_from": "full"},
    "noise alone": {"noise": "encoder", "colours": False},
    "one extractor": {"extractors": ("srm",)},
    "bilinear instead of shuffle": {"enlarge": "bilinear"},
}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_ablations_run_and_differ_from_the_published_network(changes):
    image = drawn(1, 3, 64, 64)
    variant = create_model("forma_test", **changes).eval()
    with torch.no_grad():
        logits = variant(image)
        assert logits.shape == (1, 1, 16, 16)
        assert not torch.equal(logits, create_model("forma_test").eval()(image))


@pytest.mark.parametrize(("noise", "listens"), [("decoder", True), ("encoder", True)])
def test_noise_reaches_the_answer_where_it_is_fed(noise, listens):
    image = drawn(1, 3, 64, 64)
    network = create_model("forma_test", noise=noise).eval()
    with torch.no_grad():
        before = network(image)
        network.noise.mixer.final.bias += 1.0
        assert torch.equal(before, network(image)) is not listens


def test_without_noise_there_is_no_extractor():
    network = create_model("forma_test", noise="none")
    assert not [key for key in network.state_dict() if "noise" in key]
    assert network.decoder.fuse.in_features == 4 * 8


def test_the_encoder_variant_keeps_noise_out_of_the_decoder():
    network = create_model("forma_test", noise="encoder").eval()
    assert network.decoder.noise is None
    image = drawn(1, 3, 64, 64)
    with torch.no_grad():
        before = network(image)
        network.noise_embedding.weight.zero_()
        network.noise_embedding.bias.zero_()
        assert not torch.equal(before, network(image))


def test_noise_from_the_whole_image_keeps_what_a_quarter_of_it_loses():
    """A checkerboard of single pixels is flat grey once the image is a quarter of its size."""
    rows, columns = torch.arange(64)[:, None], torch.arange(64)[None, :]
    fine = 0.5 + 0.1 * ((rows + columns) % 2 * 2.0 - 1)
    flat = torch.full((64, 64), 0.5)
    for noise_from, told in (("quarter", False), ("full", True)):
        network = create_model("forma_test", noise="encoder", colours=False, noise_from=noise_from)
        network.eval()
        with torch.no_grad():
            answers = [network(image.expand(1, 3, 64, 64)) for image in (fine, flat)]
        same = torch.allclose(answers[0], answers[1], rtol=0, atol=1e-5)
        assert same is not told, noise_from


@pytest.mark.parametrize("colours", [True, False])
def test_noise_alone_sees_nothing_but_noise(colours):
    network = create_model("forma_test", noise="encoder", colours=colours).eval()
    with torch.no_grad():
        network.noise_embedding.weight.zero_()  # nothing of the noise goes through
        answers = [network(drawn(1, 3, 64, 64, seed=seed)) for seed in (0, 1)]
    assert torch.equal(*answers) is not colours


def test_shuffle_puts_channel_blocks_where_the_paper_puts_them():
    """Channel c r^2 + dy r + dx of a cell becomes pixel (dy, dx) of that cell in channel c."""
    decoder = ShuffleDecoder(ForMaConfig(widths=(4, 4, 4, 4), depths=(1, 1, 1, 1)))
    x = torch.arange(2 * 3 * 8, dtype=torch.float32).view(1, 2, 3, 8)  # 2 channels, factor 2
    grown = decoder.grow(x, 2)
    assert grown.shape == (1, 4, 6, 2)
    for row, column, channel in ((0, 0, 0), (3, 4, 1), (1, 5, 0)):
        block = channel * 4 + (row % 2) * 2 + column % 2
        assert grown[0, row, column, channel] == x[0, row // 2, column // 2, block]


@pytest.mark.parametrize(
    "wrong",
    [
        {"noise": "both"},
        {"noise_from": "half"},
        {"colours": False},
        {"enlarge": "nearest"},
        {"extractors": ("noiseprint",)},
        {"extractors": ()},
        {"depths": (1, 1)},
    ],
    ids=str,
)
def test_configs_check_themselves(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ForMaConfig(**wrong)
