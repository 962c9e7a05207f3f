"""Matches within an image as something a network sees: the maps of a dense field.

Photographs are often changed by a copy of another part of themselves. Neither colours nor noise
show that; a nearest-neighbour field does (:mod:`tamperscope.matching.match_maps`), and cannot tell
the copy from its original, which colours and noise may. Not part of any published ForMa or LoMa.
"""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tamperscope.matching.match_maps import CELL, MAPS, match_maps


def image_matches(image: Tensor) -> Tensor:
    """Run the field within each image of a batch; no gradient passes.

    Args:
        image: (batch, 3, height, width) in [0, 1].

    Returns:
        (batch, 5, ceil(height / 4), ceil(width / 4)) as ``match_maps.MAPS`` names them, on the
        image's device; of the device ``meta`` the shape alone.

    Raises:
        MissingKernelError: The native library is not built.
    """
    batch, _, height, width = image.shape
    if image.device.type == "meta":
        return image.new_empty((batch, len(MAPS), -(-height // CELL), -(-width // CELL)))
    pixels = (image.detach().float().clamp(0, 1) * 255).round().byte()
    panels = pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    maps = panel_matches(panels, threads=torch.get_num_threads())
    return torch.from_numpy(maps).to(image.device)


def panel_matches(panels: Iterable[NDArray[np.uint8]], *, threads: int = 1) -> NDArray[np.float32]:
    """Run the field within each of some panels of one size, uint8 (height, width, 3).

    Returns and raises as :func:`image_matches`, as an array.
    """
    return np.stack([match_maps(panel, threads=threads) for panel in panels])
