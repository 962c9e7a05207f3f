"""Removes something from a panel: painted over, filled in from around, or stamped over."""

from dataclasses import replace

import cv2
import numpy as np

from tamperscope.synth.blending import membrane, mix, soft_edge
from tamperscope.synth.geometry import Box, blurred, box_of, grown, shift, warp
from tamperscope.synth.sample import Forgery, Mask, Pixels, UnfitError
from tamperscope.synth.shapes import draw_region
from tamperscope.synth.tone import noisy
from tamperscope.synth.work import Work

FILLS = ("one tone", "membrane", "membrane and noise", "telea", "blur", "stamp")
MARGIN = 12  # pixels around a region that tell what belongs there
OBJECT_CHANCE = 0.6  # of a region that is a cell or a band, where the panel has any
LEAST_CHANGE = 2.0  # mean change in grey levels; less is nothing that anybody could see


def erase(work: Work) -> Forgery:
    """Make a region of a panel look like its surroundings."""
    panel = work.panel()
    shapes = replace(work.settings.shapes, objects=_weight_of_objects(work))
    region, shape = draw_region(panel.pixels, shapes, work.rng)
    fill = FILLS[int(work.rng.integers(len(FILLS)))]
    box = grown(box_of(region), region.shape, MARGIN)
    under, inside = panel.pixels[box.slices], region[box.slices]
    if inside.all():
        raise UnfitError("the region fills the panel: nothing is around it")
    filled = _filled(fill, under, inside, panel.pixels, box, work)
    soft = work.rng.random() < 0.5
    opacity = soft_edge(inside, 1.0) if soft else inside.astype(np.uint8) * 255
    made = mix(under, filled, opacity)
    apart = np.abs(made[inside].astype(np.int16) - under[inside])
    if int(apart.sum(dtype=np.int64)) < LEAST_CHANGE * apart.size:
        raise UnfitError("there was nothing to erase")
    canvas = panel.pixels.copy()
    canvas[box.slices] = made
    return Forgery(
        "erase", (canvas,), (panel.pixels,), (region,), (), (panel.name,), (panel.group,),
        {"shape": shape, "fill": fill, "soft": soft},
    )  # fmt: skip


def _weight_of_objects(work: Work) -> float:
    shapes = work.settings.shapes
    others = shapes.box + shapes.ellipse + shapes.free
    return max(shapes.objects, others * OBJECT_CHANCE / (1 - OBJECT_CHANCE))


def _filled(fill: str, under: Pixels, inside: Mask, panel: Pixels, box: Box, work: Work) -> Pixels:
    if fill == "one tone":
        level = np.floor(np.median(under[~inside], axis=0) + 0.5).astype(np.uint8)
        return np.broadcast_to(level, under.shape)
    if fill == "telea":
        return np.asarray(cv2.inpaint(under, inside.astype(np.uint8), 3, cv2.INPAINT_TELEA))
    if fill == "blur":
        return blurred(under, float(round(work.rng.uniform(4, 9), 2)))
    if fill == "stamp":
        return _stamped(inside, panel, box, work)
    smooth = membrane(under.astype(np.float32), inside)
    flat = np.clip(np.rint(smooth), 0, 255).astype(np.uint8)
    return noisy(flat, _noise(under, inside), work.rng) if fill == "membrane and noise" else flat


def _noise(under: Pixels, inside: Mask) -> float:
    """Noise of what is around, from the differences of neighbouring pixels."""
    gray = under[..., 1].astype(np.int32)
    apart = np.abs(gray[:, 2:] - 2 * gray[:, 1:-1] + gray[:, :-2])[~inside[:, 1:-1]]
    # a Gaussian's median absolute second difference is 0.6745 * sqrt(6) of its deviation
    return float(np.median(apart)) / 1.652 if apart.size else 0.0


def _stamped(inside: Mask, panel: Pixels, box: Box, work: Work) -> Pixels:
    """Take what lies beside the region, as a clone stamp does."""
    target = box_of(inside)
    for _ in range(12):
        dx, dy = (
            int(work.rng.integers(-2 * side, 2 * side + 1)) for side in (box.width, box.height)
        )
        clear = abs(dx) >= target.width or abs(dy) >= target.height
        fits = (
            0 <= box.x + dx <= panel.shape[1] - box.width
            and 0 <= box.y + dy <= panel.shape[0] - box.height
        )
        if clear and fits:
            return warp(panel, shift(-box.x - dx, -box.y - dy), Box(0, 0, box.width, box.height))
    raise UnfitError("no place beside the region to stamp from")
