"""What a worker does with one panel or one pair: match, then put the match to the test.

Each function takes the worker's panel cache and a task that only names panels, so that tasks travel
cheaply between processes.
"""

from dataclasses import dataclass

from tamperscope.matching.control import control
from tamperscope.matching.index import Descriptor, describe
from tamperscope.matching.match import Match
from tamperscope.matching.pasted import find_pasted
from tamperscope.matching.reuse import match_between, match_within
from tamperscope.matching.seams import Mark, find_erased, find_seams
from tamperscope.matching.stability import stability
from tamperscope.screening.joining import join_pieces
from tamperscope.screening.workers import PanelCache

CONTROLS = 40
"""Other panels of the document that the negative control tries at most."""


@dataclass(frozen=True)
class Within:
    """Look inside one panel."""

    panel: str
    detectors: tuple[str, ...]
    seams: bool


@dataclass(frozen=True)
class Between:
    """Compare two panels."""

    first: str
    second: str
    detectors: tuple[str, ...]


@dataclass(frozen=True)
class Proven:
    """A match with the tests that it was put to."""

    first: str
    second: str | None  # None: inside ``first``
    match: Match
    stability: tuple[tuple[str, bool], ...]
    control: tuple[int, int] | None  # None until the control has run
    measures: tuple[tuple[str, float], ...] = ()  # further named numbers, for the evidence

    @property
    def held(self) -> bool:
        """Whether it survived any disturbance; what survives none is a coincidence of pixels."""
        return any(held for _, held in self.stability)


@dataclass(frozen=True)
class Marked:
    """A seam, an erased area or a pasted box of one panel."""

    panel: str
    kind: str  # "seam", "erased" or "splice"
    mark: Mark


@dataclass(frozen=True)
class Control:
    """Hold one match against other panels of the same kind."""

    first: str
    match: Match
    others: tuple[str, ...]


def describe_panel(cache: PanelCache, panel: str) -> Descriptor:
    """Describe one panel for the short list."""
    return describe(cache.panel(panel))


def look_within(cache: PanelCache, task: Within) -> list[Proven | Marked]:
    """Find copy-moves, and in blots seams, erased areas and pasted boxes, inside one panel."""
    panel = cache.panel(task.panel)
    proven = (
        Proven(task.panel, None, match, stability(panel, None, match), None)
        for match in join_pieces(match_within(panel, task.detectors))
    )
    found: list[Proven | Marked] = [one for one in proven if one.held]
    if task.seams and panel.kind == "blot":
        boxes = find_pasted(panel)
        seams = [seam for seam in find_seams(panel) if not any(b.has_side(seam.box) for b in boxes)]
        found += [Marked(task.panel, "seam", seam) for seam in seams]
        found += [Marked(task.panel, "erased", area) for area in find_erased(panel)]
        found += [Marked(task.panel, "splice", box) for box in boxes]
    return found


def look_between(cache: PanelCache, task: Between) -> list[Proven | Marked]:
    """Find content that two panels share."""
    first, second = cache.panel(task.first), cache.panel(task.second)
    proven = (
        Proven(task.first, task.second, match, stability(first, second, match), None)
        for match in join_pieces(match_between(first, second, task.detectors))
    )
    return [one for one in proven if one.held]


def look_elsewhere(cache: PanelCache, task: Control) -> tuple[int, int]:
    """Count other panels in which the source region of a match is found as well."""
    others = [cache.panel(id) for id in task.others[:CONTROLS]]
    return control(task.match, cache.panel(task.first), others)
