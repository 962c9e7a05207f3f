"""Says in one plain sentence what was seen. Observations only: never a cause or a verdict."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.match import Match

RIGHT_ANGLE_TOLERANCE = 1.5  # degrees; closer is called a right-angle turn
SCALE_TOLERANCE = 0.03  # relative; closer is called the same size


@dataclass(frozen=True)
class Geometry:
    """A transform in the words of an image editor."""

    mirrored: bool
    degrees: float  # counter-clockwise as seen on the screen, in (-180, 180]
    scale: float  # geometric mean of both axes, target size over source size


def geometry(transform: NDArray[np.float64]) -> Geometry:
    """Split a 3x3 transform into mirroring, turn and scale, by the polar decomposition.

    A mirrored transform is a left-right flip followed by the turn.
    """
    linear = np.asarray(transform, dtype=float)[:2, :2]
    determinant = float(np.linalg.det(linear))
    mirrored = determinant < 0
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    # Rows of images grow downwards, hence the sign.
    degrees = -math.degrees(math.atan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))
    return Geometry(mirrored, degrees if degrees > -180 else 180.0, math.sqrt(abs(determinant)))


def describe_transform(transform: NDArray[np.float64], inverted: bool = False) -> str:
    """Say how the second place differs from the first, e.g. ``mirrored, turned by 90 degrees``."""
    shape = geometry(transform)
    words = []
    near = round(shape.degrees / 90) * 90
    right_angle = abs(shape.degrees - near) <= RIGHT_ANGLE_TOLERANCE
    if shape.mirrored:
        if right_angle and abs(near) == 180:
            words.append("mirrored top to bottom")
        elif right_angle and near == 0:
            words.append("mirrored left to right")
        else:
            words.append("mirrored")
    if right_angle:
        if abs(near) == 180 and not shape.mirrored:
            words.append("turned by 180 degrees")
        elif abs(near) == 90:
            words.append(f"turned by 90 degrees {'counter-clockwise' if near > 0 else 'clockwise'}")
    else:
        side = "counter-clockwise" if shape.degrees > 0 else "clockwise"
        words.append(f"turned by {abs(shape.degrees):.0f} degrees {side}")
    if abs(shape.scale - 1) > SCALE_TOLERANCE:
        words.append(f"at {shape.scale:.2f} times the size")
    if inverted:
        words.append("with dark and bright exchanged")
    if not words:
        return "at the same size and orientation"
    return ", ".join(words)


def describe_share(share: float) -> str:
    """Say how much of a panel a region covers."""
    if share > 0.9:
        return "nearly the whole"
    if share > 0.5:
        return f"most ({share:.0%})"
    return f"a part ({max(share, 0.01):.0%})"


def sentence_between(match: Match, first: str, second: str, same_field: bool) -> str:
    """Sentence of a duplicate between two panels, named as the reader sees them."""
    first_share = describe_share(float(match.source_mask.mean()))
    second_share = describe_share(float(match.target_mask.mean()))
    how = describe_transform(match.transform, match.inverted)
    text = (
        f"{first_share[0].upper()}{first_share[1:]} of {first} appears again in {second} "
        f"({second_share} of it), {how}."
    )
    if same_field:
        text += (
            " Both panels belong to one figure and show the same field at the same place, as colour"
            " channels and merged views do."
        )
    return text


def sentence_within(match: Match, panel: str) -> str:
    """Sentence of a copy-move inside one panel."""
    share = float(match.source_mask.mean())
    how = describe_transform(match.transform, match.inverted)
    return f"Two places inside {panel} show the same content ({share:.1%} of the panel), {how}."
