"""The contract of every localizing network: one image in, tamper logits out.

An *image* is a float tensor (batch, 3, height, width), RGB in [0, 1], of any size from 1 x 1 on.
Normalisation, padding and noise maps are the network's own business. What comes out:

- ``network(image)``: one tamper logit per cell of ``stride`` x ``stride`` pixels,
  (batch, 1, ceil(height / stride), ceil(width / stride)); above 0 means tampered.
- ``network.class_logits(image)``: the two-class logits of the paper, authentic then tampered, at a
  quarter of the size. On sizes that the authors' network takes it is their network, number for
  number; other sizes are padded as for ``network(image)``.
- ``network.pixel_logits(image)`` and ``network.heatmap(image)``: one value per pixel.

Padding repeats the last row and column, and is cut off again, so that cell (i, j) always covers
the pixels [stride i, stride i + stride) x [stride j, stride j + stride) of the image as given.
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models.matches import image_matches

Size = tuple[int, int]  # (height, width)


class ConfiguredModule(nn.Module):
    """What a weights file can hold: a module that a named builder makes from a config."""

    config: Any  # the frozen dataclass that weights.py stores and rebuilds from
    builder: str = ""  # name in MODELS, PAIR_MODELS or PARTS of the package; "" when built by hand


class Network(ConfiguredModule):
    """RGB in [0, 1] in, tamper logits out; see the module's text for shapes.

    Subclasses set ``config`` and implement :meth:`two_class_logits`.
    """

    stride: int = 4  # pixels per cell, each way
    multiple: int = 4  # height and width are padded to a multiple of this

    def two_class_logits(self, image: Tensor, matches: Tensor | None = None) -> Tensor:
        """Run the authors' computation on a size for which :meth:`takes` is true."""
        raise NotImplementedError

    @property
    def reads_matches(self) -> bool:
        """Whether the network is shown matches within the image beside the image."""
        return False

    def takes(self, size: Size) -> bool:
        """Whether the authors' network runs on this size as it is."""
        return all(length % self.multiple == 0 for length in size)

    def forward(self, image: Tensor, matches: Tensor | None = None) -> Tensor:
        """Tamper logit (class 1 minus class 0) per cell, (batch, 1, rows, columns).

        Args:
            image: As the module's text says.
            matches: Of the image, where the network reads them and they are known already.

        Raises:
            ValueError: ``image`` is not (batch, 3, height, width) with at least one pixel.
            TypeError: ``image`` is not a float tensor.
        """
        check_image(image)
        rows, columns = self.cells(image)
        return tamper_logits(self.padded_logits(image, matches))[..., :rows, :columns]

    def class_logits(self, image: Tensor) -> Tensor:
        """Logits of the classes (authentic, tampered) at a quarter of the size."""
        check_image(image)
        if self.takes((image.shape[-2], image.shape[-1])):
            return self.two_class_logits(image, self.matches_of(image))
        rows, columns = self.cells(image)
        return self.padded_logits(image)[..., :rows, :columns]

    def matches_of(self, image: Tensor) -> Tensor | None:
        """Find the matches within ``image``, (batch, 5, rows, columns); None if nobody reads them.

        Raises:
            MissingKernelError: They are read, and the native library is not built.
        """
        return image_matches(image) if self.reads_matches else None

    def padded_logits(self, image: Tensor, matches: Tensor | None = None) -> Tensor:
        """Two-class logits of the padded image; ``matches`` are looked for unless given."""
        if matches is None:
            matches = self.matches_of(image)
        padded = self.padded(image)
        if matches is not None:
            rows, columns = self.cells(padded)
            below, right = rows - matches.shape[-2], columns - matches.shape[-1]
            matches = F.pad(matches, (0, right, 0, below))
        return self.two_class_logits(padded, matches)

    def pixel_logits(self, image: Tensor, matches: Tensor | None = None) -> Tensor:
        """Tamper logit per pixel, (batch, 1, height, width).

        Enlarged as the authors do before they compare with a mask: bilinear, corners aligned.
        """
        check_image(image)
        cells = tamper_logits(self.padded_logits(image, matches))
        pixels = enlarge(cells, (cells.shape[-2] * self.stride, cells.shape[-1] * self.stride))
        return pixels[..., : image.shape[-2], : image.shape[-1]]

    def heatmap(self, image: Tensor, matches: Tensor | None = None) -> Tensor:
        """Probability of tampering per pixel, (batch, height, width), float32 in [0, 1]."""
        return self.pixel_logits(image, matches)[:, 0].float().sigmoid()

    def cells(self, image: Tensor) -> Size:
        """Rows and columns of cells that cover ``image``."""
        return -(-image.shape[-2] // self.stride), -(-image.shape[-1] // self.stride)

    def padded(self, image: Tensor) -> Tensor:
        """``image`` with its last row and column repeated up to a multiple of ``multiple``."""
        below, right = (-image.shape[-2]) % self.multiple, (-image.shape[-1]) % self.multiple
        return F.pad(image, (0, right, 0, below), mode="replicate") if below or right else image


def check_image(image: Tensor) -> None:
    """Refuse what is not an RGB batch.

    Raises:
        ValueError: The shape is not (batch, 3, height, width) with height and width at least 1.
        TypeError: The values are integers; networks take floats in [0, 1].
    """
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"an image is (batch, 3, height, width), got {tuple(image.shape)}")
    if image.shape[-2] < 1 or image.shape[-1] < 1:
        raise ValueError(f"an image needs at least one pixel, got {tuple(image.shape)}")
    if not image.is_floating_point():
        raise TypeError(f"an image is float in [0, 1], got {image.dtype}; divide 8 bits by 255")


def tamper_logits(class_logits: Tensor) -> Tensor:
    """Logit of "tampered" from two-class logits: the softmax of two is the sigmoid of the gap."""
    return class_logits[:, 1:2] - class_logits[:, 0:1]


def enlarge(logits: Tensor, size: Size) -> Tensor:
    """``logits`` at ``size``, bilinear with aligned corners, as both papers' code scores."""
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=True)
