"""Joins parts of a blot: a lane cut out and the gap closed, or a lane put in.

The target of a seam is a band of six pixels along it, as BioFors' own generator has it for the
cut/sharp-transition task. Cuts fall between lanes where there are any: that is where a person cuts.
"""

import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.geometry import compose, shift
from tamperscope.synth.sample import Forgery, Link, Mask, Matrix, Pixels, UnfitError, no_mask
from tamperscope.synth.tone import Step, apply_tone, spread
from tamperscope.synth.work import Work

BAND = 6  # pixels
LEAST_PART = 24  # pixels on either side of a seam
REACH = 10  # pixels that a cut may move to get between two lanes
LEAST_SPREAD = 2.0  # grey levels of what is left on either side of a seam


def remove_lane(work: Work) -> Forgery:
    """Cut a strip out of a blot and join what is left: one seam across the panel."""
    turned = work.rng.random() < 0.25
    height, width = _sides(work.size, turned)
    gap = round(width * work.rng.uniform(0.05, 0.35))
    panel = work.panel(_sides((height, width + gap), turned))
    pixels = _turn(panel.pixels, turned)
    low, high = LEAST_PART, width - LEAST_PART
    if high <= low:
        raise UnfitError(f"{width} pixels are too narrow for a seam")
    cut = _between_lanes(pixels, int(work.rng.integers(low, high)), low, high)
    left, right = pixels[:, :cut], pixels[:, cut + gap :]
    right, done = apply_tone(right, _small_step(work), work.rng)
    joined = _joined([left, right], work)
    return _seamed(joined, [cut], (panel.name,), panel.group, turned, {"tone": _json(done)})


def insert_lane(work: Work) -> Forgery:
    """Put a strip of the same blot, or of another, between two lanes: two seams."""
    turned = work.rng.random() < 0.25
    height, width = _sides(work.size, turned)
    strip = round(width * work.rng.uniform(0.08, 0.3))
    if width - strip < 2 * LEAST_PART + 1:
        raise UnfitError(f"{width} pixels are too narrow for two seams")
    panel = work.panel(_sides((height, width - strip), turned))
    foreign = work.rng.random() < 0.5
    pixels = _turn(panel.pixels, turned)
    donor = work.stranger(panel, _sides((height, width - strip), turned)) if foreign else panel
    other = _turn(donor.pixels, turned)
    last = width - 2 * strip
    start = _between_lanes(other, int(work.rng.integers(last + 1)), 0, last)
    low, high = LEAST_PART, width - strip - LEAST_PART
    cut = _between_lanes(pixels, int(work.rng.integers(low, high + 1)), low, high)
    flipped = work.rng.random() < 0.3
    lane = other[:, start : start + strip]
    lane = lane[:, ::-1] if flipped else lane
    if work.rng.random() < work.settings.tone.match:
        lane = _matched(lane, pixels, cut)
    lane, done = apply_tone(lane, _small_step(work), work.rng)
    joined = _joined([pixels[:, :cut], lane, pixels[:, cut:]], work)
    told = {"tone": _json(done), "foreign": bool(foreign), "flipped": bool(flipped)}
    forgery = _seamed(
        joined, [cut, cut + lane.shape[1]], (panel.name, donor.name), panel.group, turned, told
    )
    if foreign:
        return forgery
    return _with_link(forgery, (start, strip, cut), flipped, turned)


def _with_link(
    forgery: Forgery, place: tuple[int, int, int], flipped: bool, turned: bool
) -> Forgery:
    """Say where the strip came from: it is still there, unless the cut went through it."""
    start, strip, cut = place
    if start < cut < start + strip:
        return forgery
    source_x = start if start + strip <= cut else start + strip
    height, width = _sides(forgery.panels[0].shape[:2], turned)
    source, target = np.zeros((2, height, width), dtype=bool)
    source[:, source_x : source_x + strip] = True
    target[:, cut : cut + strip] = True
    matrix = shift(cut - source_x, 0)
    if flipped:
        matrix = np.diag([-1.0, 1.0, 1.0])
        matrix[0, 2] = cut + strip - 1 + source_x
    swap: Matrix = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    if turned:
        matrix = compose(swap, matrix, swap)
    link = Link(_turn(source, turned), _turn(target, turned), matrix)
    return Forgery(
        forgery.kind, forgery.panels, forgery.before, forgery.targets, (link,),
        forgery.names, forgery.groups, forgery.parameters,
    )  # fmt: skip


def _sides(size: tuple[int, int], turned: bool) -> tuple[int, int]:
    return (size[1], size[0]) if turned else size


def _turn(array: NDArray, turned: bool) -> NDArray:
    return np.ascontiguousarray(array.swapaxes(0, 1)) if turned else array


def _between_lanes(pixels: Pixels, column: int, low: int, high: int) -> int:
    """Move a cut by up to REACH to the column that is most even from top to bottom."""
    first, last = max(low, column - REACH), min(high, column + REACH)
    gray = pixels[:, first : last + 1, 1].astype(np.int64)
    uneven = (gray * gray).sum(axis=0) * gray.shape[0] - gray.sum(axis=0) ** 2
    return first + int(np.argmin(uneven))


def _small_step(work: Work) -> tuple[Step, ...]:
    """A jump of the background at the seam, or none."""
    if work.rng.random() >= work.settings.tone.step:
        return ()
    return (("brightness", round(float(work.rng.uniform(-14, 14)), 3)),)


def _matched(lane: Pixels, pixels: Pixels, cut: int) -> Pixels:
    """Bring the background of a strip to that around the cut, channel by channel."""
    around = pixels[:, max(cut - 12, 0) : cut + 12]
    apart = np.median(around, axis=(0, 1)) - np.median(lane, axis=(0, 1))
    return np.clip(np.rint(lane + apart), 0, 255).astype(np.uint8)


def _joined(parts: list[Pixels], work: Work) -> Pixels:
    """Lay strips side by side; in a third of the draws the seams are softened by a narrow blur."""
    for part in (parts[0], parts[-1]):
        if spread(part) < LEAST_SPREAD:
            raise UnfitError("nothing on one side of the seam")
    joined = np.concatenate(parts, axis=1)
    if work.rng.random() >= 0.35:
        return joined
    soft = joined.copy()
    place = 0
    for part in parts[:-1]:
        place += part.shape[1]
        near = joined[:, place - 2 : place + 2].astype(np.uint16)
        soft[:, place - 1] = (near[:, 0] + 2 * near[:, 1] + near[:, 2] + 2) // 4
        soft[:, place] = (near[:, 1] + 2 * near[:, 2] + near[:, 3] + 2) // 4
    return soft


def _seamed(
    joined: Pixels,
    places: list[int],
    names: tuple[str, ...],
    group: str,
    turned: bool,
    told: dict[str, object],
) -> Forgery:
    band: Mask = no_mask(joined)
    for place in places:
        band[:, max(place - BAND // 2, 0) : place + BAND // 2] = True
    told = told | {"horizontal": turned, "places": places}
    return Forgery(
        "seam", (_turn(joined, turned),), (None,), (_turn(band, turned),), (),
        names, (group,), told,
    )  # fmt: skip


def _json(steps: tuple[Step, ...]) -> list[list[str | float]]:
    return [list(step) for step in steps]
