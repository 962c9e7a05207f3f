"""Colonies and cultures on a grid: dilution spots, pinned arrays, multiwell plates."""

import numpy as np

from tamperscope.synth.drawn.cameras import photograph, scan
from tamperscope.synth.drawn.chances import chance, log_uniform, pick
from tamperscope.synth.drawn.colonies import gauss, grow_spot
from tamperscope.synth.drawn.fields import cloudy_field, coordinates, smooth_field
from tamperscope.synth.drawn.optics import uneven_light
from tamperscope.synth.drawn.scene import Scene, Shape, as_colour
from tamperscope.synth.drawn.shapes import cover, make_blob


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
            grown = grow_spot(rng, shape, middle, radius, start * fall**column)
            if grown is None:
                continue
            window, part = grown
            light[window] += (part * np.float32(rng.uniform(0.9, 1.05)))[:, :, None] * (
                tone - light[window]
            )
            objects[window][part > 0.4] = number
    return Scene(scan(rng, light), objects, "spot assay", {"rows": rows, "columns": columns})


def draw_pinned(rng: np.random.Generator, shape: Shape) -> Scene:
    """A pinned array: hundreds of colonies on a grid, each a little different in size."""
    pitch = max(6.0, min(shape) * log_uniform(rng, 0.03, 0.13))
    cells = int(shape[0] / pitch) + 3, int(shape[1] / pitch) + 3  # a rim more than shows
    first = rng.uniform(0.1, 0.9, size=2) * pitch
    dark_on_light = chance(rng, 0.65)
    ground = np.float32(rng.uniform(0.68, 0.88) if dark_on_light else rng.uniform(0.15, 0.4))
    radius = pitch * rng.uniform(0.22, 0.42)
    ring, tilt = np.float32(rng.uniform(-0.3, 0.5)), np.float32(rng.normal(0, 0.01))
    sizes = radius * np.clip(rng.normal(1, rng.uniform(0.03, 0.2), size=cells), 0.2, 1.1)
    sizes *= rng.random(cells) > 0.03  # some do not grow
    jitter = rng.normal(0, 0.02 * pitch, size=(2, *cells)).astype(np.float32)
    y, x = coordinates(shape)
    down = (y - tilt * x - np.float32(first[0])) / np.float32(pitch)
    right = (x + tilt * y - np.float32(first[1])) / np.float32(pitch)
    row, column = np.rint(down).astype(np.int32), np.rint(right).astype(np.int32)
    place = row % cells[0], column % cells[1]
    dy = (down - row) * np.float32(pitch) - jitter[0][place]
    dx = (right - column) * np.float32(pitch) - jitter[1][place]
    bumps = 1 + np.float32(0.05) * smooth_field(rng, shape, 0.4 * pitch)
    own = sizes[place].astype(np.float32) * bumps
    under = own - np.hypot(dy, dx)
    level = rng.uniform(0.8, 1.05, size=cells).astype(np.float32)[place]
    depth = cover(under, 1.6) * (1 + ring * (0.5 - np.clip(under / np.maximum(own, 1), 0, 1)))
    depth *= level * (own > 0)
    objects = np.where((under > 0) & (own > 0), place[0] * cells[1] + place[1] + 1, 0)
    objects = objects.astype(np.int32)
    contrast = rng.uniform(0.25, 0.65) * (-ground if dark_on_light else 1 - ground)
    plane = ground * uneven_light(rng, shape, 0.1) + np.float32(contrast) * depth
    plane += 0.01 * cloudy_field(rng, shape, 20)
    return Scene(scan(rng, as_colour(plane)), objects, "pinned", {"pitch": round(pitch, 2)})


def draw_wells(rng: np.random.Generator, shape: Shape) -> Scene:
    """A multiwell plate from above: rims, menisci, coloured medium."""
    pitch = max(8.0, min(shape) * log_uniform(rng, 0.1, 0.5))
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
        window, depth, theta = make_blob(rng, place, radius, wobble=0.0).inside(
            shape, 0.15 * radius
        )
        if depth.size == 0:
            continue
        share = np.clip(rng.normal(column / columns, 0.25), 0, 1)
        colour = fresh + np.float32(share) * (spent - fresh)
        shade = 1 - 0.25 * np.exp(-depth / np.float32(0.25 * radius))
        if kind == "stained":
            cells = smooth_field(rng, depth.shape, max(1.5, 0.07 * radius))
            shade = shade * (1 - np.float32(0.4 * share) * np.clip(0.5 + 0.7 * cells, 0, 1))
        light[window] += cover(depth, 1.5)[:, :, None] * (
            colour * shade[:, :, None] - light[window]
        )
        rim = np.exp(-np.square(depth / np.float32(0.05 * radius + 0.6)))
        lit = np.float32(0.15) + np.float32(0.45) * np.cos(theta - 2.2)
        light[window] += (rim * lit)[:, :, None]
        glare = gauss(depth.shape, window, place + shine, 0.12 * radius)
        light[window] += np.float32(rng.uniform(0.1, 0.5)) * glare[:, :, None]
        objects[window][depth > 0] = number + 1
    return Scene(photograph(rng, light), objects, "wells", {"content": kind})


def _media(rng: np.random.Generator) -> tuple[tuple[float, ...], tuple[float, ...]]:
    pairs = (
        ((0.85, 0.35, 0.40), (0.92, 0.78, 0.35)),
        ((0.88, 0.86, 0.78), (0.80, 0.68, 0.25)),
        ((0.86, 0.86, 0.84), (0.62, 0.60, 0.52)),
        ((0.90, 0.90, 0.88), (0.35, 0.20, 0.55)),
        ((0.80, 0.82, 0.85), (0.15, 0.30, 0.65)),
        ((0.75, 0.75, 0.73), (0.30, 0.30, 0.30)),
    )
    return pairs[int(rng.integers(len(pairs)))]
