import pytest
import torch

from tamperscope.models import create_model
from tamperscope.models.loma import LoMaConfig
from tamperscope.models.weights import empty_network


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_parameters_are_as_many_as_published():
    network = empty_network("loma_base", {})
    assert sum(p.numel() for p in network.parameters()) == 36_984_956
    assert sum(p.numel() for p in network.decoder.parameters()) == 3_474_242
    backbone = network.backbone
    stages = [
        sum(p.numel() for part in (stage, merging) for p in part.parameters())
        for stage, merging in zip(backbone.stages[:3], backbone.downsamples, strict=True)
    ]
    assert stages == [424_030, 1_523_132, 17_310_144]


def test_without_channel_attention_the_block_is_efficientvmambas_own():
    network = empty_network("loma_base", {"channel_attention": False})
    own = {key for key in empty_network("efficientvmamba_b", {}).state_dict() if "backbone" in key}
    assert {key for key in network.state_dict() if key.startswith("backbone")} == own


def test_channel_attention_takes_part():
    image = drawn(1, 3, 32, 48)
    network = create_model("loma_test").eval()
    with torch.no_grad():
        before = network(image)
        network.backbone.stages[0][0].channel_attention.restore.weight.mul_(3)
        assert not torch.equal(before, network(image))
        without = create_model("loma_test", channel_attention=False).eval()(image)
    assert without.shape == before.shape


@pytest.mark.parametrize("size", [(32, 48), (39, 50)], ids=str)
def test_fusing_at_own_scale_is_fusing_after_joining(size, monkeypatch):
    network = create_model("loma_test").eval().double()
    image = drawn(1, 3, *size).double()
    with torch.no_grad():
        added = network.class_logits(image)
        monkeypatch.setattr(network.decoder, "join_first", True)
        joined = network.class_logits(image)
    torch.testing.assert_close(added, joined, rtol=1e-10, atol=1e-12)


def test_configs_check_themselves():
    with pytest.raises(ValueError, match="four stages"):
        LoMaConfig(widths=(8, 8, 8))
