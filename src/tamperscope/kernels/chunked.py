"""The selective scan in whole-tensor PyTorch operations: for any device, without a compiler.

The recurrence h[t] = a[t] h[t-1] + b[t] runs on two levels. The length is cut into about
sqrt(length) chunks; first all chunks advance together from a zero state, step by step, keeping the
product of their decays; then the state is carried from chunk to chunk, and what a chunk started
from is added with its decay. That is 2 sqrt(length) operations on large tensors in place of length
operations on small ones. Only decays are multiplied, never divided: the well-known form that takes
exp(-cumsum(log a)) overflows as soon as a chunk forgets enough, this one cannot.

The backward pass is the same recurrence run from right to left; states are recomputed, and only the
inputs are kept. One state is treated at a time, which bounds memory at a few tensors like ``u``.
"""

import math

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from tamperscope.kernels.reference import working_dtype


def linear_recurrence(a: Tensor, b: Tensor) -> Tensor:
    """h[t] = a[t] h[t-1] + b[t] from h[-1] = 0 along the last axis of (batch, channel, length)."""
    batch, channel, length = a.shape
    steps = math.isqrt(length - 1) + 1
    chunks = -(-length // steps)
    rows = (steps, chunks, batch * channel)

    def split(tensor: Tensor) -> Tensor:
        padded = F.pad(tensor, (0, steps * chunks - length))
        return padded.view(batch * channel, chunks, steps).permute(2, 1, 0).contiguous()

    decay, h = split(a), split(b)
    for step in range(1, steps):
        h[step].addcmul_(decay[step], h[step - 1])
        decay[step].mul_(decay[step - 1])
    carried = torch.zeros(rows[1:], dtype=a.dtype, device=a.device)
    for chunk in range(1, chunks):
        torch.addcmul(
            h[-1, chunk - 1], decay[-1, chunk - 1], carried[chunk - 1], out=carried[chunk]
        )
    h.addcmul_(decay, carried)
    return h.permute(2, 1, 0).reshape(batch, channel, steps * chunks)[..., :length]


def reversed_recurrence(a: Tensor, b: Tensor) -> Tensor:
    """g[t] = b[t] + a[t+1] g[t+1] from the right end; the adjoint of :func:`linear_recurrence`."""
    after = F.pad(a[..., 1:], (0, 1))
    return linear_recurrence(after.flip(-1), b.flip(-1)).flip(-1)


class ChunkedScan(torch.autograd.Function):
    """y = sum over states of C h, for step sizes that are already positive; no skip term."""

    @staticmethod
    def forward(ctx, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
        """Scan, keeping only the inputs."""
        ctx.save_for_backward(u, delta, A, B, C)
        per_group = u.shape[1] // B.shape[1]
        entering = delta * u
        y = torch.zeros_like(entering)
        for n in range(A.shape[1]):
            B_n, C_n = (x[:, :, n].repeat_interleave(per_group, dim=1) for x in (B, C))
            h = linear_recurrence(torch.exp(delta * A[:, n, None]), entering * B_n)
            y.addcmul_(h, C_n)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, dy: Tensor) -> tuple[Tensor, ...]:
        """Run the adjoint recurrence from the right, one state at a time."""
        u, delta, A, B, C = ctx.saved_tensors
        groups = B.shape[1]
        per_group = u.shape[1] // groups
        entering = delta * u
        d_entering, d_delta = torch.zeros_like(u), torch.zeros_like(u)
        dA, dB, dC = torch.zeros_like(A), torch.zeros_like(B), torch.zeros_like(C)
        for n in range(A.shape[1]):
            B_n, C_n = (x[:, :, n].repeat_interleave(per_group, dim=1) for x in (B, C))
            a = torch.exp(delta * A[:, n, None])
            h = linear_recurrence(a, entering * B_n)
            g = reversed_recurrence(a, C_n * dy)
            dC[:, :, n] = (h * dy).unflatten(1, (groups, per_group)).sum(2)
            dB[:, :, n] = (g * entering).unflatten(1, (groups, per_group)).sum(2)
            d_entering.addcmul_(g, B_n)
            d_exponent = g * F.pad(h[..., :-1], (1, 0)) * a
            d_delta.addcmul_(d_exponent, A[:, n, None])
            dA[:, n] = (d_exponent * delta).sum((0, 2))
        return d_entering * delta, d_delta.addcmul_(d_entering, u), dA, dB, dC


def selective_scan_chunked(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    skip: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
) -> Tensor:
    """Scan ``u``; arguments and result as in :mod:`tamperscope.kernels.reference`."""
    work = working_dtype(u.dtype)
    out_dtype = u.dtype
    u, delta, A, B, C = (tensor.to(work) for tensor in (u, delta, A, B, C))
    if delta_bias is not None:
        delta = delta + delta_bias.to(work)[:, None]
    if delta_softplus:
        delta = F.softplus(delta)
    y = ChunkedScan.apply(u, delta, A, B, C)
    if skip is not None:
        y = y + skip.to(work)[:, None] * u
    return y.to(out_dtype)
