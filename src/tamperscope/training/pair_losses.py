"""The loss of BioTamperNet: binary cross-entropy on three answers of each panel of a pair.

    L = w_self BCE(alone, m) + w_cross BCE(crossed, m) + w_fused BCE(mask, m)

``alone`` and ``crossed`` are answers per cell, after self-attention and after cross-attention, and
are held against the share of the cell that the mask covers. Published are the three terms and that
there are no others; weights (here 1/2, 1/2, 1) and the balance of the classes are not: positives
count by how much rarer they are, five times at most. Where a network tells the copy from the
original, one more term counts over the marked pixels.

Not published is the matching loss, on the affinities P themselves: from masks alone a network
learns to see the edges of what was pasted long before it learns to match (docs/log.md).

    L_match = mean over cells with partners of     -log(sum of P_ij over j beside a partner) / 2
            + mean over cells far from any such of -log(1 - max_j P_ij)

"Beside" is less than one cell away, each way: where a place between cells is shown. The dual
softmax with a likelihood of this kind is that of Sun et al., "LoFTR", 2021,
https://arxiv.org/abs/2104.00680.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from tamperscope.models.affinity import Rows
from tamperscope.models.pair_network import BranchLogits, PairLogits, PairNetwork

WEIGHTS = (0.5, 0.5, 1.0)  # alone, crossed, fused
MATCHING = 0.6
MOST_WEIGHT = 5.0  # of a positive pixel
NEVER = -1e4  # logarithm of what does not count; finite, so that gradients are
MOST_SURE = 0.999  # affinity of a cell without a partner beyond which it costs no more


def biotampernet_loss(
    logits: PairLogits,
    first: Tensor,
    second: Tensor,
    *,
    weights: tuple[float, float, float] = WEIGHTS,
    most_weight: float = MOST_WEIGHT,
    copies: tuple[Tensor, Tensor] | None = None,
    partners: tuple[Tensor, Tensor] | None = None,
    matching: float = MATCHING,
    same: bool = False,
) -> Tensor:
    """Sum the three terms over both panels; the mean over pairs and pixels.

    Args:
        logits: What a pair network answered.
        first: True or 1 where the first panel is reused or pasted, (batch, height, width).
        second: The same for the second panel.
        weights: Of the answers after self-attention, after cross-attention, and of both fused.
            Answers that an ablation does not give are left out.
        most_weight: Positive pixels count (negatives / positives) times, at most this and at least
            once; decided batch by batch over both masks. 1 is the plain cross-entropy.
        copies: Where each panel holds the copy rather than the original, for a network with roles.
        partners: Where the copy of each cell lies, for the matching loss: (batch, partner, 2, rows,
            columns) a panel, from :func:`tamperscope.training.partners.partner_maps`. Without them,
            matching is not taught; nor where the network keeps no affinities, that is without
            affinity or in evaluation mode.
        matching: Weight of the matching loss, which is the mean of those of the affinities of the
            panels with their partners and with themselves.
        same: Whether the panels were compared with themselves: partners lie in the same panel.

    Raises:
        ValueError: Masks and logits do not go together, copies are given or wanted alone, or
            partners are those of other cells than the network's.
    """
    positive = (first.float().sum() + second.float().sum()).clamp(min=1)
    negative = first.numel() + second.numel() - positive
    balance = (negative / positive).clamp(1.0, most_weight)
    total = logits.first.mask.new_zeros(())
    roles = copies if copies is not None else (None, None)
    for branch, mask, copy in zip(
        (logits.first, logits.second), (first, second), roles, strict=True
    ):
        total = total + branch_loss(branch, mask, weights, balance) / 2
        if (copy is None) != (branch.role is None):
            raise ValueError("copies are for networks that tell roles apart, and needed by them")
        if copy is not None and branch.role is not None:
            total = total + role_loss(branch.role, mask, copy) / 2
    if partners is not None and matching > 0:
        for branch, places in zip((logits.first, logits.second), partners, strict=True):
            total = total + matching * branch_matching(branch, places, same=same) / 2
    return total


def branch_loss(
    branch: BranchLogits, mask: Tensor, weights: tuple[float, float, float], balance: Tensor
) -> Tensor:
    """Weighted cross-entropies of one panel's answers."""
    if mask.ndim != 3 or branch.mask[:, 0].shape != mask.shape:
        raise ValueError(
            f"masks are (batch, height, width) like their logits, got {tuple(mask.shape)} for "
            f"{tuple(branch.mask.shape)}"
        )
    truth = mask[:, None].float()
    total = weights[2] * balanced(branch.mask, truth, balance)
    for logits, weight in ((branch.alone, weights[0]), (branch.crossed, weights[1])):
        if logits is not None:
            total = total + weight * balanced(logits, cell_shares(truth, logits), balance)
    return total


def branch_matching(branch: BranchLogits, partners: Tensor, *, same: bool) -> Tensor:
    """Mean matching loss of a panel's affinities with its partner and with itself.

    Two panels share nothing inside one of them, so that no cell of a pair has a partner in its own
    panel. 0 where the network keeps no affinities.
    """
    inside = partners if same else torch.full_like(partners, torch.nan)
    terms = [
        matching_loss(rows, places)
        for rows, places in ((branch.cross_rows, partners), (branch.self_rows, inside))
        if rows is not None
    ]
    return torch.stack(terms).mean() if terms else branch.mask.new_zeros(())


def matching_loss(rows: Rows, partners: Tensor) -> Tensor:
    """Likelihood of the true partners, and of having none; see the module's text.

    Args:
        rows: All rows of the affinities of a batch of panels.
        partners: (batch, partner, 2, rows, columns): x and y in cells of the map that the
            affinities lead to, NaN where there is none.

    Raises:
        ValueError: The partners are those of another number of cells.
    """
    if partners.shape[0] != rows.half.shape[0] or partners[0, 0, 0].numel() != rows.half.shape[1]:
        raise ValueError(
            f"partners {tuple(partners.shape)} do not go with affinities of "
            f"{rows.half.shape[0]} panels of {rows.half.shape[1]} cells"
        )
    known = partners[:, :, 0].isfinite().any(dim=1)  # (batch, rows, columns)
    index, beside = cells_beside(partners, rows.other)
    near = 2 * rows.half.gather(2, index).float() - rows.row[..., None]
    likely = near.masked_fill(~beside, NEVER).logsumexp(dim=2)
    there = known.flatten(1) & beside.any(dim=2)
    total = -likely[there].clamp(max=0).sum() / 2 / there.sum().clamp(min=1)
    far = F.max_pool2d(known.float(), 3, 1, 1).flatten(1) == 0
    strongest = (2 * rows.half.amax(dim=2).float() - rows.row)[far].exp()
    return total - torch.log1p(-strongest.clamp(max=MOST_SURE)).sum() / far.sum().clamp(min=1)


def cells_beside(partners: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Cells less than one cell away from any partner: their index, and whether each counts.

    Returns:
        Two of shape (batch, cell, 4 x partner).
    """
    x, y = partners.flatten(3).permute(2, 0, 3, 1)  # each (batch, cell, partner)
    known = x.isfinite()
    x, y = x.nan_to_num(), y.nan_to_num()
    indices, counts = [], []
    for right in (0, 1):
        for down in (0, 1):
            column, row = x.floor().long() + right, y.floor().long() + down
            counts.append(
                known
                & ((column - x).abs() < 1) & ((row - y).abs() < 1)
                & (column >= 0) & (column < grid[1]) & (row >= 0) & (row < grid[0])
            )  # fmt: skip
            indices.append(row.clamp(0, grid[0] - 1) * grid[1] + column.clamp(0, grid[1] - 1))
    return torch.cat(indices, dim=2), torch.cat(counts, dim=2)


def balanced(logits: Tensor, truth: Tensor, balance: Tensor) -> Tensor:
    """Mean binary cross-entropy whose positives count ``balance`` times; in float32 at least."""
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    return F.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype), pos_weight=balance)


def cell_shares(truth: Tensor, cells: Tensor) -> Tensor:
    """Share of every cell that the mask covers; padded as the network pads its images."""
    below, right = (
        (-truth.shape[-2]) % PairNetwork.multiple,
        (-truth.shape[-1]) % PairNetwork.multiple,
    )
    padded = F.pad(truth, (0, right, 0, below), mode="replicate")
    return F.adaptive_avg_pool2d(padded, (cells.shape[-2], cells.shape[-1]))


def role_loss(role: Tensor, mask: Tensor, copy: Tensor) -> Tensor:
    """Cross-entropy of "this is the copy" over the pixels of the mask; 0 where it is empty."""
    inside = mask.to(role.dtype)
    each = F.binary_cross_entropy_with_logits(role[:, 0], copy.to(role.dtype), reduction="none")
    return (each * inside).sum() / inside.sum().clamp(min=1)
