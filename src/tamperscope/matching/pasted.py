"""Finds boxes that were laid into a blot: four straight sides, each a step of one pixel.

Bands, lanes and the rims of gels have soft or crooked edges; a box that was cut out somewhere else
and laid in has sides that step from one pixel to the next along one column or row, and that end
where they meet. Candidate sides are the runs of steps that seams are made of
(:mod:`tamperscope.matching.steps`); every two columns and two rows of them, with the panel's own
borders, make a box, whose strength is the sum of the votes along its sides, less the votes by which
the sides go on beyond its corners. Drawn frames are lines, not steps, and are left out, and so are
evenly filled boxes, which labels are. Where sharp sides are usual, as in a gel that a program drew
from a trace, they say nothing: what the ninth strongest other side has is taken off each of the
four. Our own method; measured by ``tamperscope evaluate bench``.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.marks import Mark, blot_null
from tamperscope.matching.match import Gray, Mask, PreparedPanel
from tamperscope.matching.seams import measure_run
from tamperscope.matching.steps import MISS, VOTE, Run, best_runs, votes_of
from tamperscope.records import Box

MIN_STRENGTH = 25.0  # votes; see docs/seams.md for how many pristine blots have a box above it
BLOCK = 4  # rows that vote together
LEAST_RUN = 5.0  # votes of a run whose column or row may be a side
RUNS = 40  # candidate sides of one direction
APART = 2  # columns to either side of a candidate that are none
LEAST_SIDE = 20  # pixels
MOST_AREA = 0.5  # of the panel
LEAST_SHARE = 0.2  # of the blocks of any side that vote
AGREEING, ALL_AGREEING = 0.65, 0.8  # mean share of four sides, and of three at the border
LEAST_VISIBLE = 3  # sides that are not the panel's own border
BEYOND = 6  # blocks beyond a corner along which a side must not go on
USUAL, LEAST_USUAL = 8, 15.0  # a picture with so many other sides of so many votes was drawn so
MOST_FOUND = 8
NEAR = 6  # pixels, within which a seam is a side of a box
LEAST_SPREAD = 0.1 / 255  # standard deviation inside; a label's ground has none
BLUNTEST = 0.5  # share of the step that one pixel takes: least of any side
SHARP, SHARPER = 0.75, 0.85  # mean of four sides, and where one is the panel's border
MOST_LINE = 0.3  # of the step, by which pixels between may lie beyond both sides; mean


@dataclass(frozen=True, eq=False)
class Pasted(Mark):
    """A box with sharp sides.

    Measures: ``agreement`` (share of the blocks along the sides that step), ``sides`` (those that
    are not the panel's border).
    """

    def has_side(self, band: Box) -> bool:
        """Whether a narrow band lies along one of the sides, so that the box explains it."""
        lies = (band.y0 >= self.box.y0 - NEAR and band.y1 <= self.box.y1 + NEAR,
                band.x0 >= self.box.x0 - NEAR and band.x1 <= self.box.x1 + NEAR)  # fmt: skip
        if band.height >= band.width:
            middle = (band.x0 + band.x1) / 2
            return lies[0] and min(abs(middle - x) for x in (self.box.x0, self.box.x1)) <= NEAR
        middle = (band.y0 + band.y1) / 2
        return lies[1] and min(abs(middle - y) for y in (self.box.y0, self.box.y1)) <= NEAR

    def sentence(self, panel: str) -> str:
        """Say in plain words what was seen in ``panel``."""
        return (
            f"In {panel} a box of {self.box.width} x {self.box.height} pixels differs from its "
            f"surroundings with a step of one pixel along {self.measure('sides'):.0f} straight "
            "sides; no frame is drawn there."
        )


@dataclass(frozen=True)
class SharpBox:
    """A box with its votes."""

    box: Box
    strength: float
    agreement: float
    sides: int


@dataclass(frozen=True)
class _Sides:
    """Votes along the candidate sides of one direction, in the image turned so that they stand."""

    places: NDArray[np.int64]  # columns of the candidates; first 0, last the width
    sums: NDArray[np.float64]  # (blocks + 1, candidates), cumulated weights
    best: NDArray[np.float64]  # (candidates,), votes of the best run; 0 of the borders

    @classmethod
    def of(cls, gray: Gray) -> "_Sides":
        """Find the candidates of an image."""
        width = gray.shape[1]
        _, votes, _ = votes_of(gray, np.ones(gray.shape, dtype=bool), BLOCK)
        # a vote one column beside is the same step, moved by compression or noise
        near = cv2.dilate(votes.astype(np.uint8), np.ones((1, 3), np.uint8)) > 0
        weight = np.where(near, VOTE, -MISS)
        best, _, _ = best_runs(weight)
        places = {0: 0.0, width: 0.0}
        for _ in range(RUNS):
            column = int(best.argmax())
            if best[column] < LEAST_RUN:
                break
            places[column] = float(best[column])
            best[max(column - APART, 0) : column + APART + 1] = 0
        chosen = np.array(sorted(places), dtype=np.int64)
        own = weight[:, np.minimum(chosen, width - 1)]
        own[:, [0, -1]] = 0.0
        sums = np.pad(np.cumsum(own, axis=0), ((1, 0), (0, 0)))
        return cls(chosen, sums, np.array([places[int(place)] for place in chosen]))

    def others(self, low: int, high: int) -> list[float]:
        """Votes of the best runs that are not at two places."""
        apart = np.minimum(np.abs(self.places - low), np.abs(self.places - high))
        return [float(votes) for votes in self.best[apart > 2 * APART]]

    def along(
        self, start: NDArray[np.int64], stop: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Votes of every candidate between rows: (sum, share of blocks, sum beyond the ends)."""
        count = len(self.sums) - 1
        first, last = -(-start // BLOCK), stop // BLOCK
        last = np.maximum(last, first)
        total = self.sums[last] - self.sums[first]
        blocks = np.maximum(last - first, 1)[:, None]
        share = (total / blocks + MISS) / (VOTE + MISS)
        share[:, [0, -1]] = 1.0
        beyond = np.zeros_like(total)
        for low, high in ((first - 1 - BEYOND, first - 1), (last + 1, last + 1 + BEYOND)):
            low, high = np.clip(low, 0, count), np.clip(high, 0, count)
            beyond += np.maximum(self.sums[high] - self.sums[low], 0.0)
        return total, share, beyond


def find_pasted(panel: PreparedPanel) -> list[Pasted]:
    """Find boxes laid into a blot, strongest first; other panels have none.

    Only what is stronger than :data:`MIN_STRENGTH` is reported.
    """
    if panel.kind != "blot":
        return []
    found = [box for box in sharp_boxes(panel.seen) if box.strength >= MIN_STRENGTH]
    null = blot_null("pasted")
    marks = []
    for one in found:
        mask: Mask = np.zeros(panel.gray.shape, dtype=bool)
        mask[one.box.slices] = True
        chance = null.chance(one.strength)
        measures = (("agreement", round(one.agreement, 3)), ("sides", float(one.sides)))
        marks.append(Pasted(one.box, mask, one.strength, 1 - chance, chance, null.words, measures))
    return marks


def sharp_boxes(gray: Gray) -> list[SharpBox]:
    """Find boxes with sharp sides, strongest first, none over another."""
    if min(gray.shape) < 4 * LEAST_SIDE:
        return []
    upright, lying = _Sides.of(gray), _Sides.of(np.ascontiguousarray(gray.T))
    rows, columns = _intervals(lying.places), _intervals(upright.places)
    if not len(rows[0]) or not len(columns[0]):
        return []
    strength, mean, visible = _strengths(upright, lying, rows, columns)
    found: list[SharpBox] = []
    order = np.argsort(-strength, axis=None)[: 64 * MOST_FOUND]
    for place in order:
        p, q = np.unravel_index(int(place), strength.shape)
        if strength[p, q] <= 0 or len(found) == MOST_FOUND:
            break
        ends = (rows[0][p], rows[1][p]), (columns[0][q], columns[1][q])
        (top, bottom), (left, right) = (
            (int(sides.places[a]), int(sides.places[b]))
            for sides, (a, b) in zip((lying, upright), ends, strict=True)
        )
        box = _settled(gray, Box(left, top, right, bottom))
        if any(_overlap(box, other.box) for other in found) or not _is_laid_in(gray, box):
            continue
        others = sorted(upright.others(box.x0, box.x1) + lying.others(box.y0, box.y1))[::-1]
        usual = others[USUAL] if len(others) > USUAL and others[USUAL] >= LEAST_USUAL else 0.0
        votes = float(strength[p, q]) - 4 * usual
        if votes > 0:
            found.append(SharpBox(box, votes, float(mean[p, q]), int(visible[p, q])))
    return sorted(found, key=lambda one: -one.strength)


def _intervals(places: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Every two candidates far enough apart, by index."""
    first, second = np.triu_indices(len(places), 1)
    far = places[second] - places[first] >= LEAST_SIDE
    return first[far], second[far]


def _strengths(
    upright: _Sides,
    lying: _Sides,
    rows: tuple[NDArray[np.intp], NDArray[np.intp]],
    columns: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Strength, mean share and visible sides of every box, by (interval of rows, of columns)."""
    (top, bottom), (left, right) = rows, columns
    vertical = upright.along(lying.places[top], lying.places[bottom])
    horizontal = lying.along(upright.places[left], upright.places[right])
    sides = [
        (vertical[0][:, left], vertical[1][:, left], vertical[2][:, left], left > 0),
        (vertical[0][:, right], vertical[1][:, right], vertical[2][:, right],
         right < len(upright.places) - 1),
        (horizontal[0][:, top].T, horizontal[1][:, top].T, horizontal[2][:, top].T,
         (top > 0)[:, None]),
        (horizontal[0][:, bottom].T, horizontal[1][:, bottom].T, horizontal[2][:, bottom].T,
         (bottom < len(lying.places) - 1)[:, None]),
    ]  # fmt: skip
    shape = (len(top), len(left))
    total, least = np.zeros(shape), np.ones(shape)
    shares, visible = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    for votes, share, beyond, seen in sides:
        seen = np.broadcast_to(seen, shape)
        total += np.where(seen, votes - beyond, 0.0)
        least = np.where(seen, np.minimum(least, share), least)
        shares += np.where(seen, share, 0.0)
        visible += seen
    mean = shares / np.maximum(visible, 1)
    heights = (lying.places[bottom] - lying.places[top])[:, None]
    widths = upright.places[right] - upright.places[left]
    area = heights * widths / (lying.places[-1] * upright.places[-1])
    wanted = np.where(visible == 4, AGREEING, ALL_AGREEING)
    fits = (visible >= LEAST_VISIBLE) & (least >= LEAST_SHARE) & (mean >= wanted)
    return np.where(fits & (area <= MOST_AREA), total, 0.0), mean, visible


def _settled(gray: Gray, box: Box) -> Box:
    """Move every side by up to APART pixels to where the step along it is largest."""

    def best(image: Gray, place: int, start: int, stop: int) -> int:
        if place in (0, image.shape[1]):
            return place
        first = max(place - APART, 1)
        part = image[start:stop, first - 1 : place + APART + 1]
        return first + int(np.abs(np.diff(part, axis=1)).sum(axis=0).argmax())

    turned = gray.T
    return Box(
        best(gray, box.x0, box.y0, box.y1),
        best(turned, box.y0, box.x0, box.x1),
        best(gray, box.x1, box.y0, box.y1),
        best(turned, box.y1, box.x0, box.x1),
    )


def _overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share a tenth of the smaller one."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    if width <= 0 or height <= 0:
        return False
    return width * height > 0.1 * min(a.width * a.height, b.width * b.height)


def _is_laid_in(gray: Gray, box: Box) -> bool:
    """Whether the inside shows something and the sides are steps, not drawn lines.

    Of the step across the side of a pasted box one pixel takes nearly all, across the rim of a
    band or a lane about a third.
    """
    if float(gray[box.slices].std()) < LEAST_SPREAD:
        return False
    turned = np.ascontiguousarray(gray.T)
    sharpness, lines = [], []
    for image, place, start, stop in (
        (gray, box.x0, box.y0, box.y1),
        (gray, box.x1, box.y0, box.y1),
        (turned, box.y0, box.x0, box.x1),
        (turned, box.y1, box.x0, box.x1),
    ):
        rows = -(-start // BLOCK) * BLOCK, stop // BLOCK * BLOCK
        side = measure_run(image, Run(place, *rows, 0.0, 0.0), horizontal=False, block=BLOCK)
        if side is not None:
            sharpness.append(min(side.sharpness, 2 - side.sharpness))  # overshoot is as bad
            lines.append(side.line)
    if len(sharpness) < LEAST_VISIBLE or float(np.mean(lines)) > MOST_LINE:
        return False
    wanted = SHARP if len(sharpness) == 4 else SHARPER
    return min(sharpness) >= BLUNTEST and float(np.mean(sharpness)) >= wanted
