"""A panel at several sizes, described at every pixel: what a dense field matches between.

Patch features hold under rotation and reflection, not under scaling. A field therefore runs from
the full-size source into the target at full and reduced sizes, and finds partners that are up to
twice as large; those that are smaller are found by the field in the other direction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tamperscope.kernels.dense_field import IMAGE_ONE, FilterBank, Target, describe
from tamperscope.matching.match import Gray, Mask, PreparedPanel

MIN_STRUCTURE = 0.006  # in brightness: one and a half grey levels of deviation from a plane
MIN_USABLE = 0.75  # share of a patch's bounding square that must be usable


@dataclass(frozen=True, eq=False)
class DescribedPanel:
    """A panel's descriptors, full size first; ``layers[0]`` serves as source too."""

    layers: tuple[Target, ...]
    height: int
    width: int

    @property
    def factors(self) -> NDArray[np.float64]:
        """(layers,) how many full-size pixels one pixel of each layer spans, along a side."""
        sizes = np.array([layer.valid.shape for layer in self.layers], np.float64)
        return np.sqrt(self.height * self.width / sizes.prod(axis=1))


def describe_panel(
    panel: PreparedPanel,
    bank: FilterBank,
    scales: tuple[float, ...],
    *,
    min_structure: float = MIN_STRUCTURE,
    threads: int = 1,
) -> DescribedPanel:
    """Describe a panel at every scale of ``scales`` (1.0 first, each the factor of reduction).

    Sizes too small to hold a patch are left out.
    """
    if scales[0] != 1.0:
        raise ValueError(f"the first scale must be 1, got {scales}")
    height, width = panel.gray.shape
    image = whole_image(panel.gray)
    usable = panel.usable.astype(np.uint16) * IMAGE_ONE
    layers: list[Target] = []
    for scale in scales:
        size = max(round(height / scale), 1), max(round(width / scale), 1)
        if layers and min(size) <= 2 * bank.radius:
            break
        small = image if scale == 1.0 else reduced(image, size)
        share = usable if scale == 1.0 else reduced(usable, size)
        description = describe(small, bank, threads=threads)
        valid = patches_inside(share > IMAGE_ONE // 2, bank.radius)
        valid &= structure(small, bank.radius) >= min_structure
        layers.append(Target(description.descriptors, valid))
    return DescribedPanel(tuple(layers), height, width)


def whole_image(gray: Gray) -> NDArray[np.uint16]:
    """Brightness in whole numbers, 65535 for 1."""
    return np.rint(np.clip(gray, 0, 1) * np.float32(IMAGE_ONE)).astype(np.uint16)


def reduced(image: NDArray[np.uint16], size: tuple[int, int]) -> NDArray[np.uint16]:
    """Reduce to ``size`` (height, width) by averaging areas, in whole numbers: exact everywhere."""
    rows, columns = (area_weights(old, new) for old, new in zip(image.shape, size, strict=True))
    total = float(image.shape[0]) * image.shape[1]
    # All products and sums are whole numbers below 2^53, so the order of summation is free.
    sums = columns @ (rows @ image.astype(np.float64)).T
    return np.ascontiguousarray(np.floor(sums.T / total + 0.5).astype(np.uint16))


def area_weights(old: int, new: int) -> sparse.csr_array:
    """(new, old) overlap of each new pixel with each old one; rows add up to ``old``."""
    first = np.arange(new) * old // new
    reach = np.arange(-(-old // new) + 1)
    column = np.minimum(first[:, None] + reach, old - 1)
    left, start = np.arange(new)[:, None] * old, (first[:, None] + reach) * new
    overlap = np.minimum(left + old, start + new) - np.maximum(left, start)
    overlap = np.maximum(overlap, 0).astype(np.float64)
    row = np.broadcast_to(np.arange(new)[:, None], column.shape)
    table = sparse.coo_array((overlap.ravel(), (row.ravel(), column.ravel())), (new, old))
    return sparse.csr_array(table)


def structure(image: NDArray[np.uint16], radius: int) -> NDArray[np.float64]:
    """Standard deviation around the best plane over the square around each pixel, in brightness.

    Plain and evenly shaded places have none: every patch there looks like every other. Zero
    within ``radius`` of the border.
    """
    height, width = image.shape
    side = 2 * radius + 1
    result = np.zeros((height, width))
    if height < side or width < side:
        return result
    values = image.astype(np.float64)
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    total = square_sums(values, side)
    inner = np.s_[radius : height - radius, radius : width - radius]
    # Whole numbers below 2^53 up to here; the divisions below are the same on every machine.
    along_x = square_sums(x * values, side) - x[inner] * total
    along_y = square_sums(y * values, side) - y[inner] * total
    spread = side**2 * (side**2 - 1) / 12  # sum of the squared offsets along one axis
    rest = square_sums(values**2, side) - total**2 / side**2 - (along_x**2 + along_y**2) / spread
    result[inner] = np.sqrt(np.maximum(rest, 0)) / (side * IMAGE_ONE)
    return result


def square_sums(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Sums over all squares of ``side`` that lie inside, (height - side + 1, width - side + 1)."""
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    table[1:, 1:] = values.cumsum(0).cumsum(1)
    return table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]


def patches_inside(usable: Mask, radius: int) -> Mask:
    """Where the square around a pixel lies inside the image and enough of it is usable."""
    height, width = usable.shape
    side = 2 * radius + 1
    inside = np.zeros((height, width), np.bool_)
    if height < side or width < side:
        return inside
    count = square_sums(usable.astype(np.float64), side)
    inside[radius : height - radius, radius : width - radius] = count >= MIN_USABLE * side**2
    return inside
