"""AGSSM: an affinity-guided state-space block, in the linear-attention form of MLLA.

    x <- x + DWConv(x)
    n = norm(x (1 + g a))                             a: the affinity map, in [0, 1]; g is learned
    y = attention(SiLU(DWConv(W n)), a) * SiLU(W' n)
    x <- x + W'' y;   x <- x + DWConv(x);   x <- x + MLP(norm(x))

    attention_i = R q_i . sum_j (R k_j)^T v_j / (q_i . sum_j k_j) + DWConv(v),
    q = ELU(W_q v) + 1,  k = (ELU(W_k v) + 1) (eps + a),  R: rotary positions

With a constant map the block is MLLA's: Han et al., "Demystify Mamba in Vision: A Linear Attention
Perspective", 2024, https://arxiv.org/abs/2405.16605. How BioTamperNet lets the affinity map in is
published as "conditioned" and "modulated" only; scaling keys (a cell without a partner is not read)
and tokens is what was chosen. Normalisation is BatchNorm, its LayerNorm being a published ablation.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.affinity import Norm, norm_layer
from tamperscope.models.layers import MLP, Conv, DropPath
from tamperscope.models.rotary import rotated_2d

LEAST_KEY = 0.05  # share of a key that a cell without any affinity keeps
EPSILON = 1e-6


def linear_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Normalised linear attention with rotary positions, in time linear in the cells.

    Equal to  sum_j <R q_i, R k_j> v_j / (<q_i, sum_j k_j> + N eps).

    Args:
        q: Positive, (batch, rows, columns, channel), channels a multiple of 4.
        k: Not negative, the same shape.
        v: The same shape.
    """
    cells = q.shape[1] * q.shape[2]
    scale = 1 / (torch.einsum("bhwc,bc->bhw", q, k.mean(dim=(1, 2))) + EPSILON)
    turned_q, turned_k = rotated_2d(q).flatten(1, 2), rotated_2d(k).flatten(1, 2)
    summed = turned_k.transpose(1, 2) @ (v.flatten(1, 2) / cells)
    return (turned_q @ summed).view_as(v) * scale[..., None]


class GuidedAttention(nn.Module):
    """Linear attention whose keys are weighed by the affinity map, in several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % (4 * heads):
            raise ValueError(f"a width of {width} does not give {heads} heads of a multiple of 4")
        self.heads = heads
        self.qk = nn.Linear(width, 2 * width)
        self.local = Conv(width, width, 3, padding=1, groups=width)

    def forward(self, v: Tensor, affinity: Tensor) -> Tensor:
        """(batch, rows, columns, channel) and (batch, rows, columns) -> the first's shape."""
        q, k = (F.elu(self.qk(v)) + 1).chunk(2, dim=-1)
        k = k * (LEAST_KEY + affinity[..., None])
        y = linear_attention(*(self.split(x) for x in (q, k, v)))
        batch, rows, columns, width = v.shape
        y = y.view(batch, self.heads, rows, columns, -1).permute(0, 2, 3, 1, 4)
        return y.reshape(batch, rows, columns, width) + self.local(v)

    def split(self, x: Tensor) -> Tensor:
        """Put the heads beside the batch."""
        batch, rows, columns, _ = x.shape
        parts = x.view(batch, rows, columns, self.heads, -1).permute(0, 3, 1, 2, 4)
        return parts.reshape(batch * self.heads, rows, columns, -1)


class AGSSM(nn.Module):
    """One block; three of them run beside each other on the same tokens and are averaged."""

    def __init__(
        self, width: int, heads: int, *, mlp_ratio: float, drop_path: float, norm: Norm
    ) -> None:
        super().__init__()
        self.place1 = Conv(width, width, 3, padding=1, groups=width)
        self.gain = nn.Parameter(torch.ones(1))
        self.norm1 = norm_layer(norm, width)
        self.gate = nn.Linear(width, width)
        self.main = nn.Linear(width, width)
        self.local = Conv(width, width, 3, padding=1, groups=width)
        self.attention = GuidedAttention(width, heads)
        self.out = nn.Linear(width, width)
        self.place2 = Conv(width, width, 3, padding=1, groups=width)
        self.norm2 = norm_layer(norm, width)
        self.mlp = MLP(width, int(width * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, affinity: Tensor) -> Tensor:
        """Transform tokens.

        Args:
            x: (batch, rows, columns, channel).
            affinity: (batch, rows, columns), in [0, 1].
        """
        x = x + self.place1(x)
        guided = self.norm1(x * (1 + self.gain * affinity[..., None]))
        y = self.attention(F.silu(self.local(self.main(guided))), affinity)
        x = x + self.drop_path(self.out(y * F.silu(self.gate(guided))))
        x = x + self.place2(x)
        return x + self.drop_path(self.mlp(self.norm2(x)))
