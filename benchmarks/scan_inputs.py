"""Shapes and arguments of the scan benchmark, and the comparison without which nothing is timed."""

import sys
from collections.abc import Callable

import torch
from torch import Tensor

from tamperscope.kernels import selective_scan, ss2d

STAGES = [(128, 96), (64, 192), (32, 384), (16, 768)]  # side of the map, channels at state 1
TOLERANCE = {"y": 1e-6}  # relative to the largest value, against float64; gradients: the next line
GRADIENT_TOLERANCE = 2e-5  # sums over 16384 steps in float32
SEED = 0

Call = Callable[..., Tensor]
Inputs = dict[str, Tensor]


def sequences(batch: int, side: int, channel: int, states: int) -> Inputs:
    """Arguments of the four-direction sequences of one stage, as a fresh VMamba has them."""
    generator = torch.Generator().manual_seed(SEED)
    length, wide = side * side, 4 * channel
    step = torch.exp(torch.rand(wide, generator=generator) * 4.6 - 6.9)  # 0.001 ... 0.1
    return {
        "u": torch.randn(batch, wide, length, generator=generator),
        "delta": torch.randn(batch, wide, length, generator=generator) * 0.5,
        "A": -torch.arange(1.0, states + 1).repeat(wide, 1),
        "B": torch.randn(batch, 4, states, length, generator=generator),
        "C": torch.randn(batch, 4, states, length, generator=generator),
        "skip": torch.ones(wide),
        "delta_bias": step + torch.log(-torch.expm1(-step)),
    }


def maps(batch: int, side: int, channel: int, states: int, rank: int) -> Inputs:
    """Arguments of the two-dimensional scan of the same stage."""
    generator = torch.Generator().manual_seed(SEED)
    bias = sequences(1, 1, channel, 1)["delta_bias"]
    return {
        "x": torch.randn(batch, side, side, channel, generator=generator),
        "x_proj_weight": torch.randn(4, rank + 2 * states, channel, generator=generator)
        / channel**0.5,
        "dt_projs_weight": torch.randn(4, channel, rank, generator=generator) * 0.5 / rank**0.5,
        "dt_projs_bias": bias.view(4, channel),
        "A_logs": torch.log(torch.arange(1.0, states + 1)).repeat(4 * channel, 1),
        "Ds": torch.ones(4 * channel),
    }


def scan_by(implementation: str) -> Call:
    return lambda **inputs: selective_scan(
        **inputs, delta_softplus=True, implementation=implementation
    )


def map_by(implementation: str) -> Call:
    return lambda **inputs: ss2d(**inputs, implementation=implementation)


def results(call: Call, inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """Output and every gradient."""
    leaves = {name: tensor.to(dtype).requires_grad_() for name, tensor in inputs.items()}
    y = call(**leaves)
    grads = torch.autograd.grad(y.sum(), list(leaves.values()))
    return {"y": y.detach(), **dict(zip(leaves, grads, strict=True))}


def refuse_unless_equal(by: Callable[[str], Call], inputs: Inputs, witness: str) -> None:
    """Exit without numbers if native float32 and ``witness`` in float64 do not agree."""
    wide = results(by(witness), inputs, torch.float64)
    narrow = results(by("native"), inputs, torch.float32)
    for name, want in wide.items():
        error = ((narrow[name] - want).abs().max() / want.abs().max().clamp(min=1e-30)).item()
        if not error < TOLERANCE.get(name, GRADIENT_TOLERANCE):
            sys.exit(f"native and {witness} differ in {name} by {error:.1e}: nothing is reported")


def refuse_on_disagreement(states: int, side: int, channel: int, rank: int) -> None:
    """Compare with the reference on short inputs, and with chunked on the length of the stage."""
    refuse_unless_equal(scan_by, sequences(2, 11, 20, states), "reference")
    refuse_unless_equal(map_by, maps(2, 9, 20, states, 3), "reference")
    refuse_unless_equal(scan_by, sequences(1, side, channel // 8, states), "chunked")
    refuse_unless_equal(map_by, maps(1, side, channel // 8, states, rank), "chunked")
