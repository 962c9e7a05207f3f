"""The Triton scan: under the interpreter on the CPU, and (-m gpu) compiled, on a GPU.

Everything in test_scan.py runs on a GPU as well, under the same mark.
"""

import importlib
import importlib.util

import pytest
import torch

from tamperscope.errors import MissingKernelError
from tamperscope.kernels import chosen_implementation, selective_scan
from tamperscope.kernels import scan as scan_module
from tests.kernels.scan_cases import differentiable, relative_error, scan_inputs

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed: pip install -e '.[triton]' on Linux",
)
OUTPUT_TOLERANCE = 1e-6
GRADIENT_TOLERANCE = 1e-5


@pytest.fixture
def interpreted(monkeypatch):
    """The module under Triton's interpreter, with chunks of 16 steps: short inputs have several."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    module = importlib.reload(importlib.import_module("tamperscope.kernels.triton_scan"))
    monkeypatch.setattr(module, "CHUNK_VALUES", 1)
    yield module
    monkeypatch.undo()
    importlib.reload(module)


def both(inputs, softplus=True):
    """(outputs, gradients) of the Triton scan and of the float64 reference."""
    results = []
    for name, dtype in (("triton", torch.float32), ("reference", torch.float64)):
        tensors = differentiable(inputs, dtype)
        y = selective_scan(**tensors, delta_softplus=softplus, implementation=name)
        toward = torch.sin(torch.arange(y.numel(), dtype=dtype)).view(y.shape)
        results.append((y, torch.autograd.grad(y, list(tensors.values()), toward)))
    return results


def assert_agree(inputs, softplus=True):
    (y, grads), (expected, expected_grads) = both(inputs, softplus)
    assert relative_error(y, expected) < OUTPUT_TOLERANCE
    for name, got, want in zip(inputs, grads, expected_grads, strict=True):
        assert relative_error(got, want) < GRADIENT_TOLERANCE, name


CASES = [  # batch, channel, groups, state, length: one chunk, ends on, before and after a chunk
    (1, 1, 1, 1, 1),
    (2, 3, 1, 1, 16),
    (1, 4, 2, 3, 45),
    (1, 2, 1, 16, 33),
]


@needs_triton
@pytest.mark.parametrize("case", CASES)
def test_outputs_and_every_gradient(interpreted, case, nan_filled_memory):
    assert_agree(scan_inputs(*case))


@needs_triton
@pytest.mark.parametrize("softplus", [False, True])
def test_skip_and_bias_can_be_left_out(interpreted, softplus):
    inputs = scan_inputs(1, 2, 1, 2, 20)
    del inputs["skip"], inputs["delta_bias"]
    if not softplus:
        inputs["delta"] = inputs["delta"].abs() * 0.1
    assert_agree(inputs, softplus)


@needs_triton
def test_softplus_is_accurate_where_it_is_small_and_where_it_is_large(interpreted):
    """Step sizes from 1e-9 to 60: y of one step is softplus(delta) itself."""
    delta = torch.linspace(-20, 60, 33)[:, None, None]
    ones = torch.ones_like(delta)
    B = ones[..., None]
    y = selective_scan(
        ones, delta, -torch.ones(1, 1), B, B, delta_softplus=True, implementation="triton"
    )
    expected = torch.nn.functional.softplus(delta.double())
    torch.testing.assert_close(y.double(), expected, rtol=5e-7, atol=0)


@needs_triton
def test_half_precision_is_computed_in_float32_and_rounded_once(interpreted):
    half = {name: tensor.half() for name, tensor in scan_inputs(1, 2, 1, 2, 20).items()}
    wide = {name: tensor.double() for name, tensor in half.items()}
    expected = selective_scan(**wide, delta_softplus=True, implementation="reference")
    inputs = differentiable(half, torch.float16)
    y = selective_scan(**inputs, delta_softplus=True, implementation="triton")
    assert y.dtype == torch.float16
    assert relative_error(y, expected) < 5e-4
    grads = torch.autograd.grad(y.sum(), list(inputs.values()))
    assert all(grad.dtype == torch.float16 and grad.isfinite().all() for grad in grads)


@needs_triton
def test_strides_do_not_matter(interpreted):
    inputs = scan_inputs(1, 2, 1, 2, 20)
    expected = selective_scan(**inputs, delta_softplus=True, implementation="triton")
    inputs["u"] = inputs["u"].transpose(1, 2).contiguous().transpose(1, 2)
    assert not inputs["u"].is_contiguous()
    actual = selective_scan(**inputs, delta_softplus=True, implementation="triton")
    assert torch.equal(actual, expected)


@needs_triton
def test_the_cpu_is_refused_without_the_interpreter():
    inputs = scan_inputs(1, 2, 1, 2, 5)
    with pytest.raises(ValueError, match="runs on a GPU, the input is on cpu"):
        selective_scan(**inputs, implementation="triton")


@needs_triton
def test_float64_is_refused(interpreted):
    wide = {name: tensor.double() for name, tensor in scan_inputs(1, 2, 1, 2, 5).items()}
    with pytest.raises(TypeError, match="computes in float32"):
        selective_scan(**wide, implementation="triton")


class OnGpu:
    """Stands for a tensor on a GPU where there is none: all that the choice looks at."""

    device = torch.device("cuda")
    dtype = torch.float32


def test_a_kernel_that_never_ran_on_a_gpu_is_taken_only_by_name(monkeypatch):
    monkeypatch.delenv("TAMPERSCOPE_SCAN", raising=False)
    assert chosen_implementation(OnGpu()) == "chunked"
    monkeypatch.setenv("TAMPERSCOPE_SCAN", "triton")
    assert chosen_implementation(OnGpu()) == "triton"
    monkeypatch.delenv("TAMPERSCOPE_SCAN")
    monkeypatch.setattr(scan_module, "triton_is_installed", lambda: False)
    with pytest.raises(MissingKernelError, match="needs Triton"):
        selective_scan(**scan_inputs(1, 1, 1, 1, 1), implementation="triton")


POINTERS = ("u", "delta", "A", "B", "C", "skip", "bias", "y", "dy")
SIZES = ("channels", "groups", "length", "states", "chunks")


@pytest.mark.slow
@needs_triton
@pytest.mark.parametrize("architecture", [80, 90])
@pytest.mark.parametrize("element", ["fp32", "bf16"])
def test_both_kernels_compile_to_machine_code_where_there_is_no_gpu(architecture, element):
    import triton
    from triton.backends.compiler import GPUTarget

    from tamperscope.kernels import triton_scan

    flags = dict.fromkeys(("SOFTPLUS", "SKIP", "BIAS", "KEEP"), True)
    for kernel in (triton_scan.forward_kernel, triton_scan.backward_kernel):
        names = kernel.arg_names
        constants = {k: v for k, v in {**flags, "STATES": 16, "STEPS": 128}.items() if k in names}
        types = dict.fromkeys(names, "*fp32") | dict.fromkeys(SIZES, "i32")
        types |= {name: f"*{element}" for name in POINTERS if name in names}
        types |= dict.fromkeys(constants, "constexpr")
        source = triton.compiler.ASTSource(
            fn=kernel,
            signature=types,
            constexprs={(names.index(name),): value for name, value in constants.items()},
        )
        target = GPUTarget("cuda", architecture, 32)
        made = triton.compile(source, target=target, options={"enable_fp_fusion": True})
        assert len(made.asm["cubin"]) > 1000


@pytest.mark.gpu
@needs_triton
@pytest.mark.parametrize("case", [(2, 96, 4, 1, 4096), (1, 64, 1, 16, 2053)])
def test_on_a_gpu_it_agrees_and_its_time_is_told(case):
    """Prints the ratio; asserts only that compiled kernels give the reference's values."""
    inputs = scan_inputs(*case)
    wide = differentiable(inputs, torch.float64, "cuda")
    expected = selective_scan(**wide, delta_softplus=True, implementation="chunked")
    grads = torch.autograd.grad(expected.square().sum(), list(wide.values()))
    narrow = differentiable(inputs, torch.float32, "cuda")
    y = selective_scan(**narrow, delta_softplus=True, implementation="triton")
    assert relative_error(y, expected) < OUTPUT_TOLERANCE
    for name, got, want in zip(
        inputs, torch.autograd.grad(y.square().sum(), list(narrow.values())), grads, strict=True
    ):
        assert relative_error(got, want) < GRADIENT_TOLERANCE, name
    times = {name: gpu_milliseconds(narrow, name) for name in ("triton", "chunked")}
    print(f"{case}: {times['chunked'] / times['triton']:.1f} x the chunked form, {times}")


def gpu_milliseconds(inputs, implementation):
    """Median of 20 forward and backward passes."""
    times = []
    for _ in range(23):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        y = selective_scan(**inputs, delta_softplus=True, implementation=implementation)
        torch.autograd.grad(y.sum(), list(inputs.values()))
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return sorted(times[3:])[10]
