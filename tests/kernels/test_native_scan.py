"""The native scan inside PyTorch: operator checks, compilers, threads, processes, border."""

import subprocess
import sys
import threading
from functools import partial

import pytest
import torch
from torch.library import opcheck
from torch.utils.data import DataLoader, Dataset

from tamperscope.kernels import native, native_scan, native_ss2d, selective_scan, ss2d
from tests.kernels.scan_cases import differentiable, relative_error, scan_inputs
from tests.kernels.test_ss2d import map_inputs

LEVELS = [
    level
    for level in native.LEVELS
    if (native.FOLDER / f"_scan_{level}{native.SUFFIX}").is_file()
    and native.processor_flags() >= native.NEEDED_FLAGS[level]
]


def scan_arguments(**changes):
    inputs = differentiable(scan_inputs(2, 6, 2, 3, 45) | changes, torch.float32)
    return [*inputs.values(), True, True]


def map_arguments(route):
    inputs = map_inputs(2, 5, 4, 8, 2, 3)
    projected = native_ss2d.project_cells(inputs["x"], inputs["x_proj_weight"], route)
    tensors = [
        inputs["x"],
        projected,
        inputs["dt_projs_weight"].transpose(1, 2).contiguous(),
        inputs["dt_projs_bias"],
        -inputs["A_logs"].exp(),
        inputs["Ds"],
    ]
    return [*(tensor.clone().requires_grad_() for tensor in tensors), route, True]


def test_operators_pass_the_checks_of_torch_library():
    opcheck(native_scan.scan_op, scan_arguments())
    opcheck(native_scan.scan_op, [*scan_arguments()[:5], None, None, False, True])
    for route in ("cross", "atrous"):
        opcheck(native_ss2d.map_op, map_arguments(route))


def test_compiles_without_graph_breaks_and_gives_the_same_bits():
    inputs = differentiable(scan_inputs(2, 6, 2, 3, 45), torch.float32)
    maps = differentiable(map_inputs(2, 5, 4, 8, 2, 3), torch.float32)

    def both(inputs, maps):
        y = selective_scan(**inputs, delta_softplus=True, implementation="native")
        return y.square().sum() + ss2d(**maps, implementation="native").square().sum()

    compiled = torch.compile(both, backend="aot_eager", fullgraph=True)
    every = [*inputs.values(), *maps.values()]
    expected = torch.autograd.grad(both(inputs, maps), every)
    actual = torch.autograd.grad(compiled(inputs, maps), every)
    for got, want in zip(actual, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)


def test_exports_as_one_operator():
    class Scan(torch.nn.Module):
        def forward(self, u, delta, A, B, C):
            return selective_scan(u, delta, A, B, C, delta_softplus=True, implementation="native")

    tensors = tuple(scan_inputs(2, 6, 2, 3, 45).values())[:5]
    exported = torch.export.export(Scan(), tensors)
    assert "tamperscope.selective_scan" in str(exported.graph)
    assert torch.equal(exported.module()(*tensors), Scan()(*tensors))


@pytest.fixture(params=LEVELS)
def level(request, monkeypatch):
    """Run a test on one build of the library after another."""
    caches = (native.library_path, native.load, native_scan.entry, native_scan.layout)

    def clear():
        for cached in caches:
            cached.cache_clear()

    monkeypatch.setenv("TAMPERSCOPE_ISA", request.param)
    clear()
    yield request.param
    monkeypatch.delenv("TAMPERSCOPE_ISA")
    clear()


@pytest.mark.parametrize("groups", [1, 2])
def test_every_instruction_set_computes_the_same(level, groups):
    assert native.library_path("scan").stem.endswith(level)
    inputs = scan_inputs(2, 38, groups, 7, 77)
    wide = differentiable(inputs, torch.float64)
    expected = selective_scan(**wide, delta_softplus=True, implementation="reference")
    narrow = differentiable(inputs, torch.float32)
    y = selective_scan(**narrow, delta_softplus=True, implementation="native")
    assert relative_error(y, expected) < 1e-6
    want = torch.autograd.grad(expected.square().sum(), list(wide.values()))
    got = torch.autograd.grad(y.square().sum(), list(narrow.values()))
    for name, g, w in zip(inputs, got, want, strict=True):
        assert relative_error(g, w) < 1e-5, name


@pytest.mark.usefixtures("level")
def test_every_instruction_set_scans_maps():
    inputs = map_inputs(1, 9, 7, 38, 5, 3)
    wide = differentiable(inputs, torch.float64)
    expected = ss2d(**wide, implementation="reference")
    narrow = differentiable(inputs, torch.float32)
    y = ss2d(**narrow, implementation="native")
    assert relative_error(y, expected) < 1e-6
    want = torch.autograd.grad(expected.square().sum(), list(wide.values()))
    got = torch.autograd.grad(y.square().sum(), list(narrow.values()))
    for name, g, w in zip(inputs, got, want, strict=True):
        assert relative_error(g, w) < 1e-5, name


def test_large_results_written_around_the_caches_are_complete():
    """From 2**20 values on: two threads, rows aligned to cache lines and not."""
    for length in (2048, 2051):
        inputs = scan_inputs(1, 520, 4, 1, length)
        expected = selective_scan(**inputs, delta_softplus=True, implementation="chunked")
        y = selective_scan(**inputs, delta_softplus=True, implementation="native")
        assert relative_error(y, expected) < 1e-6


def test_any_number_of_threads_gives_the_same_bits():
    inputs = differentiable(scan_inputs(2, 70, 2, 3, 99), torch.float32)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            y = selective_scan(**inputs, delta_softplus=True, implementation="native")
            results.append([y, *torch.autograd.grad(y.square().sum(), list(inputs.values()))])
    finally:
        torch.set_num_threads(before)
    for tensors in results[1:]:
        for got, want in zip(tensors, results[0], strict=True):
            assert torch.equal(got, want)


def test_python_threads_may_call_at_once():
    inputs = scan_inputs(2, 70, 2, 3, 99)
    expected = selective_scan(**inputs, delta_softplus=True, implementation="native")
    results = [None] * 4

    def run(place):
        results[place] = selective_scan(**inputs, delta_softplus=True, implementation="native")

    threads = [threading.Thread(target=run, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert all(torch.equal(result, expected) for result in results)


class ScannedSamples(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        inputs = scan_inputs(1, 8, 2, 2, 50, seed=index)
        return selective_scan(**inputs, delta_softplus=True, implementation="native")


def test_runs_in_forked_dataloader_workers_after_it_ran_in_the_parent():
    expected = torch.stack([ScannedSamples()[index] for index in range(2)])
    loader = DataLoader(
        ScannedSamples(), batch_size=2, num_workers=1, multiprocessing_context="fork", timeout=60
    )
    (actual,) = loader
    assert torch.equal(actual, expected)


def test_denormals_flush_inside_and_nowhere_else():
    """A decaying state ends at 0 inside; the caller's own arithmetic keeps its denormals."""
    ones, tiny = torch.ones(1, 1, 200), torch.tensor([1e-40])
    u = torch.zeros(1, 1, 200)
    u[..., 0] = 1.0
    y = selective_scan(u, ones, -ones[0, :, :1], ones[None], ones[None], implementation="native")
    normal = torch.finfo(torch.float32).tiny
    assert ((y == 0) | (y >= normal)).all()
    assert y[0, 0, -1] == 0
    assert (tiny * 0.5).item() != 0


def test_float64_and_other_devices_are_refused():
    inputs = scan_inputs(1, 2, 1, 1, 5)
    wide = {name: tensor.double() for name, tensor in inputs.items()}
    with pytest.raises(TypeError, match="computes in float32 and the input is float64"):
        selective_scan(**wide, implementation="native")
    elsewhere = {name: tensor.to("meta") for name, tensor in inputs.items()}
    with pytest.raises(ValueError, match="runs on the CPU, the input is on meta"):
        selective_scan(**elsewhere, implementation="native")


def test_operators_called_directly_check_what_they_are_given():
    scan = torch.ops.tamperscope.selective_scan
    good = [t.detach() if isinstance(t, torch.Tensor) else t for t in scan_arguments()]
    with pytest.raises(ValueError, match="delta must be"):
        scan(good[0], good[1][..., :-1], *good[2:])
    with pytest.raises(TypeError, match=r"A must be float32 on the CPU, got torch\.float64"):
        scan(*good[:2], good[2].double(), *good[3:])
    backward = torch.ops.tamperscope.selective_scan_backward
    with pytest.raises(ValueError, match="checkpoints must be"):
        backward(good[0], *good[:7], torch.zeros(3), True)
    maps = torch.ops.tamperscope.ss2d
    good = [t.detach() if isinstance(t, torch.Tensor) else t for t in map_arguments("cross")]
    with pytest.raises(ValueError, match="projected must be"):
        maps(good[0], good[1][:, :-1], *good[2:])
    with pytest.raises(TypeError, match="skip must be float32"):
        maps(*good[:5], good[5].double(), *good[6:])


def test_gradients_of_a_run_that_kept_nothing_are_an_error():
    *arguments, _ = scan_arguments()
    y, _ = native_scan.scan_op(*arguments, False)
    with pytest.raises(RuntimeError, match="keep=False"):
        y.sum().backward()


def sums_of_outputs_and_gradients():
    calls = [
        (partial(selective_scan, delta_softplus=True), scan_inputs(1, 19, 1, 5, 45)),
        (ss2d, map_inputs(1, 5, 7, 19, 3, 5)),
        (partial(ss2d, route="atrous"), map_inputs(1, 5, 7, 19, 3, 5)),
    ]
    for call, inputs in calls:
        inputs = differentiable(inputs, torch.float32)
        y = call(**inputs, implementation="native")
        for tensor in (y, *torch.autograd.grad(y.sum(), list(inputs.values()))):
            yield tensor.double().sum().item()


@pytest.mark.skipif(sys.platform != "linux", reason="MALLOC_PERTURB_ belongs to glibc")
def test_scratch_memory_is_never_read_before_it_is_written(monkeypatch):
    """glibc fills fresh memory with bytes that read as -1.7e38."""
    monkeypatch.setenv("MALLOC_PERTURB_", "1")
    code = f"import {__name__} as tests; print(*tests.sums_of_outputs_and_gradients())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [float(text) for text in done.stdout.split()] == list(sums_of_outputs_and_gradients())
