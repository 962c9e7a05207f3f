"""Fluorescence micrographs: one layout of cells, seen in several stains."""

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import chance, log_uniform, pick
from tamperscope.synth.drawn.culture import (
    grow_culture,
    puncta,
    stain_cytoplasm,
    stain_fibres,
    stain_membranes,
    stain_spots,
)
from tamperscope.synth.drawn.fields import cloudy_field, smooth_field
from tamperscope.synth.drawn.noise import hot_pixels, sensor
from tamperscope.synth.drawn.optics import blur, uneven_light, wide_blur
from tamperscope.synth.drawn.scene import Colour, Plane, Scene, Shape, Styles, as_colour
from tamperscope.synth.drawn.shapes import clustered, cover, make_blob, scatter

TINTS = {
    "blue": (0.12, 0.2, 1.0),
    "green": (0.1, 1.0, 0.15),
    "red": (1.0, 0.1, 0.08),
    "magenta": (1.0, 0.1, 0.9),
    "cyan": (0.1, 0.9, 1.0),
    "yellow": (1.0, 0.9, 0.1),
}


def draw_nuclei(rng: np.random.Generator, shape: Shape) -> Scene:
    """A nuclear stain alone, in grey or in one colour."""
    culture = grow_culture(rng, shape)
    light = _instrument(rng, [culture.layer])
    return Scene(
        _coloured(rng, light, ["blue"]), culture.objects, "nuclei", {"cells": len(culture.points)}
    )


def draw_stained_cells(rng: np.random.Generator, shape: Shape) -> Scene:
    """Nuclei with actin, membranes, cytoplasm or spots, as a merge or one channel of it."""
    culture = grow_culture(rng, shape, spread=True)
    stains = {
        "cytoplasm": stain_cytoplasm,
        "fibres": stain_fibres,
        "membranes": stain_membranes,
        "spots": stain_spots,
    }
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
        for _ in range(int(rng.integers(2, 6))):
            _branch(rng, tree, point[::-1], rng.uniform(0, 6.3), 0.25 * size, 0.9)
        body = make_blob(rng, point, size, flatness=rng.uniform(0.55, 1), wobble=0.12)
        window, depth, _ = body.inside(shape)
        tree = np.maximum(blur(tree, 0.7), 0)
        tree[window] = np.maximum(tree[window], cover(depth, 0.3 * size))
        objects[window][depth > 0] = number
        hole = make_blob(rng, point + rng.normal(0, 0.1 * size, 2), 0.45 * size, wobble=0.05)
        window, depth, _ = hole.inside(shape)
        tree[window] *= 1 - np.float32(rng.uniform(0, 0.6)) * cover(depth, 0.2 * size)
        layer = np.maximum(layer, np.float32(level) * tree)
    layer *= np.maximum(1 + 0.3 * cloudy_field(rng, shape, 12), 0.2)
    layer += puncta(rng, shape, int(rng.integers(0, 150)), 0.9, 0.3)
    light = _instrument(rng, [layer])
    return Scene(_coloured(rng, light, ["green", "red"]), objects, "neurons", {})


def draw_tissue(rng: np.random.Generator, shape: Shape) -> Scene:
    """A section or a spheroid: crowded nuclei in an outline, markers in part of it."""
    culture = grow_culture(rng, shape, crowded=True)
    outline = np.ones(shape, np.float32)
    if chance(rng, 0.6):
        middle = np.array(shape) * rng.uniform(0.35, 0.65, size=2)
        body = make_blob(rng, middle, rng.uniform(0.25, 0.6) * max(shape), wobble=0.1)
        window, depth, _ = body.inside(shape)
        outline = np.zeros(shape, np.float32)
        outline[window] = cover(depth, 0.02 * max(shape) + 1)
    nuclei = culture.layer * outline
    objects = np.where(outline > 0.5, culture.objects, 0).astype(np.int32)
    where = np.clip(1.2 * cloudy_field(rng, shape, 0.35 * max(shape)) - 0.2, 0, 1) * outline
    marker = pick(rng, {"fibres": 1, "membranes": 1, "spots": 0.6})
    stain = {"fibres": stain_fibres, "membranes": stain_membranes, "spots": stain_spots}[marker]
    layers = [nuclei, stain(rng, shape, culture) * where]
    if chance(rng, 0.4):
        other = np.clip(cloudy_field(rng, shape, 0.3 * max(shape)) - 0.3, 0, 1) * outline
        layers.append(other * np.maximum(1 + cloudy_field(rng, shape, 10), 0))
    haze = np.float32(rng.uniform(0.02, 0.15)) * outline
    light = _instrument(rng, [layer + haze for layer in layers])
    return Scene(_coloured(rng, light, []), objects, "tissue", {"marker": marker})


FLUORESCENCE: Styles = {
    "nuclei": (0.4, draw_nuclei),
    "stained cells": (0.3, draw_stained_cells),
    "bacteria": (0.1, draw_bacteria),
    "neurons": (0.1, draw_neurons),
    "tissue": (0.2, draw_tissue),
}


def _branch(
    rng: np.random.Generator,
    tree: Plane,
    start: NDArray[np.float64],
    angle: float,
    width: float,
    level: float,
) -> None:
    """Walk outwards and draw; thinner and fainter with every fork."""
    steps = int(rng.integers(5, 14))
    turns = angle + np.cumsum(rng.normal(0, 0.18, size=steps))
    step = 0.035 * max(tree.shape)
    path = start + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1) * step, axis=0)
    points = np.rint(8 * np.vstack([start, path])).astype(np.int32)
    thick = max(1, round(width))
    cv2.polylines(tree, [points], False, float(level), thick, cv2.LINE_AA, 3)
    if width < 0.8 or level < 0.25:
        return
    for fork in rng.integers(2, steps, size=int(rng.integers(0, 3))):
        aside = float(turns[fork]) + rng.choice([-1, 1]) * rng.uniform(0.4, 1.0)
        _branch(rng, tree, path[fork], aside, width * 0.6, level * 0.75)


def _instrument(rng: np.random.Generator, layers: list[Plane]) -> list[Plane]:
    """Blur, haze, illumination, exposure and noise; each channel is exposed on its own."""
    shape = layers[0].shape
    confocal = chance(rng, 0.33)
    sigma = log_uniform(rng, 0.4, 1.1 if confocal else 3.0)
    lamp = uneven_light(rng, shape, log_uniform(rng, 0.02, 0.25))
    photons = log_uniform(rng, 12, 900) if confocal else log_uniform(rng, 500, 60000)
    read = log_uniform(rng, 1e-4, 0.004)
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
            plane = plane / np.float32(top * log_uniform(rng, 0.8, 3.5))
        out.append(np.clip(plane, 0, 1) ** np.float32(gamma))
    return out


def _coloured(rng: np.random.Generator, layers: list[Plane], usual: list[str]) -> Colour:
    """Grey for one channel, mostly; else each channel in its own colour, added up."""
    if len(layers) == 1 and chance(rng, 0.78):
        return as_colour(layers[0])
    names = list(rng.permutation(usual or list(TINTS)))
    others = [n for n in rng.permutation(list(TINTS)) if n not in names]
    if len(layers) > 1 and chance(rng, 0.7):
        names, others = ["blue"], list(rng.permutation(["green", "red"]))
    total = np.zeros((*layers[0].shape, 3), np.float32)
    for layer, name in zip(layers, [*names, *others], strict=False):
        total += layer[:, :, None] * np.array(TINTS[str(name)], np.float32)
    return np.clip(total, 0, 1)
