"""What a style hands on to annotation and publication, and what the caller gets in the end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, int]  # (height, width)
Plane = NDArray[np.float32]  # (H, W)
Colour = NDArray[np.float32]  # (H, W, 3), 0 to 1
Labels = NDArray[np.int32]  # (H, W), 0 is background


@dataclass
class Scene:
    """A picture as the instrument saw it, before labels and compression."""

    light: Colour
    objects: Labels
    style: str
    parameters: dict[str, Any] = field(default_factory=dict)  # JSON values
    marks: NDArray[np.bool_] | None = None  # (H, W) of what the style itself wrote on the picture
    digital: bool = False  # rendered by software, never seen by a camera


@dataclass(frozen=True)
class DrawnPanel:
    """One panel that needed no data, with everything that is known about it."""

    pixels: NDArray[np.uint8]  # (H, W, 3)
    annotations: NDArray[np.bool_]  # (H, W): text, scale bars, axes, gates
    objects: Labels  # (H, W): 1, 2, ... for bands, cells, populations, colonies
    modality: str
    parameters: dict[str, Any]  # JSON values: style and what was drawn at random


Style = Callable[[np.random.Generator, Shape], Scene]
Styles = dict[str, tuple[float, Style]]  # name -> (weight, function)


def as_colour(plane: Plane) -> Colour:
    """Repeat grey three times."""
    return np.repeat(plane[:, :, None], 3, axis=2)
