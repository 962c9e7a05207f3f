"""Every implementation of the selective scan against the float64 reference and recorded values."""

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from tamperscope.errors import MissingKernelError
from tamperscope.kernels import chosen_implementation, native_scan, selective_scan
from tamperscope.kernels import scan as scan_module
from tests.kernels.scan_cases import (
    EVERY,
    FAST,
    device_of,
    differentiable,
    relative_error,
    scan_inputs,
)

GOLDEN = Path(__file__).parent / "golden" / "selective_scan.npz"
# Largest errors over all cases below, any instruction set: outputs 3e-7, gradients 4e-6 (of A, skip
# and bias, which are sums over all steps); 16384 steps are the worst.
OUTPUT_TOLERANCE = 1e-6
GRADIENT_TOLERANCE = 1e-5

STATES_AND_GROUPS = [(state, groups) for state in (1, 8, 16) for groups in (1, 4)]
QUICK_WHEN_LONG = {2053: [(1, 1), (8, 4), (16, 1)], 16384: [(1, 4)]}  # the rest is marked slow


def cases():
    for length in (1, 37, 331, 2053, 16384):
        for state, groups in STATES_AND_GROUPS:
            channel = 8 if groups == 4 else 19  # 19: no multiple of any vector
            slow = (state, groups) not in QUICK_WHEN_LONG.get(length, STATES_AND_GROUPS)
            yield pytest.param(
                (2 if length < 2053 else 1, channel, groups, state, length),
                marks=pytest.mark.slow if slow else (),
                id=f"channel{channel}-groups{groups}-state{state}-length{length}",
            )


@cache
def expected_results(case):
    """Output and gradients of the reference in float64, and the direction they were taken in."""
    inputs = differentiable(scan_inputs(*case), torch.float64)
    y = selective_scan(**inputs, delta_softplus=True, implementation="reference")
    toward = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    grads = torch.autograd.grad(y, list(inputs.values()), toward.double())
    return y.detach(), dict(zip(inputs, grads, strict=True)), toward


@pytest.mark.parametrize("implementation", FAST)
@pytest.mark.parametrize("case", list(cases()))
@pytest.mark.usefixtures("nan_filled_memory")
def test_outputs_and_every_gradient_match_the_reference(implementation, case):
    expected, expected_grads, toward = expected_results(case)
    inputs = differentiable(scan_inputs(*case), torch.float32, device_of(implementation))
    y = selective_scan(**inputs, delta_softplus=True, implementation=implementation)
    assert relative_error(y, expected) < OUTPUT_TOLERANCE
    grads = torch.autograd.grad(y, list(inputs.values()), toward.to(y.device))
    for (name, want), got in zip(expected_grads.items(), grads, strict=True):
        assert relative_error(got, want) < GRADIENT_TOLERANCE, name


@pytest.mark.parametrize("implementation", EVERY)
@pytest.mark.parametrize("case", ["n16", "n1", "n16_nobias_nosoftplus_noD", "n1_long"])
def test_recorded_values_are_reproduced(implementation, case):
    with np.load(GOLDEN) as golden:
        recorded = {
            name.removeprefix(case + "."): torch.from_numpy(golden[name])
            for name in golden.files
            if name.startswith(case + ".")
        }
    names = [name for name in ("u", "delta", "A", "B", "C", "D", "delta_bias") if name in recorded]
    inputs = differentiable(
        {name: recorded[name] for name in names}, torch.float32, device_of(implementation)
    )
    softplus = "delta_bias" in recorded
    y = selective_scan(*inputs.values(), delta_softplus=softplus, implementation=implementation)
    assert relative_error(y, recorded["y"]) < OUTPUT_TOLERANCE
    grads = torch.autograd.grad(y, list(inputs.values()), recorded["dy"].to(y.device))
    for name, got in zip(names, grads, strict=True):
        assert relative_error(got, recorded[f"grad_{name}"]) < GRADIENT_TOLERANCE, name


@pytest.mark.parametrize("implementation", FAST)
@pytest.mark.parametrize("softplus", [False, True])
@pytest.mark.parametrize("left_out", [("skip",), ("delta_bias",), ("skip", "delta_bias")])
def test_skip_bias_and_softplus_can_be_left_out(implementation, softplus, left_out):
    inputs = scan_inputs(2, 6, 2, 3, 45)
    if not softplus:
        inputs["delta"] = inputs["delta"].abs() * 0.1
        inputs["delta_bias"] = inputs["delta_bias"].abs() * 0.1
    for name in left_out:
        del inputs[name]
    wide = differentiable(inputs, torch.float64)
    expected = selective_scan(**wide, delta_softplus=softplus, implementation="reference")
    narrow = differentiable(inputs, torch.float32, device_of(implementation))
    y = selective_scan(**narrow, delta_softplus=softplus, implementation=implementation)
    assert relative_error(y, expected) < OUTPUT_TOLERANCE
    want = torch.autograd.grad(expected.square().sum(), list(wide.values()))
    got = torch.autograd.grad(y.square().sum(), list(narrow.values()))
    for name, g, w in zip(inputs, got, want, strict=True):
        assert relative_error(g, w) < GRADIENT_TOLERANCE, name


@pytest.mark.parametrize("implementation", EVERY)
def test_the_past_never_sees_the_future(implementation):
    inputs = {
        name: tensor.to(device_of(implementation))
        for name, tensor in scan_inputs(1, 4, 1, 2, 96).items()
    }
    before = selective_scan(**inputs, delta_softplus=True, implementation=implementation)
    changed = {**inputs, "u": inputs["u"].clone()}
    changed["u"][..., 50:] += 1.0
    after = selective_scan(**changed, delta_softplus=True, implementation=implementation)
    assert torch.equal(before[..., :50], after[..., :50])
    assert not torch.equal(before[..., 50:], after[..., 50:])


@pytest.mark.parametrize("implementation", EVERY)
def test_constant_input_settles_where_the_recurrence_says(implementation):
    """With constant inputs the state is a geometric sum: h* = dt B u / (1 - exp(dt A))."""
    ones = torch.ones(1, 1, 400, device=device_of(implementation))
    A = torch.tensor([[-1.0]], device=ones.device)
    y = selective_scan(
        2 * ones, 0.1 * ones, A, 3 * ones[:, None], 5 * ones[:, None], implementation=implementation
    )
    assert y[0, 0, -1].item() == pytest.approx(5 * (0.1 * 3 * 2) / (1 - math.exp(-0.1)), rel=1e-5)


@pytest.mark.parametrize("implementation", EVERY)
def test_without_decay_the_state_is_an_exact_sum(implementation):
    """A = 0 decays by exp2(0), which has to be exactly 1: 4096 steps of 1 add up to 4096."""
    ones = torch.ones(1, 2, 4096, device=device_of(implementation))
    A = torch.zeros(2, 1, device=ones.device)
    y = selective_scan(
        ones, ones, A, ones[:, :1, None], ones[:, :1, None], implementation=implementation
    )
    assert torch.equal(y, ones.cumsum(-1))


@pytest.mark.parametrize("implementation", ["reference", "chunked"])
def test_gradients_agree_with_finite_differences(implementation):
    """In float64; the native scan is float32, where differences say nothing: see the first test."""
    inputs = differentiable(scan_inputs(2, 4, 2, 3, 7), torch.float64)

    def run(*tensors):
        return selective_scan(*tensors, True, implementation=implementation)

    assert torch.autograd.gradcheck(run, tuple(inputs.values()))


@pytest.mark.parametrize("implementation", FAST)
def test_strided_arguments_give_the_same_bits(implementation):
    inputs = {
        name: tensor.to(device_of(implementation))
        for name, tensor in scan_inputs(2, 6, 2, 3, 45).items()
    }
    expected = selective_scan(**inputs, delta_softplus=True, implementation=implementation)
    strided = {}
    for name, tensor in inputs.items():
        wide = torch.full([2 * size for size in tensor.shape], torch.nan, device=tensor.device)
        strided[name] = wide[tuple(slice(None, None, 2) for _ in tensor.shape)].copy_(tensor)
        assert not strided[name].is_contiguous()
    actual = selective_scan(**strided, delta_softplus=True, implementation=implementation)
    assert torch.equal(actual, expected)


@pytest.mark.parametrize("implementation", FAST)
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float16, 5e-4), (torch.bfloat16, 4e-3)])
def test_half_precision_is_computed_in_float32_and_rounded_once(implementation, dtype, rounding):
    inputs = {name: tensor.to(dtype) for name, tensor in scan_inputs(1, 6, 2, 3, 200).items()}
    wide = {name: tensor.double() for name, tensor in inputs.items()}
    expected = selective_scan(**wide, delta_softplus=True, implementation="reference")
    inputs = differentiable(inputs, dtype, device_of(implementation))
    y = selective_scan(**inputs, delta_softplus=True, implementation=implementation)
    assert y.dtype == dtype
    assert relative_error(y, expected) < rounding
    for grad, tensor in zip(
        torch.autograd.grad(y.sum(), list(inputs.values())), inputs.values(), strict=True
    ):
        assert grad.dtype == dtype
        assert grad.shape == tensor.shape
        assert grad.isfinite().all()


@pytest.mark.parametrize("implementation", EVERY)
def test_extreme_step_sizes_behave_as_in_the_reference(implementation):
    """Underflow to 0 and overflow to infinity, not to something else; NaN stays NaN."""
    device = device_of(implementation)
    u, delta = torch.ones(1, 6, 40), torch.zeros(1, 6, 40)
    delta[0, 0], delta[0, 1], delta[0, 2] = -200.0, 200.0, 1e6
    delta[0, 3, 7] = torch.nan
    delta[0, 4] = 30.0
    A = torch.tensor([[-1.0], [-1.0], [-1e3], [-1.0], [4.0], [0.5]])
    B = C = torch.ones(1, 1, 1, 40)
    expected = selective_scan(u, delta, A, B, C, delta_softplus=True, implementation="reference")
    tensors = [tensor.to(device) for tensor in (u, delta, A, B, C)]
    y = selective_scan(*tensors, delta_softplus=True, implementation=implementation).cpu()
    assert torch.equal(y.isnan(), expected.isnan())
    assert torch.equal(y.isinf(), expected.isinf())
    ordinary = expected.isfinite()
    torch.testing.assert_close(y[ordinary], expected[ordinary], rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("implementation", EVERY)
@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("u", (2, 6), r"u must be \(batch, channel, length\)"),
        ("u", (2, 6, 0), "all at least 1"),
        ("u", (0, 6, 45), "all at least 1"),
        ("delta", (2, 6, 44), r"delta must be \[2, 6, 45\]"),
        ("A", (5, 3), r"A must be \[6, 3\]"),
        ("A", (6, 0), "0 states"),
        ("B", (2, 4, 3, 45), "6 channels cannot share 4 groups"),
        ("B", (2, 2, 4, 45), r"B must be \[2, 2, 3, 45\]"),
        ("B", (2, 3, 45), "batch, group, state, length"),
        ("C", (1, 2, 3, 45), r"C must be \[2, 2, 3, 45\]"),
        ("skip", (7,), r"skip must be \[6\]"),
        ("delta_bias", (6, 1), r"delta_bias must be \[6\]"),
    ],
)
def test_shapes_that_do_not_fit_are_named(implementation, name, shape, message):
    inputs = scan_inputs(2, 6, 2, 3, 45)
    inputs[name] = torch.zeros(shape)
    with pytest.raises(ValueError, match=message):
        selective_scan(**inputs, implementation=implementation)


@pytest.mark.parametrize("implementation", EVERY)
def test_what_is_no_float_tensor_is_named(implementation):
    inputs = scan_inputs(2, 6, 2, 3, 45)
    with pytest.raises(TypeError, match=r"delta must be a floating-point tensor, got torch\.int64"):
        selective_scan(**{**inputs, "delta": inputs["delta"].long()}, implementation=implementation)
    with pytest.raises(TypeError, match="A must be a floating-point tensor, got list"):
        selective_scan(**{**inputs, "A": [1.0]}, implementation=implementation)
    with pytest.raises(ValueError, match="B is on meta"):
        selective_scan(**{**inputs, "B": inputs["B"].to("meta")}, implementation=implementation)


def test_choice_argument_before_environment_before_automatic(monkeypatch):
    u = torch.zeros(1)
    monkeypatch.delenv("TAMPERSCOPE_SCAN", raising=False)
    assert chosen_implementation(u) == "native"
    assert chosen_implementation(u.double()) == "chunked"
    monkeypatch.setenv("TAMPERSCOPE_SCAN", "reference")
    assert chosen_implementation(u) == "reference"
    assert chosen_implementation(u, "auto") == "native"
    assert chosen_implementation(u, "chunked") == "chunked"
    monkeypatch.setenv("TAMPERSCOPE_SCAN", "fastest")
    with pytest.raises(MissingKernelError, match="TAMPERSCOPE_SCAN is 'fastest'"):
        selective_scan(**scan_inputs(1, 1, 1, 1, 1))


def test_the_named_implementation_is_the_one_that_runs(monkeypatch):
    ran = []
    table = {name: lambda *_, name=name: ran.append(name) for name in scan_module.IMPLEMENTATIONS}
    monkeypatch.setattr(scan_module, "IMPLEMENTATIONS", table)
    for name in table:
        selective_scan(**scan_inputs(1, 1, 1, 1, 1), implementation=name)
    assert ran == list(table)


def test_without_the_library_automatic_is_chunked_and_native_is_an_error(monkeypatch):
    monkeypatch.delenv("TAMPERSCOPE_SCAN", raising=False)
    monkeypatch.setattr(scan_module.native, "is_built", lambda name: False)
    assert chosen_implementation(torch.zeros(1)) == "chunked"

    monkeypatch.setattr(scan_module.native, "library_path", lambda name: None)
    for cached in (scan_module.native.load, native_scan.entry, native_scan.layout):
        cached.cache_clear()
    with pytest.raises(MissingKernelError, match="'scan' was not built"):
        selective_scan(**scan_inputs(1, 1, 1, 1, 1), implementation="native")
