"""The loss of BioTamperNet: binary cross-entropy on three answers of each panel of a pair.

    L = w_self BCE(alone, m) + w_cross BCE(crossed, m) + w_fused BCE(mask, m)

``alone`` and ``crossed`` are answers per cell, after self-attention and after cross-attention, and
are held against the share of the cell that the mask covers. Published are the three terms and that
there are no others; weights (here 1/2, 1/2, 1) and the balance of the classes are not: positives
count by how much rarer they are, five times at most. Where a network tells the copy from the
original, one more term counts over the marked pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from tamperscope.models.pair_network import BranchLogits, PairLogits, PairNetwork

WEIGHTS = (0.5, 0.5, 1.0)  # alone, crossed, fused
MOST_WEIGHT = 5.0  # of a positive pixel


def biotampernet_loss(
    logits: PairLogits,
    first: Tensor,
    second: Tensor,
    *,
    weights: tuple[float, float, float] = WEIGHTS,
    most_weight: float = MOST_WEIGHT,
    copies: tuple[Tensor, Tensor] | None = None,
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

    Raises:
        ValueError: Masks and logits do not go together, or copies are given or wanted alone.
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
