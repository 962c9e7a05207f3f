import json
import os
import stat
import struct

import pytest
import torch
from safetensors.torch import save_file

from tamperscope.errors import WeightsError
from tamperscope.models import MODELS, create_model
from tamperscope.models.weights import (
    WeightsCard,
    config_of,
    load_weights,
    read_card,
    save_weights,
    stored_types,
)

IMAGE = torch.rand(1, 3, 40, 33, generator=torch.Generator().manual_seed(3))


def card_of(network, **more):
    return WeightsCard(network.builder, config_of(network), "drawn", "Apache-2.0", **more)


@pytest.fixture
def network():
    return create_model("forma_test", seed=7, noise="encoder").eval()


@pytest.fixture
def saved(network, tmp_path):
    path = tmp_path / "saved.safetensors"
    save_weights(path, network, card_of(network, commit="abc"))
    return path


def edited(path, change):
    """Rewrite a file after ``change`` has had its tensors and metadata in hand."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata())
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    change(tensors, metadata)
    save_file(tensors, path, metadata=metadata)
    return path


@pytest.mark.parametrize("name", [name for name in MODELS if name.endswith("_test")])
def test_a_file_is_all_that_a_network_needs(name, tmp_path):
    network = create_model(name, seed=3).eval()
    save_weights(tmp_path / "w.safetensors", network, card_of(network))
    loaded = load_weights(tmp_path / "w.safetensors")
    assert not loaded.training
    assert loaded.builder == name
    assert loaded.config == network.config
    with torch.no_grad():
        assert torch.equal(loaded(IMAGE), network(IMAGE))
    trains = [parameter.requires_grad for parameter in network.parameters()]
    assert [parameter.requires_grad for parameter in loaded.parameters()] == trains


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_who_may_read_other_new_files_may_read_weights(saved, tmp_path):
    beside = tmp_path / "beside"
    beside.touch()
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(beside.stat().st_mode)


def test_changed_configs_come_back(network, saved):
    loaded = load_weights(saved)
    assert loaded.config.noise == "encoder"
    assert loaded.config.extractors == ("bayar", "srm")
    card = read_card(saved)
    assert (card.data, card.licence, card.commit, card.source) == (
        "drawn",
        "Apache-2.0",
        "abc",
        None,
    )


def test_half_precision_halves_the_file_and_keeps_ten_bits(network, tmp_path):
    paths = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    for path, half in zip(paths, (False, True), strict=True):
        save_weights(path, network, card_of(network), half=half)
    assert stored_types(paths[1]) == ["F16", "I64"]
    tensors = sum(t.numel() for t in network.state_dict().values() if t.is_floating_point())
    shrunk = paths[0].stat().st_size - paths[1].stat().st_size
    assert shrunk == pytest.approx(2 * tensors, abs=4096)
    loaded = load_weights(paths[1])
    for key, tensor in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[key], tensor, rtol=2**-10, atol=1e-7)


def test_values_beyond_half_precision_are_refused(network, tmp_path):
    network.decoder.fuse_norm.running_var[0] = 1e6
    with pytest.raises(WeightsError, match=r"fuse_norm\.running_var.*65,504"):
        save_weights(tmp_path / "w.safetensors", network, card_of(network), half=True)
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.999])
def test_truncated_files_are_refused(saved, kept):
    content = saved.read_bytes()
    saved.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_weights(saved)


def test_a_header_that_claims_more_than_there_is_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", 2**40) + b"{}")
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_weights(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(network, saved, tmp_path, value):
    def spoil(tensors, _metadata):
        tensors["decoder.predict.weight"][0, 0] = value

    with pytest.raises(WeightsError, match=r"NaN or infinity in 1 tensors \(decoder\.predict"):
        load_weights(edited(saved, spoil))
    network.decoder.predict.weight.data[0, 0] = value
    with pytest.raises(WeightsError, match="was not written"):
        save_weights(tmp_path / "other.safetensors", network, card_of(network))


def test_weights_of_another_network_are_refused(saved):
    def claim(_tensors, metadata):
        metadata["builder"], metadata["config"] = "loma_test", "{}"

    with pytest.raises(WeightsError, match=r"does not hold the weights of loma_test: .* missing"):
        load_weights(edited(saved, claim))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: t.pop("decoder.predict.bias"), r"1 missing \(decoder.predict.bias\)"),
        (lambda t, m: t.update(more=torch.zeros(1)), r"1 unknown \(more\)"),
        (
            lambda t, m: t.update({"decoder.predict.bias": torch.zeros(3)}),
            r"1 of another shape \(decoder.predict.bias \(3,\), not \(2,\)\)",
        ),
        (lambda t, m: m.update(format="other/1"), "has no tamperscope-weights/1 card"),
        (lambda t, m: m.pop("licence"), "card is incomplete or broken"),
        (lambda t, m: m.update(config="{"), "card is incomplete or broken"),
        (lambda t, m: m.update(builder="resnet50"), "No model is called 'resnet50'"),
        (lambda t, m: m.update(config='{"colour": 3}'), "does not describe a network.*colour"),
        (lambda t, m: m.update(config='{"noise": "all"}'), "noise must be"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(saved, change, message):
    with pytest.raises(WeightsError, match=message):
        load_weights(edited(saved, change))


def test_a_start_for_training_is_not_used_by_mistake(network, tmp_path):
    path = tmp_path / "start.safetensors"
    save_weights(path, network, card_of(network, untrained=("decoder.predict.bias",)))
    with pytest.raises(WeightsError, match="start for training, its answers would be random"):
        load_weights(path)
    assert load_weights(path, for_training=True).builder == "forma_test"
    assert read_card(path).untrained == ("decoder.predict.bias",)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors is not there"):
        load_weights(tmp_path / "nowhere.safetensors")


def test_the_header_is_plain_json(saved):
    content = saved.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    assert metadata["format"] == "tamperscope-weights/1"
    assert json.loads(metadata["config"])["noise"] == "encoder"
