"""What every implementation of the scan holds its arguments to, before any of them runs."""

import torch
from torch import Tensor

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def check_tensors(named: dict[str, Tensor], device: torch.device) -> None:
    """Raise TypeError or ValueError unless all are floating-point tensors on ``device``."""
    for name, tensor in named.items():
        if not isinstance(tensor, Tensor) or tensor.dtype not in FLOATS:
            kind = getattr(tensor, "dtype", type(tensor).__name__)
            raise TypeError(f"{name} must be a floating-point tensor, got {kind}")
        if tensor.device != device:
            raise ValueError(f"{name} is on {tensor.device}, but the input is on {device}")


def check_sequences(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    skip: Tensor | None,
    delta_bias: Tensor | None,
) -> None:
    """Raise ValueError or TypeError, naming the argument, unless everything fits together."""
    named = {"u": u, "delta": delta, "A": A, "B": B, "C": C}
    named |= {"skip": skip} if skip is not None else {}
    named |= {"delta_bias": delta_bias} if delta_bias is not None else {}
    check_tensors(named, u.device)
    if u.dim() != 3 or min(u.shape) < 1:
        raise ValueError(f"u must be (batch, channel, length), all at least 1; got {[*u.shape]}")
    if A.dim() != 2 or B.dim() != 4:
        raise ValueError(
            "A must be (channel, state) and B (batch, group, state, length); "
            f"got {[*A.shape]} and {[*B.shape]}"
        )
    batch, channel, length = u.shape
    state, groups = A.shape[1], B.shape[1]
    if state < 1 or groups < 1 or channel % groups:
        raise ValueError(
            f"{channel} channels cannot share {groups} groups of {state} states equally"
        )
    expected = {
        "delta": (batch, channel, length),
        "A": (channel, state),
        "B": (batch, groups, state, length),
        "C": (batch, groups, state, length),
        "skip": (channel,),
        "delta_bias": (channel,),
    }
    for name, tensor in named.items():
        if name != "u" and tuple(tensor.shape) != expected[name]:
            raise ValueError(
                f"{name} must be {list(expected[name])} to go with u {[*u.shape]}, "
                f"got {[*tensor.shape]}"
            )


def check_map(
    x: Tensor,
    x_proj_weight: Tensor,
    dt_projs_weight: Tensor,
    dt_projs_bias: Tensor,
    A_logs: Tensor,
    Ds: Tensor,
) -> None:
    """Raise ValueError or TypeError, naming the argument, unless everything fits together."""
    named = {
        "x": x,
        "x_proj_weight": x_proj_weight,
        "dt_projs_weight": dt_projs_weight,
        "dt_projs_bias": dt_projs_bias,
        "A_logs": A_logs,
        "Ds": Ds,
    }
    check_tensors(named, x.device)
    if x.dim() != 4 or min(x.shape) < 1:
        raise ValueError(
            f"x must be (batch, height, width, channel), all at least 1; got {[*x.shape]}"
        )
    channel = x.shape[3]
    if A_logs.dim() != 2 or dt_projs_weight.dim() != 3:
        raise ValueError(
            "A_logs must be (4 channel, state) and dt_projs_weight (4, channel, rank); "
            f"got {[*A_logs.shape]} and {[*dt_projs_weight.shape]}"
        )
    state, rank = A_logs.shape[1], dt_projs_weight.shape[2]
    if state < 1 or rank < 1:
        raise ValueError(f"state and rank must be at least 1, got {state} and {rank}")
    expected = {
        "x_proj_weight": (4, rank + 2 * state, channel),
        "dt_projs_weight": (4, channel, rank),
        "dt_projs_bias": (4, channel),
        "A_logs": (4 * channel, state),
        "Ds": (4 * channel,),
    }
    for name, shape in expected.items():
        if tuple(named[name].shape) != shape:
            raise ValueError(
                f"{name} must be {list(shape)} to go with x {[*x.shape]}, "
                f"got {[*named[name].shape]}"
            )
