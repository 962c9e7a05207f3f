"""What grows on agar: colonies, streaks, spots of an assay, lawns with cleared zones."""

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import pick
from tamperscope.synth.drawn.fields import cloudy_field, coordinates, smooth_field
from tamperscope.synth.drawn.optics import blur
from tamperscope.synth.drawn.scene import Colour, Labels, Plane, Shape
from tamperscope.synth.drawn.shapes import cover, make_blob, scatter

AGARS = {
    "malt": (0.80, 0.72, 0.48),
    "clear": (0.72, 0.73, 0.70),
    "blood": (0.50, 0.08, 0.07),
    "dark": (0.20, 0.18, 0.13),
    "chocolate": (0.36, 0.22, 0.14),
    "blue": (0.35, 0.48, 0.62),
    "pink": (0.78, 0.50, 0.52),
}

MEDIA = {
    "malt": 3.0,
    "clear": 2.5,
    "blood": 0.6,
    "dark": 1.8,
    "chocolate": 0.4,
    "blue": 0.3,
    "pink": 0.4,
}

TINY = 2.0  # pixels of radius; below it a colony has no shape
COLONIES = {
    "cream": (0.93, 0.89, 0.74),
    "white": (0.92, 0.92, 0.90),
    "yellow": (0.90, 0.76, 0.25),
    "red": (0.68, 0.16, 0.14),
    "blue": (0.20, 0.35, 0.62),
    "purple": (0.42, 0.15, 0.42),
    "green": (0.35, 0.52, 0.25),
}


def pour_agar(rng: np.random.Generator, shape: Shape, name: str) -> Colour:
    base = np.array(AGARS[name]) * rng.uniform(0.7, 1.12) + rng.normal(0, 0.02, size=3)
    base += rng.uniform(0, 0.55) * (base.mean() - base)
    clouds = (
        1 + 0.05 * cloudy_field(rng, shape, 0.5 * max(shape)) + 0.01 * smooth_field(rng, shape, 2)
    )
    return np.clip(base, 0.02, 1).astype(np.float32) * clouds[:, :, None].astype(np.float32)


def grow_colonies(
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
    share, tone = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    shade, shine = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    palette = np.zeros((len(places) + 1, 3), np.float32)
    tops = np.zeros(shape, np.int32)
    for number, place in enumerate(places, start=1):
        name = usual if rng.random() < 0.98 else str(names[0])
        palette[number] = np.array(COLONIES[name]) * rng.normal(1, 0.05)
        radius = max(0.6, size * rng.lognormal(0, spread))
        if radius < TINY:
            for plane, value in ((share, 1.0), (tops, number), (objects, number)):
                _disc(plane, place, radius, value)
            continue
        blob = make_blob(rng, place, radius, wobble=wobble, orders=4 if radius > 3 else 0)
        window, depth, theta = blob.inside(shape, 0.6 * radius + 2)
        if depth.size == 0:
            continue
        facing = np.cos(theta - np.float32(lamp))
        near = np.exp(-np.square(depth / np.float32(0.35 * radius + 0.5))) * (depth < 0.5)
        shade[window] = np.maximum(shade[window], near * (0.12 - 0.08 * facing))
        dome = np.clip(depth / np.float32(radius), 0, 1)
        part = cover(depth, 1.5)
        own = 1 + np.float32(rim_tone) * (0.5 - dome) + np.float32(0.12) * facing * (1 - dome)
        tone[window] += part * (own - tone[window])
        share[window] = np.maximum(share[window], part)
        tops[window][part > 0.05] = number
        objects[window][depth > 0] = number
        if radius > 2.5 and gloss > 0.05:
            away = place + 0.4 * radius * np.array([np.sin(lamp), np.cos(lamp)])
            spot = gauss(depth.shape, window, away, max(0.7, 0.14 * radius))
            shine[window] = np.maximum(shine[window], np.float32(gloss) * spot)
    light *= (1 - shade)[:, :, None]
    grown = palette[tops] * tone[:, :, None]
    light += (share * np.float32(see_through))[:, :, None] * (grown - light) + shine[:, :, None]


def grow_zones(rng: np.random.Generator, light: Colour, objects: Labels) -> None:
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
        window, depth, _ = make_blob(rng, point, size, wobble=0.005).inside(shape)
        light[window] += cover(depth)[:, :, None] * (
            np.float32(rng.uniform(0.88, 0.98)) - light[window]
        )
        objects[window][depth > 0] = number


def grow_streak(
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
        turns, steps = rng.uniform(4, 10), 90
        run = np.linspace(0, 1, steps)[:, None]
        swing = np.sin(np.pi * turns * run + rng.normal(0, 0.15, size=(steps, 1)))
        wide = 0.4 * radius * swing * rng.uniform(0.7, 1) * (0.75 + 0.5 * run)
        wander = 0.03 * radius * np.cumsum(rng.normal(0, 0.25, size=(steps, 2)), axis=0)
        path = middle + (0.12 + 0.8 * run) * out * radius + wide * side + wander
        if sector < 2:
            points = np.rint(8 * path[:, ::-1]).astype(np.int32)
            thick = max(1, round(radius * rng.uniform(0.01, 0.03)))
            cv2.polylines(growth, [points], False, 1.0 - 0.3 * sector, thick, cv2.LINE_AA, 3)
        where = rng.uniform(0, steps - 1.001, size=25 * (sector + 1))
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
    grow_colonies(rng, light, objects, places[:120], max(0.8, radius * rng.uniform(0.008, 0.02)))


def grow_spot(
    rng: np.random.Generator, shape: Shape, middle: NDArray[np.float64], radius: float, cells: float
) -> tuple[tuple[slice, slice], Plane] | None:
    """One spot of an assay, 0 to 1: a lawn where there were many cells, else colonies."""
    window, depth, _ = make_blob(rng, middle, radius, wobble=0.03).inside(shape, 3)
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
        own, level = size * rng.lognormal(0, 0.2), rng.uniform(0.8, 1)
        if own < TINY:
            _disc(part, place, own, level)
            continue
        small, under, _ = make_blob(rng, place, own, wobble=0.04).inside(depth.shape)
        part[small] = np.maximum(part[small], cover(under, 1.5) * np.float32(level))
    return window, part


def _disc(plane: Plane | Labels, place: NDArray[np.float64], radius: float, value: float) -> None:
    """Fill a small disc: all that a camera sees of a tiny colony."""
    middle = round(8 * float(place[1])), round(8 * float(place[0]))
    cv2.circle(plane, middle, round(8 * radius), value, -1, cv2.LINE_8, 3)


def gauss(
    shape: Shape, window: tuple[slice, slice], middle: NDArray[np.float64], size: float
) -> Plane:
    y = np.arange(shape[0], dtype=np.float32)[:, None] + np.float32(window[0].start - middle[0])
    x = np.arange(shape[1], dtype=np.float32)[None, :] + np.float32(window[1].start - middle[1])
    return np.exp(-(y * y + x * x) / np.float32(2 * size * size))
