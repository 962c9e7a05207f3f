"""The selective scan on the CPU: calls ``csrc/scan.cpp`` and registers it with PyTorch.

The library is plain C and knows neither Python nor torch. Its work comes in tasks that write to
disjoint memory, and torch's own thread pool runs them (``torch_parallel_for``, a C symbol of
torch >= 2.10), so threads follow ``torch.get_num_threads()`` at every call, no second pool exists,
and the result has the same bits for any number of threads.

Arithmetic is float32. float16 and bfloat16 arguments are widened here and the result narrowed;
float64 is refused, because a float32 result in a float64 tensor would be a silent loss.
"""

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from tamperscope.errors import MissingKernelError
from tamperscope.kernels import native
from tamperscope.kernels.arguments import check_sequences

TORCH_LIBRARY = {"win32": "torch_cpu.dll", "darwin": "libtorch_cpu.dylib"}
SEQUENCE_SIZES = ("batch", "groups", "channels", "states", "length", "softplus", "failed", "parts")
MOST_PARTS = 4  # tasks that share the backward pass of one group of one batch entry
SEQUENCE_TENSORS = (
    *("u", "delta", "A", "B", "C", "skip", "bias", "y", "checkpoints"),
    *("dy", "du", "ddelta", "dA", "dB", "dC", "dskip", "dbias"),
)


class SequenceArguments(ctypes.Structure):
    """Mirrors ``struct Sequences`` in csrc/scan_sequence.h."""

    tensors: dict[str, Tensor | None]

    _fields_ = [(name, ctypes.c_int64) for name in SEQUENCE_SIZES] + [
        (name, ctypes.c_void_p) for name in SEQUENCE_TENSORS
    ]


@cache
def parallel_for() -> Callable[..., int]:
    """Return torch's parallel loop: (begin, end, grain size, function, context) -> 0 if it ran."""
    name = TORCH_LIBRARY.get(sys.platform, "libtorch_cpu.so")
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / name))
    try:
        loop = library.torch_parallel_for
    except AttributeError as error:
        raise MissingKernelError(
            f"the native scan needs torch 2.10 or newer, this is {torch.__version__}; "
            "upgrade torch or set TAMPERSCOPE_SCAN=chunked"
        ) from error
    loop.argtypes = [ctypes.c_int64] * 3 + [ctypes.c_void_p, ctypes.c_void_p]
    loop.restype = ctypes.c_int32
    return loop


@cache
def entry(name: str) -> ctypes.c_void_p:
    """Address of a task function of the scan library."""
    return ctypes.cast(getattr(native.load("scan"), f"tamperscope_{name}"), ctypes.c_void_p)


@cache
def layout() -> tuple[int, int, int]:
    """Vector lanes, steps between checkpoints, and most vectors in a block of channels."""
    values = (ctypes.c_int64 * 3)()
    native.load("scan").tamperscope_scan_layout(values)
    return values[0], values[1], values[2]


def run_tasks(name: str, count: int, arguments: ctypes.Structure) -> None:
    """Run tasks 0 ... count - 1 of function ``name`` on torch's threads."""
    status = parallel_for()(0, count, 1, entry(name), ctypes.addressof(arguments))
    if status != 0:
        raise RuntimeError(f"torch_parallel_for failed on {name} with status {status}")
    if arguments.failed:
        raise MemoryError(f"{name}: no memory for the scratch buffers of a task")


def blocks_of_a_group(channels: int) -> int:
    """Blocks of channels: each is one vector wide."""
    return -(-channels // layout()[0])


def parts_of_a_group(channels: int) -> int:
    """Backward tasks of a group; each writes its own sums for B and C, so few keep memory small.

    A function of the channels alone: results must not depend on the number of threads.
    """
    return min(MOST_PARTS, blocks_of_a_group(channels))


def checkpoint_shape(u: Tensor, groups: int, states: int) -> list[int]:
    """(batch, group, block, tile, state, lane)."""
    batch, channel, length = u.shape
    lanes, steps, _ = layout()
    blocks = blocks_of_a_group(channel // groups)
    return [batch, groups, blocks, -(-length // steps), states, lanes]


def address(tensor: Tensor | None) -> int | None:
    """Address of the first element; None stays None."""
    return None if tensor is None else tensor.data_ptr()


def check_memory(tensors: dict[str, Tensor | None]) -> None:
    """Raise unless every tensor is what the C code takes it for: contiguous float32 on the CPU."""
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
            raise TypeError(
                f"{name} must be float32 on the CPU, got {tensor.dtype} {tensor.device}"
            )
        if not tensor.is_contiguous():
            raise ValueError(f"{name} must be contiguous, got strides {tensor.stride()}")


def sequence_arguments(
    u: Tensor, A: Tensor, B: Tensor, softplus: bool, **tensors: Tensor | None
) -> SequenceArguments:
    """Fill the C structure; every tensor must be contiguous float32 on the CPU."""
    tensors |= {"u": u, "A": A, "B": B}
    check_memory(tensors)
    channels = u.shape[1] // B.shape[1]
    arguments = SequenceArguments(
        batch=u.shape[0],
        groups=B.shape[1],
        channels=channels,
        states=A.shape[1],
        length=u.shape[2],
        softplus=softplus,
        parts=parts_of_a_group(channels),
        **{name: address(tensor) for name, tensor in tensors.items()},
    )
    arguments.tensors = tensors  # a copy made to be contiguous has to live as long as its address
    return arguments


@torch.library.custom_op("tamperscope::selective_scan", mutates_args=(), device_types="cpu")
def scan_op(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    skip: Tensor | None,
    delta_bias: Tensor | None,
    delta_softplus: bool,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    """Return y and, if ``keep``, the checkpoints that the backward pass starts from."""
    check_sequences(u, delta, A, B, C, skip, delta_bias)
    u, delta, A, B, C = (tensor.contiguous() for tensor in (u, delta, A, B, C))
    y, checkpoints = scan_op_fake(u, delta, A, B, C, skip, delta_bias, delta_softplus, keep)
    arguments = sequence_arguments(
        u,
        A,
        B,
        delta_softplus,
        delta=delta,
        C=C,
        skip=None if skip is None else skip.contiguous(),
        bias=None if delta_bias is None else delta_bias.contiguous(),
        y=y,
        checkpoints=checkpoints if keep else None,
    )
    tasks = arguments.batch * arguments.groups * blocks_of_a_group(arguments.channels)
    run_tasks("scan_forward", tasks, arguments)
    return y, checkpoints


@scan_op.register_fake
def scan_op_fake(u, delta, A, B, C, skip, delta_bias, delta_softplus, keep):
    """Shapes of the results."""
    y = u.new_empty(u.shape)
    if not keep:
        return y, u.new_empty([0])
    return y, u.new_empty(checkpoint_shape(u, B.shape[1], A.shape[1]))


@torch.library.custom_op(
    "tamperscope::selective_scan_backward", mutates_args=(), device_types="cpu"
)
def scan_backward_op(
    dy: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    skip: Tensor | None,
    delta_bias: Tensor | None,
    checkpoints: Tensor,
    delta_softplus: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of u, delta, A, B, C, skip and delta_bias."""
    check_sequences(u, delta, A, B, C, skip, delta_bias)
    batch, channel, _ = u.shape
    groups, states = B.shape[1:3]
    shape = checkpoint_shape(u, groups, states)
    if list(checkpoints.shape) != shape:
        raise ValueError(f"checkpoints must be {shape}, got {[*checkpoints.shape]}")
    if dy.shape != u.shape:
        raise ValueError(f"dy must be {[*u.shape]}, got {[*dy.shape]}")
    u, delta, A, B, C, dy = (tensor.contiguous() for tensor in (u, delta, A, B, C, dy))
    parts = parts_of_a_group(channel // groups)
    du, ddelta = torch.empty_like(u), torch.empty_like(u)
    dB, dC = (u.new_empty(parts, *B.shape) for _ in range(2))
    dA = u.new_empty(batch, channel, states)
    dskip, dbias = (u.new_empty(batch, channel) for _ in range(2))
    arguments = sequence_arguments(
        u,
        A,
        B,
        delta_softplus,
        delta=delta,
        C=C,
        skip=None if skip is None else skip.contiguous(),
        bias=None if delta_bias is None else delta_bias.contiguous(),
        checkpoints=checkpoints,
        **{"dy": dy, "du": du, "ddelta": ddelta, "dA": dA, "dB": dB, "dC": dC},
        dskip=dskip,
        dbias=dbias,
    )
    run_tasks("scan_backward", batch * groups * parts, arguments)
    return du, ddelta, dA.sum(0), dB.sum(0), dC.sum(0), dskip.sum(0), dbias.sum(0)


@scan_backward_op.register_fake
def scan_backward_fake(dy, u, delta, A, B, C, skip, delta_bias, checkpoints, delta_softplus):
    """Shapes of the gradients."""
    like = torch.empty_like
    format_ = torch.contiguous_format
    grads = [like(tensor, memory_format=format_) for tensor in (u, delta, A, B, C)]
    return (*grads, u.new_empty(u.shape[1]), u.new_empty(u.shape[1]))


def keep_for_backward(ctx, inputs, output) -> None:
    """Save what the backward pass needs."""
    *tensors, delta_softplus, keep = inputs
    checkpoints = output[1]
    ctx.mark_non_differentiable(checkpoints)
    ctx.save_for_backward(*tensors, checkpoints)
    ctx.delta_softplus, ctx.keep = delta_softplus, keep


def scan_gradients(ctx, dy: Tensor, _: Tensor | None):
    """Hand the gradients back, None for what was not given."""
    if not ctx.keep:
        raise RuntimeError("tamperscope::selective_scan ran with keep=False: no gradients")
    *tensors, checkpoints = ctx.saved_tensors
    grads = scan_backward_op(dy, *tensors, checkpoints, ctx.delta_softplus)
    present = (None if t is None else grad for t, grad in zip(tensors, grads, strict=True))
    return (*present, None, None)


scan_op.register_autograd(scan_gradients, setup_context=keep_for_backward)


def selective_scan_native(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    skip: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
) -> Tensor:
    """Scan ``u``; arguments and result as in :mod:`tamperscope.kernels.reference`.

    Raises:
        TypeError: ``u`` is float64.
        ValueError: ``u`` is not on the CPU.
        MissingKernelError: The library was not built on this machine, or torch is too old.
    """
    refuse_what_native_cannot(u)
    tensors = [
        None if tensor is None else tensor.to(torch.float32)
        for tensor in (u, delta, A, B, C, skip, delta_bias)
    ]
    keep = torch.is_grad_enabled() and any(
        tensor is not None and tensor.requires_grad for tensor in tensors
    )
    y, _ = scan_op(*tensors, delta_softplus, keep)
    return y.to(u.dtype)


def refuse_what_native_cannot(u: Tensor) -> None:
    """Raise on float64 and on devices other than the CPU."""
    if u.device.type != "cpu":
        raise ValueError(f"the native scan runs on the CPU, the input is on {u.device}")
    if u.dtype == torch.float64:
        raise TypeError(
            "the native scan computes in float32 and the input is float64; convert it, or use "
            "implementation='chunked'"
        )
