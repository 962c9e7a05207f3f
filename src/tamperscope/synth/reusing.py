"""Shows one picture in two panels: overlapping fields, or the whole panel with changed tone."""

from dataclasses import replace

import numpy as np

from tamperscope.synth.geometry import (
    Box,
    affine,
    bounds,
    box_of,
    compose,
    inverse,
    map_points,
    scaling,
    shift,
    warp,
    warp_mask,
)
from tamperscope.synth.sample import Forgery, Link, Matrix, Pixels, SourcePanel, UnfitError, no_mask
from tamperscope.synth.tone import Step, apply_tone, content
from tamperscope.synth.work import Work

WINDOWS = 20  # draws of two windows that overlap as asked
LEAST_CONTENT = 0.05  # of the shared part's blocks: who shares a blank shares nothing
FIELD = (1.15, 1.7)  # size of the field that two windows are cut from, in panels


def overlap(work: Work) -> Forgery:
    """Cut two windows that share a part; the second is turned, scaled and changed in tone."""
    height, width = work.size
    factor = work.rng.uniform(*FIELD)
    field = work.panel((round(height * factor), round(width * factor)))
    low, high = work.settings.share
    for _ in range(WINDOWS):
        to_first = _window(np.eye(2), work.size, field.pixels.shape[:2], work.rng)
        to_second = _window(
            work.settings.geometry.draw(work.rng), work.size, field.pixels.shape[:2], work.rng
        )
        if to_first is None or to_second is None:
            continue
        matrix = compose(to_second, inverse(to_first))
        whole = np.ones(work.size, dtype=bool)
        here = Box(0, 0, width, height)
        link = Link(
            warp_mask(whole, inverse(matrix), here), warp_mask(whole, matrix, here), matrix, 0, 1
        )
        shares = (np.count_nonzero(link.source), np.count_nonzero(link.target))
        if not all(low <= share / (height * width) <= high for share in shares):
            continue
        first = warp(field.pixels, to_first, here)
        shared = first[box_of(link.source).slices]
        if content(shared, work.settings.shapes.content) < LEAST_CONTENT:
            continue
        second = warp(field.pixels, to_second, here)
        return _shown_twice(work, field, first, second, link, work.settings.tone.draw(work.rng))
    raise UnfitError(f"no two windows that overlap as asked in {WINDOWS} draws")


def _window(
    linear: Matrix, size: tuple[int, int], field: tuple[int, int], rng: np.random.Generator
) -> Matrix | None:
    """Map a field to a panel that shows nothing but it; None where the panel does not fit."""
    height, width = size
    back = inverse(affine(linear))
    seen = bounds(map_points(back, Box(0, 0, width, height).corners))
    if seen.width > field[1] or seen.height > field[0]:
        return None
    x = int(rng.integers(field[1] - seen.width + 1))
    y = int(rng.integers(field[0] - seen.height + 1))
    return inverse(compose(shift(x - seen.x, y - seen.y), back))


def whole(work: Work) -> Forgery:
    """Show a panel again, as a whole or nearly so: turned, cut a little, changed in tone."""
    panel = work.panel()
    # a panel that is shown again as a whole is turned by right angles, not by 13 degrees
    plain = replace(work.settings.geometry, rotate=0.0, scale=0.0, shear=0.0)
    linear = plain.draw(work.rng)
    steps: tuple[Step, ...] = ()
    for _ in range(WINDOWS):
        steps = work.settings.tone.draw(work.rng)
        if steps or (linear != np.eye(2)).any():
            break
    matrix = _fit(linear, work.size, work.rng)
    height, width = work.size
    here = Box(0, 0, width, height)
    full = np.ones(work.size, dtype=bool)
    link = Link(warp_mask(full, inverse(matrix), here), warp_mask(full, matrix, here), matrix, 0, 1)
    second = warp(panel.pixels, matrix, here)
    return _shown_twice(work, panel, panel.pixels, second, link, steps)


def _fit(linear: Matrix, size: tuple[int, int], rng: np.random.Generator) -> Matrix:
    """Map a window of a panel, often all of it, to a panel of the same size."""
    height, width = size
    cut = 1.0 if rng.random() < 0.6 else float(rng.uniform(0.85, 1.0))
    w, h = round(width * cut), round(height * cut)
    x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
    turned = compose(affine(linear), shift(-x, -y))
    box = bounds(map_points(affine(linear), Box(0, 0, w, h).corners))
    onto = compose(shift(-box.x, -box.y), turned)
    return compose(scaling((box.height, box.width), size), onto)


def _shown_twice(
    work: Work,
    source: SourcePanel,
    first: Pixels,
    second: Pixels,
    link: Link,
    steps: tuple[Step, ...],
) -> Forgery:
    second, done = apply_tone(second, steps, work.rng)
    return Forgery(
        "duplicate", (first, second), (None, None), (no_mask(first), link.target), (link,),
        (source.name,), (source.group, source.group), {"tone": [list(step) for step in done]},
    )  # fmt: skip
