"""Western blots: strips on film, whole membranes, and chemiluminescence as a camera saves it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.bands import draw_amounts, draw_shape, stamp_band
from tamperscope.synth.drawn.chances import chance, log_uniform
from tamperscope.synth.drawn.fields import cloudy_field, fibrous_field, smooth_field
from tamperscope.synth.drawn.noise import film_grain, hot_pixels, scratches, sensor, specks
from tamperscope.synth.drawn.optics import blur, uneven_light, wide_blur
from tamperscope.synth.drawn.scene import Labels, Plane, Scene, Shape, Styles, as_colour
from tamperscope.synth.drawn.shapes import make_blob


def draw_strip(rng: np.random.Generator, shape: Shape) -> Scene:
    """One antibody: a single row of bands on film, cut closely."""
    amounts, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    lanes = _lanes(rng, shape[1])
    height = min(log_uniform(rng, 0.025, 0.11) * shape[0], 0.3 * lanes[1])
    row = rng.uniform(0.3, 0.7) * shape[0]
    _row(rng, amounts, objects, lanes[0], lanes[1], row, height)
    if chance(rng, 0.3):
        other = row + rng.choice([-1, 1]) * rng.uniform(3, 6) * height
        _row(rng, amounts, objects, lanes[0], lanes[1], other, height * 0.8)
    _haze(rng, amounts, lanes)
    light = _film(rng, amounts)
    return Scene(as_colour(light), objects, "strip", {"lanes": len(lanes[0])})


def draw_stack(rng: np.random.Generator, shape: Shape) -> Scene:
    """Several antibodies above one another, each on its own strip, as figures show them."""
    page = np.ones(shape, np.float32)
    objects = np.zeros(shape, np.int32)
    count = int(np.clip(rng.integers(2, 7), 1, max(1, shape[0] // 24)))
    gap = max(1, round(shape[0] * rng.uniform(0.008, 0.05)))
    heights = rng.uniform(0.6, 1.4, size=count)
    tops = np.concatenate([[0], np.cumsum(heights) / heights.sum()]) * (shape[0] + gap)
    lanes = _lanes(rng, shape[1])
    left, right = 0, shape[1]
    if chance(rng, 0.4):
        left, right = (round(v) for v in shape[1] * np.array([rng.uniform(0, 0.08), 1.0]))
    frame = chance(rng, 0.6)
    for k in range(count):
        top, bottom = round(tops[k]), max(round(tops[k + 1]) - gap, round(tops[k]) + 4)
        bottom = min(bottom, shape[0])
        part = (bottom - top, right - left)
        amounts, own = np.zeros(part, np.float32), np.zeros(part, np.int32)
        thick = min(rng.uniform(0.05, 0.17) * part[0], 0.3 * lanes[1])
        middle = part[0] * rng.uniform(0.35, 0.65)
        _row(rng, amounts, own, lanes[0] - left, lanes[1], middle, thick)
        if chance(rng, 0.3):
            below = middle + rng.uniform(2.5, 4) * thick
            _row(rng, amounts, own, lanes[0] - left, lanes[1], below, thick * 0.7)
        _haze(rng, amounts, (lanes[0] - left, lanes[1]))
        page[top:bottom, left:right] = _film(rng, amounts)
        own[own > 0] += objects.max()
        objects[top:bottom, left:right] = own
        if frame:
            ink = np.float32(rng.uniform(0, 0.35))
            page[[top, bottom - 1], left:right] = ink
            page[top:bottom, [left, right - 1]] = ink
    return Scene(as_colour(page), objects, "stack", {"strips": count, "lanes": len(lanes[0])})


def draw_membrane(rng: np.random.Generator, shape: Shape) -> Scene:
    """A whole membrane on film: several rows, a marker, unspecific bands, stains."""
    lanes = _lanes(rng, shape[1], roomy=True)
    amounts, objects = _rows(rng, shape, lanes)
    _haze(rng, amounts, lanes)
    stains = np.maximum(cloudy_field(rng, shape, 0.4 * max(shape), fall=0.35) - 0.3, 0)
    amounts += np.float32(log_uniform(rng, 0.003, 0.12)) * stains
    light = _film(rng, amounts)
    return Scene(as_colour(light), objects, "membrane", {"lanes": len(lanes[0])})


def draw_chemiluminescence(rng: np.random.Generator, shape: Shape) -> Scene:
    """Bright bands on a dark ground: a cooled camera, and a membrane that hardly shows."""
    lanes = _lanes(rng, shape[1], roomy=True)
    amounts, objects = _rows(rng, shape, lanes)
    membrane, where = _membrane(rng, shape)
    amounts *= membrane > 0.5
    objects[membrane <= 0.5] = 0
    base = log_uniform(rng, 0.004, 0.12)
    lanes_glow = np.zeros(shape, np.float32)
    _haze(rng, lanes_glow, lanes, strength=rng.uniform(0, 0.15))
    level = base * (1 + rng.uniform(0, 2.5) * membrane * (1 + 0.25 * smooth_field(rng, shape, 60)))
    signal = amounts / (rng.uniform(0.5, 1.0) * max(float(amounts.max()), 0.8))
    glow = np.float32(rng.uniform(0.02, 0.12)) * wide_blur(signal, 0.03 * max(shape) + 1)
    light = level + blur(signal, rng.uniform(0.4, 1.3)) + glow + 0.1 * lanes_glow * membrane
    light = sensor(
        rng,
        light,
        photons=log_uniform(rng, 800, 60000),
        read=log_uniform(rng, 2e-4, 0.01),
        row=0.002 * rng.random(),
    )
    light = hot_pixels(rng, light, log_uniform(rng, 1e-6, 4e-4))
    gamma = rng.uniform(0.6, 1.1)
    light = np.clip(light, 0, 1.5) ** np.float32(gamma)
    if chance(rng, 0.25):  # many programs show the same picture inverted
        white = np.float32(rng.uniform(0.85, 1.0))
        light = np.maximum(white - light, 0)
        return Scene(as_colour(light), objects, "inverted", {"lanes": len(lanes[0]), **where})
    return Scene(as_colour(light), objects, "chemiluminescence", {"lanes": len(lanes[0]), **where})


def draw_two_colours(rng: np.random.Generator, shape: Shape) -> Scene:
    """Two infrared channels, shown red and green on black or each in grey."""
    lanes = _lanes(rng, shape[1], roomy=True)
    planes, labels = [], np.zeros(shape, np.int32)
    for _ in range(2):
        amounts, objects = _rows(rng, shape, lanes)
        _haze(rng, amounts, lanes, strength=0.1)
        signal = amounts / max(float(amounts.max()), 0.8) * rng.uniform(0.9, 1.8)
        base = log_uniform(rng, 0.01, 0.12) * (1 + 0.3 * cloudy_field(rng, shape, 60))
        planes.append(
            sensor(rng, base + blur(signal, 0.7), photons=log_uniform(rng, 200, 5000), read=0.004)
        )
        labels = np.where(objects > 0, objects + labels.max(), labels)
    light = np.stack([planes[0], planes[1], np.zeros(shape, np.float32)], axis=2)
    return Scene(np.clip(light, 0, 1), labels.astype(np.int32), "two colours", {})


def draw_dots(rng: np.random.Generator, shape: Shape) -> Scene:
    """A dot blot: rows of round spots that fade along a dilution."""
    amounts, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    rows, columns = (int(rng.integers(1, 7)) for _ in range(2))
    pitch = min(shape[0] / rows, shape[1] / columns)
    radius = pitch * rng.uniform(0.2, 0.36)
    steps = draw_amounts(rng, columns)
    ring = rng.uniform(-0.2, 0.5)
    for number in range(rows * columns):
        r, c = divmod(number, columns)
        amount = steps[c] * np.exp(0.25 * rng.standard_normal())
        middle = (np.array([r, c]) + 0.5) * np.array(shape) / (rows, columns)
        middle += rng.normal(0, 0.03 * pitch, size=2)
        own = radius * rng.uniform(0.92, 1.08)
        window, depth, _ = make_blob(rng, middle, own, wobble=0.01).inside(shape, 0.4 * own)
        away = 1 - depth / np.float32(own)
        part = np.float32(amount) * (1 + np.float32(ring) * (away**2 - 0.5))
        part /= 1 + np.exp(np.clip((away - 1) * 14, -30, 30))
        amounts[window] += part
        if amount > 0.3:
            objects[window][part > 0.45 * amount] = number + 1
    amounts *= 1 + 0.15 * cloudy_field(rng, shape, 8)
    light = _film(rng, np.maximum(amounts, 0))
    return Scene(as_colour(light), objects, "dots", {"rows": rows, "columns": columns})


WESTERN: Styles = {
    "strip": (0.2, draw_strip),
    "stack": (0.2, draw_stack),
    "membrane": (0.2, draw_membrane),
    "chemiluminescence": (0.3, draw_chemiluminescence),
    "two colours": (0.05, draw_two_colours),
    "dots": (0.05, draw_dots),
}


def _lanes(
    rng: np.random.Generator, width: int, *, roomy: bool = False
) -> tuple[NDArray[np.float64], float]:
    """Middles of the lanes in columns, and their pitch in pixels."""
    count = int(rng.integers(2, 15))
    pitch = max(width / count * (rng.uniform(0.6, 0.95) if roomy else rng.uniform(0.9, 1.2)), 5.0)
    first = rng.uniform(0.2, 0.8) * pitch if not roomy else rng.uniform(0.2, 2.0) * pitch
    middles = first + pitch * np.arange(int((width - first) / pitch) + 1)
    if roomy:
        middles = middles[: max(2, count)]
    return middles + rng.normal(0, 0.025 * pitch, size=len(middles)), float(pitch)


def _row(
    rng: np.random.Generator,
    amounts: Plane,
    objects: Labels,
    columns: NDArray[np.float64],
    pitch: float,
    row: float,
    height: float,
) -> None:
    """Stamp one band in every lane; the row smiles, slants and wanders a little."""
    shape = draw_shape(rng, pitch, max(height, 0.8))
    place = (columns - columns.mean()) / max(float(np.ptp(columns)), 1.0)
    smile, slant = rng.normal(0, 1.5, size=2) * height
    rows = row + smile * place**2 + slant * place + rng.normal(0, 0.15 * height, size=len(columns))
    first = int(objects.max()) + 1
    strong = draw_amounts(rng, len(columns))
    for k, (y, x) in enumerate(zip(rows, columns, strict=True)):
        stamp_band(rng, amounts, objects, first + k, (y, x), shape, float(min(strong[k], 9)))


def _rows(
    rng: np.random.Generator, shape: Shape, lanes: tuple[NDArray[np.float64], float]
) -> tuple[Plane, Labels]:
    """Draw one to a few rows of bands down a membrane, with fainter unspecific ones."""
    amounts, objects = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    height = max(0.7, min(log_uniform(rng, 0.006, 0.03) * shape[0], 0.16 * lanes[1]))
    count = int(rng.integers(1, 4))
    for row in rng.uniform(0.08, 0.92, size=count) * shape[0]:
        _row(rng, amounts, objects, lanes[0], lanes[1], row, height * rng.uniform(0.7, 1.4))
    faint = np.zeros(shape, np.float32)
    for row in rng.uniform(0, 1, size=int(rng.integers(0, 4))) * shape[0]:
        _row(rng, faint, np.zeros(shape, np.int32), lanes[0], lanes[1], row, height)
    amounts += np.float32(rng.uniform(0.02, 0.12)) * faint
    return amounts, objects


def _haze(
    rng: np.random.Generator,
    amounts: Plane,
    lanes: tuple[NDArray[np.float64], float],
    *,
    strength: float | None = None,
) -> None:
    """Add what smears along each lane, more in some than in others."""
    total = log_uniform(rng, 0.002, 0.12) if strength is None else strength
    x = np.arange(amounts.shape[1], dtype=np.float32)
    across = np.zeros_like(x)
    for middle in lanes[0]:
        away = np.abs(x - np.float32(middle)) / np.float32(0.45 * lanes[1])
        across += np.float32(rng.gamma(2, 0.5)) / (1 + np.exp(np.clip((away - 0.9) * 5, -30, 30)))
    clouds = fibrous_field(rng, amounts.shape, 0.4 * amounts.shape[0] + 2, lanes[1])
    amounts += np.float32(total) * across[None, :] * np.maximum(1 + clouds, 0)


def _film(rng: np.random.Generator, amounts: Plane) -> Plane:
    """Expose film or scan a stained membrane: density saturates, the paper is not quite white."""
    shape = amounts.shape
    paper = rng.uniform(0.72, 0.98) if chance(rng, 0.8) else rng.uniform(0.5, 0.75)
    black = rng.uniform(0.0, 0.16)
    density = 1 - np.exp(-blur(amounts, rng.uniform(0.3, 1.2)) * np.float32(rng.uniform(0.8, 1.5)))
    stain = log_uniform(rng, 0.004, 0.05) * cloudy_field(
        rng, shape, rng.uniform(0.15, 0.9) * max(shape)
    )
    ground = paper * (1 + stain) * uneven_light(rng, shape, log_uniform(rng, 0.005, 0.1))
    light = ground - density * (ground - black)
    if chance(rng, 0.5):
        dirt = specks(rng, shape, int(rng.poisson(4)), rng.uniform(0.5, 2.0))
        light -= np.float32(rng.uniform(0.05, 0.5)) * dirt
    if chance(rng, 0.12):
        lines = scratches(rng, shape, int(rng.integers(1, 4)))
        light += np.float32(rng.normal(0, 0.1)) * lines
    if chance(rng, 0.6):
        light = film_grain(rng, light, log_uniform(rng, 0.001, 0.02), rng.uniform(0, 1.2))
    else:
        light = sensor(
            rng, light, photons=log_uniform(rng, 2000, 80000), row=log_uniform(rng, 1e-4, 4e-3)
        )
    if chance(rng, 0.35):  # contrast until the paper is white
        light = (light - 0.02) / np.float32(paper * rng.uniform(0.88, 1.0))
    return np.asarray(light, dtype=np.float32)


def _membrane(rng: np.random.Generator, shape: Shape) -> tuple[Plane, dict[str, Any]]:
    """Draw where the membrane lies, 0 to 1; often beyond the picture."""
    if chance(rng, 0.5):
        return np.ones(shape, np.float32), {"membrane": "fills the picture"}
    y = np.arange(shape[0], dtype=np.float32)[:, None]
    x = np.arange(shape[1], dtype=np.float32)[None, :]
    tilt = rng.normal(0, 0.015)
    low, high = rng.uniform(-0.1, 0.2, size=2), rng.uniform(0.8, 1.1, size=2)
    down, right = y + tilt * x, x - tilt * y
    depth = np.minimum(
        np.minimum(down - low[0] * shape[0], high[0] * shape[0] - down),
        np.minimum(right - low[1] * shape[1], high[1] * shape[1] - right),
    )
    return np.clip(depth, 0, 1).astype(np.float32), {"membrane": "edges show"}
