"""The decoder of a pair network: from cells to pixels, by way of the encoder's finer maps.

A seam is about 10 pixels wide and a cell may be as large, so the last step adds features of the
image itself at full size: two narrow 3 x 3 convolutions that see edges and noise.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.layers import BatchNorm, Conv
from tamperscope.models.network import Size
from tamperscope.models.pair_encoders import resized


class Detail(nn.Module):
    """Shallow features of an image at its full size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = Conv(3, width, 3, padding=1, bias=False)
        self.norm1 = BatchNorm(width)
        self.conv2 = Conv(width, width, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, height, width) -> (batch, height, width, channel)."""
        return self.conv2(self.norm1(self.conv1(image.permute(0, 2, 3, 1))).relu())


class PairDecoder(nn.Module):
    """Fused cells -> logits of every pixel.

    Args:
        fused: Channels of a fused cell.
        skips: Channels of the encoder's maps at strides 8 and 4.
        width: Channels at the cells' own size; half of it at stride 8, a quarter at stride 4.
        detail: Channels at full size.
        outputs: Logits of a pixel.
    """

    def __init__(
        self, fused: int, skips: tuple[int, int], width: int, detail: int, outputs: int
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
        self.detail = Detail(detail)
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
