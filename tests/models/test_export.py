import builtins

import pytest
import torch

from tamperscope.errors import MissingExtraError
from tamperscope.kernels.routes import cross_scan, route_index
from tamperscope.models import create_model
from tamperscope.models.export import export_onnx, export_program, scans_as_loops

NAMES = ["forma_test", "loma_test"]


def lively(name):
    """A network whose scans matter to its answer: fresh projections are close to silent."""
    network = create_model(name).eval()
    for key, parameter in network.named_parameters():
        if key.endswith(("in_proj.weight", "out_proj.weight")):
            parameter.data *= 20
    return network


def drawn(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("name", NAMES)
def test_the_loop_of_onnx_computes_the_scan(name):
    network, image = lively(name), drawn(1, 3, 32, 40)
    with torch.no_grad():
        expected = network(image)
        with scans_as_loops(network):
            looped = network(image)
        torch.testing.assert_close(looped, expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(network(image), expected)
        for module in network.modules():
            if hasattr(module, "Ds"):
                module.Ds.data.zero_()
        assert (network(image) - expected).abs().max() > 1e-3, "the scans must matter"


@pytest.mark.parametrize("name", NAMES)
def test_a_program_answers_as_its_network(name):
    network, image = lively(name), drawn(1, 3, 32, 64)
    program = export_program(network, (32, 64))
    with torch.no_grad():
        assert torch.equal(program.module()(image), network(image))


def reading_matches():
    """A network that is shown matches and answers by them."""
    network = create_model("forma_test", matches=True).eval()
    torch.nn.init.normal_(
        network.matches.mixer.final.weight, generator=torch.Generator().manual_seed(0)
    )
    return network


def test_a_program_of_a_network_that_reads_matches_takes_them_too():
    network, image, matches = reading_matches(), drawn(1, 3, 32, 64), drawn(1, 5, 8, 16)
    program = export_program(network, (32, 64)).module()
    with torch.no_grad():
        assert torch.equal(program(image, matches), network(image, matches))
        assert not torch.equal(program(image, torch.zeros_like(matches)), program(image, matches))


class LaysOut(torch.nn.Module):
    """Asks for a route on a size that nothing else here uses."""

    def forward(self, image):
        return cross_scan(image)


def test_tracing_leaves_no_traced_tensor_behind():
    image = drawn(1, 2, 46, 58)
    traced = torch.export.export(LaysOut(), (image,), strict=False).module()
    index = route_index("cross", 46, 58, image.device)
    assert type(index) is torch.Tensor
    assert index[0, -1].item() == 46 * 58 - 1
    assert torch.equal(traced(image), cross_scan(image))


@pytest.mark.slow  # torch's ONNX exporter takes half a minute per network
@pytest.mark.filterwarnings("ignore")  # its own, about packages it can do without
@pytest.mark.parametrize("name", NAMES)
def test_onnxruntime_answers_as_the_network(name, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network, images = lively(name), drawn(3, 3, 32, 64)
    export_onnx(network, tmp_path / "n.onnx", (32, 64))
    session = runtime.InferenceSession(tmp_path / "n.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": images.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(logits), network(images), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_onnxruntime_is_given_the_matches_too(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network, images, matches = reading_matches(), drawn(3, 3, 32, 64), drawn(3, 5, 8, 16)
    export_onnx(network, tmp_path / "n.onnx", (32, 64))
    session = runtime.InferenceSession(tmp_path / "n.onnx", providers=["CPUExecutionProvider"])
    given = {"image": images.numpy(), "matches": matches.numpy()}
    (logits,) = session.run(["logits"], given)
    with torch.no_grad():
        expected = network(images, matches)
    torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=1e-4, atol=1e-5)


def test_missing_packages_are_named(monkeypatch, tmp_path):
    real = builtins.__import__

    def without_onnx(name, *arguments, **named):
        if name.startswith("onnx"):
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without_onnx)
    with pytest.raises(MissingExtraError, match=r"tamperscope\[onnx\]"):
        export_onnx(create_model("loma_test"), tmp_path / "n.onnx", (32, 32))
