"""A light descriptor of cells for matching: contrast-normalised pixels, a few convolutions.

    n = (x - mean(x)) / (deviation(luminance) + eps),   means over a window of 17 pixels

A copy that was brightened, darkened or stretched in contrast is the same picture again after local
normalisation: what classical matchers rely on. The encoder's maps, which have to know what a panel
shows, are normalised over channels and not over the neighbourhood, and lose this. Not in
BioTamperNet's sources; ``descriptor="encoder"`` is the published form.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.layers import BatchNorm, Conv
from tamperscope.models.pair_encoders import ResidualConv

WINDOW = 17  # pixels, odd
EPSILON = 0.02  # of the range of an image: noise of blank ground is not blown up to full contrast


def locally_normalised(image: Tensor) -> Tensor:
    """Subtract local means, divide by the local deviation of the luminance.

    Args:
        image: (batch, 3, height, width), in [0, 1].

    Returns:
        (batch, height, width, 3), each pixel held against a window of 17 x 17 pixels around it.
    """
    mean = local_mean(image)
    apart = image - mean
    grey = image.mean(dim=1, keepdim=True)
    variance = local_mean((grey - local_mean(grey)).square())
    return (apart / ((variance + 1e-8).sqrt() + EPSILON)).permute(0, 2, 3, 1)


def local_mean(x: Tensor) -> Tensor:
    """Mean over the window, borders repeated."""
    half = WINDOW // 2
    padded = F.pad(x, (half, half, 0, 0), mode="replicate")
    padded = F.pad(F.avg_pool2d(padded, (1, WINDOW), 1), (0, 0, half, half), mode="replicate")
    return F.avg_pool2d(padded, (WINDOW, 1), 1)


class LocalDescriptor(nn.Module):
    """Images -> maps at a stride of 8 pixels, of what lies within 13 and within 35 pixels.

    A copy of 30 pixels has no cell whose wider surroundings were copied too, so that the finer map
    reaches the result by a short way as well.

    Strided convolutions have 4 x 4 taps: their places are the centres of what they reduce, so that
    a mirrored picture has mirrored places. With 3 x 3 taps a mirrored copy is 7 pixels off.

    Args:
        width: Channels of the result; the finer maps have a quarter and half of them.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        quarter, half = max(width // 4, 4), max(width // 2, 4)
        self.convs = nn.ModuleList(
            Conv(before, after, 4, stride=2, padding=1, bias=False)
            for before, after in ((3, quarter), (quarter, half), (half, width))
        )
        self.norms = nn.ModuleList(BatchNorm(after) for after in (quarter, half, width))
        self.blocks = nn.ModuleList(
            (nn.Identity(), ResidualConv(half, 0.0), ResidualConv(width, 0.0))
        )
        self.short = Conv(half, width, 2, stride=2)

    def forward(self, normalised: Tensor) -> Tensor:
        """From :func:`locally_normalised`, channels last -> (batch, height / 8, width / 8, c)."""
        maps = [normalised]
        for conv, norm, block in zip(self.convs, self.norms, self.blocks, strict=True):
            maps.append(block(norm(conv(maps[-1])).relu()))
        return maps[-1] + self.short(maps[-2])
