"""How a network takes in matches within an image, see :mod:`tamperscope.models.matches`."""

import torch
from torch import Tensor, nn

from tamperscope.models.noise import EarlyConv

SEEN = 3  # of match_maps.MAPS: those that are looked at; the other two lead to the partner


class MatchBranch(nn.Module):
    """Maps of matches, and how a place's noise differs from its partner's, mixed for the encoder.

    Begins as nothing: its last layer is zero, so that a trained network may be given one.

    Args:
        noise: Channels of the noise maps; 0: there are none.
        widths: Channels inside the convolutions.
        out: Channels of the patch embedding, which the result is added to.
    """

    def __init__(self, noise: int, widths: tuple[int, ...], out: int) -> None:
        super().__init__()
        self.mixer = EarlyConv(SEEN + noise, widths, out)
        nn.init.zeros_(self.mixer.final.weight)
        assert self.mixer.final.bias is not None
        nn.init.zeros_(self.mixer.final.bias)

    def forward(self, matches: Tensor, noise: Tensor | None) -> Tensor:
        """Mix.

        Args:
            matches: (batch, 5, rows, columns), of :func:`image_matches`.
            noise: (batch, channel, rows, columns), or None.

        Returns:
            (batch, out, rows, columns).
        """
        seen = matches[:, :SEEN]
        if noise is not None:
            seen = torch.cat([seen.to(noise.dtype), at_partner(noise, matches) - noise], dim=1)
        return self.mixer(seen)


def at_partner(values: Tensor, matches: Tensor) -> Tensor:
    """Values (batch, channel, rows, columns) of each cell's partner; its own where it has none."""
    rows, columns = values.shape[-2:]
    down, right = matches[:, SEEN], matches[:, SEEN + 1]
    row = torch.arange(rows, device=values.device)[:, None] + down.round().long()
    column = torch.arange(columns, device=values.device) + right.round().long()
    place = row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)
    index = place.flatten(1)[:, None].expand(-1, values.shape[1], -1)
    return values.flatten(2).gather(2, index).view_as(values)
