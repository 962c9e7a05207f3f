"""Lays patches that generators made into a panel, where a person would paste one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tamperscope.synth.blending import blend
from tamperscope.synth.copying import LEAST_CHANGE, mean_change
from tamperscope.synth.geometry import Box, box_of, grown
from tamperscope.synth.sample import (
    Forgery,
    Mask,
    Pixels,
    UnfitError,
    checked_pixels,
    no_mask,
)
from tamperscope.synth.shapes import draw_region
from tamperscope.synth.tone import apply_tone, grey, is_grey, matched, mean_level
from tamperscope.synth.work import PatchGenerator, Work

PLACES = 8  # draws of a place for a patch


def generated_patch(work: Work) -> Forgery:
    """Replace one or more regions by what the generators make for the panel's modality.

    Raises:
        UnfitError: No generator makes patches of this modality, or no place was found.
        ValueError: A generator gave something else than what it was asked for.
    """
    able = [g for g in work.generators if work.modality in g.modalities]
    if not able:
        raise UnfitError(f"no generator makes {work.modality} patches")
    panel = work.panel()
    canvas, target = panel.pixels, no_mask(panel.pixels)
    low, high = work.settings.copies
    patches: list[dict[str, Any]] = []
    for _ in range(int(work.rng.integers(low, high + 1))):
        try:
            canvas, region, told = _lay_patch(work, able, panel.pixels, canvas, target)
        except UnfitError:
            if not patches:
                raise
            break
        target |= region
        patches.append(told)
    return Forgery(
        "generated", (canvas,), (panel.pixels,), (target,), (), (panel.name,), (panel.group,),
        {"patches": patches},
    )  # fmt: skip


def _lay_patch(
    work: Work, able: Sequence[PatchGenerator], pixels: Pixels, canvas: Pixels, taken: Mask
) -> tuple[Pixels, Mask, dict[str, Any]]:
    """Lay one patch on ``canvas`` outside ``taken``; new canvas, its region, what was drawn."""
    rng, settings = work.rng, work.settings
    generator = able[int(rng.integers(len(able)))]
    steps, way = settings.tone.draw(rng), settings.blending.draw(rng)
    match = rng.random() < settings.tone.match
    for _ in range(PLACES):
        region, shape = draw_region(pixels, settings.shapes, rng)
        box = grown(box_of(region), region.shape)
        if (taken & region).any() or max(box.height, box.width) > generator.largest:
            continue
        inside, under = region[box.slices], canvas[box.slices]
        like = _part_of(pixels, box, rng) if rng.random() < settings.like_panel else None
        patch = _asked(generator, work, box, like)
        if like is None:
            patch = _as_shown(patch, pixels, work.modality)
        if match:
            patch = matched(patch, inside, under)
        patch, done = apply_tone(patch, steps, rng)
        if mean_change(patch, under, inside) < LEAST_CHANGE:
            continue
        told = {
            "shape": shape, "generator": generator.name, "match": bool(match),
            "like panel": like is not None,
            "tone": [list(step) for step in done], "blending": list(way),
        }  # fmt: skip
        return blend(canvas, patch, inside, box, way), region, told
    raise UnfitError(f"no place for a patch of {generator.name} in {PLACES} draws")


def _part_of(pixels: Pixels, box: Box, rng: np.random.Generator) -> Pixels:
    """Return a part of the panel of the size of ``box``, anywhere."""
    top = int(rng.integers(pixels.shape[0] - box.height + 1))
    left = int(rng.integers(pixels.shape[1] - box.width + 1))
    return pixels[top : top + box.height, left : left + box.width]


def _asked(generator: PatchGenerator, work: Work, box: Box, like: Pixels | None) -> Pixels:
    size = (box.height, box.width)
    patch = checked_pixels(generator.generate(work.rng, size, work.modality, like))
    if patch.shape[:2] != (box.height, box.width):
        raise ValueError(
            f"{generator.name} was asked for {box.height} x {box.width}, gave {patch.shape}"
        )
    return patch


def _as_shown(patch: Pixels, panel: Pixels, modality: str) -> Pixels:
    """Show a patch as the panel is: grey on grey, bands as dark or bright as its own."""
    if is_grey(panel):
        patch = grey(patch)
    if modality == "blot" and (mean_level(patch) < 128) != (mean_level(panel) < 128):
        patch = 255 - patch
    return patch
