"""Lays a region over itself with another history: nothing but its pixels' past gives it away.

What it shows and where it lies are right; only how it was resampled, stored and toned differs, as a
fitting piece of another photograph's would (self-blended images: Shiohara and Yamasaki, CVPR 2022).
"""

import math
from dataclasses import replace

import numpy as np

from tamperscope.synth.blending import blend
from tamperscope.synth.copying import mean_change
from tamperscope.synth.geometry import affine, box_of, compose, grown, rotation, shift, warp
from tamperscope.synth.postprocess import SMOOTH, resized, sharpened
from tamperscope.synth.sample import Forgery, Matrix, Pixels, UnfitError
from tamperscope.synth.shapes import draw_region
from tamperscope.synth.tone import apply_tone
from tamperscope.synth.work import Work

LEAST_CHANGE = 1.0  # mean change in grey levels
COARSER = 0.3  # chance that the region was seen at fewer pixels
COARSER_RANGE = (0.5, 0.9)  # of them
SHARPER = 0.15  # chance that it was sharpened
SHARPER_RANGE = (40, 160)  # in 1/256
MOVED = 0.8  # chance that it was turned, resized and moved a little
SCALES = (0.85, 1.18)
ANGLE = 6.0  # degrees, either way
OFFSET = 3.0  # pixels, either way


def reprocess(work: Work) -> Forgery:
    """Lay a region over itself, resampled, stored and toned apart from the rest."""
    bare = work.bare()
    panel = work.kept(bare)
    other = work.kept(replace(bare, pixels=_seen_otherwise(bare.pixels, work.rng)))
    region, shape = draw_region(panel.pixels, work.settings.shapes, work.rng)
    box = grown(box_of(region), panel.pixels.shape[:2])
    inside = region[box.slices]
    matrix = _little(work.rng, box.x + box.width / 2, box.y + box.height / 2)
    patch = warp(other.pixels, matrix, box)
    patch, done = apply_tone(patch, work.settings.tone.draw(work.rng), work.rng)
    if mean_change(patch, panel.pixels[box.slices], inside) < LEAST_CHANGE:
        raise UnfitError("another history changes nothing here")
    way = work.settings.blending.draw(work.rng)
    told = {"shape": shape, "tone": [list(step) for step in done], "blending": list(way)}
    return Forgery(
        "splice", (blend(panel.pixels, patch, inside, box, way),), (panel.pixels,), (region,), (),
        (panel.name,), (panel.group,), told,
    )  # fmt: skip


def _seen_otherwise(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The picture as another camera or program might have given it: coarser, or sharpened."""
    if rng.random() < COARSER:
        height, width = pixels.shape[:2]
        share = rng.uniform(*COARSER_RANGE)
        fewer = resized(pixels, (round(height * share), round(width * share)), _smooth(rng))
        pixels = resized(fewer, (height, width), _smooth(rng))
    if rng.random() < SHARPER:
        pixels = sharpened(pixels, int(rng.integers(*SHARPER_RANGE)))
    return pixels


def _smooth(rng: np.random.Generator) -> str:
    return SMOOTH[int(rng.integers(len(SMOOTH)))]


def _little(rng: np.random.Generator, x: float, y: float) -> Matrix:
    """A small turn and change of size about (x, y), and a shift; now and then none of them."""
    if rng.random() >= MOVED:
        return np.eye(3)
    linear = rotation(math.radians(rng.uniform(-ANGLE, ANGLE))) * rng.uniform(*SCALES)
    dx, dy = rng.uniform(-OFFSET, OFFSET, 2)
    whole = compose(shift(x + dx, y + dy), affine(np.round(linear, 6)), shift(-x, -y))
    return np.round(whole, 6)
