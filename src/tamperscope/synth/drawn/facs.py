"""Cytometry plots: density in colour, dots, contours and histograms, with axes and gates."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.axes import Frame, draw_axes, draw_gates, draw_range
from tamperscope.synth.drawn.chances import chance, log_uniform, pick
from tamperscope.synth.drawn.events import draw_events, draw_populations
from tamperscope.synth.drawn.optics import blur
from tamperscope.synth.drawn.scene import Colour, Labels, Plane, Scene, Shape, Style, Styles

LARGEST_FINE = 1024  # pixels of a side; larger panels are fine enough
SEEN = 0.25  # share of ink from which a pixel counts as annotated
INKS = (
    (0.05, 0.05, 0.05),
    (0.7, 0.05, 0.05),
    (0.15, 0.25, 0.75),
    (0.1, 0.5, 0.2),
    (0.35, 0.35, 0.35),
)
SCALES = {  # colours from few events to many
    "rainbow": ((0, 0, 0.55), (0, 0.2, 1), (0, 0.9, 0.9), (0.5, 1, 0.4), (1, 0.9, 0), (1, 0.1, 0)),
    "blue start": (
        (0.22, 0.4, 0.7),
        (0.2, 0.45, 0.8),
        (0.2, 0.75, 0.75),
        (0.5, 0.9, 0.35),
        (1, 0.75, 0.1),
        (0.95, 0.2, 0.1),
    ),
    "viridis": (
        (0.27, 0, 0.33),
        (0.25, 0.27, 0.53),
        (0.16, 0.47, 0.56),
        (0.13, 0.66, 0.52),
        (0.48, 0.82, 0.32),
        (0.99, 0.91, 0.14),
    ),
    "heat": ((0.15, 0, 0), (0.5, 0, 0), (0.9, 0.1, 0), (1, 0.5, 0), (1, 0.85, 0.1), (1, 1, 0.7)),
}


def draw_density(rng: np.random.Generator, shape: Shape) -> Scene:
    """Dots coloured by how many there are around."""
    name = pick(rng, {"rainbow": 0.4, "blue start": 0.35, "viridis": 0.15, "heat": 0.1})
    table = _table(SCALES[name])

    def paint(counts: Plane, near: Plane) -> tuple[Colour, NDArray[np.bool_]]:
        seen = counts > 0
        level = np.zeros_like(near)
        if seen.any():
            own = near[seen]
            top = np.float32(np.percentile(own, 99.5))
            level[seen] = np.clip(own / np.maximum(top, np.float32(1e-6)), 0, 1) ** np.float32(
                power
            )
        return table[(level * 255).astype(np.int32)], seen

    power = rng.uniform(0.4, 1.0)
    return _plot(rng, shape, "density", paint, log_uniform(rng, 1200, 60000), {"scale": name})


def draw_dots(rng: np.random.Generator, shape: Shape) -> Scene:
    """Dots in one colour."""
    colour = np.array(INKS[int(rng.integers(len(INKS)))], np.float32)

    def paint(counts: Plane, near: Plane) -> tuple[Colour, NDArray[np.bool_]]:
        return np.broadcast_to(colour, (*counts.shape, 3)), counts > 0

    return _plot(rng, shape, "dots", paint, log_uniform(rng, 400, 15000), {})


def draw_contours(rng: np.random.Generator, shape: Shape) -> Scene:
    """Lines of equal density, or filled steps; rare events as dots outside."""
    levels = int(rng.integers(4, 11))
    colour = np.array(INKS[int(rng.integers(len(INKS)))], np.float32)
    filled, dots = chance(rng, 0.3), chance(rng, 0.6)

    def paint(counts: Plane, near: Plane) -> tuple[Colour, NDArray[np.bool_]]:
        top = max(float(near.max()), 1e-6)
        steps = top * np.linspace(0.03, 0.95, levels) ** rng.uniform(1.0, 1.8)
        down, right = np.gradient(near)
        steep = np.maximum(np.hypot(down, right), 1e-9 + 1e-4 * top)
        line = np.zeros_like(near)
        for step in steps:
            line = np.maximum(line, 1 - np.abs(near - np.float32(step)) / (steep * 0.8))
        ink = np.clip(line, 0, 1)
        if dots:
            ink = np.maximum(ink, (counts > 0) & (near < steps[0]))
        ground = np.ones_like(near)
        if filled:
            ground -= np.float32(0.9) * np.searchsorted(steps, near) / levels
        image = ground[:, :, None] * (1 - ink[:, :, None]) + colour * ink[:, :, None]
        return image.astype(np.float32), (ink > 0.3) | (ground < 1)

    return _plot(rng, shape, "contours", paint, log_uniform(rng, 1500, 30000), {"filled": filled})


def draw_histogram(rng: np.random.Generator, shape: Shape) -> Scene:
    """One marker: curves over a common axis, laid over one another or stacked."""
    light, objects, ink, frame = _page(rng, shape)
    curves = int(rng.integers(1, 5))
    stacked = curves > 1 and chance(rng, 0.4)
    bins = np.linspace(0, 1, frame.width, dtype=np.float32)
    smooth = log_uniform(rng, 0.006, 0.035) * frame.width
    fill = chance(rng, 0.65)
    columns = np.clip(np.arange(frame.width) + frame.left, 0, shape[1] - 1)
    used = (np.arange(frame.width) + frame.left >= 0) & (
        np.arange(frame.width) + frame.left < shape[1]
    )
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    for number in range(curves, 0, -1):
        kinds = draw_populations(rng)[1][: int(rng.integers(1, 4))]
        events = draw_events(rng, kinds, int(log_uniform(rng, 300, 20000)))
        counts = np.histogram(np.concatenate(events)[:, 0], bins=np.append(bins, 1.01))[0]
        curve = blur(counts.astype(np.float32)[None, :], smooth)[0]
        tall = frame.height * (0.9 / (0.6 * curves + 0.4) if stacked else rng.uniform(0.7, 0.97))
        base = frame.top + frame.height - (0.55 * tall * (number - 1) if stacked else 0)
        edge = base - curve / max(float(curve.max()), 1e-6) * tall
        colour = np.array(INKS[int(rng.integers(len(INKS)))], np.float32)
        band = np.clip(rows - edge[None, :], 0, 1) * np.clip(base - rows, 0, 1)
        slope = np.sqrt(1 + np.gradient(edge) ** 2)
        line = np.clip(
            1.0 - np.abs(rows - edge[None, :]) / slope / np.float32(0.7 * frame.line), 0, 1
        )
        part = light[:, columns[used]]
        if fill:
            share = (band * np.float32(rng.uniform(0.25, 0.8)))[:, used, None]
            part = part * (1 - share) + share * colour
            own = objects[:, columns[used]]
            own[band[:, used] > 0.9] = number
            objects[:, columns[used]] = own
        part = part * (1 - line[:, used, None]) + colour * line[:, used, None]
        light[:, columns[used]] = part
    draw_axes(rng, ink, frame, linear=(chance(rng, 0.2), True), counts=True)
    if chance(rng, 0.35):
        draw_range(rng, ink, frame)
    return _finish(light, objects, ink, "histogram", {"curves": curves, "stacked": stacked})


def draw_row(rng: np.random.Generator, shape: Shape) -> Scene:
    """Two neighbouring plots of a gating strategy; the picture may cut through both."""
    wide = max(16, round(shape[1] * rng.uniform(0.5, 0.85)))
    plots = []
    for _ in range(2):
        name = pick(rng, {name: weight for name, (weight, _) in PLOTS.items()})
        plots.append(PLOTS[name][1](rng, (shape[0], wide)))
    start = int(rng.integers(2 * wide - shape[1] + 1))
    window = slice(start, start + shape[1])
    second = np.where(plots[1].objects > 0, plots[1].objects + plots[0].objects.max(), 0)
    objects = np.concatenate([plots[0].objects, second], axis=1)[:, window].astype(np.int32)
    light = np.concatenate([plot.light for plot in plots], axis=1)[:, window]
    marks = np.concatenate([plot.marks for plot in plots], axis=1)[:, window]
    names = [plot.style for plot in plots]
    return Scene(light, objects, "row", {"plots": names}, marks=marks, digital=True)


def finely(draw: Style) -> Style:
    """Let half of the plots be drawn larger and scaled down, as figures are made."""

    def scaled(rng: np.random.Generator, shape: Shape) -> Scene:
        share = rng.uniform(1.1, 2.0) if chance(rng, 0.6) else 1.0
        if share == 1.0 or max(shape) > LARGEST_FINE:
            return draw(rng, shape)
        scene = draw(rng, (round(shape[0] * share), round(shape[1] * share)))
        size = shape[::-1]
        scene.light = cv2.resize(scene.light, size, interpolation=cv2.INTER_AREA)
        ink = np.asarray(scene.marks, dtype=np.float32)
        scene.marks = cv2.resize(ink, size, interpolation=cv2.INTER_AREA) >= SEEN
        small = cv2.resize(
            scene.objects.astype(np.float32), size, interpolation=cv2.INTER_NEAREST_EXACT
        )
        scene.objects = np.where(scene.marks, 0, small).astype(np.int32)
        scene.parameters["drawn_larger"] = round(float(share), 3)
        return scene

    return scaled


PLOTS: Styles = {
    "density": (0.42, draw_density),
    "dots": (0.2, draw_dots),
    "contours": (0.2, draw_contours),
    "histogram": (0.18, draw_histogram),
}
FACS: Styles = {
    **{name: (0.75 * weight, finely(draw)) for name, (weight, draw) in PLOTS.items()},
    "histogram": (0.14, draw_histogram),  # its lines are smooth as they are
    "row": (0.25, finely(draw_row)),
}

Paint = Callable[[Plane, Plane], tuple[Colour, NDArray[np.bool_]]]


def _page(rng: np.random.Generator, shape: Shape) -> tuple[Colour, Labels, Plane, Frame]:
    """White paper and a frame on it; sometimes only part of a larger plot is in the picture."""
    light = np.ones((*shape, 3), np.float32)
    if chance(rng, 0.04):
        light *= np.float32(rng.uniform(0.9, 0.99))
    zoom = 1.0 if chance(rng, 0.75) else rng.uniform(1.05, 1.6)
    text = int(np.clip(min(shape) * zoom * rng.uniform(0.035, 0.075), 5, 60))
    bare = chance(rng, 0.12)
    left = 2 if bare else round(5.4 * text)
    bottom = 2 if bare else round(4.2 * text)
    top = 2 if bare else round(rng.uniform(1.9, 2.7) * text)
    whole = (max(24, round(shape[0] * zoom)), max(24, round(shape[1] * zoom)))
    if not bare:
        whole = max(whole[0], left + 20), max(whole[1], left + 20)
    size = max(8, whole[0] - top - bottom), max(8, whole[1] - left - max(2, text))
    shift = [round(rng.uniform(0, max(w - s, 0))) for w, s in zip(whole, shape, strict=True)]
    line = max(1, round(min(whole) / rng.uniform(120, 320)))
    frame = Frame(
        top - shift[0], left - shift[1], *size, text, int(rng.choice([0, 0, 0, 0, 1, 3])), line
    )
    return light, np.zeros(shape, np.int32), np.zeros(shape, np.float32), frame


def _plot(
    rng: np.random.Generator,
    shape: Shape,
    name: str,
    paint: Paint,
    count: float,
    more: dict[str, object],
) -> Scene:
    light, objects, ink, frame = _page(rng, shape)
    kind, populations = draw_populations(rng)
    events = draw_events(rng, populations, int(count))
    dot = int(np.clip(round(min(frame.height, frame.width) / rng.uniform(120, 350)), 1, 6))
    grids = [_counts(part, frame, dot) for part in events]
    counts = np.sum(grids, axis=0)
    spread = log_uniform(rng, *((0.014, 0.035) if name == "contours" else (0.008, 0.025))) * min(
        counts.shape
    )
    image, seen = paint(counts, blur(counts, spread))
    labels = np.argmax([blur(g, spread) for g in grids], axis=0).astype(np.int32) + 1
    place, inside = zip(*_overlap(shape, frame), strict=True)
    light[place] = np.where(seen[inside][:, :, None], image[inside], light[place])
    objects[place] = np.where(seen[inside], labels[inside], 0)
    linear = (kind != "markers", kind != "markers")
    draw_axes(rng, ink, frame, linear=linear, counts=False)
    gates = draw_gates(rng, ink, frame, [p.middle for p in populations[:3]])
    found = {"populations": len(populations), "axes": kind, "gates": gates, **more}
    return _finish(light, objects, ink, name, found)


def _overlap(shape: Shape, frame: Frame) -> list[tuple[slice, slice]]:
    """Rows, then columns, that panel and frame share: as seen from the panel, from the frame."""
    spans = []
    for start, length, side in zip(
        (frame.top, frame.left), (frame.height, frame.width), shape, strict=True
    ):
        low, high = max(start, 0), min(start + length, side)
        high = max(low, high)
        spans.append((slice(low, high), slice(low - start, high - start)))
    return spans


def _counts(events: NDArray[np.float32], frame: Frame, dot: int) -> Plane:
    """Count events per pixel of the frame; each is a square of ``dot`` pixels."""
    rows = ((1 - events[:, 1]) * (frame.height - 1)).astype(np.int64)
    columns = (events[:, 0] * frame.width).astype(np.int64)
    flat = np.bincount(rows * frame.width + columns, minlength=frame.height * frame.width)
    counts = (
        flat[: frame.height * frame.width].reshape(frame.height, frame.width).astype(np.float32)
    )
    if dot > 1:
        grown = counts.copy()
        for y in range(dot):
            for x in range(dot):
                if y or x:
                    grown[y:, x:] += counts[: frame.height - y, : frame.width - x]
        counts = grown
    return counts


def _table(colours: tuple[tuple[float, ...], ...]) -> NDArray[np.float32]:
    places = np.linspace(0, 255, len(colours))
    steps = np.arange(256)
    table = [np.interp(steps, places, [c[k] for c in colours]) for k in range(3)]
    return np.stack(table, axis=1).astype(np.float32)


def _finish(
    light: Colour, objects: Labels, ink: Plane, name: str, parameters: dict[str, object]
) -> Scene:
    share = ink[:, :, None]
    light = light * (1 - share)
    marks = ink >= SEEN
    objects[marks] = 0
    return Scene(light, objects, name, dict(parameters), marks=marks, digital=True)
