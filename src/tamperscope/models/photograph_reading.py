"""Reads panels with a network of photographs: pixels in, heatmap and score out.

The calls are those that :class:`~tamperscope.models.pair_reading.PairReader` has for a panel alone,
so that a screening asks both alike.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from tamperscope.models.inference import for_inference
from tamperscope.models.network import Network
from tamperscope.models.pair_network import mask_score
from tamperscope.models.pair_reading import PanelReading
from tamperscope.models.tiling import Progress, tiled_logits, whole_heatmap

TILE = 1024  # pixels of a side of the largest panel that is read whole


class PhotographReader:
    """A network of photographs, ready to read panels, on the device where its weights are.

    Args:
        network: ForMa, LoMa or another network that takes one picture.
    """

    tile = TILE

    def __init__(self, network: Network) -> None:
        self.network = for_inference(network)

    def read(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the panel as it is: there is nothing to keep of it."""
        return pixels

    def alone(self, panel: NDArray[np.uint8]) -> PanelReading:
        """Mark what is unlike its surroundings in a panel, uint8 (height, width, 3) RGB."""
        return self.in_tiles(panel)

    def in_tiles(self, pixels: NDArray[np.uint8], progress: Progress | None = None) -> PanelReading:
        """Mark the same tile by tile; up to ``tile`` pixels a side there is one."""
        logits = tiled_logits(self.network, pixels, tile=self.tile, progress=progress)
        size = (pixels.shape[0], pixels.shape[1])
        heatmap = whole_heatmap(logits, self.network.stride, size)
        return PanelReading(heatmap, None, float(mask_score(torch.from_numpy(heatmap)[None])))
