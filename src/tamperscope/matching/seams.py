"""Finds straight seams in blots and gels: where two pieces of image meet without a drawn line.

A seam steps from one pixel to the next, at one column (or row) over many rows (or columns). Edges
that a camera took are spread over several pixels, and edges of bands and lanes do not stay at one
column. So a seam is a run of steps (:mod:`tamperscope.matching.steps`) that is

* sharp: one pixel takes at least 85 % of the step between the two sides (least-squares share over
  all blocks, after the slope beside it is taken off), and does not overshoot it by much;
* a step and no line: no pixel between lies beyond both sides. A thin line drawn between spliced
  lanes is how an honest splice is disclosed, so it is not reported;
* between two places of a blot: neither side is black, white or empty, which frames and gutters are;
* not the flank of something larger: what is beside it rises little in comparison.

Only ``blot`` panels are looked at. The method and its thresholds are our own; what they find and
miss is measured by ``tamperscope evaluate seams``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.erased import Erased, find_erased
from tamperscope.matching.marks import Mark, blot_null
from tamperscope.matching.match import Gray, Mask, PreparedPanel
from tamperscope.matching.steps import Run, find_runs
from tamperscope.records import Box

__all__ = ["Erased", "Mark", "Seam", "find_erased", "find_seams", "seam_candidates"]

MIN_STRENGTH = 20.0  # votes; about 1 % of the pristine blots of the corpus have a mark above it
CANDIDATE_VOTES = 8.0
CANDIDATES = 16  # runs of one direction that are measured
BLOCKS = (4, 16)  # rows; long blocks bring out a step below the noise
SHARPEST, BLUNTEST = 1.4, 0.85  # share of the step that one pixel takes
MOST_LINE = 0.2  # of the step, by which pixels between may lie beyond both sides
MOST_SLOPE = 0.3  # rise over four pixels beside the step, of the step
DARKEST, BRIGHTEST = 6 / 255, 249 / 255
HALF_WIDTH = 3  # pixels of the mask to either side of a seam


@dataclass(frozen=True, eq=False)
class Seam(Mark):
    """An abrupt straight transition; strength is the sum of votes of its run of steps.

    Measures: ``level_jump`` and ``noise_ratio`` compare the two sides of the background (jump in
    noise deviations; larger over smaller noise), ``sharpness`` is the share of the step that one
    pixel takes, ``agreement`` the share of blocks that step, ``length_share`` the length over the
    panel's side.
    """

    horizontal: bool  # runs from left to right
    place: int  # the seam lies between rows (columns) ``place - 1`` and ``place``
    start: int  # along the seam, half-open
    stop: int

    def sentence(self, panel: str) -> str:
        """Say in plain words what was seen in ``panel``."""
        way, where = ("horizontal", "row") if self.horizontal else ("vertical", "column")
        share = self.measure("length_share")
        return (
            f"In {panel} the image changes abruptly along a straight {way} line at {where} "
            f"{self.place}, over {share:.0%} of the panel; no dividing line is drawn there."
        )


@dataclass(frozen=True)
class Candidate:
    """A measured run of steps, in the turned image where every seam is vertical."""

    horizontal: bool
    run: Run
    sharpness: float
    line: float
    slope: float
    levels: tuple[float, float]  # medians of the two sides
    noises: tuple[float, float]  # deviations of the two sides

    @property
    def is_seam(self) -> bool:
        """Whether it looks like a seam at all, however strong."""
        return (
            BLUNTEST <= self.sharpness <= SHARPEST
            and self.line <= MOST_LINE
            and self.slope <= MOST_SLOPE
            and min(self.levels) >= DARKEST
            and max(self.levels) <= BRIGHTEST
        )


def find_seams(panel: PreparedPanel) -> list[Seam]:
    """Find seams of a blot, strongest first; other panels have none.

    Only what is stronger than :data:`MIN_STRENGTH` is reported.
    """
    if panel.kind != "blot":
        return []
    found = [c for c in seam_candidates(panel) if c.run.votes >= MIN_STRENGTH]
    return [_seam(panel, c) for c in sorted(found, key=lambda c: -c.run.votes)]


def seam_candidates(panel: PreparedPanel) -> list[Candidate]:
    """Measure every run of steps that looks like a seam, down to :data:`CANDIDATE_VOTES`."""
    found = []
    for horizontal in (False, True):
        gray = np.ascontiguousarray(panel.seen.T if horizontal else panel.seen)
        usable = np.ascontiguousarray(panel.usable.T if horizontal else panel.usable)
        kept: list[Candidate] = []
        for block in BLOCKS:
            for run in find_runs(gray, usable, block, CANDIDATE_VOTES, CANDIDATES):
                candidate = measure_run(gray, run, horizontal, block)
                if candidate is not None and candidate.is_seam:
                    _keep(kept, candidate)
        found += kept
    return found


def _keep(kept: list[Candidate], new: Candidate) -> None:
    """Add a candidate; of two that lie on each other the stronger stays."""
    for index, old in enumerate(kept):
        shared = min(old.run.stop, new.run.stop) - max(old.run.start, new.run.start)
        if abs(old.run.column - new.run.column) <= 2 and shared > 0:
            if new.run.votes > old.run.votes:
                kept[index] = new
            return
    kept.append(new)


def measure_run(gray: Gray, run: Run, horizontal: bool, block: int) -> Candidate | None:
    """Measure a run; None where it is too close to the border to see both sides."""
    column = run.column
    if column < 10 or column > gray.shape[1] - 10:
        return None
    rows = gray[run.start : run.stop].reshape(-1, block, gray.shape[1]).mean(axis=1)

    def level(first: int) -> NDArray[np.float32]:
        return rows[:, column + first : column + first + 2].mean(axis=1)

    before, after = level(-3), level(1)
    slope = (before - level(-7) + level(5) - after) / 8  # per pixel; bands beside a seam slope
    step = after - before - 4 * slope
    energy, typical = float(step @ step), float(np.median(np.abs(step)))
    if typical == 0:
        return None
    single = max(
        float((rows[:, c] - rows[:, c - 1] - slope) @ step) for c in range(column - 1, column + 2)
    )
    between = rows[:, column - 2 : column + 2]
    beyond = np.maximum(
        between.max(axis=1) - np.maximum(before, after),
        np.minimum(before, after) - between.min(axis=1),
    )
    sides = (
        gray[run.start : run.stop, column - 10 : column - 1],
        gray[run.start : run.stop, column + 1 : column + 10],
    )
    return Candidate(
        horizontal=horizontal,
        run=run,
        sharpness=single / energy,
        line=float(np.median(beyond)) / typical,
        slope=4 * float(np.median(np.abs(slope))) / typical,
        levels=(float(np.median(sides[0])), float(np.median(sides[1]))),
        noises=(_noise(sides[0]), _noise(sides[1])),
    )


def _noise(gray: NDArray[np.float32]) -> float:
    """Noise deviation of a narrow strip, from second differences along it.

    Second differences of white noise have sqrt(6) times its deviation.
    """
    bend = np.abs(gray[2:] - 2 * gray[1:-1] + gray[:-2])
    low = bend[bend <= np.quantile(bend, 0.8)]  # bands bend too, and are the minority
    return float(np.sqrt(np.mean(low.astype(np.float64) ** 2)) / np.sqrt(6) * 1.5)


def _seam(panel: PreparedPanel, found: Candidate) -> Seam:
    run, null = found.run, blot_null("seam")
    height, width = panel.gray.shape
    low, high = run.column - HALF_WIDTH, run.column + HALF_WIDTH
    if found.horizontal:
        box, side = Box(run.start, low, run.stop, high), width
    else:
        box, side = Box(low, run.start, high, run.stop), height
    mask: Mask = np.zeros((height, width), dtype=bool)
    mask[box.slices] = True
    quiet, loud = sorted(max(noise, 0.1 / 255) for noise in found.noises)
    chance = null.chance(run.votes)
    return Seam(
        box=box,
        mask=mask,
        strength=run.votes,
        score=1 - chance,
        chance=chance,
        chance_null=null.words,
        measures=(
            ("level_jump", round(abs(found.levels[1] - found.levels[0]) / loud, 3)),
            ("noise_ratio", round(loud / quiet, 3)),
            ("sharpness", round(found.sharpness, 3)),
            ("agreement", round(run.share, 3)),
            ("length_share", round((run.stop - run.start) / side, 3)),
        ),
        horizontal=found.horizontal,
        place=run.column,
        start=run.start,
        stop=run.stop,
    )
