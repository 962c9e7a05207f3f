"""Consensus: do the neighbours of a cell have their partners beside the cell's own partner?

    shift_i = share of the cells n around i with  |q(n) - q(i) - (n - i)|   <= 1, per axis
    rigid_i = share of them with                  ||q(n) - q(i)| - |n - i|| <= 1

q is the place of a cell's strongest affinity. A copied region moves as one, so that nearly all of
its cells agree; strongest partners of cells that merely look alike are scattered over the map, and
agree by chance as often as so small an area is of all. ``shift`` tells copies that were neither
turned nor flipped, ``rigid`` all that keep lengths within a cell over two.

Not in BioTamperNet's sources; after the consistency that classical copy-move detectors ask of dense
fields (Cozzolino et al., "Efficient Dense-Field Copy-Move Forgery Detection", 2015).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from tamperscope.models.network import Size

RADIUS = 2  # cells around a cell that are asked, each way
TOLERANCE = 1.0  # cells
CHANNELS = 2
NOWHERE = 1e6  # partner of what lies outside of the map: agrees with nobody


def consensus(partner: Tensor, grid: Size, other: Size) -> Tensor:
    """Shares of the cells around each cell that agree with it; no gradient passes.

    Args:
        partner: Index of the strongest partner of each cell, (batch, cell), row by row.
        grid: Rows and columns of the map that asks.
        other: Rows and columns of the map that answers.

    Returns:
        ``shift`` and ``rigid``, (batch, cell, 2), in [0, 1].
    """
    column, row = partner % other[1], partner // other[1]
    place = torch.stack((row, column), dim=1).float().view(len(partner), 2, *grid)
    margin = F.pad(place, (RADIUS,) * 4, value=NOWHERE)
    shift, rigid = torch.zeros_like(place[:, 0]), torch.zeros_like(place[:, 0])
    around = range(-RADIUS, RADIUS + 1)
    steps = [(down, right) for down in around for right in around if (down, right) != (0, 0)]
    for down, right in steps:
        top, left = RADIUS + down, RADIUS + right
        moved = margin[:, :, top : top + grid[0], left : left + grid[1]] - place
        step = moved.new_tensor((down, right)).view(1, 2, 1, 1)
        shift += ((moved - step).abs() <= TOLERANCE).all(dim=1)
        rigid += (moved.square().sum(dim=1).sqrt() - step.norm()).abs() <= TOLERANCE
    return torch.stack((shift, rigid), dim=-1).flatten(1, 2) / len(steps)
