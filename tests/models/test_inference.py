import pytest
import torch
from torch import nn

from tamperscope.models import create_model
from tamperscope.models.inference import for_inference
from tests.models.recordings import FOLDER, LOGITS_TOLERANCE, read, recorded_network

VARIANTS = [
    ("forma_test", {}),
    ("forma_test", {"noise": "none"}),
    ("forma_test", {"noise": "encoder"}),
    ("forma_test", {"enlarge": "bilinear"}),
    ("forma_test", {"extractors": ("noiseprint++", "srm")}),
    ("loma_test", {}),
    ("loma_test", {"channel_attention": False}),
]


def with_lived_in_statistics(network):
    """Give every normalisation gains, shifts and statistics that a mistake would show."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low in ((module.running_mean, -0.5), (module.running_var, 0.5)):
                tensor.copy_(low + torch.rand(tensor.shape, generator=generator))
            for parameter in (module.weight, module.bias):
                parameter.data.copy_(0.5 + torch.rand(parameter.shape, generator=generator))
    return network.eval()


@pytest.mark.parametrize(("name", "changes"), VARIANTS, ids=str)
@pytest.mark.parametrize("size", [(64, 96), (37, 50)], ids=str)
def test_prepared_networks_answer_the_same(name, changes, size):
    network = with_lived_in_statistics(create_model(name, **changes))
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = network(image)
        torch.testing.assert_close(for_inference(network)(image), expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 1e-3, "a flat answer would hide a difference"


@pytest.mark.parametrize("name", ["forma_dark_128x160", "loma_blocks_128x160"])
def test_prepared_networks_stay_within_the_recorded_tolerance(name):
    recording = read(FOLDER / f"{name}.npz")
    prepared = for_inference(recorded_network(recording.kind))
    with torch.no_grad():
        logits = prepared.class_logits(recording.image)
    expected = torch.from_numpy(recording.arrays["logits"]).view(logits.shape)
    assert (logits - expected).abs().max() <= LOGITS_TOLERANCE


@pytest.mark.parametrize("name", ["forma_test", "loma_test"])
def test_no_normalisation_is_left_and_the_original_is_untouched(name):
    network = with_lived_in_statistics(create_model(name))
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    prepared = for_inference(network)
    assert not [module for module in prepared.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not any(parameter.requires_grad for parameter in prepared.parameters())
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in after)
