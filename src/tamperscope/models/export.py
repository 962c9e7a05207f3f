"""Networks for other runtimes: a ``torch.export`` program, or an ONNX file.

A program keeps the native scan as one operator and runs where Tamperscope is installed. ONNX has
no such operator, but it has ``Scan``, a loop over a sequence: each selective scan becomes one loop
whose body is the recurrence. It computes the same, slowly, step by step; see docs/models.md.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._higher_order_ops.scan import scan
from torch.export import Dim, ExportedProgram

from tamperscope.errors import MissingExtraError
from tamperscope.kernels.routes import lay_out, put_back, route_index
from tamperscope.models.inference import for_inference
from tamperscope.models.network import Network, Size
from tamperscope.models.ss2d import SS2D


def export_program(network: Network, size: Size) -> ExportedProgram:
    """Return the program that maps one image of ``size`` (height, width) to tamper logits.

    A network that reads matches takes those as a second argument: no program looks for them.
    """
    return torch.export.export(network.eval(), tuple(inputs(network, 1, size)), strict=False)


def export_onnx(network: Network, path: Path, size: Size) -> None:
    """Write an ONNX file: input ``image`` (batch, 3, height, width), output ``logits``.

    Height and width are fixed, the batch is free. A network that reads matches has an input
    ``matches`` too, see :func:`tamperscope.models.matches.image_matches`.

    Raises:
        MissingExtraError: The packages for ONNX are not installed.
    """
    try:
        import onnxscript  # noqa: F401 (torch needs it; ours is the better message)
    except ImportError as error:
        raise MissingExtraError(
            "writing ONNX needs more packages: pip install 'tamperscope[onnx]'"
        ) from error
    prepared = for_inference(network)
    arguments = inputs(network, 2, size)
    names = ["image", "matches"][: len(arguments)]
    with scans_as_loops(prepared), torch.no_grad():
        torch.onnx.export(
            prepared,
            tuple(arguments),
            path,
            input_names=names,
            output_names=["logits"],
            dynamic_shapes={name: {0: Dim("batch")} for name in names},
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def inputs(network: Network, batch: int, size: Size) -> list[Tensor]:
    """Give an example of what the network is called with."""
    image = torch.zeros(batch, 3, *size)
    matches = network.matches_of(image)
    return [image] if matches is None else [image, matches]


@contextmanager
def scans_as_loops(network: Network) -> Iterator[None]:
    """Let every SS2D of ``network`` compute with the loop that ONNX knows."""
    modules = [module for module in network.modules() if isinstance(module, SS2D)]
    for module in modules:
        module.core = partial(looped_core, module)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module in modules:
            del module.core


def looped_core(module: SS2D, x: Tensor) -> Tensor:
    """Compute what :meth:`SS2D.core` does, as a ``scan`` over the steps of the four walks."""
    batch, height, width, channel = x.shape
    states, rank = module.A_logs.shape[1], module.dt_projs_weight.shape[2]
    index = route_index(module.route, height, width, x.device)
    u = lay_out(x.permute(0, 3, 1, 2), index)  # batch, 4, channel, length
    projected = torch.einsum("bkdl,kcd->bkcl", u, module.x_proj_weight)
    dt, B, C = projected.split([rank, states, states], dim=2)
    delta = torch.einsum("bkrl,kdr->bkdl", dt, module.dt_projs_weight)
    delta = F.softplus(delta + module.dt_projs_bias[..., None])
    A = -torch.exp(module.A_logs).view(4, channel, states)

    def step(h: Tensor, now: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        u_t, delta_t, B_t, C_t = now
        decay = torch.exp(delta_t[..., None] * A)
        h = decay * h + (delta_t * u_t)[..., None] * B_t[:, :, None]
        return h, (h * C_t[:, :, None]).sum(dim=-1)

    start = torch.zeros(batch, 4, channel, states, dtype=x.dtype, device=x.device)
    sequences = tuple(s.movedim(-1, 0).contiguous() for s in (u, delta, B, C))
    _, y = scan(step, start, sequences, dim=0)
    y = y.movedim(0, -1) + module.Ds.view(4, channel, 1) * u
    merged = put_back(y, index, height * width)
    return merged.transpose(1, 2).reshape(batch, height, width, channel)
