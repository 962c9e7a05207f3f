"""Panels as they stand on a page: paper beside them, words, a frame, a part of the next panel.

A panel that was cut out of a figure with some of the page around it has straight, sharp transitions
that nobody made. A detector of seams has to be shown them, or it marks where every blot begins.
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from tamperscope.synth.blending import mix
from tamperscope.synth.geometry import Box, inverse, warp_mask
from tamperscope.synth.marks import text_image
from tamperscope.synth.sample import Forgery, Link, Mask, Pixels, UnfitError
from tamperscope.synth.work import Work

SIDES = 4  # upper, lower, left, right
SHOWN = 0.5  # chance of each side to have paper beside it
MARGIN = (0.04, 0.28)  # of the panel's side
LEAST_MARGIN = 4  # pixels
PAPER = {255: 0.72, 0: 0.2, 232: 0.08}  # grey level of the page: how often
FRAMED = 0.3  # chance of a line around the panel
NEXT = 0.3  # chance that a side shows another panel behind a gap of paper
GAP = (2, 9)  # pixels of paper between two panels
WORDS = (
    "Control", "Vehicle", "Healthy", "siRNA", "WT", "KO", "-", "+", "Actin", "GAPDH", "Tubulin",
    "IB: HA", "kDa", "250", "150", "100", "75", "50", "37", "25", "0 h", "24 h", "10 nM", "Input",
    "IP", "Lysate", "Ladder",
)  # fmt: skip
MOST_WORDS = 5
HEIGHT = (0.035, 0.09)  # of words, in shorter sides of the panel
SLANTED = 0.25  # chance that words stand at 45 degrees, as above lanes


@dataclass(frozen=True)
class Paper:
    """What a page looks like around one panel."""

    level: int  # grey level of the paper
    window: Box  # where the panel is seen

    @property
    def ink(self) -> int:
        """Grey level of words and lines."""
        return 0 if self.level >= 128 else 255


def on_page(forgery: Forgery, work: Work) -> Forgery:
    """Cover the rims of every panel with paper; what lies under it is gone, from the masks too.

    Raises:
        UnfitError: Nothing is left of what was changed.
    """
    panels, windows, told = [], [], []
    for panel in forgery.panels:
        paper = _paper((panel.shape[0], panel.shape[1]), work.rng)
        panels.append(_laid(panel, paper, work))
        windows.append(_inside(panel, paper.window))
        told.append([paper.window.x, paper.window.y, paper.window.width, paper.window.height])
    targets = tuple(t & w for t, w in zip(forgery.targets, windows, strict=True))
    if forgery.kind != "pristine" and not any(target.any() for target in targets):
        raise UnfitError("what was changed lies under the paper")
    links = [_seen(link, windows) for link in forgery.links]
    return replace(
        forgery,
        panels=tuple(panels),
        before=(None,) * len(panels),
        targets=targets,
        links=tuple(link for link in links if link is not None),
        parameters={**forgery.parameters, "page": told},
    )


def _paper(size: tuple[int, int], rng: np.random.Generator) -> Paper:
    shown = rng.random(SIDES) < SHOWN
    shown[int(rng.integers(SIDES))] = True
    height, width = size
    margins = [
        max(round(length * float(rng.uniform(*MARGIN))), LEAST_MARGIN) if side else 0
        for side, length in zip(shown, (height, height, width, width), strict=True)
    ]
    upper, lower, left, right = margins
    level = int(rng.choice(list(PAPER), p=list(PAPER.values())))
    return Paper(level, Box(left, upper, width - left - right, height - upper - lower))


def _laid(panel: Pixels, paper: Paper, work: Work) -> Pixels:
    """Lay paper over all but the window; words, lines and a neighbour where they were drawn."""
    page = np.full_like(panel, paper.level)
    window, rng = paper.window, work.rng
    if rng.random() < NEXT:
        _lay_neighbour(page, window, work)
    for _ in range(int(rng.integers(MOST_WORDS + 1))):
        _write(page, paper, rng)
    page[window.slices] = panel[window.slices]
    if rng.random() < FRAMED:
        _draw_frame(page, paper, int(rng.integers(1, 3)))
    return page


def _lay_neighbour(page: Pixels, window: Box, work: Work) -> None:
    """Show a part of another panel on a side with room for it, behind a gap."""
    gap = int(work.rng.integers(*GAP))
    above, left = window.y - gap, window.x - gap
    below = page.shape[0] - window.y - window.height - gap
    right = page.shape[1] - window.x - window.width - gap
    rooms = [
        (above, (slice(0, max(above, 0)), window.slices[1])),
        (below, (slice(page.shape[0] - max(below, 0), None), window.slices[1])),
        (left, (window.slices[0], slice(0, max(left, 0)))),
        (right, (window.slices[0], slice(page.shape[1] - max(right, 0), None))),
    ]
    fitting = [place for room, place in rooms if room >= LEAST_MARGIN]
    if not fitting:
        return
    place = fitting[int(work.rng.integers(len(fitting)))]
    page[place] = work.panel().pixels[: page.shape[0], : page.shape[1]][place]


def _write(page: Pixels, paper: Paper, rng: np.random.Generator) -> None:
    """Write a word anywhere; the panel hides what falls on it."""
    word = WORDS[int(rng.integers(len(WORDS)))]
    drawn = text_image(word, max(min(page.shape[:2]) * float(rng.uniform(*HEIGHT)), 6.0))
    if rng.random() < SLANTED:
        drawn = drawn.rotate(45, resample=Image.Resampling.BILINEAR, expand=True)
    opacity = np.asarray(drawn)[: page.shape[0], : page.shape[1]]
    h, w = opacity.shape
    y = int(rng.integers(page.shape[0] - h + 1))
    x = int(rng.integers(page.shape[1] - w + 1))
    under = page[y : y + h, x : x + w]
    page[y : y + h, x : x + w] = mix(under, np.full_like(under, paper.ink), opacity)


def _draw_frame(page: Pixels, paper: Paper, thick: int) -> None:
    rows, columns = paper.window.slices
    inside = page[rows, columns]
    for line in (inside[:thick], inside[-thick:], inside[:, :thick], inside[:, -thick:]):
        line[:] = paper.ink


def _inside(panel: Pixels, window: Box) -> Mask:
    mask = np.zeros(panel.shape[:2], dtype=bool)
    mask[window.slices] = True
    return mask


def _seen(link: Link, windows: list[Mask]) -> Link | None:
    """What is still there twice; None where nothing is."""
    source, target = windows[link.source_panel], windows[link.target_panel]
    there = Box(0, 0, target.shape[1], target.shape[0])
    here = Box(0, 0, source.shape[1], source.shape[0])
    copies = link.target & target & warp_mask(link.source & source, link.matrix, there)
    originals = link.source & source & warp_mask(copies, inverse(link.matrix), here)
    if not (copies.any() and originals.any()):
        return None
    return replace(link, source=originals, target=copies)
