"""The contract of every generator of patches: noise, a modality and a layout in, an image out.

A layout is a coarse picture: the mean colour of every 8 x 8 pixels. The generators fill it in, each
in the way of its family; what a patch shows in the large is given, so that networks which learn in
minutes on one processor need only learn what is fine.

``network.noise_shapes(count, (height, width))`` says which arrays of independent normal numbers a
draw takes; ``network.draw(noise, label, layout)`` turns them into images (count, 3, height, width)
in [0, 1] and uses no other randomness. Height and width are multiples of ``stride``; networks are
trained on 64 x 64 and 128 x 128 pixels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tamperscope.models.network import ConfiguredModule, Size

MODALITIES = ("blot", "microscopy", "facs", "macroscopy")
"""What the generators of this package are trained on; a config may name others."""

CELL = 8  # pixels of a cell of a layout, each way


class PatchNetwork(ConfiguredModule):
    """A generator; subclasses set ``config`` (with ``modalities``) and implement the two below."""

    stride: int = 16  # pixels

    def noise_shapes(self, count: int, size: Size) -> list[tuple[int, ...]]:
        """Shapes of the noise that ``count`` patches of (height, width) take."""
        raise NotImplementedError

    def draw(self, noise: Sequence[Tensor], label: Tensor, layout: Tensor) -> Tensor:
        """Return images (count, 3, height, width) in [0, 1].

        Args:
            noise: Independent normal numbers in the shapes of :meth:`noise_shapes`.
            label: (count,) int64, places in ``config.modalities``.
            layout: Images (count, 3, height / 8, width / 8) in [0, 1].
        """
        raise NotImplementedError

    def check_size(self, size: Size) -> None:
        """Raise ValueError unless both sides are multiples of ``stride`` above 0."""
        if any(side <= 0 or side % self.stride for side in size):
            raise ValueError(f"a patch has sides of whole {self.stride} pixels, got {size}")

    def label_of(self, modality: str, count: int = 1) -> Tensor:
        """Return the label of a modality, ``count`` times; ValueError for an unknown one."""
        if modality not in self.config.modalities:
            raise ValueError(
                f"this generator makes {', '.join(self.config.modalities)} patches, "
                f"not {modality!r}"
            )
        return torch.full((count,), self.config.modalities.index(modality), dtype=torch.int64)


def layout_of(image: Tensor) -> Tensor:
    """Mean colour of every 8 x 8 pixels, (batch, 3, height / 8, width / 8)."""
    return F.avg_pool2d(image, CELL)


def enlarged(layout: Tensor) -> Tensor:
    """A layout at the size of its patch, without anything fine."""
    return F.interpolate(layout, scale_factor=CELL, mode="bilinear", align_corners=False)
