import pytest
import torch

from tamperscope.errors import ModelNameError, WeightsError
from tamperscope.models.convert import OFFICIAL, SRM_KEY, from_official
from tests.models.recordings import official_state_dict

KINDS = ["forma", "loma", "vmamba_t", "efficientvmamba_b", "noiseprintpp"]
COUNTS = {"forma": 503, "loma": 451, "vmamba_t": 276, "efficientvmamba_b": 371, "noiseprintpp": 94}
NOISEPRINT = "modal_extractor.noiseprint."


def official(kind):
    """A state dict under the authors' keys; views, so that nothing large is copied."""
    if kind == "noiseprintpp":
        whole = official_state_dict("forma")
        return {k.removeprefix(NOISEPRINT): t for k, t in whole.items() if NOISEPRINT in k}
    return dict(official_state_dict(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_every_tensor_arrives_once_with_its_values(kind):
    theirs = official(kind)
    ours = from_official(kind, theirs)
    assert len(ours) == COUNTS[kind]
    theirs.pop(SRM_KEY, None)
    by_storage = {t.data_ptr(): t for t in theirs.values()}
    assert len(by_storage) == len(theirs)
    assert {t.data_ptr() for t in ours.values()} == set(by_storage)
    for tensor in ours.values():
        assert torch.equal(tensor.reshape(-1), by_storage[tensor.data_ptr()].reshape(-1))


def test_the_table_names_what_can_be_converted():
    assert sorted(OFFICIAL) == sorted(KINDS)
    with pytest.raises(ModelNameError, match="efficientvmamba_b, forma, loma"):
        from_official("trufor", {})


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"model": state, "optimizer": {"lr": 1}, "epoch": 3},
        lambda state: {"state_dict": {f"module.module.{k}": t for k, t in state.items()}},
        lambda state: {"network": {f"module.{k}": t for k, t in state.items()}, "global_step": 1},
        lambda state: {"state_dict": {"model": {f"model.{k}": t for k, t in state.items()}}},
    ],
)
def test_wrappers_and_common_prefixes_are_taken_off(wrap):
    plain = from_official("noiseprintpp", official("noiseprintpp"))
    wrapped = from_official("noiseprintpp", wrap(official("noiseprintpp")))
    assert list(plain) == list(wrapped)
    assert all(plain[key] is wrapped[key] for key in plain)


def test_missing_extra_and_misshapen_keys_are_listed_together():
    state = official("loma")
    del state["encoder.outnorm2.weight"]
    state["decoder.linear_c5.proj.weight"] = torch.zeros(2)
    state["decoder.linear_pred.bias"] = torch.zeros(3)
    with pytest.raises(WeightsError) as error:
        from_official("loma", state)
    message = str(error.value)
    assert "1 missing (out_norms.2.weight" in message
    assert "1 not of this network (decoder.linear_c5.proj.weight)" in message
    assert "1 of another shape (decoder.linear_pred.bias (3,), not (2,))" in message


@pytest.mark.parametrize("filters", [None, torch.zeros(3, 3, 5, 5), torch.zeros(2)])
def test_foreign_srm_filters_are_refused(filters):
    state = official("forma")
    del state[SRM_KEY]
    if filters is not None:
        state[SRM_KEY] = filters
    with pytest.raises(WeightsError, match=r"srm\.filters"):
        from_official("forma", state)


def test_two_keys_for_one_tensor_are_refused():
    state = official("loma")
    state["decode.linear_pred.bias"] = state["decoder.linear_pred.bias"]
    with pytest.raises(WeightsError, match=r"both become 'decoder.predict.bias'"):
        from_official("loma", state)


@pytest.mark.parametrize("kind", ["loma", "vmamba_t"])
def test_the_wrong_networks_state_dict_is_refused(kind):
    with pytest.raises(WeightsError, match=f"not a state dict of {kind}"):
        from_official(kind, official("forma"))


@pytest.mark.parametrize("checkpoint", [{}, {"epoch": 3}, {"model": {"weight": [1.0]}}])
def test_what_holds_no_tensors_is_refused(checkpoint):
    with pytest.raises(WeightsError, match="no state dict found"):
        from_official("forma", checkpoint)
