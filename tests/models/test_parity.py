import json

import numpy as np
import pytest
import torch

from tamperscope.kernels import IMPLEMENTATIONS
from tamperscope.models.convert import OFFICIAL, rename
from tamperscope.models.network import tamper_logits
from tamperscope.training.losses import dice_focal_loss
from tests.models.capture import capture
from tests.models.fill import recorded_input
from tests.models.recordings import (
    FOLDER,
    INNER_TOLERANCE,
    LOGITS_TOLERANCE,
    official_state_dict,
    read,
    recorded_network,
)

ON_A_CPU = sorted(set(IMPLEMENTATIONS) - {"triton"})
QUICK = [
    "forma_blocks_128x160",
    "forma_dark_128x160",
    "loma_blocks_128x160",
    "loma_dark_128x160",
    "vmamba_t_dark_128x160",
]
SLOW = ["forma_256", "loma_256", "loma_odd_202x230", "vmamba_t_256"]


def named_as_ours(kind, keys):
    return [rename(key, OFFICIAL[kind].renames) for key in keys]


def check_gradient(name, actual, expected):
    largest = float(np.abs(expected).max())
    worst = float(np.abs(actual.numpy() - expected).max())
    assert worst <= 1e-3 * largest, f"{name}: {worst:.3g} of {largest:.3g}"


def logits_of(network, image):
    return network.class_logits(image) if hasattr(network, "class_logits") else network(image)


@pytest.mark.parametrize("kind", ["forma", "loma", "vmamba_t"])
def test_the_filling_rule_draws_what_the_recorders_drew(kind):
    recording = read(next(FOLDER.glob(f"{kind}_*128x160.npz")))
    tensors = official_state_dict(kind).values()
    sums = [float(tensor.double().sum()) for tensor in tensors]
    np.testing.assert_allclose(sums, recording.arrays["fill_sum"], rtol=1e-9, atol=1e-9)
    first = [float(tensor.reshape(-1)[0]) for tensor in tensors]
    np.testing.assert_allclose(first, recording.arrays["fill_first"], rtol=1e-6)


@pytest.mark.parametrize(
    "name", [*QUICK, *[pytest.param(name, marks=pytest.mark.slow) for name in SLOW]]
)
def test_every_recorded_tensor_is_met(name, monkeypatch):
    recording = read(FOLDER / f"{name}.npz")
    network = recorded_network(recording.kind)
    if recording.kind == "loma":  # the joined scales exist only in the authors' order
        monkeypatch.setattr(network.decoder, "join_first", True)
    found = capture(
        network, recording.kind, recording.names, lambda: logits_of(network, recording.image)
    )
    assert set(recording.names) <= set(found), "a recorded tensor has no counterpart"
    for tensor_name in recording.names:
        expected = recording.arrays[tensor_name]
        actual = recording.sample(tensor_name, found[tensor_name])
        largest = max(abs(recording.arrays[f"{tensor_name}__stats"][2:4]))
        tolerance = LOGITS_TOLERANCE if tensor_name == "logits" else INNER_TOLERANCE * largest
        worst = float(np.abs(actual - expected).max())
        assert worst <= tolerance, f"{tensor_name}: {worst:.3g} > {tolerance:.3g}"
        stats = recording.arrays[f"{tensor_name}__stats"]
        whole = found[tensor_name].double()
        norm = float(torch.linalg.vector_norm(whole))
        assert norm == pytest.approx(float(stats[4]), rel=1e-4), tensor_name


@pytest.mark.parametrize("implementation", ON_A_CPU)
@pytest.mark.parametrize("name", ["forma_dark_128x160", "loma_blocks_128x160"])
def test_logits_agree_in_every_scan_implementation(name, implementation, monkeypatch):
    monkeypatch.setenv("TAMPERSCOPE_SCAN", implementation)
    recording = read(FOLDER / f"{name}.npz")
    with torch.no_grad():
        logits = recorded_network(recording.kind).class_logits(recording.image)
    expected = torch.from_numpy(recording.arrays["logits"]).view(logits.shape)
    assert (logits - expected).abs().max() <= LOGITS_TOLERANCE


@pytest.mark.parametrize("implementation", ON_A_CPU)
@pytest.mark.parametrize("kind", ["forma", "loma"])
def test_gradients_agree_in_every_scan_implementation(kind, implementation, monkeypatch):
    """Of ForMa's loss, with respect to every parameter and to the image."""
    monkeypatch.setenv("TAMPERSCOPE_SCAN", implementation)
    with np.load(FOLDER / f"{kind}_grad_64x96.npz") as file:
        expected = dict(file)
    meta = json.loads(str(expected["meta_json"]))
    image = recorded_input(meta["input_seed"], tuple(meta["input_shape"]), 1.0, "uniform")
    image.requires_grad_()
    mask = torch.zeros(2, 64, 96)
    mask[0, 16:48, 32:64] = 1
    mask[1, :32, :24] = 1
    network = recorded_network(kind)
    logits = network.class_logits(image)
    loss = dice_focal_loss(tamper_logits(logits), mask)
    assert loss.item() == pytest.approx(float(expected["loss"]), rel=1e-5)

    parameters = {key: p for key, p in network.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(loss, [image, *parameters.values()])
    check_gradient("image", gradients[0].reshape(-1)[::37], expected["grad_input_sample"])
    ours = dict(zip(parameters, gradients[1:], strict=True))
    official = [key for key in official_state_dict(kind) if key in set(meta["keys"])]
    assert len(official) == len(meta["keys"])
    assert sorted(named_as_ours(kind, official)) == sorted(ours)
    for index, key in enumerate(meta["keys"]):
        gradient = ours[named_as_ours(kind, [key])[0]].reshape(-1)
        largest = float(expected["param_l2"][index])
        assert gradient.norm().item() == pytest.approx(largest, rel=1e-3), key
        head = gradient[:: max(1, gradient.numel() // 8)][:8]
        wanted = expected["param_head"][index][: head.numel()]
        np.testing.assert_allclose(head, wanted, rtol=1e-3, atol=1e-3 * largest, err_msg=key)
