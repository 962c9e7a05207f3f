"""Petri dishes on a bench, and agar close up."""

import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.arrays import draw_pinned, draw_spot_assay, draw_wells
from tamperscope.synth.drawn.cameras import photograph
from tamperscope.synth.drawn.chances import chance, log_uniform, pick
from tamperscope.synth.drawn.colonies import (
    MEDIA,
    gauss,
    grow_colonies,
    grow_streak,
    grow_zones,
    pour_agar,
)
from tamperscope.synth.drawn.fields import cloudy_field, coordinates, fibrous_field, smooth_field
from tamperscope.synth.drawn.noise import specks
from tamperscope.synth.drawn.scene import Colour, Labels, Plane, Scene, Shape, Styles
from tamperscope.synth.drawn.shapes import cover, scatter


def draw_dish(rng: np.random.Generator, shape: Shape) -> Scene:
    """One or several Petri dishes on a bench: rims, reflections, colonies."""
    light = _bench(rng, shape)
    objects = np.zeros(shape, np.int32)
    for middle, radius in _dishes(rng, shape):
        reach = 1.3 * radius + 4
        top, left = (max(int(m - reach), 0) for m in middle)
        window = slice(top, int(middle[0] + reach)), slice(left, int(middle[1] + reach))
        own = _dish(rng, light[window], middle - [top, left], radius)
        objects[window] = np.where(own > 0, own + objects.max(), objects[window])
    return Scene(photograph(rng, light), objects, "dish", {"colonies": int(objects.max())})


def draw_agar(rng: np.random.Generator, shape: Shape) -> Scene:
    """Only agar: colonies close up, a lawn with clear zones, or a streak."""
    name = pick(rng, MEDIA)
    light = pour_agar(rng, shape, name)
    objects = np.zeros(shape, np.int32)
    plan = pick(rng, {"colonies": 0.5, "zones": 0.25, "streak": 0.25})
    if plan == "colonies":
        size = min(shape) * log_uniform(rng, 0.01, 0.09)
        count = int(
            np.clip(rng.uniform(0.02, 0.14) * shape[0] * shape[1] / (size + 1) ** 2, 2, 160)
        )
        places = scatter(rng, shape, count, size * rng.uniform(0.7, 2))
        grow_colonies(rng, light, objects, places, size)
    elif plan == "zones":
        grow_zones(rng, light, objects)
    else:
        grow_streak(rng, light, objects, np.array(shape) / 2, 0.5 * min(shape))
    found = {"agar": name, "plan": plan}
    return Scene(photograph(rng, light), objects, "agar", found)


PLATES: Styles = {
    "dish": (0.36, draw_dish),
    "agar": (0.22, draw_agar),
    "spot assay": (0.16, draw_spot_assay),
    "pinned": (0.13, draw_pinned),
    "wells": (0.13, draw_wells),
}


def _bench(rng: np.random.Generator, shape: Shape) -> Colour:
    """What lies under the dish: stone, cloth, paper or darkness."""
    level = pick(rng, {"dark": 0.45, "light": 0.35, "wood": 0.2})
    if level == "dark":
        base = np.array([1, 0.97, 0.92]) * rng.uniform(0.03, 0.3)
    elif level == "light":
        base = np.array([1, 0.99, 0.96]) * rng.uniform(0.65, 1.0)
    else:
        base = np.array([0.62, 0.46, 0.30]) * rng.uniform(0.6, 1.2)
    rough = fibrous_field(rng, shape, 1.5, 12) if level == "wood" else smooth_field(rng, shape, 1.5)
    texture = (
        1
        + log_uniform(rng, 0.004, 0.09) * rough
        + 0.06 * cloudy_field(rng, shape, 0.3 * max(shape))
    )
    if chance(rng, 0.3):
        texture += np.float32(0.5) * specks(rng, shape, 60, 0.8)
    light = (texture[:, :, None] * base.astype(np.float32)).astype(np.float32)
    if chance(rng, 0.3):  # the edge of a table, a sheet, a wall
        rows, columns = coordinates(shape)
        turned = chance(rng, 0.5)
        across = columns if turned else rows
        along = rows if turned else columns
        edge = shape[int(turned)] * rng.uniform(0.05, 0.95) + rng.normal(0, 0.05) * along
        beyond = cover(across - edge.astype(np.float32), rng.uniform(1, 4))
        other = np.float32(rng.uniform(0.03, 0.95)) * rng.uniform(0.9, 1.1, 3).astype(np.float32)
        light += beyond[:, :, None] * (other - light)
    return light


def _dishes(rng: np.random.Generator, shape: Shape) -> list[tuple[NDArray[np.float64], float]]:
    """Middles and radii of the dishes in view."""
    count = int(rng.choice([1, 2, 3], p=[0.75, 0.15, 0.1]))
    if count == 1:
        radius = min(shape) * (
            rng.uniform(0.36, 0.5) if chance(rng, 0.6) else rng.uniform(0.5, 1.1)
        )
        return [
            (
                np.array(shape) * rng.normal(0.5, 0.05 if radius < 0.5 * min(shape) else 0.25, 2),
                radius,
            )
        ]
    long = int(shape[1] >= shape[0])
    radius = min(0.46 * shape[long] / count * rng.uniform(0.9, 1.1), 0.48 * shape[1 - long])
    found = []
    for k in range(count):
        middle = np.array(shape) * rng.normal(0.5, 0.02, size=2)
        middle[long] = shape[long] * (k + 0.5) / count
        found.append((middle, radius * rng.uniform(0.97, 1.0)))
    return found


def _dish(
    rng: np.random.Generator, light: Colour, middle: NDArray[np.float64], radius: float
) -> Labels:
    """Lay one dish over the bench: shadow, agar, colonies, then plastic on top; label colonies."""
    shape = light.shape[:2]
    rows, columns = coordinates(shape)
    dy, dx = rows - np.float32(middle[0]), columns - np.float32(middle[1])
    away = np.sqrt(dy * dy + dx * dx)
    shadow = rng.normal(0, 0.06 * radius, size=2)
    cast = np.hypot(dy - shadow[0], dx - shadow[1]) - np.float32(radius)
    dim = np.float32(rng.uniform(0.1, 0.5)) / (
        1 + np.exp(np.clip(cast / (0.03 * radius + 1), -30, 30))
    )
    light *= (1 - dim)[:, :, None]
    name = pick(rng, MEDIA)
    agar = pour_agar(rng, shape, name)
    agar *= (1 - 0.12 * np.square(away / np.float32(radius)))[:, :, None]
    inner = 0.9 * radius
    own = np.zeros(shape, np.int32)
    plan = pick(rng, {"colonies": 0.6, "streak": 0.2, "zones": 0.1, "empty": 0.1})
    if plan == "colonies":
        size = radius * log_uniform(rng, 0.008, 0.05)
        count = int(np.clip(log_uniform(rng, 4, 160), 2, 0.3 * (inner / (size + 0.5)) ** 2 + 2))
        turn = rng.uniform(0, 2 * np.pi, size=count)
        out = inner * 0.97 * np.sqrt(rng.random(count))
        places = middle + np.stack([np.sin(turn), np.cos(turn)], axis=1) * out[:, None]
        grow_colonies(rng, agar, own, places, max(size, 0.7))
    elif plan == "streak":
        grow_streak(rng, agar, own, middle, 0.85 * inner)
    elif plan == "zones":
        grow_zones(rng, agar, own)
    inside = cover((np.float32(inner) - away), 1.5)
    own[away > inner] = 0
    clear = np.float32(rng.uniform(0.6, 0.97))
    light += (inside * clear)[:, :, None] * (agar - light)
    light += _plastic(rng, away, np.arctan2(dy, dx), radius)[:, :, None]
    if chance(rng, 0.35):
        glare = gauss(
            shape,
            (slice(0, shape[0]), slice(0, shape[1])),
            middle + rng.normal(0, 0.5 * radius, 2),
            0.2 * radius,
        )
        light += np.float32(rng.uniform(0.03, 0.25)) * (glare * (away < radius))[:, :, None]
    return own


def _plastic(rng: np.random.Generator, away: Plane, theta: Plane, radius: float) -> Plane:
    """Rims of dish and lid: rings, bright where they face the lamps, dark elsewhere."""
    total = np.zeros_like(away)
    lamps = rng.uniform(-np.pi, np.pi, size=int(rng.integers(1, 4)))
    beams = [np.exp(np.float32(6) * (np.cos(theta - np.float32(lamp)) - 1)) for lamp in lamps]
    for place in (0.9, 0.925, 0.97, 1.0):
        where = np.float32(radius * (place + rng.normal(0, 0.006)))
        thin = np.float32(max(0.8, radius * rng.uniform(0.005, 0.018)))
        ring = np.square(np.maximum(1 - np.square((away - where) / thin), 0))
        facing = np.float32(rng.uniform(-0.15, 0.15))
        for beam in beams:
            facing = facing + np.float32(rng.uniform(0.1, 0.7)) * beam
        total += ring * facing
    wall = (away > 0.92 * radius) & (away < radius)
    return (total + np.float32(rng.uniform(-0.06, 0.1)) * wall).astype(np.float32)
