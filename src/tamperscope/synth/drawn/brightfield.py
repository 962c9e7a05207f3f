"""Transmission: phase and relief contrast, cultures, blood films, electron micrographs."""

import numpy as np

from tamperscope.synth.drawn.chances import chance, log_uniform
from tamperscope.synth.drawn.fields import cloudy_field, fibrous_field, smooth_field
from tamperscope.synth.drawn.noise import colour_blotches, film_grain, sensor, specks
from tamperscope.synth.drawn.optics import blur, brightness, fringe, uneven_light, wide_blur
from tamperscope.synth.drawn.scene import Colour, Labels, Plane, Scene, Shape, Styles, as_colour
from tamperscope.synth.drawn.shapes import clustered, cover, make_blob, scatter


def draw_phase_contrast(rng: np.random.Generator, shape: Shape) -> Scene:
    """Spread or rounded cells, dark bodies with bright halos."""
    thickness, objects, radius = _cells(rng, shape, spread=chance(rng, 0.6))
    halo = wide_blur(thickness, rng.uniform(0.25, 0.6) * radius + 1)
    phase = thickness * rng.uniform(0.6, 1.3) - halo * rng.uniform(0.8, 1.5)
    grain = 0.1 * cloudy_field(rng, shape, max(3.0, 0.4 * radius)) * np.clip(thickness, 0, 1)
    contrast = rng.uniform(0.15, 0.45)
    light = rng.uniform(0.35, 0.65) - contrast * (phase + grain)
    light = light * uneven_light(rng, shape, log_uniform(rng, 0.03, 0.3))
    tint = np.array([1, 1, 1], np.float32)
    if chance(rng, 0.35):
        tint = rng.uniform(0.78, 1.1, size=3).astype(np.float32)
    return Scene(_camera(rng, light, tint), objects, "phase contrast", {"radius": round(radius, 2)})


def draw_relief(rng: np.random.Generator, shape: Shape) -> Scene:
    """Differential interference or Hoffman contrast: thickness lit from one side."""
    thickness, objects, radius = _cells(rng, shape, spread=chance(rng, 0.4))
    thickness += 0.06 * cloudy_field(rng, shape, max(2.5, 0.25 * radius)) * (0.15 + thickness)
    thickness = blur(thickness, log_uniform(rng, 0.5, 1.6))
    angle = rng.uniform(0, 2 * np.pi)
    down, right = np.gradient(thickness)
    slope = (np.cos(angle) * right + np.sin(angle) * down).astype(np.float32)
    light = rng.uniform(0.4, 0.65) + slope * np.float32(rng.uniform(0.5, 1.3) * radius * 0.12)
    light = light * uneven_light(rng, shape, log_uniform(rng, 0.03, 0.2))
    return Scene(_camera(rng, light, np.ones(3, np.float32)), objects, "relief", {})


def draw_culture(rng: np.random.Generator, shape: Shape) -> Scene:
    """Plain bright field through a phone or a colour camera: round cells, clumps, tinted light."""
    radius = max(1.5, min(shape) * log_uniform(rng, 0.008, 0.035))
    count = int(np.clip(log_uniform(rng, 6, 250), 2, shape[0] * shape[1] / (6 * radius**2)))
    points = clustered(rng, shape, count, 1.3 * radius, radius)
    effect, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    focus = rng.choice([-1.0, 1.0])
    for number, point in enumerate(points, start=1):
        blob = make_blob(rng, point, radius * rng.lognormal(0, 0.25), wobble=0.04)
        window, depth, _ = blob.inside(shape, 4)
        effect[window] += _ring(depth, blob.radius, focus, rng.uniform(0.3, 1.0))
        objects[window][depth > 0] = number
    number = len(points)
    for point in scatter(rng, shape, int(rng.poisson(0.8)), 8 * radius):
        number += 1
        body = make_blob(rng, point, min(shape) * rng.uniform(0.08, 0.25), wobble=0.16, orders=12)
        window, depth, _ = body.inside(shape, 4)
        lumps = np.maximum(0.5 + 0.5 * cloudy_field(rng, depth.shape, 2.5 * radius), 0)
        grit = 0.35 * smooth_field(rng, depth.shape, 1.6)
        effect[window] -= cover(depth + 1.5 * grit, 3) * (0.3 + 0.6 * lumps + grit)
        effect[window] += 0.3 * np.exp(-np.square((depth + 1.5) / 2))
        objects[window][depth > 0] = number
    light = rng.uniform(0.62, 0.85) * uneven_light(rng, shape, log_uniform(rng, 0.05, 0.35))
    light = light * (1 + rng.uniform(0.2, 0.45) * blur(effect, log_uniform(rng, 0.5, 1.2)))
    warm = rng.normal(0, 0.09)
    tint = np.array([1 - warm, 1.0, 1 + warm + 0.04], np.float32)
    return Scene(_camera(rng, light.astype(np.float32), tint), objects, "culture", {"cells": count})


def draw_blood(rng: np.random.Generator, shape: Shape) -> Scene:
    """A stained blood film: pale-centred red cells, now and then a white one, platelets."""
    radius = max(2.5, min(shape) * log_uniform(rng, 0.05, 0.26))
    count = int(np.clip(rng.uniform(0.1, 0.45) * shape[0] * shape[1] / radius**2, 2, 160))
    points = clustered(rng, shape, count, radius * rng.uniform(1.3, 2.1), radius)
    red, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    pallor, oval = rng.uniform(0.1, 0.75), rng.uniform(0.8, 1.0)
    for number, point in enumerate(points, start=1):
        blob = make_blob(
            rng, point, radius * rng.normal(1, 0.06),
            flatness=min(1.0, oval * rng.uniform(0.9, 1.08)), wobble=0.02,
        )  # fmt: skip
        window, depth, _ = blob.inside(shape, 3)
        centre = np.exp(-np.square(np.maximum(blob.radius - depth, 0) / (0.45 * blob.radius)))
        own = rng.uniform(0, 1) * pallor + 0.3 * pallor
        part = cover(depth, 1.6) * (1 - np.float32(min(own, 0.9)) * centre)
        rim = np.float32(rng.uniform(0, 0.3)) * np.exp(-np.square((depth - 1.2) / 1.5))
        red[window] += (part + rim) * np.float32(rng.uniform(0.85, 1.1))
        objects[window][depth > 0] = number
    violet, objects = _white_cells(rng, shape, radius, objects, red)
    stain = np.array([0.12, 0.36, 0.40], np.float32) * np.float32(rng.uniform(0.5, 1.0))
    stain *= rng.uniform(0.8, 1.2, size=3).astype(np.float32)
    dye = np.array([0.95, 1.35, 0.4], np.float32) * np.float32(rng.uniform(0.5, 1.0))
    density = (1 - np.exp(-1.2 * red))[:, :, None] * stain + violet[:, :, None] * dye
    ground = np.array([0.92, 0.90, 0.88], np.float32) + 0.025 * rng.standard_normal(3).astype(
        np.float32
    )
    light = ground * np.exp(-density)
    light = light * uneven_light(rng, shape, log_uniform(rng, 0.02, 0.15))[:, :, None]
    light = np.stack(
        [
            blur(light[:, :, c], s)
            for c, s in enumerate(rng.uniform(0.5, 1.0 + 0.025 * radius + 0.7, 3))
        ],
        axis=2,
    )
    return Scene(_noisy(rng, fringe(rng, light, 0.8)), objects, "blood", {"cells": count})


def draw_electron(rng: np.random.Generator, shape: Shape) -> Scene:
    """A thin section in the electron microscope: grainy cytoplasm, membranes, vesicles."""
    objects = np.zeros(shape, np.int32)
    density = 0.4 + rng.uniform(0.05, 0.14) * cloudy_field(
        rng, shape, 0.1 * max(shape), fall=0.8, smallest=1.5
    )
    size = min(shape) * log_uniform(rng, 0.025, 0.1) + 1.5
    for number, point in enumerate(clustered(rng, shape, int(rng.integers(3, 40)), 2 * size, 0), 1):
        blob = make_blob(
            rng, point, size * rng.lognormal(0, 0.35), flatness=rng.uniform(0.4, 1), wobble=0.08
        )
        window, depth, _ = blob.inside(shape, 4)
        if depth.size == 0:
            continue
        fill = rng.choice([-0.28, 0.22, 0.05], p=[0.4, 0.35, 0.25])
        density[window] += np.float32(fill) * cover(depth, 2)
        if fill > 0.2:  # cristae
            folds = np.sin(fibrous_field(rng, depth.shape, 0.3 * size, 1.2 * size) * 5)
            density[window] += 0.16 * folds * cover(depth, 2)
        wall = np.exp(-np.square((depth - 1) / np.float32(max(0.8, 0.07 * size))))
        density[window] += np.float32(rng.uniform(0.2, 0.5)) * wall
        objects[window][depth > 0] = number
    for _ in range(int(rng.integers(0, 4))):
        line = smooth_field(rng, shape, rng.uniform(0.2, 0.6) * max(shape))
        density += np.float32(rng.uniform(0.15, 0.45)) * np.exp(-np.square(line / 0.03))
    density += np.float32(rng.uniform(0.04, 0.16)) * cloudy_field(rng, shape, 4, smallest=1)
    light = rng.uniform(0.75, 1.0) - rng.uniform(0.6, 1.1) * density
    light = film_grain(
        rng, blur(light.astype(np.float32), 0.6), log_uniform(rng, 0.01, 0.1), rng.uniform(0, 0.9)
    )
    return Scene(as_colour(light), objects, "electron", {})


BRIGHTFIELD: Styles = {
    "phase contrast": (0.22, draw_phase_contrast),
    "relief": (0.12, draw_relief),
    "culture": (0.24, draw_culture),
    "blood": (0.3, draw_blood),
    "electron": (0.1, draw_electron),
}


def _cells(rng: np.random.Generator, shape: Shape, *, spread: bool) -> tuple[Plane, Labels, float]:
    """Thickness of a layer of cells, 0 to about 1.5, with organelles; labels; their radius."""
    radius = max(2.0, min(shape) * log_uniform(rng, 0.02, 0.11))
    count = int(np.clip(shape[0] * shape[1] / radius**2 * rng.uniform(0.03, 0.18), 2, 170))
    points = clustered(rng, shape, count, radius * rng.uniform(0.9, 2), radius)
    thickness, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    turn = smooth_field(rng, shape, 0.4 * max(shape)) + rng.uniform(0, 3)
    for number, point in enumerate(points, start=1):
        y, x = (int(np.clip(p, 0, s - 1)) for p, s in zip(point, shape, strict=True))
        blob = make_blob(
            rng, point, radius * rng.lognormal(0.25 if spread else 0, 0.2),
            flatness=rng.uniform(0.22, 0.6) if spread else rng.uniform(0.75, 1),
            wobble=0.14 if spread else 0.04,
            angle=float(turn[y, x]) + rng.normal(0, 0.3), orders=5,
        )  # fmt: skip
        window, depth, _ = blob.inside(shape, 3)
        inner = np.maximum(depth, 0) / np.float32(0.5 * blob.radius * blob.flatness + 1)
        dome = (1 - np.exp(-2 * inner)) * np.float32(rng.uniform(0.5, 1.1))
        thickness[window] = np.maximum(thickness[window], dome.astype(np.float32))
        objects[window][depth > 0] = number
        if blob.radius * blob.flatness > 4:
            core = make_blob(rng, point, 0.45 * blob.radius * blob.flatness**0.5, wobble=0.05)
            window, depth, _ = core.inside(shape)
            thickness[window] += np.float32(rng.uniform(0, 0.35)) * cover(depth, 2.5)
    thickness += np.float32(0.3) * specks(rng, shape, int(rng.poisson(12)), 1.2)
    return thickness, objects, radius


def _ring(depth: Plane, radius: float, focus: float, strength: float) -> Plane:
    """A refracting ball out of focus: bright inside a dark rim, or the other way about."""
    rim = np.exp(-np.square(depth / np.float32(max(0.9, 0.18 * radius))))
    inner = np.exp(-np.square((depth - radius) / np.float32(0.6 * radius)))
    outer = np.exp(-np.square((depth + 0.35 * radius) / np.float32(0.2 * radius + 0.6)))
    return np.float32(strength) * (focus * (0.7 * inner + 0.4 * outer) - 0.8 * rim)


def _white_cells(
    rng: np.random.Generator, shape: Shape, radius: float, objects: Labels, red: Plane
) -> tuple[Plane, Labels]:
    """Add leucocytes with lobed nuclei, and platelets: density of the violet dye, and labels."""
    violet = np.zeros(shape, np.float32)
    number = int(objects.max())
    for point in rng.uniform(0.1, 0.9, size=(int(rng.poisson(1.0)), 2)) * shape:
        number += 1
        body = make_blob(rng, point, radius * rng.uniform(1.4, 1.9), wobble=0.05)
        window, depth, _ = body.inside(shape, 3)
        inside = cover(depth, 2)
        red[window] *= 1 - inside * 0.85
        grains = np.maximum(1 + 0.25 * cloudy_field(rng, depth.shape, max(2.0, 0.2 * radius)), 0)
        violet[window] += np.float32(rng.uniform(0.08, 0.3)) * inside * grains
        objects[window][depth > 0] = number
        lobes = int(rng.integers(1, 5))
        for _ in range(lobes):
            place = point + rng.normal(0, 0.35 if lobes > 1 else 0.1, size=2) * radius
            size = radius * (rng.uniform(0.5, 0.75) if lobes > 1 else rng.uniform(0.9, 1.3))
            window, depth, _ = make_blob(rng, place, size, flatness=rng.uniform(0.6, 1)).inside(
                shape
            )
            chromatin = (
                1 + 0.2 * cloudy_field(rng, depth.shape, max(2.0, 0.25 * radius))
                if depth.size
                else depth
            )
            violet[window] = np.maximum(violet[window], cover(depth, 2.5) * chromatin)
    for point in rng.uniform(0, 1, size=(int(rng.poisson(2)), 2)) * shape:
        window, depth, _ = make_blob(
            rng, point, radius * rng.uniform(0.15, 0.3), wobble=0.1
        ).inside(shape)
        violet[window] += np.float32(0.45) * cover(depth, 1.5)
    return violet, objects


def _camera(rng: np.random.Generator, light: Plane, tint: np.ndarray) -> Colour:
    """Blur, expose and tint; colour only where the tint has some."""
    dirt = specks(rng, light.shape, int(rng.poisson(3)), 3.0)
    light = light - np.float32(rng.uniform(0, 0.15)) * wide_blur(dirt, rng.uniform(0.8, 3))
    plane = blur(light.astype(np.float32), log_uniform(rng, 0.3, 1.2))
    if float(np.ptp(tint)) < 1e-3:
        return as_colour(sensor(rng, plane, photons=log_uniform(rng, 900, 60000)))
    return _noisy(rng, fringe(rng, plane[:, :, None] * tint, 1.0))


def _noisy(rng: np.random.Generator, light: Colour) -> Colour:
    """Noise of a colour camera: fine in brightness, blotchy in colour."""
    grey = brightness(light)
    noise = sensor(rng, grey, photons=log_uniform(rng, 1500, 80000)) - grey
    blotches = log_uniform(rng, 0.0007, 0.008)
    chroma = colour_blotches(rng, grey.shape, 2.2)
    return light + noise[:, :, None] + np.float32(blotches) * chroma
