"""The selective scan, written the way the equation reads.

    d[t] = softplus(delta[t] + delta_bias)                  (softplus and bias where asked for)
    h[t] = exp(d[t] * A) * h[t-1] + d[t] * B[t] * u[t],     h[-1] = 0
    y[t] = sum over states of C[t] * h[t]  +  skip * u[t]

This file defines what the operator means. The other implementations are faster ways to compute it
and are tested against it, outputs and gradients; where they disagree, this file is right.

Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023,
https://arxiv.org/abs/2312.00752, Algorithm 2. As in the authors' code, A is discretised exactly
(zero-order hold) and B to first order; softplus is the identity above 20, as in PyTorch.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """Type a scan computes in: float64 stays, everything narrower is widened to float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def selective_scan_reference(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    skip: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
) -> Tensor:
    """Scan ``u`` from left to right; differentiable through plain autograd.

    Args:
        u: Input sequences, (batch, channel, length).
        delta: Step sizes before bias and softplus, (batch, channel, length).
        A: Decay rates, negative for states that forget, (channel, state).
        B: How the input enters the state, (batch, group, state, length); channel c belongs to
            group c // (channel / group).
        C: How the state is read out, like ``B``.
        skip: Weight of the input added straight to the output, (channel); none adds nothing.
        delta_bias: Added to ``delta``, (channel).
        delta_softplus: Whether the step size is softplus(delta + bias) or delta + bias itself.

    Returns:
        y, (batch, channel, length), in ``u``'s dtype; computed in :func:`working_dtype`.
    """
    work = working_dtype(u.dtype)
    out_dtype = u.dtype
    u, delta, A, B, C = (tensor.to(work) for tensor in (u, delta, A, B, C))
    if delta_bias is not None:
        delta = delta + delta_bias.to(work)[:, None]
    if delta_softplus:
        delta = F.softplus(delta)
    per_group = u.shape[1] // B.shape[1]
    entering = (delta * u).unbind(-1)
    steps = delta.unbind(-1)
    B_steps, C_steps = (
        tensor.repeat_interleave(per_group, dim=1).unbind(-1) for tensor in (B, C)
    )  # each (batch, channel, state)
    h = torch.zeros(*u.shape[:2], A.shape[1], dtype=work, device=u.device)
    outputs = []
    for step, drive, B_t, C_t in zip(steps, entering, B_steps, C_steps, strict=True):
        h = torch.exp(step[..., None] * A) * h + drive[..., None] * B_t
        outputs.append((h * C_t).sum(-1))
    y = torch.stack(outputs, dim=-1)
    if skip is not None:
        y = y + skip.to(work)[:, None] * u
    return y.to(out_dtype)
