"""Parameters and operations of a network, counted as the papers count.

One multiply-add is one operation. Counted are convolutions and matrix products (without biases),
bilinear enlargements (4 per output), average pooling (1 per input), LayerNorm (5 per element) and
batch normalisation (2 per element; 5 while training); activations, element-wise arithmetic, plain
means and pixel shuffles are not: what fvcore's FlopCountAnalysis counts in the authors' code, with
which ForMa's table was made, in training mode. The scan and the fixed SRM filters are not in that
table. The scan has a column of its own, by the formula that VMamba's authors use:

    9 B L D N + B D L     for batch B, length L, D scanned channels in all four walks, N states

A network that takes pairs is counted for one image, half of a pair, since BioTamperNet's table
counts its product of similarities so (1 G for one 1,600 x 1,600 x 384).

The network runs on torch's ``meta`` device: shapes are worked out, nothing is computed.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tamperscope.models.layers import MapPool
from tamperscope.models.loma import SumDecoder
from tamperscope.models.network import Network
from tamperscope.models.noise import SRM
from tamperscope.models.pair_network import PairNetwork
from tamperscope.models.ss2d import SS2D, WALKS

aten = torch.ops.aten


@dataclass(frozen=True)
class Complexity:
    """Cost of one image; of a network that takes pairs, of one of the two."""

    parameters: int  # all of them, frozen ones too
    trainable: int
    operations: int  # multiply-adds without the scan, as the papers report
    scan_operations: int  # the scan's own


def complexity(network: nn.Module, height: int, width: int, *, training: bool = True) -> Complexity:
    """Count one image of ``height`` x ``width``.

    Args:
        network: Built on the ``meta`` device (``weights.empty_network``); nothing is computed.
        height: Rows of the image.
        width: Columns of the image.
        training: Count batch normalisation as in training, as the papers' tables do.

    Raises:
        ValueError: The network has memory of its own; counting would compute for minutes.
    """
    if any(p.device.type != "meta" for p in network.parameters()):
        raise ValueError("count a network on the meta device, as weights.empty_network builds it")
    image = torch.empty(1, 3, height, width, device="meta")
    counter = OperationCounter()
    run = network.class_logits if isinstance(network, Network) else network
    images = 2 if isinstance(network, PairNetwork) else 1
    with as_published(network, counter, training), counter, torch.no_grad():
        run(*[image] * images)
    return Complexity(
        parameters=sum(p.numel() for p in network.parameters()),
        trainable=sum(p.numel() for p in network.parameters() if p.requires_grad),
        operations=counter.operations // images,
        scan_operations=counter.scan_operations // images,
    )


class OperationCounter(TorchDispatchMode):
    """Adds up the operations of every tensor operation that runs under it."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0
        self.scan_operations = 0
        self.paused = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run ``func`` and count it."""
        result = func(*args, **(kwargs or {}))
        count = COUNTED.get(func.overloadpacket)
        if count is not None and not self.paused:
            self.operations += count(args, result)
        return result

    def add_pool(self, _module: nn.Module, arguments: Any, _result: Tensor) -> None:
        """Add an average pooling; a forward hook."""
        self.operations += arguments[0].numel()

    def add_ss2d(self, module: SS2D, x: Tensor) -> None:
        """Add the projections of an SS2D core, and its scan, by formula."""
        batch, height, width, channel = x.shape
        if module.route == "cross":
            length = height * width
        else:
            length = math.ceil(height / 2) * math.ceil(width / 2)
        rows, rank = module.x_proj_weight.shape[1], module.dt_projs_weight.shape[2]
        scanned, states = WALKS * channel, module.A_logs.shape[1]
        self.operations += batch * length * scanned * (rows + rank)
        self.scan_operations += batch * length * scanned * (9 * states + 1)


@contextmanager
def as_published(network: nn.Module, counter: OperationCounter, training: bool) -> Iterator[None]:
    """Let ``network`` run in the authors' order, with its scans counted by formula."""
    was_training = {module: module.training for module in network.modules()}
    undo: list[Callable[[], Any]] = []

    def pause(_module: nn.Module, _arguments: Any, _result: Any = None) -> None:
        counter.paused = not counter.paused

    for module in network.modules():
        module.training = training  # not train(): Noiseprint++ would keep out of it
        if isinstance(module, SumDecoder):
            module.join_first = True
            undo.append(partial(delattr, module, "join_first"))
        elif isinstance(module, SRM):
            handles = [module.register_forward_pre_hook(pause), module.register_forward_hook(pause)]
            undo.extend(handle.remove for handle in handles)
        elif isinstance(module, MapPool):
            undo.append(module.register_forward_hook(counter.add_pool).remove)
        elif isinstance(module, SS2D):

            def core(x: Tensor, module: SS2D = module) -> Tensor:
                counter.add_ss2d(module, x)
                return x

            module.core = core  # type: ignore[method-assign]
            undo.append(partial(delattr, module, "core"))
    try:
        yield
    finally:
        for step in undo:
            step()
        for module, mode in was_training.items():
            module.training = mode


def convolution(args: Any, result: Tensor) -> int:
    """Each output is one product with a filter."""
    return result.numel() * math.prod(args[1].shape[1:])


def product(args: Any, result: Tensor) -> int:
    """Matrix product: outputs times the shared length."""
    return result.numel() * args[-2].shape[-1]


def enlargement(args: Any, result: Tensor) -> int:
    return 4 * result.numel()


def layer_norm(args: Any, result: tuple[Tensor, ...]) -> int:
    return 5 * result[0].numel()


def batch_norm(args: Any, result: tuple[Tensor, ...]) -> int:
    """``args[5]`` says whether statistics are those of the batch."""
    return (5 if args[5] else 2) * result[0].numel()


COUNTED: dict[Any, Callable[[Any, Any], int]] = {
    aten.convolution: convolution,
    aten.mm: product,
    aten.bmm: product,
    aten.addmm: product,
    aten.upsample_bilinear2d: enlargement,
    aten.native_layer_norm: layer_norm,
    aten.native_batch_norm: batch_norm,
}
