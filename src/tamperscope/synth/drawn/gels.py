"""Gels: DNA in agarose under ultraviolet light, stained protein, and drawn electropherograms."""

import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import chance, log_uniform, pick
from tamperscope.synth.drawn.fields import cloudy_field, smooth_field, warp
from tamperscope.synth.drawn.noise import colour_blotches, hot_pixels, scratches, sensor, specks
from tamperscope.synth.drawn.optics import blur, brightness, uneven_light, wide_blur
from tamperscope.synth.drawn.scene import Colour, Labels, Plane, Scene, Shape, Styles, as_colour

GLOWS = {  # ground, band: what a phone or a colour camera makes of dye and lamp
    "violet": ((0.42, 0.25, 0.72), (1.0, 0.45, 0.55)),
    "blue": ((0.16, 0.24, 0.80), (0.45, 0.85, 1.0)),
    "teal": ((0.14, 0.38, 0.62), (0.45, 0.98, 0.85)),
    "purple": ((0.55, 0.22, 0.62), (1.0, 0.55, 0.45)),
    "orange": ((0.25, 0.05, 0.08), (1.0, 0.62, 0.25)),
    "green": ((0.05, 0.20, 0.12), (0.55, 1.0, 0.45)),
}


def draw_agarose(rng: np.random.Generator, shape: Shape) -> Scene:
    """DNA under ultraviolet light: ladders, wells, smears, dye shadows; grey or in colour."""
    amounts, objects, lanes = _lanes_of_bands(rng, shape, sharp=rng.uniform(0.004, 0.012))
    amounts, objects = _bend(rng, amounts, objects)
    pale = chance(rng, 0.4)  # exposed until the gel itself shows
    ground = rng.uniform(0.35, 0.68) if pale else log_uniform(rng, 0.03, 0.35)
    gel = uneven_light(rng, shape, log_uniform(rng, 0.1, 0.6))
    gel = gel * (1 + 0.06 * cloudy_field(rng, shape, 0.4 * max(shape)))
    if chance(rng, 0.35):
        gel = gel * _dye_front(rng, shape)
    signal = blur(amounts, log_uniform(rng, 0.4, 1.6))
    glow = np.float32(rng.uniform(0.03, 0.2)) * wide_blur(amounts, 0.02 * max(shape) + 1)
    band = 1 - np.exp(-(signal + glow) * np.float32(log_uniform(rng, 0.15, 1.6)))
    name = "grey" if chance(rng, 0.4) else pick(rng, dict.fromkeys(GLOWS, 1.0))
    if name == "grey":
        light = as_colour((ground * gel + (1 - ground) * band).astype(np.float32))
    else:
        light = _glow(rng, name, gel, band)
    light = _camera(rng, light, grey=name == "grey")
    return Scene(light, objects, "agarose", {"colour": name, "lanes": lanes})


def draw_protein_gel(rng: np.random.Generator, shape: Shape) -> Scene:
    """Coomassie or silver: many bands in every lane, on a light ground."""
    amounts, objects, lanes = _lanes_of_bands(
        rng, shape, sharp=rng.uniform(0.003, 0.009), many=True
    )
    amounts, objects = _bend(rng, amounts, objects)
    density = blur(amounts, log_uniform(rng, 0.4, 1.3)) * np.float32(rng.uniform(0.5, 1.3))
    density += np.float32(0.04) * np.maximum(cloudy_field(rng, shape, 0.3 * max(shape)), 0)
    density += np.float32(0.05) * specks(rng, shape, int(rng.poisson(5)), 1.5)
    stain = pick(rng, {"coomassie": 0.45, "grey": 0.35, "silver": 0.2})
    absorbed = {
        "coomassie": (1.1, 0.62, 0.18),
        "grey": (0.8, 0.8, 0.8),
        "silver": (0.45, 0.75, 1.15),
    }[stain]
    lamp = rng.uniform(0.7, 0.97) * uneven_light(rng, shape, log_uniform(rng, 0.02, 0.2))
    tint = np.array(absorbed, np.float32) * (1 + 0.06 * rng.standard_normal(3).astype(np.float32))
    if stain == "grey":
        tint[:] = tint.mean()
    base = np.float32(rng.uniform(0.02, 0.2))
    light = lamp[:, :, None] * np.exp(-(density + base)[:, :, None] * tint)
    light = _camera(rng, light.astype(np.float32), grey=stain == "grey")
    return Scene(light, objects, "protein gel", {"stain": stain, "lanes": lanes})


def draw_spots(rng: np.random.Generator, shape: Shape) -> Scene:
    """Two-dimensional gel: hundreds of spots, streaking sideways."""
    amounts, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    unit = max(shape) * rng.uniform(0.003, 0.009) + 0.6
    count = int(np.clip(rng.integers(60, 220), 3, shape[0] * shape[1] // 60))
    places = rng.normal(rng.uniform(0.3, 0.7, size=2), 0.25, size=(count, 2)) * shape
    trains = rng.integers(count, size=count // 3)  # one protein, several charges: a row of spots
    places[: len(trains), 0] = places[trains, 0] + rng.normal(0, unit / 2, size=len(trains))
    for number, (row, column) in enumerate(places, start=1):
        amount, grown = rng.lognormal(-0.6, 1.2), unit * rng.lognormal(0.1, 0.45)
        reach = int(4 * grown) + 2
        top, left = max(int(row) - reach, 0), max(int(column) - 2 * reach, 0)
        bottom, right = int(row) + reach, int(column) + 2 * reach
        window = slice(top, max(bottom, 0)), slice(left, max(right, 0))
        y = np.arange(shape[0], dtype=np.float32)[window[0], None] - np.float32(row)
        x = np.arange(shape[1], dtype=np.float32)[None, window[1]] - np.float32(column)
        sides = np.where(x < 0, np.float32(grown * rng.uniform(1, 3)), np.float32(grown))
        part = np.float32(amount) * np.exp(
            -((y / np.float32(0.8 * grown)) ** 2 + (x / sides) ** 2) / 2
        )
        amounts[window] += part
        if amount > 0.4:
            objects[window][part > 0.5 * amount] = number
    amounts, objects = _bend(rng, amounts, objects)
    red = chance(rng, 0.3)
    base = rng.uniform(0.01, 0.1) * (1 + 0.3 * cloudy_field(rng, shape, 0.5 * max(shape)))
    density = 1 - np.exp(-(amounts + base) * np.float32(rng.uniform(0.8, 1.6)))
    if red:
        light = as_colour(density) * np.array([1.0, 0.08, 0.06], np.float32)
    else:
        paper = np.float32(rng.uniform(0.8, 0.97))
        light = as_colour((paper * (1 - 0.92 * density)).astype(np.float32))
    return Scene(_camera(rng, light, grey=not red), objects, "spots", {"red": red})


def draw_electropherogram(rng: np.random.Generator, shape: Shape) -> Scene:
    """A chip instrument's rendering: ideal lanes on white, no camera involved."""
    light = np.full(shape, 1.0, np.float32)
    objects = np.zeros(shape, np.int32)
    pitch = max(shape[1] / rng.uniform(3, 16), 6.0)
    width = max(3, round(pitch * rng.uniform(0.6, 0.9)))
    y = np.arange(shape[0], dtype=np.float32) / shape[0]
    number = 0
    marker = rng.uniform([0.03, 0.85], [0.15, 0.97])
    ladder = np.sort(rng.uniform(marker[0] + 0.04, marker[1] - 0.04, size=int(rng.integers(5, 13))))
    smear = rng.uniform(0.25, 0.8)
    for k, left in enumerate(np.arange(rng.uniform(0, pitch), shape[1], pitch)):
        level = np.full(shape[0], rng.uniform(0, 0.06), np.float32)
        window = slice(round(left), round(left) + width)
        if k % int(rng.integers(5, 12)) == 0:
            for place in ladder:
                level += np.float32(rng.uniform(0.4, 0.9)) * np.exp(-(((y - place) / 0.006) ** 2))
        else:
            place, spread = smear + 0.04 * rng.standard_normal(), log_uniform(rng, 0.008, 0.16)
            tail = np.where(y < place, np.float32(spread), np.float32(spread * rng.uniform(0.4, 1)))
            level += np.float32(log_uniform(rng, 0.1, 1.2)) * np.exp(
                -(((y - place) / tail) ** 2) / 2
            )
            if spread < 0.2:
                number += 1
                near = np.abs(y - place) < spread * 0.9
                if level[near].size and level.max() > 0.25:
                    objects[near, window] = number
        for place in marker:
            level += np.exp(-(((y - place) / 0.004) ** 2))
        light[:, window] = (1 - np.clip(level, 0, 1))[:, None]
    colour = as_colour(light)
    if chance(rng, 0.7):
        for place, tint in zip(marker, ((0.45, 0.1, 0.5), (0.1, 0.5, 0.15)), strict=True):
            row = int(place * shape[0])
            thin = max(1, shape[0] // 150)
            rows = slice(row, row + thin)
            dark = colour[rows].mean(axis=2, keepdims=True) < 0.6
            colour[rows] = np.where(dark, np.array(tint, np.float32), colour[rows])
    return Scene(colour, objects, "electropherogram", {}, digital=True)


GELS: Styles = {
    "agarose": (0.7, draw_agarose),
    "protein gel": (0.15, draw_protein_gel),
    "spots": (0.07, draw_spots),
    "electropherogram": (0.12, draw_electropherogram),
}


def _lanes_of_bands(
    rng: np.random.Generator, shape: Shape, *, sharp: float, many: bool = False
) -> tuple[Plane, Labels, int]:
    """Fill lanes with bands while they are still straight: amounts, labels, number of lanes."""
    amounts, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    zoom = log_uniform(rng, 1, 4)  # how much of the gel the picture leaves out
    lanes = int(rng.integers(4, 22) / zoom) + 1
    pitch = max(shape[1] / lanes, 5.0)
    half = pitch * rng.uniform(0.28, 0.42)
    first = rng.uniform(-0.3, 0.8) * pitch
    y = np.arange(shape[0], dtype=np.float32)
    rows, ladder = 1 + float(zoom) * shape[0], _ladder(rng)
    shift = rng.uniform(0, 1) * (rows - shape[0])
    common = rng.uniform(0.1, 0.95, size=int(rng.integers(10, 30) if many else rng.integers(1, 4)))
    strengths = rng.lognormal(-0.7, 0.9, size=len(common))
    with_wells = chance(rng, 0.5)
    markers = {0, lanes - 1} if chance(rng, 0.5) else {int(rng.integers(lanes + 1))}
    number = 0
    for lane in range(int(shape[1] / pitch) + 2):
        middle = first + lane * pitch + rng.normal(0, 0.02 * pitch)
        if lane in markers:
            places, amount = ladder
            amount = amount * rng.uniform(0.6, 1.5)
        else:
            places = common + rng.normal(0, 0.002, size=len(common))
            here = rng.random(len(common)) < (0.95 if many else 0.75)
            amount = strengths * here * rng.lognormal(0, 0.35, size=len(common)) * 1.6
        level = np.zeros_like(y)
        column = np.arange(shape[1], dtype=np.float32) - np.float32(middle)
        across = 1 / (
            1 + np.exp(np.clip((np.abs(column) / half - 1) * rng.uniform(9, 30), -30, 30))
        )
        inside = np.abs(column) < 0.85 * half
        for place, value in zip(places, amount, strict=True):
            away = (y - np.float32(place * rows - shift)) / np.float32(sharp * rows)
            if value <= 0.02 or away.size == 0 or np.abs(away).min() > 4:
                continue
            level += np.float32(value) * np.exp(-(np.abs(away) ** np.float32(2.4)) / 2)
            number += 1
            if value > 0.3:
                objects[np.ix_(np.abs(away) < 0.95, inside)] = number
        amounts += level[:, None] * across[None, :]
        soft = np.exp(-((np.abs(column) / np.float32(half)) ** 3))
        amounts += _smear(rng, y, rows, shift)[:, None] * soft[None, :]
        if with_wells:
            _well(rng, amounts, float(0.04 * rows - shift), column, half)
    return amounts, objects, lanes


def _ladder(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (share of the gel) and strengths of a size standard: equal steps of log size."""
    count = int(rng.integers(7, 18))
    sizes = np.linspace(1, 0.08, count) ** rng.uniform(0.5, 1.0)
    places = 0.12 + rng.uniform(0.5, 0.8) * (1 - sizes / sizes[0]) ** rng.uniform(0.7, 1.3)
    strengths = rng.lognormal(0.1, 0.35, size=count)
    strengths[rng.integers(count, size=2)] *= 2.2
    return places, strengths


def _smear(rng: np.random.Generator, y: Plane, rows: float, shift: float) -> Plane:
    """What is not in a band: degraded or sheared material along the lane."""
    amount = log_uniform(rng, 0.002, 0.1) if chance(rng, 0.8) else rng.uniform(0.1, 0.6)
    place, spread = rng.uniform(0.1, 0.9) * rows - shift, rng.uniform(0.05, 0.3) * rows
    sides = np.where(y < place, np.float32(spread), np.float32(spread * rng.uniform(0.3, 1.2)))
    return np.float32(amount) * np.exp(-(((y - np.float32(place)) / sides) ** 2) / 2)


def _well(rng: np.random.Generator, amounts: Plane, row: float, column: Plane, half: float) -> None:
    """The slot the sample was put in: a dark hole with a bright rim."""
    tall = max(1.0, 0.22 * half)
    if row < -4 * tall or row > amounts.shape[0] + 4 * tall:
        return
    y = np.arange(amounts.shape[0], dtype=np.float32)[:, None] - np.float32(row)
    depth = 1 - np.maximum(np.abs(column[None, :]) / half, np.abs(y) / tall)
    edge = np.exp(-((depth * tall / 1.3) ** 2))
    amounts += np.float32(rng.uniform(0.1, 0.5)) * edge * (depth > -1.5 / tall)
    amounts -= np.float32(rng.uniform(0, 0.15)) * np.clip(depth * tall, 0, 1)
    np.maximum(amounts, 0, out=amounts)


def _bend(rng: np.random.Generator, amounts: Plane, objects: Labels) -> tuple[Plane, Labels]:
    """Smile, tilt and wander: the gel runs faster in the warm middle."""
    height, width = amounts.shape
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    down = height * np.float32(0.02 * rng.standard_normal()) * (x * x)
    down = down + height * np.float32(0.012 * rng.standard_normal()) * x
    down = down + np.float32(0.006 * height) * smooth_field(rng, (height, width), 0.3 * width + 2)
    ripple = np.float32(0.003 * height) * smooth_field(rng, (height, width), 0.05 * width + 2)
    right = np.float32(0.006 * width) * smooth_field(rng, (height, width), 0.5 * height + 2)
    bent = warp(amounts, down + ripple, right)
    labels = warp(objects.astype(np.float32), down + ripple, right, nearest=True)
    return np.maximum(bent, 0), labels.astype(np.int32)


def _dye_front(rng: np.random.Generator, shape: Shape) -> Plane:
    """Shadow of the loading dye, or of the end of the gel: one or two soft dark belts."""
    y = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None]
    gain = np.ones((shape[0], 1), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        place, wide = rng.uniform(0.1, 1.1), rng.uniform(0.03, 0.15)
        gain -= np.float32(rng.uniform(0.1, 0.45)) * np.exp(-(((y - place) / wide) ** 2))
    wavy = 1 + 0.05 * smooth_field(rng, shape, 0.15 * shape[1] + 2)
    return np.clip(gain * wavy, 0.1, 2).astype(np.float32)


def _glow(rng: np.random.Generator, name: str, gel: Plane, band: Plane) -> Colour:
    """Mix the colours of gel and band; the ground drifts between hues as phone pictures do."""
    ground, bright = (np.array(c, np.float32) for c in GLOWS[name])
    ground = np.clip(ground * rng.uniform(0.5, 1.15) + rng.normal(0, 0.04, size=3), 0, 1)
    hue = 0.12 * smooth_field(rng, gel.shape, 0.6 * max(gel.shape))
    drift = np.stack([1 + hue, np.ones_like(hue), 1 - 0.5 * hue], axis=2)
    light = ground.astype(np.float32) * gel[:, :, None] * drift
    return light + band[:, :, None] * (bright - light) * np.float32(rng.uniform(0.7, 1.0))


def _camera(rng: np.random.Generator, light: Colour, *, grey: bool) -> Colour:
    """Noise, dust, scratches and tone of the documentation system."""
    shape = light.shape[:2]
    photons, read = log_uniform(rng, 1500, 80000), log_uniform(rng, 3e-4, 0.008)
    dirt = np.zeros(shape, np.float32)
    if chance(rng, 0.6):
        dirt = specks(rng, shape, int(rng.poisson(6)), rng.uniform(0.4, 1.8)) * rng.uniform(
            0.1, 0.7
        )
    if chance(rng, 0.2):
        dirt = dirt + 0.08 * scratches(rng, shape, int(rng.integers(1, 5)))
    if grey:
        plane = sensor(rng, light[:, :, 0] + dirt, photons=photons, read=read)
        return as_colour(hot_pixels(rng, plane, 1e-5))
    seen = brightness(light.astype(np.float32))
    noise = sensor(rng, seen, photons=photons, read=read) - seen
    chroma = colour_blotches(rng, shape, 2.0)
    return light + (dirt + noise)[:, :, None] + np.float32(read) * chroma
