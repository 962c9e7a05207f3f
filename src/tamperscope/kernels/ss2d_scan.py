"""The two-dimensional selective scan of visual state-space models, as one operator.

    ss2d(x, x_proj_weight, dt_projs_weight, dt_projs_bias, A_logs, Ds, route="cross") -> y

takes a channels-last map and returns one, before the output norm. Along each of the four directions
of ``route`` (see :mod:`tamperscope.kernels.routes`):

    [dt | B | C] = x_proj_weight[k] x          split into rank, state and state rows
    delta        = softplus(dt_projs_weight[k] dt + dt_projs_bias[k])
    y[k]         = selective_scan(x, delta, -exp(A_logs[k]), B, C, Ds[k])

and the four y are merged. Liu et al., "VMamba: Visual State Space Model", 2024,
https://arxiv.org/abs/2401.10166, section 4.2; parameters are named and laid out as in its
checkpoints. Everything is computed in float32 at least.
"""

import torch
from torch import Tensor

from tamperscope.kernels.arguments import check_map
from tamperscope.kernels.native_ss2d import ss2d_native
from tamperscope.kernels.reference import working_dtype
from tamperscope.kernels.routes import lay_out, put_back, route_index
from tamperscope.kernels.scan import chosen_implementation, selective_scan


def ss2d(
    x: Tensor,
    x_proj_weight: Tensor,
    dt_projs_weight: Tensor,
    dt_projs_bias: Tensor,
    A_logs: Tensor,
    Ds: Tensor,
    *,
    route: str = "cross",
    implementation: str | None = None,
) -> Tensor:
    """Scan the map ``x`` along the four directions of ``route`` and merge them.

    Args:
        x: Map, channels last, (batch, height, width, channel).
        x_proj_weight: (4, rank + 2 state, channel).
        dt_projs_weight: (4, channel, rank).
        dt_projs_bias: (4, channel).
        A_logs: Logarithms of the decay rates, (4 channel, state), direction-major.
        Ds: Skip weights, (4 channel).
        route: ``cross`` (VMamba) or ``atrous`` (EfficientVMamba, step 2).
        implementation: As in :func:`tamperscope.kernels.selective_scan`.

    Returns:
        y, (batch, height, width, channel), in ``x``'s dtype; before the output norm.

    Raises:
        ValueError: Shapes, devices or the route do not fit; the message names the argument.
        TypeError: An argument is not a floating-point tensor.
        MissingKernelError: The implementation is unknown or was not built on this machine.
    """
    check_map(x, x_proj_weight, dt_projs_weight, dt_projs_bias, A_logs, Ds)
    name = chosen_implementation(x, implementation)
    if name == "native":
        return ss2d_native(x, x_proj_weight, dt_projs_weight, dt_projs_bias, A_logs, Ds, route)
    return ss2d_composed(x, x_proj_weight, dt_projs_weight, dt_projs_bias, A_logs, Ds, route, name)


def ss2d_composed(
    x: Tensor,
    x_proj_weight: Tensor,
    dt_projs_weight: Tensor,
    dt_projs_bias: Tensor,
    A_logs: Tensor,
    Ds: Tensor,
    route: str,
    implementation: str,
) -> Tensor:
    """Lay the four sequences out, project, scan and merge: the definition, for any device."""
    batch, height, width, channel = x.shape
    work, out_dtype = working_dtype(x.dtype), x.dtype
    index = route_index(route, height, width, x.device)
    weights = (x_proj_weight, dt_projs_weight, dt_projs_bias, A_logs, Ds)
    x_proj_weight, dt_projs_weight, dt_projs_bias, A_logs, Ds = (w.to(work) for w in weights)
    sequences = lay_out(x.to(work).permute(0, 3, 1, 2), index)
    state, rank = A_logs.shape[1], dt_projs_weight.shape[2]
    with torch.autocast(x.device.type, enabled=False):
        projected = torch.einsum("bkdl,kcd->bkcl", sequences, x_proj_weight)
        dt, B, C = projected.split([rank, state, state], dim=2)
        delta = torch.einsum("bkrl,kdr->bkdl", dt, dt_projs_weight)
        y = selective_scan(
            sequences.flatten(1, 2),
            delta.flatten(1, 2),
            -torch.exp(A_logs),
            B,
            C,
            Ds,
            dt_projs_bias.flatten(),
            delta_softplus=True,
            implementation=implementation,
        )
    merged = put_back(y.view(batch, 4, channel, -1), index, height * width)
    return merged.transpose(1, 2).reshape(batch, height, width, channel).to(out_dtype)
