"""Panels in which nothing was changed, among them such as look as if: hard negatives."""

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.blending import mix
from tamperscope.synth.geometry import blurred
from tamperscope.synth.marks import annotate
from tamperscope.synth.resampling import SUBPIXELS
from tamperscope.synth.sample import Forgery, Pixels, SourcePanel, UnfitError, no_mask
from tamperscope.synth.tone import apply_tone, content, mean_level
from tamperscope.synth.work import Work

GAP = (0.02, 0.3)  # between neighbouring fields, in panels
DETAIL = 4.0  # grey levels that a block must spread to count as detail
SOFT = (0.05, 0.4)  # width of a soft transition, in shorter sides
STEP = (12.0, 70.0)  # grey levels that it rises by
LANE = (0.04, 0.14)  # width of a marker's lane, of the panel
BAND = (0.006, 0.03)  # height of its bands, of the panel
EDGE = (0.4, 1.4)  # standard deviation of the blur of their edges, pixels
NODES = 5  # of the grid that bends a serial section, along each side


def pristine(work: Work) -> Forgery:
    """One panel as it is."""
    return _untouched(work.panel())


def unrelated(work: Work) -> Forgery:
    """Two panels of different pictures."""
    first = work.panel()
    return _untouched(first, work.stranger(first))


def neighbours(work: Work) -> Forgery:
    """Two fields of one picture that share no pixel: one blot, one slide, one plate."""
    first, second = _two_fields(work)
    return _untouched(first, _toned(second, work))


def serial(work: Work) -> Forgery:
    """A panel, and one with its coarse structure, bent a little, and other fine detail.

    This is how serial sections of one tissue, or two exposures of two gels run alike, resemble each
    other: nothing is the same pixel by pixel.
    """
    first, other = _two_fields(work)
    sigma = round(min(work.size) * float(work.rng.uniform(0.02, 0.045)), 2)
    coarse = bent(blurred(first.pixels, sigma), work.rng).astype(np.int16)
    detail = other.pixels.astype(np.int16) - blurred(other.pixels, sigma)
    made = np.clip(coarse + detail, 0, 255).astype(np.uint8)
    if content(made, DETAIL) < content(first.pixels, DETAIL) / 2:
        raise UnfitError("the neighbouring field has too little detail for a section")
    second = SourcePanel(made, first.modality, other.name, other.group)
    return _untouched(first, _toned(second, work))


def shaded(work: Work) -> Forgery:
    """One panel that grows brighter across a soft line: a lamp's horizon, the end of a gel."""
    panel = work.panel()
    height, width = work.size
    angle = float(work.rng.integers(4)) * math.pi / 2 + float(work.rng.uniform(-0.12, 0.12))
    across = round(math.cos(angle), 4) * np.arange(width)[None, :]
    along = round(math.sin(angle), 4) * np.arange(height)[:, None] + across
    place = along.min() + float(work.rng.uniform(0.15, 0.85)) * (along.max() - along.min())
    wide = min(work.size) * float(work.rng.uniform(*SOFT))
    t = np.clip((along - place) / wide + 0.5, 0, 1)
    step = float(work.rng.uniform(*STEP)) * (1 if work.rng.random() < 0.5 else -1)
    shade = np.rint(step * (t * t * (3 - 2 * t) - 0.5)).astype(np.int16)
    made = np.clip(panel.pixels + shade[..., None], 0, 255).astype(np.uint8)
    return _untouched(replace(panel, pixels=made))


def laddered(work: Work) -> Forgery:
    """One panel with the lane of a size marker: many narrow bands between two straight sides."""
    panel = work.panel()
    height, width = work.size
    rng = work.rng
    across = max(round(width * float(rng.uniform(*LANE))), 4)
    left = int(rng.integers(width - across + 1))
    top, bottom = (round(height * float(rng.uniform(*span))) for span in ((0, 0.3), (0.6, 1)))
    opacity = np.zeros((height, width), np.uint8)
    place = float(top)
    while place < bottom:  # bands lie closer where they have run less far
        thick = max(round(height * float(rng.uniform(*BAND))), 1)
        opacity[round(place) : round(place) + thick, left : left + across] = rng.integers(110, 256)
        place += thick + 1 + (bottom - top) * float(rng.uniform(0.02, 0.12))
    opacity = blurred(opacity, round(float(rng.uniform(*EDGE)), 2))
    bright = mean_level(panel.pixels) < 128 or rng.random() < 0.25  # on gels bands glow, mostly
    ink = np.full_like(panel.pixels, int(rng.integers(200, 256) if bright else rng.integers(0, 70)))
    return _untouched(replace(panel, pixels=mix(panel.pixels, ink, opacity)))


def ruled(work: Work) -> Forgery:
    """One panel with lines drawn across, as between two exposures that are shown together."""
    panel = work.panel()
    pixels = panel.pixels.copy()
    for _ in range(int(work.rng.integers(1, 3))):
        thick = int(work.rng.integers(1, 5))
        level = int(work.rng.choice((0, 255, int(work.rng.integers(40, 216)))))
        axis = int(work.rng.random() < 0.35)
        place = int(work.rng.integers(thick, pixels.shape[axis] - thick))
        (pixels if axis == 0 else pixels.swapaxes(0, 1))[place : place + thick] = level
    return _untouched(replace(panel, pixels=pixels))


def periodic(work: Work) -> Forgery:
    """One panel of a texture that repeats by its nature."""
    return _untouched(_texture(work))


def periodic_pair(work: Work) -> Forgery:
    """Two panels of one kind of repeating texture, each with its own noise."""
    state = work.rng.integers(2**63, size=2)
    first = _texture(work, np.random.default_rng([int(state[0]), 1]))
    second = _texture(work, np.random.default_rng([int(state[0]), 1]), int(state[1]))
    return _untouched(first, second)


def annotated(work: Work) -> Forgery:
    """One panel with several labels of one kind."""
    return _labelled(_untouched(work.panel()), work)


def annotated_pair(work: Work) -> Forgery:
    """Two unrelated panels with the same arrow, letter or scale bar."""
    return _labelled(unrelated(work), work)


def _untouched(*panels: SourcePanel) -> Forgery:
    pixels = tuple(panel.pixels for panel in panels)
    return Forgery(
        "pristine", pixels, pixels, tuple(no_mask(p) for p in pixels), (),
        tuple(dict.fromkeys(panel.name for panel in panels)),
        tuple(panel.group for panel in panels),
    )  # fmt: skip


def _labelled(forgery: Forgery, work: Work) -> Forgery:
    panels, marks = annotate(forgery.panels, work.modality, work.rng, most=3)
    return Forgery(
        forgery.kind, panels, (None,) * len(panels), forgery.targets, (),
        forgery.names, forgery.groups, {"labels": marks},
    )  # fmt: skip


def _two_fields(work: Work) -> tuple[SourcePanel, SourcePanel]:
    height, width = work.size
    gap = work.rng.uniform(*GAP)
    side = work.rng.random() < 0.5
    tall, wide = (height, round(width * (2 + gap))) if side else (round(height * (2 + gap)), width)
    field = work.panel((tall, wide))
    views = [field.pixels[:height, :width], field.pixels[tall - height :, wide - width :]]
    if work.rng.random() < 0.5:
        views.reverse()
    first, second = (
        SourcePanel(np.ascontiguousarray(view), field.modality, field.name, field.group)
        for view in views
    )
    return first, second


def _toned(panel: SourcePanel, work: Work) -> SourcePanel:
    pixels, _ = apply_tone(panel.pixels, work.settings.tone.draw(work.rng), work.rng)
    return SourcePanel(pixels, panel.modality, panel.name, panel.group)


def bent(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Displace pixels by a smooth random field of up to 3 % of the shorter side."""
    height, width = pixels.shape[:2]
    reach = 0.03 * min(height, width)
    rows, columns = (
        _between_nodes(rng.uniform(-reach, reach, (NODES, NODES)), height, width) for _ in range(2)
    )
    x = np.floor((columns + np.arange(width)) * SUBPIXELS + 0.5).astype(np.int64)
    y = np.floor((rows + np.arange(height)[:, None]) * SUBPIXELS + 0.5).astype(np.int64)
    whole = np.stack([x >> 5, y >> 5], axis=2).astype(np.int16)
    parts = ((y & (SUBPIXELS - 1)) * SUBPIXELS + (x & (SUBPIXELS - 1))).astype(np.uint16)
    drawn = cv2.remap(pixels, whole, parts, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, dtype=np.uint8)


def _between_nodes(nodes: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Interpolate a grid of nodes to (height, width), linearly with a smooth step."""
    for length in (height, width):
        place = np.arange(length) * (NODES - 1) / max(length - 1, 1)
        low = np.minimum(place.astype(int), NODES - 2)
        t = place - low
        t = (t * t * (3 - 2 * t))[:, None]
        nodes = (nodes[low] * (1 - t) + nodes[low + 1] * t).T
    return nodes


def _texture(
    work: Work, rng: np.random.Generator | None = None, noise_seed: int | None = None
) -> SourcePanel:
    """A lattice of dots, stripes, a mesh or bricks in two tones of a real panel."""
    panel = work.panel()
    rng = rng or work.rng
    height, width = work.size
    period = float(rng.uniform(0.03, 0.14)) * min(work.size)
    angle = round(float(rng.uniform(0, math.pi)), 4) if rng.random() < 0.6 else 0.0
    stretch = float(rng.uniform(0.6, 1.6))
    name = ("dots", "stripes", "mesh", "bricks")[int(rng.integers(4))]
    own = rng if noise_seed is None else np.random.default_rng(noise_seed)
    x = np.arange(width)[None, :] + float(own.uniform(0, period))
    y = np.arange(height)[:, None] + float(own.uniform(0, period))
    u = (x * math.cos(angle) + y * math.sin(angle)) / period
    v = (y * math.cos(angle) - x * math.sin(angle)) / (period * stretch)
    if name == "bricks":
        u = u + 0.5 * (np.floor(v) % 2)
    strength = own.uniform(0.75, 1.0, (64, 64))[
        np.floor(v).astype(int) % 64, np.floor(u).astype(int) % 64
    ]
    level = np.clip(_pattern(name, u, v) * strength, 0, 1)
    ordered = np.sort(panel.pixels[::4, ::4].reshape(-1, 3), axis=0)
    dark, bright = (ordered[int(len(ordered) * q)].astype(np.float64) for q in (0.1, 0.92))
    if rng.random() < 0.4:
        dark, bright = bright, dark
    made = np.rint(dark + level[..., None] * (bright - dark)).astype(np.uint8)
    amount = round(float(own.uniform(1.5, 5.0)), 2)
    made, _ = apply_tone(blurred(made, 0.8), (("noise", amount),), own)
    return SourcePanel(made, panel.modality, panel.name, panel.group)


def _pattern(name: str, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """One period of a texture, 0..1; bright marks lie in the middle of cells."""
    du, dv = u - np.floor(u) - 0.5, v - np.floor(v) - 0.5
    if name == "dots":
        return np.clip(2.2 - 14 * (du * du + dv * dv), 0, 1)
    if name == "stripes":
        return np.broadcast_to(0.5 + 0.5 * np.cos(2 * math.pi * du), np.broadcast(u, v).shape)
    edge = np.minimum(0.5 - np.abs(du), 0.5 - np.abs(dv))
    if name == "mesh":
        return np.clip((edge - 0.06) * 12, 0, 1)
    return np.clip((edge - 0.03) * 25, 0, 1) * 0.9  # bricks: thin joints
