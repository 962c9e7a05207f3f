"""The two-dimensional scan in place against laying the sequences out, in float64."""

from functools import cache

import pytest
import torch
from torch.nn import functional as F

from tamperscope.kernels import native_ss2d, ss2d
from tamperscope.kernels.routes import ROUTES
from tests.kernels.scan_cases import (
    EVERY,
    FAST,
    device_of,
    differentiable,
    relative_error,
    scan_inputs,
)

# Largest errors over all cases below, any instruction set: outputs 3e-7, gradients 2e-6.
OUTPUT_TOLERANCE = 1e-6
GRADIENT_TOLERANCE = 1e-5

SIZES = [  # batch, height, width, channel, rank, state
    (1, 1, 1, 1, 1, 1),
    (2, 7, 6, 8, 2, 3),
    (1, 10, 12, 96, 6, 1),
    (1, 13, 5, 40, 3, 16),
    (3, 5, 3, 70, 12, 5),
    (1, 7, 10, 112, 17, 16),
    (2, 1, 37, 19, 9, 8),
    (1, 33, 2, 32, 48, 2),
]


def map_inputs(batch, height, width, channel, rank, state, seed=0):
    """Float32 arguments with the statistics of a freshly initialised VMamba."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    bias = scan_inputs(1, 4 * channel, 1, 1, 1, seed)["delta_bias"]
    return {
        "x": normal(batch, height, width, channel),
        "x_proj_weight": normal(4, rank + 2 * state, channel) / channel**0.5,
        "dt_projs_weight": normal(4, channel, rank) * 0.5 / rank**0.5,
        "dt_projs_bias": bias.view(4, channel),
        "A_logs": torch.log(torch.arange(1.0, state + 1)).repeat(4 * channel, 1)
        + 0.1 * normal(4 * channel, state),
        "Ds": normal(4 * channel),
    }


@cache
def expected_results(size, route):
    inputs = differentiable(map_inputs(*size), torch.float64)
    y = ss2d(**inputs, route=route, implementation="reference")
    toward = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    grads = torch.autograd.grad(y, list(inputs.values()), toward.double())
    return y.detach(), dict(zip(inputs, grads, strict=True)), toward


@pytest.mark.parametrize("implementation", FAST)
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "-".join(map(str, size)))
@pytest.mark.usefixtures("nan_filled_memory")
def test_map_and_every_gradient_match_the_reference(implementation, route, size):
    expected, expected_grads, toward = expected_results(size, route)
    inputs = differentiable(map_inputs(*size), torch.float32, device_of(implementation))
    y = ss2d(**inputs, route=route, implementation=implementation)
    assert relative_error(y, expected) < OUTPUT_TOLERANCE
    grads = torch.autograd.grad(y, list(inputs.values()), toward.to(y.device))
    for (name, want), got in zip(expected_grads.items(), grads, strict=True):
        assert relative_error(got, want) < GRADIENT_TOLERANCE, name


def test_the_definition_is_the_recurrence_written_out_for_one_cell_after_another():
    """Independent of routes and selective_scan: plain loops over a small map, cross route."""
    inputs = {name: tensor.double() for name, tensor in map_inputs(1, 2, 3, 2, 1, 2).items()}
    x, out = inputs["x"][0], torch.zeros(2, 3, 2, dtype=torch.float64)
    rows = [(r, c) for r in range(2) for c in range(3)]
    columns = [(r, c) for c in range(3) for r in range(2)]
    for k, cells in enumerate([rows, columns, rows[::-1], columns[::-1]]):
        h = torch.zeros(2, 2, dtype=torch.float64)
        for cell in cells:
            dt, B, C = (inputs["x_proj_weight"][k] @ x[cell]).split([1, 2, 2])
            delta = F.softplus(inputs["dt_projs_weight"][k] @ dt + inputs["dt_projs_bias"][k])
            A = -inputs["A_logs"][2 * k : 2 * k + 2].exp()
            h = (delta[:, None] * A).exp() * h + delta[:, None] * B * x[cell][:, None]
            out[cell] += h @ C + inputs["Ds"][2 * k : 2 * k + 2] * x[cell]
    actual = ss2d(**inputs, implementation="reference")
    torch.testing.assert_close(actual[0], out)


@pytest.mark.parametrize("route", ROUTES)
def test_any_number_of_threads_gives_the_same_bits(route):
    inputs = differentiable(map_inputs(1, 18, 17, 48, 3, 2), torch.float32)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            y = ss2d(**inputs, route=route, implementation="native")
            results.append([y, *torch.autograd.grad(y.square().sum(), list(inputs.values()))])
    finally:
        torch.set_num_threads(before)
    parts = {native_ss2d.parts_of_a_map(1, 48, "cross")}
    assert parts <= {1, 4}
    for tensors in results[1:]:
        assert torch.equal(tensors[0], results[0][0])
        for name, got, want in zip(inputs, tensors[1:], results[0][1:], strict=True):
            if name != "x_proj_weight":  # torch's own matrix product depends on its threads
                assert torch.equal(got, want) or relative_error(got, want) < 1e-6, name


@pytest.mark.parametrize("implementation", EVERY)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_comes_back_in_its_own_type(implementation, dtype):
    inputs = {
        name: tensor.to(device_of(implementation), dtype)
        for name, tensor in map_inputs(1, 6, 5, 8, 2, 3).items()
    }
    wide = {name: tensor.cpu().double() for name, tensor in inputs.items()}
    expected = ss2d(**wide, implementation="reference")
    y = ss2d(**inputs, implementation=implementation)
    assert y.dtype == dtype
    assert relative_error(y, expected) < (4e-3 if dtype == torch.bfloat16 else 5e-4)


def test_autocast_does_not_reach_inside():
    inputs = map_inputs(1, 6, 5, 8, 2, 3)
    for implementation in ("native", "chunked"):
        expected = ss2d(**inputs, implementation=implementation)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            actual = ss2d(**inputs, implementation=implementation)
        assert torch.equal(actual, expected)


def test_a_channels_first_map_seen_as_channels_last_is_read_right():
    inputs = map_inputs(2, 7, 6, 8, 2, 3)
    expected = ss2d(**inputs, implementation="native")
    inputs["x"] = inputs["x"].permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    assert not inputs["x"].is_contiguous()
    assert torch.equal(ss2d(**inputs, implementation="native"), expected)


@pytest.mark.parametrize("implementation", EVERY)
@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("x", (1, 8, 6), r"x must be \(batch, height, width, channel\)"),
        ("x", (1, 0, 5, 8), "all at least 1"),
        ("x_proj_weight", (4, 7, 8), r"x_proj_weight must be \[4, 8, 8\]"),
        ("dt_projs_weight", (4, 8), r"dt_projs_weight \(4, channel, rank\)"),
        ("dt_projs_weight", (4, 8, 0), "at least 1, got 3 and 0"),
        ("dt_projs_bias", (32,), r"dt_projs_bias must be \[4, 8\]"),
        ("A_logs", (8, 3), r"A_logs must be \[32, 3\]"),
        ("Ds", (8,), r"Ds must be \[32\]"),
    ],
)
def test_shapes_that_do_not_fit_are_named(implementation, name, shape, message):
    inputs = map_inputs(1, 6, 5, 8, 2, 3)
    inputs[name] = torch.zeros(shape)
    with pytest.raises(ValueError, match=message):
        ss2d(**inputs, implementation=implementation)


def test_an_unknown_route_is_an_error():
    for implementation in ("native", "chunked"):
        with pytest.raises(ValueError, match="one of cross, atrous, got 'spiral'"):
            ss2d(**map_inputs(1, 2, 2, 4, 1, 1), route="spiral", implementation=implementation)
