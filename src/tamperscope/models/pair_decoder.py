"""The decoder of a pair network: from cells to pixels, by way of the encoder's finer maps.

A seam is about 10 pixels wide and a cell may be as large, so the last step adds features of the
image itself at full size: two narrow 3 x 3 convolutions that see edges and noise.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.layers import BatchNorm, Conv
from tamperscope.models.network import Size
from tamperscope.models.pair_encoders import resized

STEPS = 3  # channels of :func:`steps`
NEAR = 31  # pixels that a place on a strip is held against, odd
LEAST_DEVIATION = 0.002  # of normalised values: an eighth of a grey level


class Strips(nn.Module):
    """What whole columns and whole rows tell of each column and row.

    A seam runs straight across a panel. One row of pixels shows little of it; the mean over all
    rows of the step from each column to the next, of its size and of that of the bend, shows a
    fraction of a grey level. Each is held against its own neighbourhood along the strip, and two
    convolutions look for what stands out.

    Args:
        inputs: Channels of the map whose means are looked at too.
        width: Channels of the result.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(inputs + STEPS, 2 * width, 9, padding=4, bias=False)
        self.norm = nn.BatchNorm1d(2 * width)
        self.second = nn.Conv1d(2 * width, width, 9, padding=4)

    def forward(self, image: Tensor, x: Tensor) -> Tensor:
        """Look along both ways.

        Args:
            image: (batch, height, width, 3).
            x: (batch, height, width, inputs).

        Returns:
            (batch, height, width, channel).
        """
        grey = image.mean(dim=3)
        columns = self.along(torch.cat((x.mean(dim=1), steps(grey)), dim=2))
        rows = self.along(torch.cat((x.mean(dim=2), steps(grey.transpose(1, 2))), dim=2))
        return columns[:, None] + rows[:, :, None]

    def along(self, strip: Tensor) -> Tensor:
        """(batch, length, channel) -> (batch, length, channel)."""
        y = self.first(outstanding(strip.transpose(1, 2)))
        return self.second(self.norm(y).relu()).transpose(1, 2)


def steps(grey: Tensor) -> Tensor:
    """Means over rows of the step to each column, of its size, and of the size of the bend.

    (batch, height, width) -> (batch, width, 3).
    """
    step = F.pad(grey.diff(dim=2), (1, 0))
    bend = F.pad(grey.diff(n=2, dim=2), (1, 1))
    return torch.stack((step.mean(dim=1), step.abs().mean(dim=1), bend.abs().mean(dim=1)), dim=2)


def outstanding(strip: Tensor) -> Tensor:
    """Hold (batch, channel, length) against mean and deviation of 31 places around each."""
    half = NEAR // 2

    def local_mean(values: Tensor) -> Tensor:
        return F.avg_pool1d(F.pad(values, (half, half), mode="replicate"), NEAR, 1)

    apart = strip - local_mean(strip)
    return apart / (local_mean(apart.square()) + LEAST_DEVIATION**2).sqrt()


class Detail(nn.Module):
    """Shallow features of an image at its full size; of its rows and columns too if ``strips``."""

    def __init__(self, width: int, *, strips: bool = False) -> None:
        super().__init__()
        self.conv1 = Conv(3, width, 3, padding=1, bias=False)
        self.norm1 = BatchNorm(width)
        self.conv2 = Conv(width, width, 3, padding=1)
        self.strips = Strips(width, width) if strips else None

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, height, width) -> (batch, height, width, channel)."""
        image = image.permute(0, 2, 3, 1)
        x = self.norm1(self.conv1(image)).relu()
        y = self.conv2(x)
        return y if self.strips is None else y + self.strips(image, x)


class PairDecoder(nn.Module):
    """Fused cells -> logits of every pixel.

    Args:
        fused: Channels of a fused cell.
        skips: Channels of the encoder's maps at strides 8 and 4.
        width: Channels at the cells' own size; half of it at stride 8, a quarter at stride 4.
        detail: Channels at full size.
        outputs: Logits of a pixel.
        strips: Whether means of rows and columns are looked at.
    """

    def __init__(
        self,
        fused: int,
        skips: tuple[int, int],
        width: int,
        detail: int,
        outputs: int,
        *,
        strips: bool,
    ) -> None:
        super().__init__()
        half, quarter = width // 2, width // 4
        self.skip8 = nn.Sequential(nn.LayerNorm(skips[0]), nn.Linear(skips[0], half))
        self.skip4 = nn.Sequential(nn.LayerNorm(skips[1]), nn.Linear(skips[1], quarter))
        self.conv1 = Conv(fused, width, 3, padding=1, bias=False)
        self.norm1 = BatchNorm(width)
        self.narrow1 = nn.Linear(width, half)
        self.conv2 = Conv(half, half, 3, padding=1, bias=False)
        self.norm2 = BatchNorm(half)
        self.narrow2 = nn.Linear(half, quarter)
        self.conv3 = Conv(quarter, quarter, 3, padding=1, bias=False)
        self.norm3 = BatchNorm(quarter)
        self.narrow3 = nn.Linear(quarter, detail)
        self.detail = Detail(detail, strips=strips)
        self.norm4 = BatchNorm(detail)
        self.predict = Conv(detail, outputs, 3, padding=1)

    def skips(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Narrow the encoder's maps at strides 4 and 8; done once a panel."""
        return self.skip4(fine), self.skip8(coarse)

    def forward(self, cells: Tensor, skip4: Tensor, skip8: Tensor, image: Tensor) -> Tensor:
        """Draw.

        Args:
            cells: (batch, rows, columns, fused).
            skip4: From :meth:`skips`, (batch, height / 4, width / 4, channel).
            skip8: From :meth:`skips`, (batch, height / 8, width / 8, channel).
            image: (batch, 3, height, width), normalised.

        Returns:
            (batch, outputs, height, width).
        """
        x = self.norm1(self.conv1(cells)).relu()
        x = resized(self.narrow1(x), (skip8.shape[1], skip8.shape[2])) + skip8
        x = self.norm2(self.conv2(x.relu())).relu()
        x = resized(self.narrow2(x), (skip4.shape[1], skip4.shape[2])) + skip4
        x = self.narrow3(self.norm3(self.conv3(x.relu())).relu())
        x = grown(x, (image.shape[2], image.shape[3])) + self.detail(image)
        return self.predict(self.norm4(x).relu()).permute(0, 3, 1, 2)


def grown(x: Tensor, size: Size) -> Tensor:
    """Enlarge a channels-last map, bilinear."""
    y = F.interpolate(x.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
    return y.permute(0, 2, 3, 1)
