"""A network together with its loss: one module from a batch to what is minimised.

Everything that a gradient passes through happens in its ``forward``, so that an engine may wrap it
for several processes and for mixed precision.
"""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from tamperscope.errors import RecipeError
from tamperscope.models.network import Network, Size
from tamperscope.models.pair_network import PairNetwork
from tamperscope.training.batches import Batch
from tamperscope.training.losses import dice_focal_loss
from tamperscope.training.pair_losses import biotampernet_loss
from tamperscope.training.recipe import Loss

CUT = (0.35, 0.65)  # where a single panel is cut into a pair of halves
AnyNetwork = Network | PairNetwork


class Objective(nn.Module):
    """The loss of ``network``.

    Raises:
        RecipeError: The loss is not one of this network's.
    """

    def __init__(self, network: AnyNetwork, loss: Loss) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        pairs = isinstance(network, PairNetwork)
        if pairs != (loss.name == "biotampernet"):
            raise RecipeError(
                f"[loss] {loss.name} is not for {network.builder}; "
                f"use {'biotampernet' if pairs else 'dice_focal'}"
            )
        if not pairs and not (loss.dice or loss.focal):
            raise RecipeError("[loss]: switch on dice, focal or both")
        if loss.matching > 0 and network.config.single != "self":
            raise RecipeError("[loss] matching is for networks that compare a panel with itself")

    @property
    def extra(self) -> tuple[str, ...]:
        """Targets beside the masks that the loss wants; see ``streams.extra_targets``."""
        if not isinstance(self.network, PairNetwork):
            return ()
        wanted = {"copies": self.network.config.roles, "partners": self.loss.matching > 0}
        return tuple(name for name, on in wanted.items() if on)

    def forward(
        self,
        panels: tuple[Tensor, ...],
        masks: tuple[Tensor, ...],
        targets: Mapping[str, tuple[Tensor, ...]],
        matches: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a batch, the mean over its examples.

        Args:
            panels: One or two of uint8 (batch, height, width, 3).
            masks: As many of bool (batch, height, width).
            targets: What ``extra`` names, of each panel.
            matches: Within the panels, where the network reads them.
        """
        images = [panel.permute(0, 3, 1, 2).contiguous().float() / 255 for panel in panels]
        if isinstance(self.network, PairNetwork):
            return self._pairs(images, masks, targets)
        logits = self.network(images[0], matches)
        return dice_focal_loss(logits, masks[0], dice=self.loss.dice, focal=self.loss.focal)

    def _pairs(
        self,
        images: list[Tensor],
        masks: tuple[Tensor, ...],
        targets: Mapping[str, tuple[Tensor, ...]],
    ) -> Tensor:
        same = len(images) == 1
        how = self.network.config.single
        if same and (how == "halves" or (how == "both" and torch.rand(()) < 0.5)):
            images, masks, targets = halves(images[0], masks[0], targets)
            same = False
        first, second = images if len(images) == 2 else (images[0], images[0])
        both = {name: parts * 2 if same else parts for name, parts in targets.items()}
        return biotampernet_loss(
            self.network(first, second, same=same),
            masks[0],
            masks[0] if same else masks[1],
            weights=self.loss.weights,
            most_weight=self.loss.most_weight,
            copies=both.get("copies"),  # type: ignore[arg-type]
            partners=both.get("partners"),  # type: ignore[arg-type]
            matching=self.loss.matching,
            same=same,
        )


def halves(
    image: Tensor, mask: Tensor, targets: Mapping[str, tuple[Tensor, ...]]
) -> tuple[list[Tensor], tuple[Tensor, ...], dict[str, tuple[Tensor, ...]]]:
    """Cut single panels into pairs, all at one place that is drawn near the middle."""
    axis = 2 + int(torch.rand(()) < 0.5)
    low, high = CUT
    place = round((low + (high - low) * float(torch.rand(()))) * image.shape[axis])

    def cut(values: Tensor, along: int) -> tuple[Tensor, ...]:
        return values.tensor_split([place], dim=along)

    parts = {name: cut(values[0], axis - 1) for name, values in targets.items()}
    return list(cut(image, axis)), cut(mask, axis - 1), parts


def as_tensors(
    batch: Batch, device: torch.device
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], dict[str, tuple[Tensor, ...]], Tensor | None]:
    """Bring a batch to the device, as ``Objective.forward`` takes it."""
    panels, masks = (
        tuple(torch.from_numpy(array).to(device) for array in arrays)
        for arrays in (batch.panels, batch.masks)
    )
    targets = {
        name: tuple(torch.from_numpy(array).to(device) for array in arrays)
        for name, arrays in batch.targets.items()
    }
    matches = None if batch.matches is None else torch.from_numpy(batch.matches).to(device)
    return panels, masks, targets, matches


def cell_of(network: AnyNetwork, size: Size) -> float:
    """Pixels of a cell of panels of ``size``, for the targets that are per cell.

    Raises:
        RecipeError: Cells are not square at this size.
    """
    rows, columns = cast(Any, network).grid(size)
    if size[0] * columns != size[1] * rows or any(side % network.multiple for side in size):
        raise RecipeError(
            f"panels of {size[1]} x {size[0]} pixels have no square cells; for [loss] matching "
            f"take sides that are multiples of {network.multiple}, as in size = [256, 256]"
        )
    return size[0] / rows
