"""Fluorescence micrographs: one layout of cells, seen in up to four stains, through one microscope."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import chance, log_uniform, pick
from tamperscope.synth.drawn.fields import cloudy_field, fibrous_field, smooth_field, warp
from tamperscope.synth.drawn.noise import hot_pixels, sensor
from tamperscope.synth.drawn.optics import blur, uneven_light, wide_blur
from tamperscope.synth.drawn.scene import Colour, Labels, Plane, Scene, as_colour
from tamperscope.synth.drawn.shapes import Blob, clustered, cover, make_blob, scatter, tiles

Shape = tuple[int, int]

TINTS = {
    "blue": (0.12, 0.2, 1.0),
    "green": (0.1, 1.0, 0.15),
    "red": (1.0, 0.1, 0.08),
    "magenta": (1.0, 0.1, 0.9),
    "cyan": (0.1, 0.9, 1.0),
    "yellow": (1.0, 0.9, 0.1),
}


@dataclass(frozen=True)
class Culture:
    """Cells of one field: where they are, their nuclei, and how bright each one is."""

    points: NDArray[np.float64]  # (row, column)
    radius: float  # of a nucleus, pixels
    nuclei: tuple[Blob, ...]
    bright: NDArray[np.float64]
    objects: Labels  # nuclei
    layer: Plane  # light of the nuclei


def draw_nuclei(rng: np.random.Generator, shape: Shape) -> Scene:
    """A nuclear stain alone, in grey or in one colour."""
    culture = _culture(rng, shape)
    light = _instrument(rng, [culture.layer])
    return Scene(
        _coloured(rng, light, ["blue"]), culture.objects, "nuclei", {"cells": len(culture.points)}
    )


def draw_stained_cells(rng: np.random.Generator, shape: Shape) -> Scene:
    """Nuclei with actin, membranes, cytoplasm or spots, as a merge or one channel of it."""
    culture = _culture(rng, shape, spread=True)
    stains = {"cytoplasm": _cytoplasm, "fibres": _fibres, "membranes": _membranes, "spots": _spots}
    chosen = rng.permutation(list(stains))[: int(rng.integers(1, 3))]
    layers = [culture.layer, *(stains[str(name)](rng, shape, culture) for name in chosen)]
    if chance(rng, 0.4):
        layers = layers[1:2]
    light = _instrument(rng, layers)
    names = {"cells": len(culture.points), "stains": [str(name) for name in chosen]}
    return Scene(_coloured(rng, light, []), culture.objects, "stained cells", names)


def draw_bacteria(rng: np.random.Generator, shape: Shape) -> Scene:
    """Rods, alone and in chains."""
    width = max(1.2, min(shape) * log_uniform(rng, 0.012, 0.04))
    length = width * rng.uniform(2, 4.5)
    count = int(np.clip(rng.integers(5, 90), 1, shape[0] * shape[1] / (9 * width * length) + 1))
    layer, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    colony = chance(rng, 0.5)
    points = (
        rng.normal(0.5, 0.16, size=(count, 2)) * shape
        if colony
        else clustered(rng, shape, count, 1.5 * width, width)
    )
    turn = 0.7 * smooth_field(rng, shape, 0.3 * max(shape)) + rng.uniform(0, 3)
    for number, (row, column) in enumerate(points, start=1):
        y, x = int(np.clip(row, 0, shape[0] - 1)), int(np.clip(column, 0, shape[1] - 1))
        angle = float(turn[y, x]) + rng.normal(0, 0.3 if colony else 2.0)
        half = 0.5 * length * rng.uniform(0.6, 1.3)
        reach = int(half + 2 * width + 3)
        window = slice(max(y - reach, 0), y + reach), slice(max(x - reach, 0), x + reach)
        dy = np.arange(shape[0], dtype=np.float32)[window[0], None] - np.float32(row)
        dx = np.arange(shape[1], dtype=np.float32)[None, window[1]] - np.float32(column)
        along = np.cos(angle) * dx + np.sin(angle) * dy
        across = np.cos(angle) * dy - np.sin(angle) * dx + 0.02 * along**2 / width * rng.normal()
        away = np.hypot(np.maximum(np.abs(along) - half, 0), across)
        inside = cover((width - away).astype(np.float32), 1.5)
        part = inside * np.float32(rng.lognormal(-0.5, 0.35))
        hollow = np.float32(rng.uniform(-0.3, 0.5))
        part *= 1 - hollow * np.clip((width - away) / width, 0, 1).astype(np.float32)
        layer[window] = np.maximum(layer[window], part)
        objects[window][inside > 0.5] = number
    light = _instrument(rng, [layer])
    return Scene(_coloured(rng, light, ["green", "red", "cyan"]), objects, "bacteria", {})


def draw_neurons(rng: np.random.Generator, shape: Shape) -> Scene:
    """Somas with branching, beaded processes."""
    layer, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    size = min(shape) * log_uniform(rng, 0.03, 0.09) + 1
    for number, point in enumerate(scatter(rng, shape, int(rng.integers(1, 6)), 5 * size), start=1):
        level = rng.lognormal(-0.3, 0.4)
        tree = np.zeros(shape, np.float32)
        for _ in range(int(rng.integers(3, 8))):
            _branch(rng, tree, point[::-1], rng.uniform(0, 6.3), 0.25 * size, 0.9)
        body = make_blob(rng, point[0], point[1], size, flatness=rng.uniform(0.55, 1), wobble=0.12)
        window, depth, _ = body.inside(shape)
        tree = np.maximum(blur(tree, 0.7), 0)
        tree[window] = np.maximum(tree[window], cover(depth, 0.3 * size))
        objects[window][depth > 0] = number
        hole = make_blob(rng, *(point + rng.normal(0, 0.1 * size, 2)), 0.45 * size, wobble=0.05)
        window, depth, _ = hole.inside(shape)
        tree[window] *= 1 - np.float32(rng.uniform(0, 0.6)) * cover(depth, 0.2 * size)
        layer = np.maximum(layer, np.float32(level) * tree)
    layer *= np.maximum(1 + 0.3 * cloudy_field(rng, shape, 12), 0.2)
    layer += _puncta(rng, shape, int(rng.integers(0, 150)), 0.9, 0.3)
    light = _instrument(rng, [layer])
    return Scene(_coloured(rng, light, ["green", "red"]), objects, "neurons", {})


def draw_tissue(rng: np.random.Generator, shape: Shape) -> Scene:
    """A section or a spheroid: crowded nuclei inside an outline, one or two markers in part of it."""
    culture = _culture(rng, shape, crowded=True)
    outline = np.ones(shape, np.float32)
    if chance(rng, 0.6):
        middle = np.array(shape) * rng.uniform(0.35, 0.65, size=2)
        body = make_blob(rng, *middle, rng.uniform(0.25, 0.6) * max(shape), wobble=0.1)
        window, depth, _ = body.inside(shape)
        outline = np.zeros(shape, np.float32)
        outline[window] = cover(depth, 0.02 * max(shape) + 1)
    nuclei = culture.layer * outline
    objects = np.where(outline > 0.5, culture.objects, 0).astype(np.int32)
    where = np.clip(1.2 * cloudy_field(rng, shape, 0.35 * max(shape)) - 0.2, 0, 1) * outline
    marker = pick(rng, {"fibres": 1, "membranes": 1, "spots": 0.6})
    stain = {"fibres": _fibres, "membranes": _membranes, "spots": _spots}[marker]
    layers = [nuclei, stain(rng, shape, culture) * where]
    if chance(rng, 0.4):
        other = np.clip(cloudy_field(rng, shape, 0.3 * max(shape)) - 0.3, 0, 1) * outline
        layers.append(other * np.maximum(1 + cloudy_field(rng, shape, 10), 0))
    haze = np.float32(rng.uniform(0.02, 0.15)) * outline
    light = _instrument(rng, [layer + haze for layer in layers])
    return Scene(_coloured(rng, light, []), objects, "tissue", {"marker": marker})


FLUORESCENCE: dict[str, tuple[float, Callable[[np.random.Generator, Shape], Scene]]] = {
    "nuclei": (0.4, draw_nuclei),
    "stained cells": (0.3, draw_stained_cells),
    "bacteria": (0.1, draw_bacteria),
    "neurons": (0.1, draw_neurons),
    "tissue": (0.2, draw_tissue),
}
"""Style -> (weight, function)."""


def _culture(
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
            rng, *point, grown, flatness=min(1, flat * rng.uniform(0.8, 1.2)), wobble=wobble
        )
        if rng.random() < 0.04:  # in mitosis: small, bright, ragged
            blob = make_blob(rng, *point, grown * 0.8, flatness=0.45, wobble=0.16)
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


def _cytoplasm(rng: np.random.Generator, shape: Shape, culture: Culture) -> Plane:
    """Spread cell bodies, brightest beside the nucleus, reticulate."""
    layer = np.zeros(shape, np.float32)
    stretch, seen = rng.uniform(1.6, 2.6), rng.uniform(0.3, 1.0)
    for blob in culture.nuclei:
        if rng.random() > seen:
            continue
        body = make_blob(
            rng, blob.row, blob.column, blob.radius * stretch * rng.uniform(0.8, 1.3),
            flatness=rng.uniform(0.5, 1), wobble=rng.uniform(0.08, 0.25), orders=6,
        )  # fmt: skip
        window, depth, _ = body.inside(shape)
        dome = 1 - np.exp(-np.maximum(depth, 0) / np.float32(1.2 * culture.radius))
        part = np.float32(rng.lognormal(-0.2, 0.6)) * dome
        layer[window] = np.maximum(layer[window], part)
    net = np.abs(cloudy_field(rng, shape, max(3.0, 0.8 * culture.radius)))
    layer *= 0.4 + 0.8 * net
    return layer * np.float32(1) - np.float32(rng.uniform(0, 0.6)) * layer * (culture.objects > 0)


def _fibres(rng: np.random.Generator, shape: Shape, culture: Culture) -> Plane:
    """Stress fibres or filaments: ridges of stretched noise, turned and bent."""
    total = np.zeros(shape, np.float32)
    side = int(1.5 * max(shape))
    for _ in range(2):
        field = fibrous_field(
            rng, (side, side), max(1.2, 0.13 * culture.radius), 3 * culture.radius
        )
        ridge = np.exp(-np.square(field / np.float32(rng.uniform(0.15, 0.35))))
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(0, 180), 1)
        turn[:, 2] -= [(side - shape[1]) / 2, (side - shape[0]) / 2]
        total += cv2.warpAffine(ridge, turn, shape[::-1], borderMode=cv2.BORDER_REFLECT_101)
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


def _membranes(rng: np.random.Generator, shape: Shape, culture: Culture) -> Plane:
    """Cell borders: a bent Voronoi diagram whose lines vary in strength."""
    labels, border = tiles(
        rng, shape, culture.points, 0.5 * culture.radius, 1.5 * culture.radius + 2
    )
    width = np.float32(max(0.8, culture.radius * rng.uniform(0.06, 0.2)))
    line = np.exp(-np.square(border / width) / 2)
    own = rng.lognormal(0, 0.4, size=int(labels.max()) + 1).astype(np.float32)
    inner = np.float32(rng.uniform(0.03, 0.3)) * own[labels]
    return line * np.maximum(1 + 0.5 * cloudy_field(rng, shape, 20), 0.1) + inner


def _spots(rng: np.random.Generator, shape: Shape, culture: Culture) -> Plane:
    """Puncta around nuclei: vesicles, speckles, foci."""
    each = int(np.clip(3000 / max(len(culture.points), 1), 4, 40))
    places = np.repeat(culture.points, each, axis=0)
    out = rng.gamma(3, 0.45 * culture.radius, size=len(places))
    turn = rng.uniform(0, 6.3, size=len(places))
    places = places + out[:, None] * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    layer = _points(rng, shape, places, log_uniform(rng, 0.7, 0.7 + 0.12 * culture.radius))
    return layer + np.float32(0.25 * rng.random()) * _cytoplasm(rng, shape, culture)


def _points(
    rng: np.random.Generator, shape: Shape, places: NDArray[np.float64], size: float
) -> Plane:
    layer = np.zeros(shape, np.float32)
    rows, columns = np.rint(places).astype(int).T
    good = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    strength = rng.lognormal(0, 0.6, size=int(good.sum())).astype(np.float32)
    np.maximum.at(layer, (rows[good], columns[good]), strength)
    return blur(layer, size) * np.float32(2 * np.pi * size * size)


def _puncta(rng: np.random.Generator, shape: Shape, count: int, size: float, level: float) -> Plane:
    return np.float32(level) * _points(rng, shape, rng.uniform(0, 1, size=(count, 2)) * shape, size)


def _branch(
    rng: np.random.Generator,
    tree: Plane,
    start: NDArray[np.float64],
    angle: float,
    width: float,
    level: float,
) -> None:
    """Walk outwards and draw; thinner and fainter with every fork."""
    steps = int(rng.integers(6, 16))
    turns = angle + np.cumsum(rng.normal(0, 0.18, size=steps))
    step = 0.035 * max(tree.shape)
    path = start + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1) * step, axis=0)
    points = np.rint(8 * np.vstack([start, path])).astype(np.int32)
    thick = max(1, round(width))
    cv2.polylines(tree, [points], False, float(level), thick, cv2.LINE_AA, 3)
    if width < 0.8 or level < 0.25:
        return
    for fork in rng.integers(2, steps, size=int(rng.integers(1, 4))):
        aside = float(turns[fork]) + rng.choice([-1, 1]) * rng.uniform(0.4, 1.0)
        _branch(rng, tree, path[fork], aside, width * 0.6, level * 0.75)


def _instrument(rng: np.random.Generator, layers: list[Plane]) -> list[Plane]:
    """Blur, haze, illumination, exposure and noise; each channel is exposed on its own."""
    shape = layers[0].shape
    confocal = chance(rng, 0.45)
    sigma = log_uniform(rng, 0.4, 1.1 if confocal else 2.4)
    lamp = uneven_light(rng, shape, log_uniform(rng, 0.02, 0.25))
    photons = log_uniform(rng, 12, 600) if confocal else log_uniform(rng, 150, 20000)
    read = log_uniform(rng, 1e-4, 0.008)
    gamma = rng.uniform(0.7, 1.1)
    out = []
    for layer in layers:
        peak = max(float(np.percentile(layer[::3, ::3], rng.uniform(97, 99.9))), 0.3)
        signal = blur(layer / np.float32(peak * rng.uniform(0.7, 1.5)), sigma)
        if not confocal:
            signal += np.float32(rng.uniform(0.02, 0.25)) * wide_blur(signal, 0.04 * max(shape) + 1)
        dark = log_uniform(rng, 0.002, 0.12)
        cloud = 1 + 0.25 * smooth_field(rng, shape, 0.3 * max(shape))
        plane = sensor(rng, lamp * (signal + dark * cloud), photons=photons, read=read)
        if confocal and chance(rng, 0.4):  # frame averaging, then a median against shot noise
            plane = blur(plane, rng.uniform(0.4, 0.8))
        plane = hot_pixels(rng, plane, log_uniform(rng, 1e-7, 1e-4))
        plane = plane - np.float32(dark * rng.uniform(0, 1.1))
        top = max(float(np.percentile(plane[::2, ::2], 99.8)), 0.05)
        if chance(rng, 0.6):  # display range fitted to the picture
            plane = plane / np.float32(top * rng.uniform(0.85, 1.6))
        out.append(np.clip(plane, 0, 1) ** np.float32(gamma))
    return out


def _coloured(rng: np.random.Generator, layers: list[Plane], usual: list[str]) -> Colour:
    """Grey for one channel, mostly; else each channel in its own colour, added up."""
    if len(layers) == 1 and chance(rng, 0.68):
        return as_colour(layers[0])
    names = list(rng.permutation(usual or list(TINTS)))
    others = [n for n in rng.permutation(list(TINTS)) if n not in names]
    if len(layers) > 1 and chance(rng, 0.7):
        names, others = ["blue"], list(rng.permutation(["green", "red"]))
    total = np.zeros((*layers[0].shape, 3), np.float32)
    for layer, name in zip(layers, [*names, *others], strict=False):
        total += layer[:, :, None] * np.array(TINTS[str(name)], np.float32)
    return np.clip(total, 0, 1)
