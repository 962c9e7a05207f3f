"""Finds erased areas of blots: places without the noise that the rest of the blot has.

Noise is measured as the local root mean square of second differences (of the smaller of the two
directions, so that bands and edges count little), and compared with what the panel has at the same
grey level, since noise grows or falls with the signal. A place is *flat* where it has less than a
sixth of that. What is flat by nature is left out: levels and panels that are flat throughout
(drawn, or stored at a low quality), places next to saturated ones, lines, and places where the
noise fades away, while around an erased place it begins at once. Our own method; measured by
``tamperscope evaluate seams``.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.marks import Mark, blot_null
from tamperscope.matching.match import Gray, Mask, PreparedPanel
from tamperscope.records import Box

MIN_STRENGTH = 130.0  # about 0.5 % of the pristine blots of the corpus have a mark above it
WINDOW = 9  # pixels, side of the square over which noise is measured
FLAT = 1 / 6  # of the noise at the same level
LEAST_NOISE = 0.4 / 255  # second difference; a panel without noise cannot miss any
LEVEL_REACH = 12  # grey levels to either side that count as the same level
FLAT_PANEL = 0.5  # share of a level that is flat by nature
FLAT_SHARE = 0.3  # of the panel, above which it is flat as a whole
LEAST_SIDE = 14  # pixels, side of the largest square in an area, about
RING = (5, 14)  # pixels around an area where its surroundings are looked at
RING_NOISE = 0.5  # of the noise at that level, at least, in the median of the ring
DARKEST, BRIGHTEST = 8 / 255, 247 / 255  # outside of them a blot is saturated
HIGHEST_RATIO = 5.0  # doublings; below 1/32 of the noise there is nothing left to compare


@dataclass(frozen=True, eq=False)
class Erased(Mark):
    """An unnaturally flat area.

    Strength is the side of a square of its area in pixels times the doublings by which its noise
    falls short of the panel's. Measures: ``noise_ratio`` (noise inside over noise at that level),
    ``area_share`` (of the panel), ``level`` (median grey level, 0-255).
    """

    def sentence(self, panel: str) -> str:
        """Say in plain words what was seen in ``panel``."""
        ratio = self.measure("noise_ratio")
        return (
            f"In {panel} an area of {self.box.width} x {self.box.height} pixels is unnaturally "
            f"flat: it has {ratio:.0%} of the noise that the panel has at this brightness."
        )


@dataclass(frozen=True)
class FlatArea:
    """A connected flat place with its measures."""

    mask: Mask
    box: Box
    noise_ratio: float
    level: float
    strength: float


def find_erased(panel: PreparedPanel) -> list[Erased]:
    """Find erased areas of a blot, strongest first; other panels have none.

    Only what is stronger than :data:`MIN_STRENGTH` is reported.
    """
    if panel.kind != "blot":
        return []
    areas = [area for area in flat_areas(panel.seen) if area.strength >= MIN_STRENGTH]
    return [_erased(area) for area in sorted(areas, key=lambda area: -area.strength)]


def flat_areas(gray: Gray) -> list[FlatArea]:
    """Find connected places that are flatter than their grey level is elsewhere."""
    if min(gray.shape) < 3 * WINDOW:
        return []
    noise = local_noise(gray)
    saturated = ((gray <= DARKEST) | (gray >= BRIGHTEST)).astype(np.uint8)
    open_ = cv2.dilate(saturated, np.ones((WINDOW, WINDOW), dtype=np.uint8)) == 0
    if not open_.any() or np.mean(noise[open_] < LEAST_NOISE) > FLAT_SHARE:
        return []
    expected = _noise_by_level(gray, noise)
    flat = (noise < FLAT * expected) & open_
    # the window reaches over the rim of an area; what is left of it grows back below
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(flat.astype(np.uint8))
    areas = []
    for label in range(1, count):
        x, y, width, height, pixels = (int(value) for value in boxes[label])
        least = LEAST_SIDE - WINDOW // 2  # the core lacks half a window on each side
        if min(width, height) < least or pixels < least**2:
            continue
        core = labels == label
        area = _grown(core, (x, y, width, height))
        if not _is_patch(core, area, noise, expected, least):
            continue
        ratio = float(np.mean(noise[core]) / np.mean(expected[core]))
        doublings = min(-np.log2(max(ratio, 1e-6)), HIGHEST_RATIO)
        strength = float(np.sqrt(np.count_nonzero(area)) * doublings)
        level = float(np.median(gray[core])) * 255
        areas.append(FlatArea(area, _box(area), ratio, level, strength))
    return areas


def _is_patch(
    core: Mask, area: Mask, noise: NDArray[np.float32], expected: NDArray[np.float32], least: int
) -> bool:
    """Whether an area is thick, inside the panel, and lies in noise that its levels ask for."""
    if any(rim.any() for rim in (area[0], area[-1], area[:, 0], area[:, -1])):
        return False
    padded = np.pad(core.astype(np.uint8), 1)
    if 2 * float(cv2.distanceTransform(padded, cv2.DIST_C, 3).max()) < least:
        return False
    near, far = (
        cv2.dilate(area.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
        for reach in RING
    )
    ring = far & ~near & (expected > 0)
    # a place at the border of the range of levels has no surroundings to compare with
    if np.count_nonzero(ring) < np.count_nonzero(far & ~near) / 2 or not ring.any():
        return False
    return float(np.median(noise[ring] / expected[ring])) >= RING_NOISE


def local_noise(gray: Gray) -> NDArray[np.float32]:
    """Root mean square second difference in a window around each pixel, (height, width)."""
    kernel = np.array([[1, -2, 1]], dtype=np.float32)
    across = cv2.filter2D(gray, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101)
    down = cv2.filter2D(gray, cv2.CV_32F, kernel.T, borderType=cv2.BORDER_REFLECT_101)
    smaller = np.minimum(np.abs(across), np.abs(down))
    square = cv2.blur(smaller * smaller, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
    # running sums in single precision may end a little below zero
    return np.asarray(np.sqrt(np.maximum(square, 0)), dtype=np.float32)


def _noise_by_level(gray: Gray, noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Noise that the panel has at each pixel's grey level; 0 where that level is flat by nature."""
    levels = np.clip(np.round(gray * 255), 0, 255).astype(np.int64)
    expected = np.zeros(256, dtype=np.float32)
    order = np.argsort(levels, axis=None, kind="stable")
    ranked, values = levels.ravel()[order], noise.ravel()[order]
    for level in np.unique(ranked):
        low, high = np.searchsorted(ranked, [level - LEVEL_REACH, level + LEVEL_REACH + 1])
        near = values[low:high]
        typical = float(np.quantile(near, 0.6))
        if typical >= LEAST_NOISE and np.mean(near < FLAT * typical) < FLAT_PANEL:
            expected[level] = typical
    return expected[levels]


def _grown(core: Mask, box: tuple[int, int, int, int]) -> Mask:
    """Give an area back the rim that its windows shared with noisy surroundings."""
    reach = WINDOW // 2
    x, y, width, height = box
    rows = slice(max(y - reach, 0), y + height + reach)
    columns = slice(max(x - reach, 0), x + width + reach)
    grown = core.copy()
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)
    grown[rows, columns] = cv2.dilate(core[rows, columns].astype(np.uint8), kernel) > 0
    return grown


def _box(mask: Mask) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _erased(area: FlatArea) -> Erased:
    null = blot_null("erased")
    chance = null.chance(area.strength)
    return Erased(
        box=area.box,
        mask=area.mask,
        strength=area.strength,
        score=1 - chance,
        chance=chance,
        chance_null=null.words,
        measures=(
            ("noise_ratio", round(area.noise_ratio, 4)),
            ("area_share", round(float(area.mask.mean()), 4)),
            ("level", round(area.level, 1)),
        ),
    )
