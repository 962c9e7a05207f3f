"""What the forge makes: one panel or two, where they were changed, and how.

A :class:`Forgery` is the work on the canvas, before it is saved as a figure would be; a
:class:`Sample` is what a reader of the paper would see. Points are (x, y) at pixel centres; a
matrix maps source points to target points.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]
Size = tuple[int, int]
"""(height, width)"""

KINDS = (
    "copy-move", "duplicate", "splice", "seam", "erase", "retouch", "generated", "pristine",
)  # fmt: skip
"""``copy-move``: within a panel; ``duplicate``: between two; ``splice``: from a panel not shown;
``seam``: two parts of a blot joined along a straight line; ``generated``: made by a network."""

MODALITIES = ("blot", "microscopy", "facs", "macroscopy", "photo")


class UnfitError(Exception):
    """These panels cannot show what was asked for; others may."""


@dataclass(frozen=True, eq=False)
class SourcePanel:
    """A pristine panel as a source gives it."""

    pixels: Pixels  # uint8 (H, W, 3)
    modality: str  # one of MODALITIES
    name: str  # of the picture it was cut from
    group: str  # the original picture; panels of one group may show the same thing

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise ValueError(f"modality must be one of {MODALITIES}, got {self.modality!r}")
        checked_pixels(self.pixels)


@dataclass(frozen=True, eq=False)
class Link:
    """One region that is there twice."""

    source: Mask  # where it was taken from, in panel ``source_panel``
    target: Mask  # where it lies now, in panel ``target_panel``
    matrix: Matrix  # (3, 3)
    source_panel: int = 0
    target_panel: int = 0

    def __post_init__(self) -> None:
        for mask in (self.source, self.target):
            if mask.dtype != bool or mask.ndim != 2:
                raise ValueError(f"a mask is bool (H, W), got {mask.dtype} {mask.shape}")
        if self.matrix.shape != (3, 3) or not np.isfinite(self.matrix).all():
            raise ValueError(f"a matrix is 3 x 3 finite numbers, got {self.matrix}")


@dataclass(frozen=True, eq=False)
class Forgery:
    """Changed panels on the canvas; nothing outside ``targets`` differs from ``before``."""

    kind: str  # one of KINDS
    panels: tuple[Pixels, ...]
    before: tuple[Pixels | None, ...]  # None where a panel was made as a whole, not changed
    targets: tuple[Mask, ...]  # what was changed, or is shown again, in each panel
    links: tuple[Link, ...]
    names: tuple[str, ...]  # of the pictures that went in
    groups: tuple[str, ...]  # of each panel
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of JSON values

    def __post_init__(self) -> None:
        _check(self.kind, self.panels, self.targets, self.links)
        if not len(self.before) == len(self.groups) == len(self.panels):
            raise ValueError("panels, before and groups need the same number of entries")


@dataclass(frozen=True, eq=False)
class Sample:
    """One or two finished panels with their truth.

    ``sources[i]`` and ``targets[i]`` mark panel i: where something was taken from, and where it
    lies or what was changed. For a duplicate the first panel is the source, the second the target.
    For a seam the target is a band along it, as in BioFors' cut/sharp-transition task.
    """

    kind: str  # one of KINDS
    operation: str  # name in tamperscope.synth.operations.OPERATIONS
    panels: tuple[Pixels, ...]  # uint8 (H, W, 3), one or two
    sources: tuple[Mask, ...]
    targets: tuple[Mask, ...]
    links: tuple[Link, ...]
    modality: str
    names: tuple[str, ...]  # of the pictures that went in
    groups: tuple[str, ...]  # of each panel: the original picture it was cut from
    parameters: Mapping[str, Any]  # of JSON values: everything that was drawn

    def __post_init__(self) -> None:
        _check(self.kind, self.panels, self.targets, self.links)
        for mask, panel in zip(self.sources, self.panels, strict=True):
            check_mask(mask, panel)


def _check(
    kind: str, panels: tuple[Pixels, ...], targets: tuple[Mask, ...], links: tuple[Link, ...]
) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    if len(panels) not in (1, 2):
        raise ValueError(f"a sample has one panel or two, got {len(panels)}")
    for panel, mask in zip(panels, targets, strict=True):
        check_mask(mask, checked_pixels(panel))
    for link in links:
        check_mask(link.source, panels[link.source_panel])
        check_mask(link.target, panels[link.target_panel])


def checked_pixels(pixels: Pixels) -> Pixels:
    """Return ``pixels``; ValueError unless they are uint8 (H, W, 3)."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"pixels are uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}")
    return pixels


def check_mask(mask: Mask, pixels: Pixels) -> None:
    """Raise ValueError unless ``mask`` is bool and of the size of ``pixels``."""
    if mask.dtype != bool or mask.shape != pixels.shape[:2]:
        raise ValueError(
            f"a mask of pixels {pixels.shape} is bool {pixels.shape[:2]}, "
            f"got {mask.dtype} {mask.shape}"
        )


def no_mask(pixels: Pixels) -> Mask:
    """Return an empty mask of the size of ``pixels``."""
    return np.zeros(pixels.shape[:2], dtype=bool)
