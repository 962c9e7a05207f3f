"""The two-dimensional scan on the CPU without laying out a sequence: calls ``csrc/scan_map.h``.

The projection of the map to ranks, B and C is one matrix product over the cells in their own order,
done by torch; everything after it (step sizes, recurrence, merge) reads and writes the map in place
along the route. Rules of :mod:`tamperscope.kernels.native_scan` hold here too: float32 arithmetic,
torch's threads, the same bits for any number of them.
"""

import ctypes
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from tamperscope.kernels.native_scan import (
    address,
    check_memory,
    layout,
    refuse_what_native_cannot,
    run_tasks,
)
from tamperscope.kernels.routes import route_index

MAP_SIZES = (
    *("batch", "cells", "channels", "states", "rank", "length", "vectors", "failed", "parts"),
    *("part_stride", "proj_direction", "proj_batch", "proj_row", "proj_block"),
)
MAP_TENSORS = (
    *("cell", "row", "x", "proj", "dt_weight", "dt_bias", "A", "skip", "y", "checkpoints"),
    *("dy", "dx", "dproj", "ddt_weight", "ddt_bias", "dA", "dskip"),
)


class MapArguments(ctypes.Structure):
    """Mirrors ``struct Maps`` in csrc/scan_map.h."""

    tensors: dict[str, Tensor | None]

    _fields_ = [(name, ctypes.c_int64) for name in MAP_SIZES] + [
        (name, ctypes.c_void_p) for name in MAP_TENSORS
    ]


@cache
def route_tables(route: str, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Cell of the map and row of the projection that every step reads, int32 (4, length)."""
    cell = route_index(route, height, width, torch.device("cpu")).to(torch.int32)
    if route == "cross":
        return cell.contiguous(), cell.contiguous()
    rows, columns = -(-height // 2), -(-width // 2)
    by_row = torch.arange(rows * columns, dtype=torch.int32)
    by_column = by_row.view(rows, columns).t().flatten()
    return cell.contiguous(), torch.stack([by_row, by_column, by_row, by_column])


def project_cells(x: Tensor, weight: Tensor, route: str) -> Tensor:
    """Project the cells: (batch, h * w, 4, entry) for cross, (4, batch, quarter, entry) for atrous.

    Under atrous a cell belongs to one direction only; padding cells are zero.
    """
    batch, height, width, channel = x.shape
    if route == "cross":
        return (x.reshape(-1, channel) @ weight.flatten(0, 1).t()).view(
            batch, -1, 4, weight.shape[1]
        )
    x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
    grids = [x[:, row::2, column::2] for row, column in ((0, 0), (1, 0), (0, 1), (1, 1))]
    cells = torch.stack(grids).view(4, -1, channel)
    return (cells @ weight.transpose(1, 2)).view(4, batch, -1, weight.shape[1])


def strides_of_projection(projected: Tensor, route: str) -> dict[str, int]:
    """Strides of direction, batch entry and row, in floats, and the size of the whole."""
    direction, batch, row = (2, 0, 1) if route == "cross" else (0, 1, 2)
    return {
        "proj_direction": projected.stride(direction),
        "proj_batch": projected.stride(batch),
        "proj_row": projected.stride(row),
        "proj_block": projected.numel(),
    }


def parts_of_a_map(batch: int, channel: int, route: str) -> int:
    """Tasks that share the four directions of one block of channels.

    One, which then adds the directions up in place, unless that leaves threads without work; with
    four the parts are added up in the same order, so the bits are the same. The atrous directions
    touch different cells and never need adding up.
    """
    if route == "atrous":
        return 4
    return 1 if batch * blocks_of(channel) >= torch.get_num_threads() else 4


def vectors_of_a_block(channels: int) -> int:
    """Vectors of channels that a task takes: many, but leaving an even number of blocks.

    A function of the channels alone: results must not depend on the number of threads.
    """
    lanes, _, most = layout()
    vectors = -(-channels // lanes)
    even = [size for size in range(most, 1, -1) if vectors % (2 * size) == 0]
    return even[0] if even else max(1, min(most, vectors // 2))


def blocks_of(channel: int) -> int:
    """Blocks of channels."""
    return -(-channel // (vectors_of_a_block(channel) * layout()[0]))


def map_arguments(
    x: Tensor,
    projected: Tensor,
    dt_weight: Tensor,
    A: Tensor,
    route: str,
    tensors: dict[str, Tensor | None],
) -> MapArguments:
    """Fill the C structure; every tensor must be contiguous float32 on the CPU."""
    batch, height, width, channel = x.shape
    cell, row = route_tables(route, height, width)
    tensors = {**tensors, "x": x, "proj": projected, "dt_weight": dt_weight, "A": A}
    check_memory(tensors)
    tensors |= {"cell": cell, "row": row}
    parts = parts_of_a_map(batch, channel, route)
    arguments = MapArguments(
        batch=batch,
        cells=height * width,
        channels=channel,
        states=A.shape[1],
        rank=dt_weight.shape[1],
        length=cell.shape[1],
        vectors=vectors_of_a_block(channel),
        parts=parts,
        part_stride=0 if route == "atrous" else x.numel(),
        **strides_of_projection(projected, route),
        **{name: address(tensor) for name, tensor in tensors.items()},
    )
    arguments.tensors = tensors  # a copy made to be contiguous has to live as long as its address
    return arguments


def map_checkpoint_shape(x: Tensor, states: int, route: str) -> list[int]:
    """(batch, block, direction, tile, state, channels of a block)."""
    batch, height, width, channel = x.shape
    lanes, steps, _ = layout()
    length = height * width if route == "cross" else -(-height // 2) * -(-width // 2)
    block = vectors_of_a_block(channel) * lanes
    return [batch, -(-channel // block), 4, -(-length // steps), states, block]


def check_projected(
    x: Tensor, projected: Tensor, dt_weight: Tensor, dt_bias: Tensor, A: Tensor, Ds: Tensor,
    route: str,
) -> None:  # fmt: skip
    """Raise ValueError unless every shape fits: behind this line sizes are taken on trust."""
    if x.dim() != 4 or min(x.shape) < 1 or dt_weight.dim() != 3 or A.dim() != 2:
        raise ValueError(
            "x must be (batch, height, width, channel), dt_weight (4, rank, channel) and "
            f"A (4 channel, state), got {[*x.shape]}, {[*dt_weight.shape]} and {[*A.shape]}"
        )
    batch, height, width, channel = x.shape
    rank, states = dt_weight.shape[1], A.shape[1]
    length = route_tables(route, height, width)[0].shape[1]
    entries = rank + 2 * states
    expected = {
        "projected": (batch, length, 4, entries)
        if route == "cross"
        else (4, batch, length, entries),
        "dt_weight": (4, rank, channel),
        "dt_bias": (4, channel),
        "A": (4 * channel, states),
        "Ds": (4 * channel,),
    }
    given = {
        "projected": projected, "dt_weight": dt_weight, "dt_bias": dt_bias, "A": A, "Ds": Ds,
    }  # fmt: skip
    for name, shape in expected.items():
        if tuple(given[name].shape) != shape or min(shape) < 1:
            raise ValueError(
                f"{name} must be {[*shape]} to go with x {[*x.shape]}, got {[*given[name].shape]}"
            )


@torch.library.custom_op("tamperscope::ss2d", mutates_args=(), device_types="cpu")
def map_op(
    x: Tensor,
    projected: Tensor,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    Ds: Tensor,
    route: str,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    """Return the merged map and, if ``keep``, the checkpoints for the backward pass."""
    check_projected(x, projected, dt_weight, dt_bias, A, Ds, route)
    tensors = (x, projected, dt_weight, dt_bias, A, Ds)
    x, projected, dt_weight, dt_bias, A, Ds = (tensor.contiguous() for tensor in tensors)
    _, checkpoints = map_op_fake(x, projected, dt_weight, dt_bias, A, Ds, route, keep)
    parts = parts_of_a_map(x.shape[0], x.shape[3], route)
    y = x.new_empty([parts if route == "cross" else 1, *x.shape])
    results = {"y": y, "checkpoints": checkpoints if keep else None}
    given: dict[str, Tensor | None] = {"dt_bias": dt_bias, "skip": Ds, **results}
    arguments = map_arguments(x, projected, dt_weight, A, route, given)
    run_tasks("ss2d_forward", x.shape[0] * blocks_of(x.shape[3]) * parts, arguments)
    return add_parts(y), checkpoints


def add_parts(parts: Tensor) -> Tensor:
    """Add up in the order of the directions, as one task would."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


@map_op.register_fake
def map_op_fake(x, projected, dt_weight, dt_bias, A, Ds, route, keep):
    """Shapes of the results."""
    checkpoints = map_checkpoint_shape(x, A.shape[1], route) if keep else [0]
    return x.new_empty(x.shape), x.new_empty(checkpoints)


@torch.library.custom_op("tamperscope::ss2d_backward", mutates_args=(), device_types="cpu")
def map_backward_op(
    dy: Tensor,
    x: Tensor,
    projected: Tensor,
    dt_weight: Tensor,
    dt_bias: Tensor,
    A: Tensor,
    Ds: Tensor,
    checkpoints: Tensor,
    route: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x, projected, dt_weight, dt_bias, A and Ds."""
    check_projected(x, projected, dt_weight, dt_bias, A, Ds, route)
    if list(checkpoints.shape) != map_checkpoint_shape(x, A.shape[1], route):
        raise ValueError(f"checkpoints {[*checkpoints.shape]} are not those of x {[*x.shape]}")
    if dy.shape != x.shape:
        raise ValueError(f"dy must be {[*x.shape]}, got {[*dy.shape]}")
    tensors = (dy, x, projected, dt_weight, dt_bias, A, Ds)
    dy, x, projected, dt_weight, dt_bias, A, Ds = (tensor.contiguous() for tensor in tensors)
    batch, channel = x.shape[0], x.shape[3]
    parts, blocks = parts_of_a_map(batch, channel, route), blocks_of(channel)
    dx = x.new_empty([parts if route == "cross" else 1, *x.shape])
    dprojected = x.new_empty([blocks, *projected.shape])
    summed = {
        "ddt_weight": x.new_empty([batch, *dt_weight.shape]),
        "ddt_bias": x.new_empty([batch, *dt_bias.shape]),
        "dA": x.new_empty([batch, *A.shape]),
        "dskip": x.new_empty([batch, *Ds.shape]),
    }
    given: dict[str, Tensor | None] = {
        **{"dt_bias": dt_bias, "skip": Ds, "checkpoints": checkpoints},
        **{"dy": dy, "dx": dx, "dproj": dprojected},
        **summed,
    }
    arguments = map_arguments(x, projected, dt_weight, A, route, given)
    run_tasks("ss2d_backward", batch * blocks * parts, arguments)
    ddt_weight, ddt_bias, dA, dskip = (tensor.sum(0) for tensor in summed.values())
    return add_parts(dx), dprojected.sum(0), ddt_weight, ddt_bias, dA, dskip


@map_backward_op.register_fake
def map_backward_fake(dy, x, projected, dt_weight, dt_bias, A, Ds, checkpoints, route):
    """Shapes of the gradients."""
    tensors = (x, projected, dt_weight, dt_bias, A, Ds)
    return tuple(x.new_empty(tensor.shape) for tensor in tensors)


def keep_for_backward(ctx, inputs, output) -> None:
    """Save what the backward pass needs."""
    *tensors, route, keep = inputs
    checkpoints = output[1]
    ctx.mark_non_differentiable(checkpoints)
    ctx.save_for_backward(*tensors, checkpoints)
    ctx.route, ctx.keep = route, keep


def map_gradients(ctx, dy: Tensor, _: Tensor | None):
    """Hand the gradients back."""
    if not ctx.keep:
        raise RuntimeError("tamperscope::ss2d ran with keep=False: no gradients")
    return (*map_backward_op(dy, *ctx.saved_tensors, ctx.route), None, None)


map_op.register_autograd(map_gradients, setup_context=keep_for_backward)


def ss2d_native(
    x: Tensor,
    x_proj_weight: Tensor,
    dt_projs_weight: Tensor,
    dt_projs_bias: Tensor,
    A_logs: Tensor,
    Ds: Tensor,
    route: str,
) -> Tensor:
    """Scan the map; arguments and result as in :func:`tamperscope.kernels.ss2d`."""
    refuse_what_native_cannot(x)
    tensors = (x, x_proj_weight, dt_projs_weight, dt_projs_bias, A_logs, Ds)
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    with torch.autocast("cpu", enabled=False):
        image, x_proj_weight, dt_projs_weight, dt_projs_bias, A_logs, Ds = (
            tensor.to(torch.float32) for tensor in tensors
        )
        projected = project_cells(image, x_proj_weight, route)
        dt_weight = dt_projs_weight.transpose(1, 2).contiguous()
        y, _ = map_op(
            *(image, projected, dt_weight, dt_projs_bias, -torch.exp(A_logs), Ds, route, keep)
        )
    return y.to(x.dtype)
