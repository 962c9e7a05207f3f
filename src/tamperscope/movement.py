"""Says in words what a 3x3 transform does, e.g. "mirrored, turned by 90 degrees clockwise"."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamperscope.records import Matrix, Point

RIGHT_ANGLE_TOLERANCE = 1.5  # degrees; closer is called a right-angle turn
SCALE_TOLERANCE = 0.03  # relative; closer is called the same size
STRETCH_TOLERANCE = 0.04  # relative; how much one direction may exceed the other unmentioned


@dataclass(frozen=True)
class Movement:
    """What a transform does near one point. A mirrored one flips left and right, then turns."""

    mirrored: bool
    degrees: float  # counter-clockwise as seen on the screen, in (-180, 180]
    scale: float  # second over first, geometric mean of both directions
    stretch: float  # longer over shorter direction, >= 1
    shift: tuple[float, float]  # of the point, in pixels: right, down


def movement(matrix: Matrix | NDArray[np.float64], at: Point) -> Movement:
    """Split a transform near ``at`` into mirroring, turn, scale, stretch and shift.

    The turn is that of the polar decomposition of the Jacobian.
    """
    m = np.array(matrix, dtype=float)
    x, y, w = m @ np.array([at[0], at[1], 1.0])
    place = np.array([x / w, y / w])
    linear = (m[:2, :2] - np.outer(place, m[2, :2])) / w  # Jacobian of the projective map
    mirrored = bool(np.linalg.det(linear) < 0)
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    # Rows of a picture grow downwards, hence the sign.
    degrees = -math.degrees(math.atan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))
    long, short = np.linalg.svd(linear, compute_uv=False)
    return Movement(
        mirrored,
        degrees if degrees > -180 else 180.0,
        math.sqrt(long * short),
        float(long / short) if short > 0 else math.inf,
        (float(place[0] - at[0]), float(place[1] - at[1])),
    )


def in_words(move: Movement, *, same_panel: bool) -> list[str]:
    """List what happened to A to become B; a shift is told only inside one panel."""
    words = _flip_and_turn(move)
    if abs(move.scale - 1) > SCALE_TOLERANCE:
        words.append(f"scaled {move.scale:.2f}×")
    if move.stretch - 1 > STRETCH_TOLERANCE:
        words.append(f"stretched {move.stretch:.2f}× in one direction")
    if same_panel:
        words.append(_shift(*move.shift))
    return words or ["same size and orientation"]


def _flip_and_turn(move: Movement) -> list[str]:
    near = round(move.degrees / 90) * 90
    right_angle = abs(move.degrees - near) <= RIGHT_ANGLE_TOLERANCE
    if move.mirrored and right_angle and near == 0:
        return ["mirrored left to right"]
    if move.mirrored and right_angle and abs(near) == 180:
        return ["mirrored top to bottom"]
    words = ["mirrored left to right"] if move.mirrored else []
    side = "counter-clockwise" if move.degrees > 0 else "clockwise"
    if not right_angle:
        words.append(f"turned by {abs(move.degrees):.0f}° {side}")
    elif abs(near) == 180:
        words.append("turned by 180°")
    elif near != 0:
        words.append(f"turned by 90° {side}")
    return words


def _shift(right: float, down: float) -> str:
    across = f"{abs(right):.0f} px to the {'right' if right >= 0 else 'left'}"
    along = f"{abs(down):.0f} px {'down' if down >= 0 else 'up'}"
    return f"moved {across} and {along}"
