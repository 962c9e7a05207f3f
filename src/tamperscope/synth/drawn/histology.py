"""Stained sections: haematoxylin with eosin or with a brown chromogen.

Stains absorb: light = lamp * exp(-sum over stains of amount * absorbance), with the absorbances of
Ruifrok and Johnston, "Quantification of histochemical staining by color deconvolution", 2001.
"""

import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import chance, log_uniform, pick
from tamperscope.synth.drawn.fields import cloudy_field, fibrous_field, smooth_field, warp
from tamperscope.synth.drawn.noise import sensor
from tamperscope.synth.drawn.optics import blur, brightness, fringe, uneven_light
from tamperscope.synth.drawn.scene import Colour, Labels, Plane, Scene, Shape, Styles
from tamperscope.synth.drawn.shapes import clustered, cover, make_blob, scatter, tiles

HAEMATOXYLIN = (0.65, 0.70, 0.29)
EOSIN = (0.07, 0.99, 0.11)
CHROMOGEN = (0.27, 0.57, 0.78)


def draw_stroma(rng: np.random.Generator, shape: Shape) -> Scene:
    """Connective tissue and muscle: wavy fibres, clefts, thin nuclei along them."""
    unit = _unit(rng, shape)
    fibres, down, right, turned = _fibres(rng, shape, unit)
    long = (9 * unit, 1.2 * unit) if turned else (1.2 * unit, 9 * unit)
    clefts = np.clip((fibrous_field(rng, shape, *long) - rng.uniform(0.2, 1.1)) * 4, 0, 1)
    clefts = warp(clefts.astype(np.float32), down, right)
    eosin = (0.55 + 0.3 * fibres) * (1 - clefts)
    violet, objects = _nuclei(
        rng,
        shape,
        unit,
        rng.uniform(0.003, 0.012),
        eosin > 0.2,
        rng.uniform(0.2, 0.5),
        upright=turned,
    )
    return _section(rng, eosin, violet, objects, "stroma")


def draw_glands(rng: np.random.Generator, shape: Shape) -> Scene:
    """Lumens ringed by nuclei in a cellular stroma."""
    unit = _unit(rng, shape)
    fibres, _, _, _ = _fibres(rng, shape, unit)
    eosin = 0.45 + 0.2 * fibres
    objects = np.zeros(shape, np.int32)
    rings: list[NDArray[np.float64]] = []
    for point in scatter(rng, shape, int(rng.integers(3, 12)), 7 * unit, 3 * unit):
        lumen = make_blob(
            rng, point, unit * rng.uniform(1.5, 5), flatness=rng.uniform(0.4, 1), wobble=0.13
        )
        window, depth, _ = lumen.inside(shape, 5 * unit)
        epithelium = cover(depth + 2.6 * unit, 2) - cover(depth, 2)
        eosin[window] = eosin[window] * (1 - epithelium) + epithelium * np.float32(
            rng.uniform(0.4, 0.7)
        )
        eosin[window] *= 1 - cover(depth, 3) * np.float32(rng.uniform(0.6, 1))
        rings.append(_around(rng, depth, window, unit))
    violet, objects = _nuclei(rng, shape, unit, rng.uniform(0.002, 0.008), eosin > 0.3, 0.6, rings)
    return _section(rng, eosin, violet, objects, "glands")


def draw_fat(rng: np.random.Generator, shape: Shape) -> Scene:
    """Adipose tissue: white cells with thin walls, nuclei pressed into corners."""
    unit = _unit(rng, shape)
    points = scatter(
        rng, shape, int(np.clip(shape[0] * shape[1] / (18 * unit**2), 4, 220)), 3 * unit, unit
    )
    labels, border = tiles(rng, shape, points, rng.uniform(0.2, 0.7) * unit, 3.5 * unit)
    thick = np.float32(unit * rng.uniform(0.12, 0.4))
    wall = 1 / (1 + np.exp(np.clip((border - thick) / np.float32(0.35 * thick + 0.3), -30, 30)))
    whole = 1 + 0.5 * smooth_field(rng, shape, 6 * unit)
    eosin = (
        0.8 * wall * np.maximum(whole, 0.2) * (1 + 0.3 * cloudy_field(rng, shape, unit))
    ).astype(np.float32)
    violet, _ = _nuclei(rng, shape, unit, rng.uniform(0.001, 0.006), wall > 0.5, 0.45)
    return _section(rng, np.maximum(eosin, 0), violet, labels * (wall < 0.4), "fat")


def draw_cellular(rng: np.random.Generator, shape: Shape) -> Scene:
    """Crowded tissue: tumour, lymph node, liver; borders hardly show."""
    unit = _unit(rng, shape)
    seeds = scatter(
        rng, shape, int(np.clip(shape[0] * shape[1] / (7 * unit**2), 4, 300)), 2 * unit, unit
    )
    _, border = tiles(rng, shape, seeds, 0.6 * unit, 2 * unit)
    gaps = np.clip((cloudy_field(rng, shape, 8 * unit) - rng.uniform(0.6, 1.8)) * 4, 0, 1)
    lines = np.exp(-np.square(border / np.float32(0.15 * unit + 0.6)))
    grain = cloudy_field(rng, shape, 1.5 * unit, smallest=1.5)
    eosin = (0.5 + 0.15 * grain - np.float32(rng.uniform(0, 0.3)) * lines) * (1 - gaps)
    violet, objects = _nuclei(
        rng, shape, unit, rng.uniform(0.02, 0.055), eosin > 0.25, rng.uniform(0.65, 0.95)
    )
    return _section(rng, eosin.astype(np.float32), violet, objects, "cellular")


HISTOLOGY: Styles = {
    "stroma": (0.3, draw_stroma),
    "glands": (0.2, draw_glands),
    "fat": (0.2, draw_fat),
    "cellular": (0.3, draw_cellular),
}


def _unit(rng: np.random.Generator, shape: Shape) -> float:
    """Radius of a nucleus in pixels: it sets the magnification."""
    return max(1.5, min(shape) * log_uniform(rng, 0.012, 0.05))


def _fibres(
    rng: np.random.Generator, shape: Shape, unit: float
) -> tuple[Plane, Plane, Plane, bool]:
    """Wavy bundles with deviation about 1, the warp that bent them, and whether they stand."""
    bend = rng.uniform(0.5, 3) * unit
    down = bend * smooth_field(rng, shape, 6 * unit) + rng.uniform(1, 5) * unit * smooth_field(
        rng, shape, 25 * unit
    )
    right = 0.5 * bend * smooth_field(rng, shape, 6 * unit)
    total = np.zeros(shape, np.float32)
    turned = chance(rng, 0.5)
    for tall, long, weight in ((0.5, 8, 0.8), (1.2, 14, 0.7), (0.25, 3, 0.4)):
        sizes = (tall * unit, long * unit)
        total += np.float32(weight) * fibrous_field(rng, shape, *(sizes[::-1] if turned else sizes))
    total += rng.uniform(0.3, 0.9) * cloudy_field(rng, shape, 3 * unit, smallest=1.2, fall=0.8)
    return warp(total, down, right), down, right, turned


def _around(
    rng: np.random.Generator, depth: Plane, window: tuple[slice, slice], unit: float
) -> NDArray[np.float64]:
    """Places of nuclei in the ring just outside an outline."""
    rows, columns = np.nonzero(np.abs(depth + 1.1 * unit) < 0.45 * unit)
    if len(rows) == 0:
        return np.zeros((0, 2))
    some = rng.permutation(len(rows))[: max(1, int(len(rows) / (2.5 * unit * unit)))]
    start = np.array([window[0].start, window[1].start])
    return np.stack([rows[some], columns[some]], axis=1) + start


def _nuclei(
    rng: np.random.Generator,
    shape: Shape,
    unit: float,
    share: float,
    allowed: NDArray[np.bool_],
    flatness: float,
    more: list[NDArray[np.float64]] | None = None,
    *,
    upright: bool = False,
) -> tuple[Plane, Labels]:
    """Amount of haematoxylin, and labels; nuclei only where there is tissue."""
    count = int(np.clip(3 * share * shape[0] * shape[1] / unit**2, 1, 260))
    points = np.concatenate([clustered(rng, shape, count, 1.5 * unit, 0), *(more or [])])
    violet, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    dark, ring = rng.uniform(0.6, 1.1), rng.uniform(0, 0.6)
    turn = 0.5 * smooth_field(rng, shape, 12 * unit) + np.float32(0.5 * np.pi * upright)
    number = 0
    for point in points[:300]:
        y, x = (int(np.clip(p, 0, s - 1)) for p, s in zip(point, shape, strict=True))
        if not allowed[y, x]:
            continue
        number += 1
        blob = make_blob(
            rng, point, unit * rng.lognormal(0, 0.2) * (1.3 if flatness < 0.5 else 1),
            flatness=float(np.clip(flatness * rng.uniform(0.75, 1.25), 0.2, 1)), wobble=0.07,
            angle=float(turn[y, x]) + rng.normal(0, 0.35 if flatness < 0.55 else 2),
        )  # fmt: skip
        window, depth, _ = blob.inside(shape, 2)
        part = cover(depth, 1.4) * np.float32(dark * rng.lognormal(0, 0.25))
        rim = np.exp(-np.square((depth - 0.8) / np.float32(0.25 * unit + 0.5)))
        part *= 1 - np.float32(ring) * (1 - rim)
        violet[window] = np.maximum(violet[window], part)
        objects[window][depth > 0] = number
    chromatin = 1 + np.float32(rng.uniform(0.1, 0.35)) * cloudy_field(
        rng, shape, max(2.0, 0.6 * unit), smallest=1
    )
    return violet * np.maximum(chromatin, 0.2), objects


def _section(
    rng: np.random.Generator, eosin: Plane, violet: Plane, objects: Labels, name: str
) -> Scene:
    """Stain, look through the microscope, photograph."""
    shape = eosin.shape
    stain = pick(rng, {"eosin": 0.7, "chromogen": 0.2, "violet": 0.1})
    amounts = np.maximum(blur(eosin, 0.5), 0)
    counter = np.array({"eosin": EOSIN, "chromogen": CHROMOGEN, "violet": HAEMATOXYLIN}[stain])
    strength = rng.uniform(0.35, 1.1) if stain == "eosin" else rng.uniform(0.08, 0.3)
    if stain == "eosin":  # eosin as scanned is never as pure as in the cuvette
        counter = counter * [1, rng.uniform(0.7, 1), 1] + [
            rng.uniform(0, 0.12),
            0,
            rng.uniform(0.1, 0.4),
        ]
    if stain == "chromogen":
        positive = np.clip(cloudy_field(rng, shape, 0.25 * max(shape)) * 2 - 0.5, 0, 1)
        amounts = amounts + positive * (2.0 * violet + 2.5 * amounts) * np.float32(
            rng.uniform(0.3, 1)
        )
    nuclear = np.array(HAEMATOXYLIN) * rng.uniform(0.85, 1.15, size=3)
    wash = np.float32(rng.uniform(0.02, 0.18)) * amounts
    density = amounts[:, :, None] * (strength * counter).astype(np.float32)
    density += ((violet + wash) * np.float32(rng.uniform(0.7, 1.6)))[:, :, None] * nuclear.astype(
        np.float32
    )
    lamp = (np.array([0.95, 0.94, 0.95]) + 0.02 * rng.standard_normal(3)).astype(np.float32)
    light: Colour = lamp * np.exp(-density)
    light = light * uneven_light(rng, shape, log_uniform(rng, 0.005, 0.08))[:, :, None]
    soft = log_uniform(rng, 0.35, 1.2)
    light = blur(light.astype(np.float32), soft)
    light = fringe(rng, light, 0.6)
    grey = brightness(light)
    noise = sensor(rng, grey, photons=log_uniform(rng, 1500, 80000)) - grey
    parameters = {"stain": stain}
    return Scene(light + noise[:, :, None], objects.astype(np.int32), name, parameters)
