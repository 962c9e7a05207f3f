"""The contract of every generator of patches: normal noise and a modality in, an image out.

A network that turns images into images also takes a layout: the coarse picture that it fills in.

``network.noise_shapes(count, (height, width))`` says which arrays of independent normal numbers a
draw takes; ``network.draw(noise, label)`` turns them into images (count, 3, height, width) in
[0, 1] and uses no other randomness. Height and width are multiples of ``stride``; networks are
trained on 64 x 64 and 128 x 128 pixels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from tamperscope.models.network import ConfiguredModule, Size

MODALITIES = ("blot", "microscopy", "facs", "macroscopy")
"""What the generators of this package are trained on; a config may name others."""


class PatchNetwork(ConfiguredModule):
    """A generator; subclasses set ``config`` (with ``modalities``) and implement the two below."""

    stride: int = 16  # pixels
    layout: int = 0  # pixels of a cell of the layout that it takes, each way; 0: it takes none

    def noise_shapes(self, count: int, size: Size) -> list[tuple[int, ...]]:
        """Shapes of the noise that ``count`` patches of (height, width) take."""
        raise NotImplementedError

    def draw(self, noise: Sequence[Tensor], label: Tensor, layout: Tensor | None = None) -> Tensor:
        """Return images (count, 3, height, width) in [0, 1].

        Args:
            noise: Independent normal numbers in the shapes of :meth:`noise_shapes`.
            label: (count,) int64, places in ``config.modalities``.
            layout: Images (count, 3, height / cell, width / cell) in [0, 1], or None where
                ``network.layout``, the side of a cell, is 0.
        """
        raise NotImplementedError

    def check_layout(self, layout: Tensor | None) -> None:
        """Raise ValueError where a layout is given and none is taken, or the other way round."""
        if (layout is None) != (self.layout == 0):
            raise ValueError(f"{type(self).__name__} takes {'a' if self.layout else 'no'} layout")

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
