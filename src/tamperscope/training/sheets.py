"""Pictures of what a network says while it is trained: panels, truth and heatmap side by side.

Left the panel with the outline of the truth in red, right the probabilities, black for 0 and white
for 1. The two panels of a pair stand one below the other.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from tamperscope.images import write_png
from tamperscope.synth.sample import Mask, Pixels
from tamperscope.training.batches import Batch
from tamperscope.training.checkpoint import write_whole
from tamperscope.training.objectives import AnyNetwork
from tamperscope.training.validation import Part, answer

SIDE = 160  # pixels of a panel on the sheet
GAP = 6
COLUMNS = 4
SHOWN = 12  # examples, shared out among the streams
TRUTH = (225, 30, 30)


def write_sheet(
    path: Path, network: AnyNetwork, parts: Sequence[Part], device: torch.device
) -> None:
    """Draw what a network, in evaluation mode, says of some validation samples.

    Raises:
        OutputError: The picture cannot be written.
    """
    each = max(SHOWN // len(parts), 1)
    cells = []
    for part in parts:
        batch = part.batches[0]
        said = answer(network, batch, device)
        cells += [example_cell(batch, said.heatmaps, row) for row in range(min(each, len(batch)))]
    write_whole(path, lambda fresh: write_png(fresh, grid_of_cells(cells)))


def example_cell(batch: Batch, heatmaps: tuple[np.ndarray, ...], row: int) -> Pixels:
    """One example: a line for each panel."""
    lines = []
    for panels, masks, heatmap in zip(batch.panels, batch.masks, heatmaps, strict=True):
        grey = np.rint(255 * np.repeat(heatmap[row][..., None], 3, axis=2)).astype(np.uint8)
        pair = (outlined(panels[row], masks[row]), shown(grey))
        lines.append(np.concatenate(pair, axis=1))
    return np.concatenate(lines, axis=0)


def shown(pixels: Pixels) -> Pixels:
    """Bring pixels to a square of the sheet."""
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def outlined(pixels: Pixels, mask: Mask) -> Pixels:
    """Show a panel with the outline of its mask."""
    small = np.ascontiguousarray(shown(pixels))
    marked = cv2.resize(mask.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(marked, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(small, outlines, -1, TRUTH, 1)
    return small


def grid_of_cells(cells: Sequence[Pixels]) -> Pixels:
    """Put cells into rows, each as high as its highest, on white."""
    rows = []
    for start in range(0, len(cells), COLUMNS):
        row = cells[start : start + COLUMNS]
        height = max(cell.shape[0] for cell in row)
        row = [*row, *[np.full_like(row[0], 255)] * (COLUMNS - len(row))]
        padded = [
            np.pad(
                cell,
                ((GAP, GAP + height - cell.shape[0]), (GAP, GAP), (0, 0)),
                constant_values=255,
            )
            for cell in row
        ]
        rows.append(np.concatenate(padded, axis=1))
    return np.concatenate(rows, axis=0)
