"""The selective scan on a GPU, in Triton: the equation of ``reference.py``, forward and backward.

One program scans one channel of one batch entry, a chunk of steps at a time, all states together.
Inside a chunk the recurrence h = a h + b runs as an associative scan over pairs,

    (a1, b1) then (a2, b2)  =  (a1 a2, a2 b1 + b2),

whose first pair takes in the state that the chunk before ended with. The forward pass stores the
state before every chunk; the backward pass starts from there, recomputes, and runs the adjoint
recurrence from the right. States are never stored per step. Loads widen to float32, sums are kept
in float32, results are rounded once. What the channels of a group add to the gradients of B and C
is added up by atomic operations: their last bits depend on the order in which programs finish.

With ``TRITON_INTERPRET=1`` in the environment before this module is imported, the same kernels run
on the CPU under Triton's interpreter: for tests, thousands of times slower.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

INTERPRETED = bool(triton.knobs.runtime.interpret)
CHUNK_VALUES = 2048  # states times steps that one program holds at a time


@triton.jit
def then(a1, b1, a2, b2):
    return a1 * a2, a2 * b1 + b2


@triton.jit
def plus(x, y):
    return x + y


@triton.jit
def softplus(z):
    """max(z, 0) + log1p(exp(-|z|)); the second by the series of 2 artanh(x / (2 + x))."""
    x = tl.exp(-tl.abs(z))
    s = x / (2.0 + x)
    q = s * s
    tail = 1.0 / 9 + q * (1.0 / 11 + q * (1.0 / 13 + q * (1.0 / 15)))
    series = 1.0 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * tail)))
    return tl.where(z > 20.0, z, tl.where(z > 0, z, 0.0) + 2.0 * s * series)


@triton.jit
def step_sizes(delta, t, mask, bias, SOFTPLUS: tl.constexpr):
    """Step sizes at places ``t``, and what softplus was taken of; steps outside have size 0."""
    z = tl.load(delta + t, mask=mask, other=0.0).to(tl.float32) + bias
    d = z
    if SOFTPLUS:
        d = softplus(z)
    return tl.where(mask, d, 0.0), z


@triton.jit
def rows_of(x, n, t, length, mask):
    """A (state, step) block of B or C, zero outside."""
    return tl.load(x + n[:, None] * length + t[None, :], mask=mask, other=0.0).to(tl.float32)


@triton.jit
def forward_kernel(
    u, delta, A, B, C, skip, bias, y, checkpoints,
    channels, groups, length, states, chunks,
    SOFTPLUS: tl.constexpr, SKIP: tl.constexpr, BIAS: tl.constexpr, KEEP: tl.constexpr,
    STATES: tl.constexpr, STEPS: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0).to(tl.int64)
    batch, channel = program // channels, program % channels
    group = batch * groups + channel // (channels // groups)
    u, delta, y = u + program * length, delta + program * length, y + program * length
    B, C = B + group * states * length, C + group * states * length
    n, i = tl.arange(0, STATES), tl.arange(0, STEPS)
    A_n = tl.load(A + channel * states + n, mask=n < states, other=0.0).to(tl.float32)[:, None]
    shift, weight = 0.0, 0.0
    if BIAS:
        shift = tl.load(bias + channel).to(tl.float32)
    if SKIP:
        weight = tl.load(skip + channel).to(tl.float32)
    state = tl.full([STATES], 0.0, tl.float32)
    for chunk in range(chunks):
        if KEEP:
            tl.store(checkpoints + (program * chunks + chunk) * states + n, state, mask=n < states)
        t = chunk * STEPS + i
        inside = t < length
        both = (n < states)[:, None] & inside[None, :]
        d, _ = step_sizes(delta, t, inside, shift, SOFTPLUS)
        u_t = tl.load(u + t, mask=inside, other=0.0).to(tl.float32)
        a = tl.exp(d[None, :] * A_n)
        b = (d * u_t)[None, :] * rows_of(B, n, t, length, both)
        b = tl.where(i[None, :] == 0, a * state[:, None] + b, b)
        _, h = tl.associative_scan((a, b), 1, then)
        out = tl.reduce(h * rows_of(C, n, t, length, both), 0, plus) + weight * u_t
        tl.store(y + t, out.to(y.dtype.element_ty), mask=inside)
        state = tl.reduce(tl.where(i[None, :] == STEPS - 1, h, 0.0), 1, plus)


@triton.jit
def backward_kernel(
    u, delta, A, B, C, skip, bias, checkpoints, dy, du, ddelta, dA, dB, dC, dskip, dbias,
    channels, groups, length, states, chunks,
    SOFTPLUS: tl.constexpr, SKIP: tl.constexpr, BIAS: tl.constexpr,
    STATES: tl.constexpr, STEPS: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0).to(tl.int64)
    batch, channel = program // channels, program % channels
    group = batch * groups + channel // (channels // groups)
    u, delta, dy = u + program * length, delta + program * length, dy + program * length
    du, ddelta = du + program * length, ddelta + program * length
    B, C = B + group * states * length, C + group * states * length
    dB, dC = dB + group * states * length, dC + group * states * length
    n, i = tl.arange(0, STATES), tl.arange(0, STEPS)
    A_n = tl.load(A + channel * states + n, mask=n < states, other=0.0).to(tl.float32)[:, None]
    shift, weight = 0.0, 0.0
    if BIAS:
        shift = tl.load(bias + channel).to(tl.float32)
    if SKIP:
        weight = tl.load(skip + channel).to(tl.float32)
    from_right = tl.full([STATES], 0.0, tl.float32)  # a[t+1] g[t+1] for the chunk's last step
    sum_dA = tl.full([STATES], 0.0, tl.float32)
    sum_skip = tl.full([STEPS], 0.0, tl.float32)
    sum_bias = tl.full([STEPS], 0.0, tl.float32)
    for step in range(chunks):
        chunk = chunks - 1 - step
        t = chunk * STEPS + i
        inside = t < length
        both = (n < states)[:, None] & inside[None, :]
        d, z = step_sizes(delta, t, inside, shift, SOFTPLUS)
        u_t = tl.load(u + t, mask=inside, other=0.0).to(tl.float32)
        dy_t = tl.load(dy + t, mask=inside, other=0.0).to(tl.float32)
        B_t, C_t = rows_of(B, n, t, length, both), rows_of(C, n, t, length, both)
        a = tl.exp(d[None, :] * A_n)

        # The states before each step: the scan over the inputs one step earlier.
        earlier = (i > 0) & (t - 1 < length)
        d_e, _ = step_sizes(delta, t - 1, earlier, shift, SOFTPLUS)
        u_e = tl.load(u + t - 1, mask=earlier, other=0.0).to(tl.float32)
        B_e = rows_of(B, n, t - 1, length, (n < states)[:, None] & earlier[None, :])
        start = tl.load(
            checkpoints + (program * chunks + chunk) * states + n, mask=n < states, other=0.0
        )
        entering = tl.where(i[None, :] == 0, start[:, None], (d_e * u_e)[None, :] * B_e)
        _, before = tl.associative_scan((tl.exp(d_e[None, :] * A_n), entering), 1, then)
        h = a * before + (d * u_t)[None, :] * B_t

        # g[t] = C[t] dy[t] + a[t+1] g[t+1], from the right.
        later = (i < STEPS - 1) & (t + 1 < length)
        d_l, _ = step_sizes(delta, t + 1, later, shift, SOFTPLUS)
        entering = C_t * dy_t[None, :]
        entering = tl.where(i[None, :] == STEPS - 1, entering + from_right[:, None], entering)
        _, g = tl.associative_scan((tl.exp(d_l[None, :] * A_n), entering), 1, then, reverse=True)
        from_right = tl.reduce(tl.where(i[None, :] == 0, a * g, 0.0), 1, plus)

        d_exponent = tl.where(both, g * a * before, 0.0)
        d_entering = tl.reduce(g * B_t, 0, plus)
        d_d = tl.reduce(d_exponent * A_n, 0, plus) + u_t * d_entering
        if SOFTPLUS:
            d_d = tl.where(z > 20.0, d_d, d_d / (1.0 + tl.exp(-z)))
        d_d = tl.where(inside, d_d, 0.0)
        tl.store(du + t, d * d_entering + weight * dy_t, mask=inside)
        tl.store(ddelta + t, d_d, mask=inside)
        sum_dA += tl.reduce(d_exponent * d[None, :], 1, plus)
        sum_skip += dy_t * u_t
        sum_bias += d_d
        place = n[:, None] * length + t[None, :]
        tl.atomic_add(dB + place, g * (d * u_t)[None, :], mask=both)
        tl.atomic_add(dC + place, h * dy_t[None, :], mask=both)
    tl.store(dA + program * states + n, sum_dA, mask=n < states)
    tl.store(dskip + program, tl.reduce(sum_skip, 0, plus))
    tl.store(dbias + program, tl.reduce(sum_bias, 0, plus))


def chunk_steps(states: int, length: int) -> int:
    """Steps per chunk, a power of two: fewer for more states, no more than there are."""
    steps = max(CHUNK_VALUES // triton.next_power_of_2(states), 16)
    return min(steps, max(triton.next_power_of_2(length), 16))


def on_device_of(tensor: Tensor) -> AbstractContextManager:
    """Launch on the GPU that holds ``tensor``; Triton takes the current one."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


class TritonScan(torch.autograd.Function):
    """The operator with its gradients; every tensor contiguous."""

    @staticmethod
    def forward(ctx, u, delta, A, B, C, skip, delta_bias, delta_softplus, keep):
        """Scan; keep the inputs and a state per chunk if ``keep``."""
        batch, channel, length = u.shape
        groups, states = B.shape[1:3]
        steps = chunk_steps(states, length)
        chunks = triton.cdiv(length, steps)
        y = torch.empty_like(u)
        checkpoints = torch.empty(
            batch, channel, chunks if keep else 0, states, dtype=torch.float32, device=u.device
        )
        ctx.sizes = (channel, groups, length, states, chunks)
        ctx.settings = {
            "SOFTPLUS": delta_softplus,
            "SKIP": skip is not None,
            "BIAS": delta_bias is not None,
            "STATES": triton.next_power_of_2(states),
            "STEPS": steps,
            "enable_fp_fusion": True,  # said, because Triton 3.10 changes what saying nothing means
        }
        with on_device_of(u):
            forward_kernel[(batch * channel,)](
                u, delta, A, B, C, u if skip is None else skip, u if delta_bias is None else
                delta_bias, y, checkpoints, *ctx.sizes, KEEP=keep, **ctx.settings
            )  # fmt: skip
        if keep:
            ctx.save_for_backward(u, delta, A, B, C, skip, delta_bias, checkpoints)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        """Run the adjoint from the right, in float32; gradients in the types of the inputs."""
        u, delta, A, B, C, skip, delta_bias, checkpoints = ctx.saved_tensors
        batch, channel, _ = u.shape
        wide = {"dtype": torch.float32, "device": u.device}
        du, ddelta = torch.empty(u.shape, **wide), torch.empty(u.shape, **wide)
        dB, dC = torch.zeros(B.shape, **wide), torch.zeros(C.shape, **wide)
        dA = torch.empty(batch, *A.shape, **wide)
        dskip, dbias = (torch.empty(batch, channel, **wide) for _ in range(2))
        with on_device_of(u):
            backward_kernel[(batch * channel,)](
                u, delta, A, B, C, u if skip is None else skip, u if delta_bias is None else
                delta_bias, checkpoints, dy.contiguous(), du, ddelta, dA, dB, dC, dskip, dbias,
                *ctx.sizes, **ctx.settings
            )  # fmt: skip
        grads = (du, ddelta, dA.sum(0), dB, dC, dskip.sum(0), dbias.sum(0))
        tensors = (u, delta, A, B, C, skip, delta_bias)
        present = (
            None if t is None else grad.to(t.dtype) for grad, t in zip(grads, tensors, strict=True)
        )
        return (*present, None, None)


def selective_scan_triton(
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
        ValueError: ``u`` is not on a GPU, and the interpreter was not asked for.
    """
    if not (u.is_cuda or (INTERPRETED and u.device.type == "cpu")):
        raise ValueError(f"the Triton scan runs on a GPU, the input is on {u.device}")
    if u.dtype == torch.float64:
        raise TypeError(
            "the Triton scan computes in float32 and the input is float64; convert it, or use "
            "implementation='chunked'"
        )
    tensors = [
        None if tensor is None else tensor.contiguous()
        for tensor in (u, delta, A, B, C, skip, delta_bias)
    ]
    keep = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    return TritonScan.apply(*tensors, delta_softplus, keep)
