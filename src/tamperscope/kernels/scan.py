"""The selective scan's one public call, its implementations, and the choice between them.

The choice, in this order: ``implementation=``, the environment variable ``TAMPERSCOPE_SCAN``, and
``auto``. A named implementation either serves or raises; it never hands over to another.
"""

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from tamperscope.errors import MissingKernelError
from tamperscope.kernels import native
from tamperscope.kernels.arguments import check_sequences
from tamperscope.kernels.chunked import selective_scan_chunked
from tamperscope.kernels.native_scan import selective_scan_native
from tamperscope.kernels.reference import selective_scan_reference


def triton_is_installed() -> bool:
    """Whether Triton is there; it comes with PyTorch for CUDA on Linux."""
    return find_spec("triton") is not None


def run_triton(*arguments: Any) -> Tensor:
    """Call :func:`tamperscope.kernels.triton_scan.selective_scan_triton`.

    Raises:
        MissingKernelError: Triton is not installed.
    """
    if not triton_is_installed():
        raise MissingKernelError(
            "implementation 'triton' needs Triton, which comes with PyTorch for CUDA on Linux; "
            "use chunked"
        )
    from tamperscope.kernels.triton_scan import selective_scan_triton  # only where it is wanted

    return selective_scan_triton(*arguments)


IMPLEMENTATIONS: dict[str, Callable[..., Tensor]] = {
    "reference": selective_scan_reference,
    "chunked": selective_scan_chunked,
    "native": selective_scan_native,
    "triton": run_triton,
}


def chosen_implementation(tensor: Tensor, implementation: str | None = None) -> str:
    """Name the implementation that a call on ``tensor`` runs; result files record it.

    Raises:
        MissingKernelError: No implementation has the name that was asked for.
    """
    source = "implementation" if implementation else "TAMPERSCOPE_SCAN"
    name = implementation or os.environ.get("TAMPERSCOPE_SCAN") or "auto"
    if name == "auto":
        return fastest_for(tensor)
    if name not in IMPLEMENTATIONS:
        raise MissingKernelError(
            f"{source} is {name!r}; it must be one of auto, {', '.join(IMPLEMENTATIONS)}"
        )
    return name


def fastest_for(tensor: Tensor) -> str:
    """Name the fastest implementation for ``tensor``'s device and dtype."""
    # "triton" is taken only by name: it has not run on a GPU yet, see docs/scan.md.
    if tensor.device.type == "cpu" and tensor.dtype != torch.float64 and native.is_built("scan"):
        return "native"
    return "chunked"


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    skip: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    *,
    implementation: str | None = None,
) -> Tensor:
    """Scan ``u`` from left to right; differentiable in every tensor.

    The equation is at the top of :mod:`tamperscope.kernels.reference`.

    Args:
        u: Input sequences, (batch, channel, length).
        delta: Step sizes before bias and softplus, (batch, channel, length).
        A: Decay rates, negative for states that forget, (channel, state).
        B: How the input enters the state, (batch, group, state, length); channel c belongs to
            group c // (channel / group).
        C: How the state is read out, like ``B``.
        skip: Weight of the input added straight to the output, (channel).
        delta_bias: Added to ``delta``, (channel).
        delta_softplus: Whether the step size is softplus(delta + bias) or delta + bias itself.
        implementation: One of ``IMPLEMENTATIONS`` or ``auto``; None asks ``TAMPERSCOPE_SCAN``.

    Returns:
        y, (batch, channel, length), in ``u``'s dtype. float16 and bfloat16 are computed in float32.

    Raises:
        ValueError: Shapes, devices or sizes do not fit together; the message names the argument.
        TypeError: An argument is not a floating-point tensor.
        MissingKernelError: The implementation is unknown or was not built on this machine.
    """
    check_sequences(u, delta, A, B, C, skip, delta_bias)
    run = IMPLEMENTATIONS[chosen_implementation(u, implementation)]
    return run(u, delta, A, B, C, skip, delta_bias, delta_softplus)
