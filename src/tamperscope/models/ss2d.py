"""SS2D: a depthwise convolution, then selective scans along four walks over the map.

    x = SiLU(depthwise(in_proj(x)))
    per walk k:  dt, B, C = x_proj[k] x;  dt = softplus(dt_proj[k] dt + bias[k])
                 h[t] = exp(dt A) h[t-1] + dt B x[t];   y[t] = C h[t] + D x[t]
    y = out_proj(LayerNorm(y of the four walks, back on the map) * SiLU(z))

Liu et al., "VMamba: Visual State Space Model", 2024, https://arxiv.org/abs/2401.10166 (four
directions over the whole map, summed; no gate z in the variant of ForMa); Pei et al.,
"EfficientVMamba: Atrous Selective Scan for Light Weight Visual Mamba", 2024,
https://arxiv.org/abs/2403.09977 (four interleaved sub-grids, each walked once; gated).
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from tamperscope.kernels import ss2d
from tamperscope.models.layers import Conv

Route = Literal["cross", "atrous"]
WALKS = 4


class SS2D(nn.Module):
    """Two-dimensional selective scan on a channels-last map.

    Args:
        width: Channels of the map.
        inner: Channels that are scanned.
        state_size: Numbers of state per channel.
        route: ``cross`` walks the whole map four ways; ``atrous`` walks four sub-grids.
        gated: Whether a second projection, through SiLU, multiplies the result.
        conv_bias: Whether the depthwise convolution has a bias.
    """

    def __init__(
        self,
        width: int,
        inner: int,
        *,
        state_size: int,
        route: Route,
        gated: bool,
        conv_bias: bool,
    ) -> None:
        super().__init__()
        self.route: Route = route
        self.gated = gated
        rank = math.ceil(width / 16)
        self.in_proj = nn.Linear(width, inner * (2 if gated else 1), bias=False)
        self.conv = Conv(inner, inner, 3, padding=1, groups=inner, bias=conv_bias)
        self.act = nn.SiLU()
        self.x_proj_weight = nn.Parameter(torch.empty(WALKS, rank + 2 * state_size, inner))
        self.dt_projs_weight = nn.Parameter(torch.empty(WALKS, inner, rank))
        self.dt_projs_bias = nn.Parameter(torch.empty(WALKS, inner))
        self.A_logs = nn.Parameter(torch.empty(WALKS * inner, state_size))
        self.Ds = nn.Parameter(torch.empty(WALKS * inner))
        self.out_norm = nn.LayerNorm(inner)
        self.out_proj = nn.Linear(inner, width, bias=False)
        self.reset_scan_parameters()

    def reset_scan_parameters(self) -> None:
        """Start as Mamba does: steps of 0.001 to 0.1, decays 1 to ``state_size``, D = 1."""
        walks, inner, rank = self.dt_projs_weight.shape
        bound = 1.0 / math.sqrt(inner)  # torch's own start of a linear layer
        nn.init.uniform_(self.x_proj_weight, -bound, bound)
        nn.init.uniform_(self.dt_projs_weight, -(rank**-0.5), rank**-0.5)
        with torch.no_grad():
            low, high = math.log(0.001), math.log(0.1)
            dt = torch.exp(torch.rand(walks, inner) * (high - low) + low).clamp(min=1e-4)
            self.dt_projs_bias.copy_(dt + torch.log(-torch.expm1(-dt)))  # inverse of softplus
            decays = torch.arange(1, self.A_logs.shape[1] + 1, dtype=torch.float32)
            self.A_logs.copy_(torch.log(decays).expand_as(self.A_logs))
            self.Ds.fill_(1.0)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, channel) -> the same shape."""
        x = self.in_proj(x)
        if not self.gated:
            return self.out_proj(self.out_norm(self.core(self.act(self.conv(x)))))
        x, z = x.chunk(2, dim=-1)
        y = self.out_norm(self.core(self.act(self.conv(x))))
        return self.out_proj(y * self.act(z))

    def core(self, x: Tensor) -> Tensor:
        """Scan a map of ``inner`` channels; the kernel computes in float32 at least."""
        return ss2d(
            x,
            self.x_proj_weight,
            self.dt_projs_weight,
            self.dt_projs_bias,
            self.A_logs,
            self.Ds,
            route=self.route,
        )
