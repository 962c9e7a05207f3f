"""Inputs and comparisons shared by the tests of the scan."""

import pytest
import torch

from tamperscope.kernels.scan import IMPLEMENTATIONS


def marked(name):
    """A test parameter; what needs a GPU carries the mark."""
    return pytest.param(name, marks=pytest.mark.gpu if name == "triton" else ())


EVERY = [marked(name) for name in IMPLEMENTATIONS]
FAST = [marked(name) for name in IMPLEMENTATIONS if name != "reference"]


def device_of(implementation):
    return "cuda" if implementation == "triton" else "cpu"


def scan_inputs(batch, channel, groups, state, length, seed=0):
    """Float32 arguments with the statistics of a fresh VMamba; skip and bias drawn."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    step = torch.exp(torch.rand(channel, generator=generator) * 4.6 - 6.9)  # 0.001 ... 0.1
    return {
        "u": normal(batch, channel, length),
        "delta": normal(batch, channel, length) * 0.5,
        "A": -torch.arange(1.0, state + 1).repeat(channel, 1) * (1 + 0.1 * normal(channel, 1)),
        "B": normal(batch, groups, state, length),
        "C": normal(batch, groups, state, length),
        "skip": normal(channel),
        "delta_bias": step + torch.log(-torch.expm1(-step)),
    }


def differentiable(inputs, dtype, device="cpu"):
    return {name: tensor.to(device, dtype).requires_grad_() for name, tensor in inputs.items()}


def relative_error(actual, expected):
    """Largest difference over the largest expected value."""
    actual, expected = actual.detach().cpu().double(), expected.detach().cpu().double()
    assert actual.shape == expected.shape
    scale = expected.abs().max().item()
    return (actual - expected).abs().max().item() / (scale or 1.0)
