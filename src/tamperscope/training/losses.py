"""The loss of ForMa and LoMa: Dice plus focal, on logits enlarged to the mask.

    Dice  = 1 - mean over images of (2 sum(p m) + s) / (sum p + sum m + s),     s = 1e-6
    focal = mean over pixels of  -a (1 - p_t)^2 log p_t,                        a = 0.5

with p the probability of "tampered", m the mask and p_t the probability of the true class.
Milletari et al., "V-Net", 2016, https://arxiv.org/abs/1606.04797 (here with plain sums, not
squares); Lin et al., "Focal Loss for Dense Object Detection", 2017,
https://arxiv.org/abs/1708.02002. Both classes weigh the same, so that alpha only halves the focal
term, as in the authors' code.

Everything takes tamper logits, the gap of the authors' two: the softmax of two logits is the
sigmoid of their difference, and enlarging is linear.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SMOOTHING = 1e-6
ALPHA = 0.5
GAMMA = 2.0


def dice_focal_loss(
    logits: Tensor, mask: Tensor, *, dice: bool = True, focal: bool = True
) -> Tensor:
    """Sum the terms that are switched on; both, as published, by default.

    Args:
        logits: Tamper logits, (batch, 1, rows, columns), of any size; enlarged to the mask by
            bilinear interpolation with aligned corners.
        mask: True or 1 where tampered, (batch, height, width).
        dice: Whether the Dice term counts.
        focal: Whether the focal term counts.

    Raises:
        ValueError: The shapes do not go together, or both terms are off.
    """
    if not (dice or focal):
        raise ValueError("switch on dice, focal or both: a loss without a term teaches nothing")
    if logits.ndim != 4 or logits.shape[1] != 1 or mask.ndim != 3 or len(mask) != len(logits):
        raise ValueError(
            f"logits are (batch, 1, rows, columns) and masks (batch, height, width), "
            f"got {tuple(logits.shape)} and {tuple(mask.shape)}"
        )
    size = (mask.shape[-2], mask.shape[-1])
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()  # sums over an image's pixels need the digits
    pixels = F.interpolate(logits, size=size, mode="bilinear", align_corners=True)[:, 0]
    truth = mask.to(pixels.dtype)
    total = pixels.new_zeros(())
    if dice:
        total = total + dice_loss(pixels, truth)
    if focal:
        total = total + focal_loss(pixels, truth)
    return total


def dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Dice term; ``logits`` and ``truth`` are (batch, height, width)."""
    probability = logits.sigmoid().flatten(1)
    truth = truth.flatten(1)
    overlap = 2 * (probability * truth).sum(1) + SMOOTHING
    return 1 - (overlap / (probability.sum(1) + truth.sum(1) + SMOOTHING)).mean()


def focal_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Focal term; ``logits`` and ``truth`` are (batch, height, width)."""
    toward_truth = torch.where(truth > 0.5, logits, -logits)
    log_probability = F.logsigmoid(toward_truth)
    return -(ALPHA * (-toward_truth).sigmoid() ** GAMMA * log_probability).mean()
