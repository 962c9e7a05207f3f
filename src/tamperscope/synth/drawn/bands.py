"""Bands on a blot: where lanes run, how much is in each, and the shape it dries into."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import chance, pick
from tamperscope.synth.drawn.scene import Labels, Plane


@dataclass(frozen=True)
class BandShape:
    """What the bands of one row have in common; lengths in pixels."""

    width: float  # half of a band, sideways
    height: float  # deviation, up and down
    edge: float  # softness of the ends, as a share of ``width``
    bow: float  # how far the ends lie below the middle
    dumbbell: float  # how much thicker the ends are than the middle, as a share
    tail: float  # how much longer the upper flank is than the lower one, as a share
    flat: float  # exponent of the profile: 2 is Gaussian, more is flat-topped


def draw_shape(rng: np.random.Generator, pitch: float, height: float) -> BandShape:
    """Draw the shape of a row's bands for lanes ``pitch`` pixels apart."""
    return BandShape(
        width=pitch * rng.uniform(0.3, 0.47),
        height=height,
        edge=float(rng.uniform(0.04, 0.2)),
        bow=height * float(np.clip(rng.normal(0.1, 0.4), -0.8, 1.1)),
        dumbbell=float(rng.normal(0.1, 0.3)),
        tail=float(rng.uniform(-0.2, 0.45)),
        flat=float(rng.uniform(2, 3.2)),
    )


def stamp_band(
    rng: np.random.Generator,
    amounts: Plane,
    objects: Labels,
    number: int,
    middle: tuple[float, float],
    shape: BandShape,
    amount: float,
) -> None:
    """Add one band of ``amount`` at ``middle`` (row, column), and its label where it shows."""
    own = 1 + 0.08 * rng.standard_normal(4)
    width, height = shape.width * own[0], max(shape.height * own[1], 0.6)
    if amount > 3:  # what is overloaded spreads
        height *= 1 + 0.1 * (amount - 3) ** 0.7
    reach = int(4 * height + abs(shape.bow) + 2)
    top, bottom = np.clip([middle[0] - reach, middle[0] + reach + 1], 0, amounts.shape[0])
    left, right = np.clip(
        [middle[1] - 1.5 * width - 2, middle[1] + 1.5 * width + 3], 0, amounts.shape[1]
    )
    window = slice(int(top), int(bottom)), slice(int(left), int(right))
    y = np.arange(int(top), int(bottom), dtype=np.float32)[:, None] - np.float32(middle[0])
    u = np.arange(int(left), int(right), dtype=np.float32)[None, :] - np.float32(middle[1])
    u /= np.float32(width)
    ends = 1 / (1 + np.exp(np.clip((np.abs(u) - 1) / np.float32(shape.edge), -30, 30)))
    slant = 0.4 * height * rng.standard_normal()
    y = y - (np.float32(shape.bow * own[2]) * (u * u - 0.4) + np.float32(slant) * u)
    thick = np.float32(height) * np.maximum(0.35, 1 + np.float32(shape.dumbbell) * (u * u - 0.3))
    flank = np.where(y < 0, np.float32(1 + shape.tail), np.float32(1))
    profile = np.exp(-(np.abs(y / (thick * np.maximum(flank, 0.5))) ** np.float32(shape.flat)) / 2)
    lean = 1 + 0.15 * np.float32(rng.standard_normal()) * u
    part = np.float32(amount) * ends * profile * np.maximum(lean, 0.2)
    amounts[window] += part
    if amount > 0.25:
        objects[window][part > max(0.4 * amount, 0.15) * (0.5 if amount > 2 else 1.0)] = number


def draw_amounts(rng: np.random.Generator, lanes: int) -> NDArray[np.float64]:
    """Draw how much is in each lane of a row, 0 to about 8 (1 is a clear band)."""
    plan = pick(rng, {"even": 0.4, "free": 0.25, "switch": 0.2, "series": 0.15})
    if plan == "even":
        return rng.uniform(1, 5) * np.exp(0.18 * rng.standard_normal(lanes))
    if plan == "free":
        return np.exp(rng.normal(0.2, 0.9, size=lanes))
    if plan == "switch":
        present = rng.random(lanes) < rng.uniform(0.3, 0.7)
        strong = rng.uniform(1, 6) * np.exp(0.3 * rng.standard_normal(lanes))
        return np.where(present, strong, rng.uniform(0, 0.12, size=lanes))
    series = rng.uniform(2, 6) * rng.uniform(0.5, 0.85) ** np.arange(lanes)
    return np.asarray(series[::-1] if chance(rng, 0.5) else series, dtype=np.float64)
