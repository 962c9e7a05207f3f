"""Cells of one field and what stains show of them: nuclei, cytoplasm, fibres, membranes, spots."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import chance, log_uniform
from tamperscope.synth.drawn.fields import cloudy_field, fibrous_field, smooth_field, warp
from tamperscope.synth.drawn.optics import blur
from tamperscope.synth.drawn.scene import Labels, Plane, Shape
from tamperscope.synth.drawn.shapes import Blob, clustered, cover, make_blob, scatter, tiles


@dataclass(frozen=True)
class Culture:
    """Cells of one field: where they are, their nuclei, and how bright each one is."""

    points: NDArray[np.float64]  # (row, column)
    radius: float  # of a nucleus, pixels
    nuclei: tuple[Blob, ...]
    bright: NDArray[np.float64]
    objects: Labels  # nuclei
    layer: Plane  # light of the nuclei


def grow_culture(
    rng: np.random.Generator, shape: Shape, *, spread: bool = False, crowded: bool = False
) -> Culture:
    low, high = (0.035, 0.12) if spread else ((0.014, 0.04) if crowded else (0.012, 0.11))
    radius = max(1.5, min(shape) * log_uniform(rng, low, high))
    room = shape[0] * shape[1] / (radius * radius)
    share = rng.uniform(0.06, 0.16) if crowded else log_uniform(rng, 0.008, 0.1)
    count = int(np.clip(room * share, 2, 220))
    apart = radius * (rng.uniform(1.2, 1.9) if not spread else rng.uniform(2.4, 3.5))
    points = clustered(rng, shape, count, apart, radius)
    bright = rng.lognormal(0, rng.uniform(0.1, 0.5), size=len(points))
    layer, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    texture = 1 + rng.uniform(0.05, 0.4) * cloudy_field(
        rng, shape, max(2.0, 0.7 * radius), smallest=1
    )
    flat, wobble = rng.uniform(0.5, 0.95), rng.uniform(0.01, 0.07)
    soft = rng.uniform(0.25, 0.8) * radius if radius > 4 else 1.2
    mottled = chance(rng, 0.35)
    nuclei = []
    for number, point in enumerate(points, start=1):
        grown = radius * np.clip(rng.normal(1, 0.13), 0.6, 1.6)
        blob = make_blob(
            rng, point, grown, flatness=min(1, flat * rng.uniform(0.8, 1.2)), wobble=wobble
        )
        if rng.random() < 0.04:  # in mitosis: small, bright, ragged
            blob = make_blob(rng, point, grown * 0.8, flatness=0.45, wobble=0.16)
            bright[number - 1] *= 1.8
        window, depth, _ = blob.inside(shape, 3)
        if depth.size == 0:
            nuclei.append(blob)
            continue
        dome = 1 - np.exp(-np.maximum(depth + 0.7, 0) / np.float32(soft))
        part = np.float32(bright[number - 1]) * dome * cover(depth, 1.5)
        if mottled and grown > 6:  # nucleoli
            for _ in range(int(rng.integers(1, 4))):
                away = rng.normal(0, 0.35 * grown, size=2)
                part *= 1 - np.float32(rng.uniform(0.2, 0.55)) * _spot(
                    part.shape, point + away, window, 0.18 * grown
                )
        layer[window] = np.maximum(layer[window], part) + 0.3 * np.minimum(layer[window], part)
        objects[window][depth > 0] = number
        nuclei.append(blob)
    layer *= np.maximum(texture, 0.1).astype(np.float32)
    return Culture(points, radius, tuple(nuclei), bright, objects, layer)


def _spot(
    part: Shape, middle: NDArray[np.float64], window: tuple[slice, slice], size: float
) -> Plane:
    y = np.arange(part[0], dtype=np.float32)[:, None] + np.float32(window[0].start - middle[0])
    x = np.arange(part[1], dtype=np.float32)[None, :] + np.float32(window[1].start - middle[1])
    return np.exp(-(y * y + x * x) / np.float32(2 * size * size))


def stain_cytoplasm(rng: np.random.Generator, shape: Shape, culture: Culture) -> Plane:
    """Spread cell bodies, brightest beside the nucleus, reticulate."""
    layer = np.zeros(shape, np.float32)
    stretch, seen = rng.uniform(1.6, 2.6), rng.uniform(0.3, 1.0)
    for blob in culture.nuclei:
        if rng.random() > seen:
            continue
        body = make_blob(
            rng, (blob.row, blob.column), blob.radius * stretch * rng.uniform(0.8, 1.3),
            flatness=rng.uniform(0.5, 1), wobble=rng.uniform(0.08, 0.25), orders=6,
        )  # fmt: skip
        window, depth, _ = body.inside(shape)
        dome = 1 - np.exp(-np.maximum(depth, 0) / np.float32(1.2 * culture.radius))
        part = np.float32(rng.lognormal(-0.2, 0.6)) * dome
        layer[window] = np.maximum(layer[window], part)
    net = np.abs(cloudy_field(rng, shape, max(3.0, 0.8 * culture.radius)))
    layer *= 0.4 + 0.8 * net
    return layer * np.float32(1) - np.float32(rng.uniform(0, 0.6)) * layer * (culture.objects > 0)


def stain_fibres(rng: np.random.Generator, shape: Shape, culture: Culture) -> Plane:
    """Stress fibres or filaments: ridges of stretched noise, turned and bent."""
    total = np.zeros(shape, np.float32)
    side = int(1.5 * max(shape))
    angle = rng.uniform(0, 180)
    for weight in (1.0, rng.uniform(0, 0.6)):
        field = fibrous_field(
            rng, (side, side), max(1.2, 0.13 * culture.radius), 3 * culture.radius
        )
        ridge = np.exp(-np.square(field / np.float32(rng.uniform(0.15, 0.35))))
        turn = cv2.getRotationMatrix2D(
            (side / 2, side / 2), angle + 90 * (1 - weight) * rng.normal(0, 0.4), 1
        )
        turn[:, 2] -= [(side - shape[1]) / 2, (side - shape[0]) / 2]
        total += np.float32(weight) * cv2.warpAffine(
            ridge, turn, shape[::-1], borderMode=cv2.BORDER_REFLECT_101
        )
    bend = 0.8 * culture.radius
    total = warp(
        total,
        bend * smooth_field(rng, shape, 4 * culture.radius),
        bend * smooth_field(rng, shape, 4 * culture.radius),
    )
    cells = np.clip(
        0.35 + cloudy_field(rng, shape, 6 * culture.radius, smallest=culture.radius), 0, 1.5
    )
    return np.float32(0.5) * total * cells


def stain_membranes(rng: np.random.Generator, shape: Shape, culture: Culture) -> Plane:
    """Cell borders: a bent Voronoi diagram whose lines vary in strength."""
    seeds, least = culture.points, int(0.06 * shape[0] * shape[1] / culture.radius**2)
    if len(seeds) < least:  # cells whose nuclei do not show
        more = scatter(rng, shape, min(least, 300), 2.4 * culture.radius)
        seeds = np.concatenate([seeds, more])
    labels, border = tiles(rng, shape, seeds, 0.5 * culture.radius, 1.5 * culture.radius + 2)
    width = np.float32(max(0.8, culture.radius * rng.uniform(0.06, 0.2)))
    line = np.exp(-np.square(border / width) / 2)
    own = rng.lognormal(0, 0.4, size=int(labels.max()) + 1).astype(np.float32)
    inner = np.float32(rng.uniform(0.03, 0.3)) * own[labels]
    return line * np.maximum(1 + 0.5 * cloudy_field(rng, shape, 20), 0.1) + inner


def stain_spots(rng: np.random.Generator, shape: Shape, culture: Culture) -> Plane:
    """Puncta around nuclei: vesicles, speckles, foci."""
    each = int(np.clip(3000 / max(len(culture.points), 1), 4, 40))
    places = np.repeat(culture.points, each, axis=0)
    out = rng.gamma(3, 0.45 * culture.radius, size=len(places))
    turn = rng.uniform(0, 6.3, size=len(places))
    places = places + out[:, None] * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    layer = points_of_light(rng, shape, places, log_uniform(rng, 0.7, 0.7 + 0.12 * culture.radius))
    return layer + np.float32(0.25 * rng.random()) * stain_cytoplasm(rng, shape, culture)


def points_of_light(
    rng: np.random.Generator, shape: Shape, places: NDArray[np.float64], size: float
) -> Plane:
    layer = np.zeros(shape, np.float32)
    rows, columns = np.rint(places).astype(int).T
    good = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    strength = rng.lognormal(0, 0.6, size=int(good.sum())).astype(np.float32)
    np.maximum.at(layer, (rows[good], columns[good]), strength)
    return blur(layer, size) * np.float32(2 * np.pi * size * size)


def puncta(rng: np.random.Generator, shape: Shape, count: int, size: float, level: float) -> Plane:
    return np.float32(level) * points_of_light(
        rng, shape, rng.uniform(0, 1, size=(count, 2)) * shape, size
    )
