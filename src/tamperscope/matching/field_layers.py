"""A panel at several sizes, described at every pixel: what a dense field matches between.

Patch features hold under rotation and reflection, not under scaling. A field therefore runs from
the full-size source into the target at full and reduced sizes, and finds partners that are up to
twice as large; those that are smaller are found by the field in the other direction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamperscope.kernels.dense_field import IMAGE_ONE, FilterBank, Target, describe
from tamperscope.matching.match import Mask, PreparedPanel

MIN_STRENGTH = 0.008  # of the features, in brightness: about two grey levels of structure
MIN_USABLE = 0.75  # share of a patch's bounding square that must be usable


@dataclass(frozen=True, eq=False)
class DescribedPanel:
    """A panel's descriptors, full size first; ``layers[0]`` serves as source too."""

    layers: tuple[Target, ...]
    height: int
    width: int


def describe_panel(
    panel: PreparedPanel,
    bank: FilterBank,
    scales: tuple[float, ...],
    *,
    min_strength: float = MIN_STRENGTH,
    threads: int = 1,
) -> DescribedPanel:
    """Describe a panel at every scale of ``scales`` (1.0 first, each the factor of reduction).

    Sizes too small to hold a patch are left out.
    """
    if scales[0] != 1.0:
        raise ValueError(f"the first scale must be 1, got {scales}")
    height, width = panel.gray.shape
    image = np.rint(np.clip(panel.gray, 0, 1) * np.float32(IMAGE_ONE)).astype(np.uint16)
    usable = panel.usable.astype(np.uint16) * IMAGE_ONE
    layers = []
    for scale in scales:
        size = max(round(height / scale), 1), max(round(width / scale), 1)
        if layers and min(size) <= 2 * bank.radius:
            break
        small = image if scale == 1.0 else reduced(image, size)
        share = usable if scale == 1.0 else reduced(usable, size)
        description = describe(small, bank, threads=threads)
        valid = patches_inside(share > IMAGE_ONE // 2, bank.radius)
        valid &= description.strength >= min_strength
        layers.append(Target(description.descriptors, valid))
    return DescribedPanel(tuple(layers), height, width)


def reduced(image: NDArray[np.uint16], size: tuple[int, int]) -> NDArray[np.uint16]:
    """Reduce to ``size`` (height, width) by averaging areas, in whole numbers: exact everywhere."""
    rows, columns = (area_weights(old, new) for old, new in zip(image.shape, size, strict=True))
    total = float(image.shape[0]) * image.shape[1]
    # All products and sums are whole numbers below 2^53, so the order of summation is free.
    return np.floor((rows @ image.astype(np.float64) @ columns.T) / total + 0.5).astype(np.uint16)


def area_weights(old: int, new: int) -> NDArray[np.float64]:
    """(new, old) overlap of each new pixel with each old one; rows add up to ``old``."""
    left = np.arange(new)[:, None] * old
    start = np.arange(old)[None, :] * new
    overlap = np.minimum(left + old, start + new) - np.maximum(left, start)
    return np.maximum(overlap, 0).astype(np.float64)


def patches_inside(usable: Mask, radius: int) -> Mask:
    """Where the square around a pixel lies inside the image and enough of it is usable."""
    height, width = usable.shape
    side = 2 * radius + 1
    inside = np.zeros((height, width), np.bool_)
    if height < side or width < side:
        return inside
    table = np.zeros((height + 1, width + 1), np.int64)
    table[1:, 1:] = usable.cumsum(0).cumsum(1)
    count = (
        table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
    )
    inside[radius : height - radius, radius : width - radius] = count >= MIN_USABLE * side**2
    return inside
