"""Copies a region: within a panel, into another panel, or out of a panel that is not shown."""

import math
from typing import Any

import cv2
import numpy as np

from tamperscope.synth.blending import blend
from tamperscope.synth.geometry import (
    Box,
    affine,
    bounds,
    box_of,
    compose,
    grown,
    map_points,
    shift,
    warp,
    warp_mask,
)
from tamperscope.synth.sample import Forgery, Link, Mask, Matrix, Pixels, UnfitError, no_mask
from tamperscope.synth.shapes import draw_region
from tamperscope.synth.tone import apply_tone, grey, is_grey, matched
from tamperscope.synth.work import Work

PLACES = 16  # draws of a place for a copy
RING = 6  # pixels around a copy by which a place is chosen where it fits
LEAST_TARGET = 6  # pixels, shorter side of a copy
LEAST_CHANGE = 2.0  # mean change in grey levels; less is nothing that anybody could see


def copy_move(work: Work) -> Forgery:
    """Copy one region to one or more other places of its panel."""
    panel = work.panel()
    region, shape = draw_region(panel.pixels, work.settings.shapes, work.rng)
    low, high = work.settings.copies
    wanted = int(work.rng.integers(low, high + 1))
    canvas, taken = panel.pixels, region.copy()
    links: list[Link] = []
    done = []
    for _ in range(wanted):
        try:
            canvas, link, told = lay_region(work, panel.pixels, region, canvas, taken)
        except UnfitError:
            if not links:
                raise
            break
        taken |= link.target
        links.append(link)
        done.append(told)
    targets = no_mask(canvas)
    for link in links:
        targets |= link.target
    return Forgery(
        "copy-move", (canvas,), (panel.pixels,), (targets,), tuple(links),
        (panel.name,), (panel.group,), {"shape": shape, "copies": done},
    )  # fmt: skip


def paste(work: Work) -> Forgery:
    """Paste a region of one panel into another; both are shown."""
    first, second = _two_panels(work)
    region, shape = draw_region(first.pixels, work.settings.shapes, work.rng)
    canvas, link, told = lay_region(work, first.pixels, region, second.pixels, None)
    link = Link(link.source, link.target, link.matrix, 0, 1)
    return Forgery(
        "duplicate", (first.pixels, canvas), (first.pixels, second.pixels),
        (no_mask(canvas), link.target), (link,), (first.name, second.name),
        (first.group, second.group), {"shape": shape, "copies": [told]},
    )  # fmt: skip


def splice(work: Work) -> Forgery:
    """Paste a region of a panel that is not shown."""
    donor, host = _two_panels(work)
    region, shape = draw_region(donor.pixels, work.settings.shapes, work.rng)
    canvas, link, told = lay_region(work, donor.pixels, region, host.pixels, None)
    return Forgery(
        "splice", (canvas,), (host.pixels,), (link.target,), (),
        (host.name, donor.name), (host.group,), {"shape": shape, "copies": [told]},
    )  # fmt: skip


def _two_panels(work: Work) -> Any:
    first = work.panel()
    return first, work.stranger(first)


def lay_region(
    work: Work, pixels: Pixels, region: Mask, canvas: Pixels, taken: Mask | None
) -> tuple[Pixels, Link, dict[str, Any]]:
    """Lay a changed copy of ``region`` of ``pixels`` somewhere on ``canvas``.

    Args:
        work: Settings of geometry, tone and blending; random numbers.
        pixels: Where the region is taken from.
        region: Mask of it.
        canvas: What it is laid on; not written to.
        taken: Where it must not come to lie; None where ``pixels`` is another panel.

    Returns:
        A new canvas, the link (of panel 0 to panel 0), and what was drawn, as JSON values.

    Raises:
        UnfitError: No place was found.
    """
    settings, rng = work.settings, work.rng
    steps = settings.tone.draw(rng)
    way = settings.blending.draw(rng)
    foreign = taken is None
    fit = settings.fit > 0 and rng.random() < settings.fit
    match = foreign and rng.random() < settings.tone.match
    if foreign and is_grey(canvas) and not is_grey(pixels):
        pixels = grey(pixels)  # a grey figure shows no colour
    laid: tuple[Pixels, Link, dict[str, Any]] | None = None
    least = math.inf
    for _ in range(PLACES):
        matrix, box = landing(box_of(region), settings.geometry.draw(rng), canvas.shape[:2], rng)
        if box is None:
            continue
        box = grown(box, canvas.shape[:2], RING if fit else 1)
        inside = warp_mask(region, matrix, box)
        if not inside.any() or (taken is not None and (taken[box.slices] & inside).any()):
            continue
        patch = warp(pixels, matrix, box)
        if match:
            patch = matched(patch, inside, canvas[box.slices])
        apart = _apart_around(patch, canvas[box.slices], inside) if fit else 0.0
        patch, done = apply_tone(patch, steps, rng)
        if mean_change(patch, canvas[box.slices], inside) < LEAST_CHANGE:
            continue
        if apart >= least:
            continue
        least = apart
        target = no_mask(canvas)
        target[box.slices] = inside
        told = {"match": bool(match), "tone": [list(s) for s in done], "blending": list(way)}
        laid = blend(canvas, patch, inside, box, way), Link(region, target, matrix), told
        if not fit:
            break
    if laid is None:
        raise UnfitError(f"no place for a copy in {PLACES} draws")
    return laid


def _apart_around(patch: Pixels, under: Pixels, inside: Mask) -> float:
    """Mean difference around a patch between its own surroundings and what it would lie in."""
    kernel = np.ones((2 * RING + 1, 2 * RING + 1), dtype=np.uint8)
    around = cv2.dilate(inside.astype(np.uint8), kernel).astype(bool) & ~inside
    return mean_change(patch, under, around) if around.any() else 255.0


def mean_change(patch: Pixels, under: Pixels, inside: Mask) -> float:
    """Mean difference in grey levels that a patch makes where ``inside`` is set."""
    apart = np.abs(patch[inside].astype(np.int16) - under[inside])
    return int(apart.sum(dtype=np.int64)) / apart.size


def landing(
    region: Box, linear: Matrix, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Matrix, Box | None]:
    """Draw where the mapped box of a region lies on a canvas; no box where it does not fit.

    Offsets are whole, so that flips and right angles copy pixels as they are.
    """
    matrix = affine(linear)
    box = bounds(map_points(matrix, region.corners))
    height, width = size
    fits = LEAST_TARGET <= box.width <= width and LEAST_TARGET <= box.height <= height
    if not fits:
        return matrix, None
    x = int(rng.integers(width - box.width + 1))
    y = int(rng.integers(height - box.height + 1))
    return compose(shift(x - box.x, y - box.y), matrix), Box(x, y, box.width, box.height)
