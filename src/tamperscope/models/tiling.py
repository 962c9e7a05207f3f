"""Runs a localizing network over an image of any size, in memory that the size of a tile bounds.

Tiles start on the grid of the network's coarsest stage and overlap by an eighth. Their logits are
blended cell by cell, with weights that fall linearly to the edges of a tile and add up to 1
everywhere; only then are the cells enlarged to pixels, once for the whole image. So an image that
fits one tile gets what ``network.heatmap`` gives, and tiling adds no resampling of its own: two
runs differ only where the network saw less of the surroundings.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tamperscope.kernels import chosen_implementation
from tamperscope.models.network import Network, Size

PRECISIONS = ("auto", "float32", "bfloat16")
GRID = 32  # pixels per cell of the coarsest stage; tiles start on it, as the whole image does
OVERLAP = 8  # a tile shares at least 1 / OVERLAP of its length with the next
BAND_VALUES = 4_000_000  # pixels that are enlarged at a time

Progress = Callable[[int, int], None]
"""Called with the number of tiles done and of how many."""


def pick_precision(name: str) -> torch.dtype:
    """Type that convolutions and matrix products run in; ``auto`` is float32 (docs/localize.md).

    Raises:
        ValueError: No precision has this name.
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, got {name!r}")
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def scan_in_use(device: torch.device) -> str:
    """Name the implementation of the selective scan that networks run on ``device``."""
    return chosen_implementation(torch.empty(0, device=device))


def tile_ranges(length: int, tile: int) -> list[range]:
    """Pixels that each tile covers along one axis.

    Tiles start on multiples of ``GRID`` and have ``tile`` pixels, the last one up to ``GRID`` less.

    Args:
        length: Pixels along the axis.
        tile: Pixels of a tile, a multiple of ``GRID`` and at least twice that.
    """
    if tile % GRID or tile < 2 * GRID:
        raise ValueError(f"a tile must be a multiple of {GRID} pixels, two at least; got {tile}")
    if length <= tile:
        return [range(length)]
    overlap = rounded_up(-(-tile // OVERLAP), GRID)
    starts = [*range(0, length - tile, tile - overlap), rounded_up(length - tile, GRID)]
    return [range(start, min(start + tile, length)) for start in starts]


def blending_weights(ranges: Sequence[range]) -> list[Tensor]:
    """Weights of every place of every tile along one axis, float32.

    All windows are trapezoids of the same slope, divided by what they add up to at each place, so
    that the weights of the tiles that cover a place sum to 1.
    """
    ramp = max(len(ranges[0]) // OVERLAP, 1)
    total = np.zeros(ranges[-1].stop)
    windows = []
    for covered in ranges:
        place = np.arange(len(covered))
        window = np.minimum(1.0, np.minimum(place + 1, len(covered) - place) / (ramp + 1))
        total[covered.start : covered.stop] += window
        windows.append(window)
    return [
        torch.from_numpy((window / total[covered.start : covered.stop]).astype(np.float32))
        for window, covered in zip(windows, ranges, strict=True)
    ]


def tiled_logits(
    network: Network,
    pixels: np.ndarray,
    *,
    tile: int = 1024,
    precision: torch.dtype = torch.float32,
    progress: Progress | None = None,
) -> Tensor:
    """Tamper logits of all cells of an image, padded as the network pads it.

    Args:
        network: In evaluation mode; runs on the device where its weights are.
        pixels: uint8 (H, W, 3), RGB.
        tile: Height and width of a tile in pixels, rounded up to a multiple of ``GRID``. Images of
            this size and below are run whole.
        precision: bfloat16 runs the network under autocast.
        progress: Told about every tile.

    Returns:
        float32 (rows, columns) on the CPU; cell (i, j) covers ``stride`` x ``stride`` pixels.
    """
    device = next(network.parameters()).device
    down, across = (
        axis_tiles(rounded_up(length, network.multiple), tile, network.stride)
        for length in pixels.shape[:2]
    )
    logits = torch.zeros(down[-1].cells.stop, across[-1].cells.stop)
    for count, (row, column) in enumerate(product(down, across), start=1):
        image = cut_out(pixels, row.pixels, column.pixels).to(device)
        with torch.inference_mode(), autocast(device, precision):
            answer = network(image)[0, 0].float().cpu()
        place = (
            slice(row.cells.start, row.cells.stop),
            slice(column.cells.start, column.cells.stop),
        )
        logits[place] += answer * row.weights[:, None] * column.weights
        if progress is not None:
            progress(count, len(down) * len(across))
    return logits


@dataclass(frozen=True)
class AxisTile:
    """One tile along one axis."""

    pixels: range
    cells: range
    weights: Tensor  # of its cells


def axis_tiles(length: int, tile: int, stride: int) -> list[AxisTile]:
    """Tiles along an axis of ``length`` pixels, with their cells of ``stride`` pixels."""
    pixels = tile_ranges(length, max(rounded_up(tile, GRID), 2 * GRID))
    cells = [range(covered.start // stride, covered.stop // stride) for covered in pixels]
    return list(map(AxisTile, pixels, cells, blending_weights(cells)))


def heatmap_bands(logits: Tensor, stride: int, size: Size) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (rows, probability of tampering per pixel, float32) from top to bottom.

    Args:
        logits: What :func:`tiled_logits` returned.
        stride: Pixels per cell, each way.
        size: (height, width) of the image, without padding.
    """
    height, width = size
    cells = logits.shape[0]
    padded_height, padded_width = cells * stride, logits.shape[1] * stride
    step = max(BAND_VALUES // padded_width, 1)
    scale = (cells - 1) / (padded_height - 1)  # corners aligned, as network.pixel_logits enlarges
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        place = torch.arange(rows.start, rows.stop, dtype=torch.float64) * scale
        above = place.floor().long().clamp_(0, max(cells - 2, 0))
        share = (place - above).float()[:, None]
        below = (above + 1).clamp_(max=cells - 1)
        band = torch.lerp(logits[above], logits[below], share)[None, None]
        across = F.interpolate(
            band, size=(band.shape[2], padded_width), mode="bilinear", align_corners=True
        )
        yield rows, across[0, 0, :, :width].sigmoid().numpy()


def whole_heatmap(logits: Tensor, stride: int, size: Size) -> NDArray[np.float32]:
    """Probability of tampering per pixel, float32 (height, width): all bands of it together."""
    return np.concatenate([band for _, band in heatmap_bands(logits, stride, size)])


def cut_out(pixels: np.ndarray, rows: range, columns: range) -> Tensor:
    """A tile as an image (1, 3, height, width) in [0, 1]; beyond the edge the last pixel counts."""
    inside = (
        np.minimum(np.asarray(wanted), whole - 1)
        for wanted, whole in zip((rows, columns), pixels.shape[:2], strict=True)
    )
    block = pixels[np.ix_(*inside)]
    return torch.from_numpy(block).permute(2, 0, 1)[None].float().div_(255)


def rounded_up(length: int, multiple: int) -> int:
    """``length`` up to the next multiple."""
    return -(-length // multiple) * multiple


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Run what gains from it in ``precision``; float32 leaves everything as it is."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)
