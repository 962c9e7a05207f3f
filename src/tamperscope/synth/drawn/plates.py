"""Plates and colonies seen by a camera or a scanner: dishes, spot assays, pinned arrays, wells."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import chance, log_uniform, pick
from tamperscope.synth.drawn.fields import cloudy_field, coordinates, fibrous_field, smooth_field
from tamperscope.synth.drawn.noise import scratches, sensor, specks
from tamperscope.synth.drawn.optics import blur, fringe, uneven_light, wide_blur
from tamperscope.synth.drawn.scene import Colour, Labels, Plane, Scene, as_colour
from tamperscope.synth.drawn.shapes import cover, make_blob, scatter

Shape = tuple[int, int]

AGARS = {
    "malt": (0.80, 0.72, 0.48),
    "clear": (0.72, 0.73, 0.70),
    "blood": (0.50, 0.08, 0.07),
    "dark": (0.20, 0.18, 0.13),
    "chocolate": (0.36, 0.22, 0.14),
    "blue": (0.35, 0.48, 0.62),
    "pink": (0.78, 0.50, 0.52),
}
COLONIES = {
    "cream": (0.93, 0.89, 0.74),
    "white": (0.92, 0.92, 0.90),
    "yellow": (0.90, 0.76, 0.25),
    "red": (0.68, 0.16, 0.14),
    "blue": (0.20, 0.35, 0.62),
    "purple": (0.42, 0.15, 0.42),
    "green": (0.35, 0.52, 0.25),
}


def draw_dish(rng: np.random.Generator, shape: Shape) -> Scene:
    """One or several Petri dishes on a bench: rims, reflections, colonies."""
    light = _bench(rng, shape)
    objects = np.zeros(shape, np.int32)
    for middle, radius in _dishes(rng, shape):
        _dish(rng, light, objects, middle, radius)
    return Scene(_photograph(rng, light), objects, "dish", {"colonies": int(objects.max())})


def draw_agar(rng: np.random.Generator, shape: Shape) -> Scene:
    """Only agar: colonies close up, a lawn with clear zones, or a streak."""
    name = pick(rng, dict.fromkeys(AGARS, 1.0))
    light = _agar(rng, shape, name)
    objects = np.zeros(shape, np.int32)
    plan = pick(rng, {"colonies": 0.5, "zones": 0.25, "streak": 0.25})
    if plan == "colonies":
        size = min(shape) * log_uniform(rng, 0.01, 0.09)
        count = int(
            np.clip(rng.uniform(0.02, 0.14) * shape[0] * shape[1] / (size + 1) ** 2, 2, 220)
        )
        places = scatter(rng, shape, count, size * rng.uniform(0.7, 2))
        _colonies(rng, light, objects, places, size)
    elif plan == "zones":
        _zones(rng, light, objects)
    else:
        _streak(rng, light, objects, np.array(shape) / 2, 0.5 * min(shape))
    found = {"agar": name, "plan": plan}
    return Scene(_photograph(rng, light), objects, "agar", found)


def draw_spot_assay(rng: np.random.Generator, shape: Shape) -> Scene:
    """Serial dilutions: rows of strains, spots that break up into single colonies."""
    dark = chance(rng, 0.7)
    light = as_colour(
        np.full(shape, rng.uniform(0.08, 0.35) if dark else rng.uniform(0.6, 0.85), np.float32)
    )
    light *= (1 + 0.04 * cloudy_field(rng, shape, 0.5 * max(shape)))[:, :, None]
    objects = np.zeros(shape, np.int32)
    columns = int(rng.integers(3, 8))
    pitch = shape[1] / (columns + rng.uniform(-0.3, 0.6))
    rows = max(1, int(shape[0] / (pitch * rng.uniform(0.85, 1.2))))
    first = rng.uniform(0.4, 0.8, size=2) * pitch
    radius = pitch * rng.uniform(0.26, 0.4)
    tone = np.array([1, 1, rng.uniform(0.75, 1.0)], np.float32) * np.float32(
        rng.uniform(0.75, 0.95) if dark else rng.uniform(0.15, 0.4)
    )
    fall = rng.uniform(0.08, 0.35)
    number = 0
    for row in range(rows):
        start = log_uniform(rng, 0.3, 60)
        for column in range(columns + 1):
            number += 1
            middle = first + np.array([row * shape[0] / rows, column * pitch])
            middle += rng.normal(0, 0.03 * pitch, size=2)
            grown = _spot(rng, shape, middle, radius, start * fall**column)
            if grown is None:
                continue
            window, part = grown
            light[window] += (part * np.float32(rng.uniform(0.9, 1.05)))[:, :, None] * (
                tone - light[window]
            )
            objects[window][part > 0.4] = number
    return Scene(_scan(rng, light), objects, "spot assay", {"rows": rows, "columns": columns})


def draw_pinned(rng: np.random.Generator, shape: Shape) -> Scene:
    """A pinned array: hundreds of colonies on a grid, each a little different in size."""
    pitch = max(6.0, min(shape) * log_uniform(rng, 0.03, 0.13))
    rows, columns = int(shape[0] / pitch) + 1, int(shape[1] / pitch) + 1
    while rows * columns > 700:
        pitch *= 1.2
        rows, columns = int(shape[0] / pitch) + 1, int(shape[1] / pitch) + 1
    first = rng.uniform(0.1, 0.9, size=2) * pitch
    dark_on_light = chance(rng, 0.65)
    ground = np.float32(rng.uniform(0.68, 0.88) if dark_on_light else rng.uniform(0.15, 0.4))
    depth = np.zeros(shape, np.float32)
    objects = np.zeros(shape, np.int32)
    radius = pitch * rng.uniform(0.22, 0.42)
    spread, ring = rng.uniform(0.03, 0.2), rng.uniform(-0.3, 0.5)
    tilt = rng.normal(0, 0.01)
    for number in range(rows * columns):
        if rng.random() < 0.03:
            continue
        place = first + pitch * np.array(divmod(number, columns)) + rng.normal(0, 0.02 * pitch, 2)
        place = place + tilt * np.array([place[1], -place[0]])
        own = radius * float(np.clip(rng.normal(1, spread), 0.2, 1.35))
        window, under, _ = make_blob(rng, *place, own, wobble=0.025, orders=3).inside(shape)
        part = cover(under, 1.6) * (1 + np.float32(ring) * (0.5 - np.clip(under / own, 0, 1)))
        depth[window] = np.maximum(depth[window], part * np.float32(rng.uniform(0.8, 1.05)))
        objects[window][under > 0] = number + 1
    contrast = rng.uniform(0.25, 0.65) * (-ground if dark_on_light else 1 - ground)
    plane = ground * uneven_light(rng, shape, 0.1) + np.float32(contrast) * depth
    plane += 0.01 * cloudy_field(rng, shape, 20)
    return Scene(_scan(rng, as_colour(plane)), objects, "pinned", {"pitch": round(pitch, 2)})


def draw_wells(rng: np.random.Generator, shape: Shape) -> Scene:
    """A multiwell plate from above: rims, menisci, coloured medium."""
    pitch = max(8.0, min(shape) * log_uniform(rng, 0.08, 0.45))
    ground = np.array([rng.uniform(0.3, 0.9)] * 3, np.float32) * rng.uniform(0.94, 1.04, 3).astype(
        np.float32
    )
    light = np.full((*shape, 3), 1.0, np.float32) * ground
    objects = np.zeros(shape, np.int32)
    first, radius = rng.uniform(0.2, 0.8, size=2) * pitch, pitch * rng.uniform(0.34, 0.46)
    fresh, spent = (np.array(c, np.float32) for c in _media(rng))
    rows, columns = int(shape[0] / pitch) + 2, int(shape[1] / pitch) + 2
    shine = rng.normal(0, 0.35 * radius, size=2)
    kind = pick(rng, {"medium": 0.6, "stained": 0.4})
    for number in range(rows * columns):
        row, column = divmod(number, columns)
        place = first + pitch * (np.array([row, column]) - 0.5)
        window, depth, theta = make_blob(rng, *place, radius, wobble=0.0).inside(
            shape, 0.15 * radius
        )
        if depth.size == 0:
            continue
        share = np.clip(rng.normal(column / columns, 0.25), 0, 1)
        colour = fresh + np.float32(share) * (spent - fresh)
        shade = 1 - 0.25 * np.exp(-depth / np.float32(0.25 * radius))
        if kind == "stained":
            shade = shade * (
                1
                - np.float32(0.5 * share)
                * np.clip(cloudy_field(rng, depth.shape, max(2, 0.2 * radius)), 0, 1)
            )
        light[window] += cover(depth, 1.5)[:, :, None] * (
            colour * shade[:, :, None] - light[window]
        )
        rim = np.exp(-np.square(depth / np.float32(0.05 * radius + 0.6)))
        lit = np.float32(0.15) + np.float32(0.45) * np.cos(theta - 2.2)
        light[window] += (rim * lit)[:, :, None]
        glare = _gauss(depth.shape, window, place + shine, 0.12 * radius)
        light[window] += np.float32(rng.uniform(0.1, 0.5)) * glare[:, :, None]
        objects[window][depth > 0] = number + 1
    return Scene(_photograph(rng, light), objects, "wells", {"content": kind})


PLATES: dict[str, tuple[float, Callable[[np.random.Generator, Shape], Scene]]] = {
    "dish": (0.36, draw_dish),
    "agar": (0.22, draw_agar),
    "spot assay": (0.16, draw_spot_assay),
    "pinned": (0.13, draw_pinned),
    "wells": (0.13, draw_wells),
}
"""Style -> (weight, function)."""


def _bench(rng: np.random.Generator, shape: Shape) -> Colour:
    """What lies under the dish: stone, cloth, paper or darkness."""
    level = pick(rng, {"dark": 0.45, "light": 0.35, "wood": 0.2})
    if level == "dark":
        base = np.array([1, 0.97, 0.92]) * rng.uniform(0.03, 0.3)
    elif level == "light":
        base = np.array([1, 0.99, 0.96]) * rng.uniform(0.65, 0.95)
    else:
        base = np.array([0.62, 0.46, 0.30]) * rng.uniform(0.6, 1.2)
    rough = fibrous_field(rng, shape, 1.5, 12) if level == "wood" else smooth_field(rng, shape, 1.5)
    texture = (
        1 + log_uniform(rng, 0.01, 0.12) * rough + 0.06 * cloudy_field(rng, shape, 0.3 * max(shape))
    )
    if chance(rng, 0.3):
        texture += np.float32(0.5) * specks(rng, shape, 60, 0.8)
    return (texture[:, :, None] * base.astype(np.float32)).astype(np.float32)


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


def _agar(rng: np.random.Generator, shape: Shape, name: str) -> Colour:
    base = np.array(AGARS[name]) * rng.uniform(0.75, 1.15) + rng.normal(0, 0.03, size=3)
    clouds = (
        1 + 0.05 * cloudy_field(rng, shape, 0.5 * max(shape)) + 0.01 * smooth_field(rng, shape, 2)
    )
    return np.clip(base, 0.02, 1).astype(np.float32) * clouds[:, :, None].astype(np.float32)


def _dish(
    rng: np.random.Generator,
    light: Colour,
    objects: Labels,
    middle: NDArray[np.float64],
    radius: float,
) -> None:
    """Lay one dish over the bench: shadow, agar, colonies, then plastic on top."""
    shape = objects.shape
    rows, columns = coordinates(shape)
    dy, dx = rows - np.float32(middle[0]), columns - np.float32(middle[1])
    away = np.sqrt(dy * dy + dx * dx)
    shadow = rng.normal(0, 0.06 * radius, size=2)
    cast = np.hypot(dy - shadow[0], dx - shadow[1]) - np.float32(radius)
    dim = np.float32(rng.uniform(0.1, 0.5)) / (
        1 + np.exp(np.clip(cast / (0.03 * radius + 1), -30, 30))
    )
    light *= (1 - dim)[:, :, None]
    name = pick(
        rng,
        {
            "malt": 3.0,
            "clear": 2.0,
            "blood": 1.0,
            "dark": 1.5,
            "chocolate": 0.4,
            "blue": 0.4,
            "pink": 0.6,
        },
    )
    agar = _agar(rng, shape, name)
    agar *= (1 - 0.12 * np.square(away / np.float32(radius)))[:, :, None]
    inner = 0.9 * radius
    own = np.zeros(shape, np.int32)
    plan = pick(rng, {"colonies": 0.6, "streak": 0.2, "zones": 0.1, "empty": 0.1})
    if plan == "colonies":
        size = radius * log_uniform(rng, 0.008, 0.05)
        count = int(np.clip(log_uniform(rng, 4, 250), 2, 0.3 * (inner / (size + 0.5)) ** 2 + 2))
        turn = rng.uniform(0, 2 * np.pi, size=count)
        out = inner * 0.97 * np.sqrt(rng.random(count))
        places = middle + np.stack([np.sin(turn), np.cos(turn)], axis=1) * out[:, None]
        _colonies(rng, agar, own, places, max(size, 0.7))
    elif plan == "streak":
        _streak(rng, agar, own, middle, 0.85 * inner)
    elif plan == "zones":
        _zones(rng, agar, own)
    inside = cover((np.float32(inner) - away), 1.5)
    own[away > inner] = 0
    objects[own > 0] = own[own > 0] + objects.max()
    clear = np.float32(rng.uniform(0.6, 0.97))
    light += (inside * clear)[:, :, None] * (agar - light)
    light += _plastic(rng, away, np.arctan2(dy, dx), radius)[:, :, None]
    if chance(rng, 0.35):
        glare = _gauss(
            shape,
            (slice(0, shape[0]), slice(0, shape[1])),
            middle + rng.normal(0, 0.5 * radius, 2),
            0.2 * radius,
        )
        light += np.float32(rng.uniform(0.03, 0.25)) * (glare * (away < radius))[:, :, None]


def _plastic(rng: np.random.Generator, away: Plane, theta: Plane, radius: float) -> Plane:
    """Rims of dish and lid: rings, bright where they face the lamps, dark elsewhere."""
    total = np.zeros_like(away)
    lamps = rng.uniform(-np.pi, np.pi, size=int(rng.integers(1, 4)))
    for place in (0.9, 0.925, 0.97, 1.0):
        where = radius * (place + rng.normal(0, 0.006))
        thin = np.float32(max(0.6, radius * rng.uniform(0.003, 0.012)))
        ring = np.exp(-np.square((away - np.float32(where)) / thin))
        facing = np.full_like(theta, rng.uniform(-0.12, 0.12))
        for lamp in lamps:
            facing += np.float32(rng.uniform(0.1, 0.6)) * np.exp(6 * (np.cos(theta - lamp) - 1))
        total += ring * facing
    wall = (away > 0.92 * radius) & (away < radius)
    return total + np.float32(rng.uniform(-0.06, 0.1)) * wall


def _colonies(
    rng: np.random.Generator,
    light: Colour,
    objects: Labels,
    places: NDArray[np.float64],
    size: float,
) -> None:
    """Grow colonies: domes with an own tone, a rim, a shadow and a point of light."""
    shape = objects.shape
    names = list(rng.permutation(list(COLONIES)))
    usual = pick(
        rng,
        {"cream": 0.45, "white": 0.25, "yellow": 0.12, "red": 0.06, "purple": 0.06, "green": 0.06},
    )
    spread, wobble = rng.uniform(0.05, 0.45), rng.uniform(0.01, 0.08)
    see_through = rng.uniform(0.5, 1.0)
    lamp = rng.uniform(0, 2 * np.pi)
    gloss, rim_tone = rng.uniform(0, 0.45), rng.normal(0, 0.18)
    for number, place in enumerate(places, start=1):
        name = usual if rng.random() < 0.93 else str(names[0])
        colour = np.array(COLONIES[name], np.float32) * np.float32(rng.normal(1, 0.05))
        radius = max(0.6, size * rng.lognormal(0, spread))
        window, depth, theta = make_blob(rng, *place, radius, wobble=wobble).inside(
            shape, 0.6 * radius + 2
        )
        if depth.size == 0:
            continue
        shade = np.exp(-np.square(depth / np.float32(0.35 * radius + 0.5))) * (depth < 0.5)
        light[window] *= 1 - (0.2 * shade * (0.6 - 0.4 * np.cos(theta - lamp)))[:, :, None]
        dome = np.clip(depth / radius, 0, 1)
        tone = 1 + np.float32(rim_tone) * (0.5 - dome) + 0.12 * np.cos(theta - lamp) * (1 - dome)
        share = cover(depth, 1.5) * np.float32(see_through)
        light[window] += share[:, :, None] * (colour * tone[:, :, None] - light[window])
        if radius > 2.5 and gloss > 0.05:
            away = place + 0.4 * radius * np.array([np.sin(lamp), np.cos(lamp)])
            spot = _gauss(depth.shape, window, away, max(0.7, 0.14 * radius))
            light[window] += np.float32(gloss) * spot[:, :, None]
        objects[window][depth > 0] = number


def _zones(rng: np.random.Generator, light: Colour, objects: Labels) -> None:
    """A lawn with cleared zones around paper discs; the discs are the objects."""
    shape = objects.shape
    rows, columns = coordinates(shape)
    lawn = np.full(shape, 1.0, np.float32) + 0.15 * cloudy_field(
        rng, shape, 0.1 * max(shape), smallest=1
    )
    size = min(shape) * rng.uniform(0.025, 0.05)
    points = scatter(rng, shape, 12, 8 * size, -2 * size)[:6]
    for point in points:
        away = np.hypot(rows - np.float32(point[0]), columns - np.float32(point[1]))
        zone = size * rng.uniform(1.0, 4.0)
        lawn *= 1 / (1 + np.exp(np.clip((zone - away) / np.float32(0.12 * size + 0.5), -30, 30)))
    tone = np.array(COLONIES["cream"], np.float32)
    light += (np.float32(rng.uniform(0.3, 0.75)) * np.clip(lawn, 0, 1))[:, :, None] * (tone - light)
    for number, point in enumerate(points, start=1):
        window, depth, _ = make_blob(rng, *point, size, wobble=0.005).inside(shape)
        light[window] += cover(depth)[:, :, None] * (
            np.float32(rng.uniform(0.88, 0.98)) - light[window]
        )
        objects[window][depth > 0] = number


def _streak(
    rng: np.random.Generator,
    light: Colour,
    objects: Labels,
    middle: NDArray[np.float64],
    radius: float,
) -> None:
    """Zigzags of an inoculation loop that thin out into single colonies."""
    shape = objects.shape
    growth = np.zeros(shape, np.float32)
    start = rng.uniform(0, 2 * np.pi)
    singles = []
    for sector in range(int(rng.integers(2, 5))):
        angle = start + sector * rng.uniform(1.1, 1.6)
        out, side = (
            np.array([np.sin(angle), np.cos(angle)]),
            np.array([np.cos(angle), -np.sin(angle)]),
        )
        turns = int(rng.integers(4, 10))
        across = np.linspace(0.15, 0.92, turns)[:, None] * out * radius
        wide = (
            0.45
            * radius
            * np.where(np.arange(turns) % 2, 1, -1)[:, None]
            * rng.uniform(0.6, 1, (turns, 1))
        )
        path = middle + across + wide * side
        if sector < 2:
            points = np.rint(8 * path[:, ::-1]).astype(np.int32)
            thick = max(1, round(radius * rng.uniform(0.01, 0.03)))
            cv2.polylines(growth, [points], False, 1.0 - 0.3 * sector, thick, cv2.LINE_AA, 3)
        where = rng.uniform(0, turns - 1.001, size=25 * (sector + 1))
        k = where.astype(int)
        singles.append(
            path[k]
            + (where - k)[:, None] * (path[k + 1] - path[k])
            + rng.normal(0, 0.01 * radius, (len(k), 2))
        )
    rough = np.clip(growth * (1 + 0.5 * cloudy_field(rng, shape, 5, smallest=1)), 0, 1)
    tone = np.array(COLONIES["cream"], np.float32)
    light += (0.8 * blur(rough.astype(np.float32), 0.7))[:, :, None] * (tone - light)
    places = np.concatenate(singles)
    _colonies(rng, light, objects, places[:120], max(0.8, radius * rng.uniform(0.008, 0.02)))


def _spot(
    rng: np.random.Generator, shape: Shape, middle: NDArray[np.float64], radius: float, cells: float
) -> tuple[tuple[slice, slice], Plane] | None:
    """One spot of an assay, 0 to 1: a lawn where there were many cells, else colonies."""
    window, depth, _ = make_blob(rng, *middle, radius, wobble=0.03).inside(shape, 3)
    if depth.size == 0:
        return None
    if cells > 2.5:
        rim = 1 + 0.12 * np.exp(-np.square((depth - 0.12 * radius) / (0.08 * radius + 0.5)))
        rough = 1 + 0.12 * smooth_field(rng, depth.shape, max(1.5, 0.12 * radius))
        return window, np.clip(cover(depth, 0.08 * radius + 1) * rim * rough * 0.92, 0, 1)
    part = np.zeros(depth.shape, np.float32)
    size = max(0.7, radius * rng.uniform(0.09, 0.16))
    count = min(rng.poisson(35 * cells), 60)
    if count == 0:
        return None
    turn, out = rng.uniform(0, 6.3, size=count), radius * 0.9 * np.sqrt(rng.random(count))
    start = np.array([window[0].start, window[1].start])
    for place in middle - start + np.stack([np.sin(turn), np.cos(turn)], axis=1) * out[:, None]:
        small, under, _ = make_blob(rng, *place, size * rng.lognormal(0, 0.2), wobble=0.04).inside(
            depth.shape
        )
        part[small] = np.maximum(part[small], cover(under, 1.5) * np.float32(rng.uniform(0.8, 1)))
    return window, part


def _media(rng: np.random.Generator) -> tuple[tuple[float, ...], tuple[float, ...]]:
    pairs = (
        ((0.85, 0.35, 0.40), (0.92, 0.78, 0.35)),
        ((0.88, 0.86, 0.78), (0.85, 0.72, 0.12)),
        ((0.90, 0.90, 0.88), (0.35, 0.20, 0.55)),
        ((0.80, 0.82, 0.85), (0.15, 0.30, 0.65)),
        ((0.75, 0.75, 0.73), (0.30, 0.30, 0.30)),
    )
    return pairs[int(rng.integers(len(pairs)))]


def _gauss(
    shape: Shape, window: tuple[slice, slice], middle: NDArray[np.float64], size: float
) -> Plane:
    y = np.arange(shape[0], dtype=np.float32)[:, None] + np.float32(window[0].start - middle[0])
    x = np.arange(shape[1], dtype=np.float32)[None, :] + np.float32(window[1].start - middle[1])
    return np.exp(-(y * y + x * x) / np.float32(2 * size * size))


def _photograph(rng: np.random.Generator, light: Colour) -> Colour:
    """A phone or a camera: uneven light, white balance, soft lens, noise, a tone curve."""
    shape = light.shape[:2]
    light = light * uneven_light(rng, shape, log_uniform(rng, 0.05, 0.5))[:, :, None]
    light = light * np.exp(rng.normal(0, 0.06, size=3)).astype(np.float32)
    soft = log_uniform(rng, 0.3, 1.3)
    light = np.stack([blur(np.ascontiguousarray(light[:, :, c]), soft) for c in range(3)], axis=2)
    light = fringe(rng, light, 0.5)
    grey = light.mean(axis=2)
    noise = sensor(rng, grey, photons=log_uniform(rng, 400, 15000), read=0.003) - grey
    chroma = np.stack([smooth_field(rng, shape, 2.5) for _ in range(3)], axis=2)
    light = light + noise[:, :, None] + np.float32(log_uniform(rng, 0.001, 0.012)) * chroma
    light = np.clip(light, 0, 1)
    curve = np.float32(rng.uniform(0, 0.6))  # towards an S, as cameras develop
    return light + curve * (light * light * (3 - 2 * light) - light)


def _scan(rng: np.random.Generator, light: Colour) -> Colour:
    """A flat-bed scanner or a gel camera: even light, dust, lines along the scan."""
    shape = light.shape[:2]
    dirt = specks(rng, shape, int(rng.poisson(5)), 1.5) * rng.uniform(-0.3, 0.4)
    dirt = dirt + 0.1 * scratches(rng, shape, int(rng.poisson(0.4)))
    light = (
        light * uneven_light(rng, shape, log_uniform(rng, 0.02, 0.3))[:, :, None] + dirt[:, :, None]
    )
    light = light + np.float32(0.05) * wide_blur(light, 0.02 * max(shape) + 1)
    grey = light.mean(axis=2)
    soft = blur(grey, log_uniform(rng, 0.4, 1.2))
    noisy = sensor(
        rng, soft, photons=log_uniform(rng, 500, 20000), row=log_uniform(rng, 1e-4, 3e-3)
    )
    return light + (noisy - grey)[:, :, None]
