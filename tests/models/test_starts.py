import pytest
import torch

from tamperscope.errors import WeightsError
from tamperscope.models.convert import from_official
from tamperscope.models.starts import start_from
from tamperscope.models.weights import empty_network
from tests.models.recordings import official_state_dict


def fresh(name):
    network = empty_network(name, {}).to_empty(device="cpu")
    with torch.no_grad():  # memory as it was found may hold NaN, which equals nothing
        for tensor in network.state_dict().values():
            tensor.fill_(1)
    return network


def part(kind):
    return from_official(kind, official_state_dict(kind))


@pytest.mark.parametrize(
    ("name", "kind", "loaded", "fresh_in_backbone"),
    [  # the counts that loading the authors' own checkpoints showed
        ("forma_base", "vmamba_t", 272, 18),
        ("loma_base", "efficientvmamba_b", 367, 40),
    ],
)
def test_backbones_fill_what_they_have(name, kind, loaded, fresh_in_backbone):
    network, tensors = fresh(name), part(kind)
    before = network.state_dict()["decoder.predict.weight"].clone()
    filled = start_from(network, kind, tensors)
    state = network.state_dict()
    backbone = {key for key in state if key.startswith("backbone.")}
    assert len(filled) == loaded
    assert len(backbone - set(filled)) == fresh_in_backbone
    assert all(torch.equal(state[key], tensors[key]) for key in filled)
    assert torch.equal(state["decoder.predict.weight"], before)


def test_noiseprint_goes_into_forma():
    network = fresh("forma_base")
    theirs = {
        key.removeprefix("modal_extractor.noiseprint."): tensor
        for key, tensor in official_state_dict("forma").items()
        if "noiseprint" in key
    }
    tensors = from_official("noiseprintpp", theirs)
    assert len(start_from(network, "noiseprintpp", tensors)) == 94
    assert torch.equal(network.noise.extractors[0].convs[16].bias, tensors["convs.16.bias"])


@pytest.mark.parametrize(
    ("name", "kind"), [("loma_base", "vmamba_t"), ("forma_base", "efficientvmamba_b")]
)
def test_the_wrong_backbone_is_refused(name, kind):
    with pytest.raises(WeightsError, match="does not start from"):
        start_from(empty_network(name, {}), kind, {})


def test_other_widths_are_refused():
    network = empty_network("forma_small", {})
    with pytest.raises(WeightsError, match="vmamba_t does not fit this network"):
        start_from(network, "vmamba_t", part("vmamba_t"))


def test_a_part_with_a_hole_is_refused():
    tensors = part("vmamba_t")
    del tensors["backbone.stages.1.0.norm1.weight"]
    with pytest.raises(WeightsError, match=r"stages\.1\.0\.norm1\.weight"):
        start_from(fresh("forma_base"), "vmamba_t", tensors)
