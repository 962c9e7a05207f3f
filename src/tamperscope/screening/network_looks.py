"""Looks at panels with a network: what it links is aligned, or not reported.

A network of pairs marks places and links their cells; the links propose transforms, and only what
alignment verifies on the pixels becomes a finding with two places. What it marks inside a single
panel without any such link becomes a finding of its own: a region unlike its surroundings. Each of
these tasks may have weights of its own. Networks of photographs do the last of them only.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tamperscope.matching import links
from tamperscope.matching.match import Match, PreparedPanel, Proposal
from tamperscope.matching.stability import stability
from tamperscope.matching.verify import verify
from tamperscope.screening.joining import join_pieces
from tamperscope.screening.network_marks import (
    PAIR_DETECTOR,
    THRESHOLD,
    Spliced,
    finite,
    marked,
    rare,
    spliced,
    without_rims,
)
from tamperscope.screening.network_readers import LoadedReader
from tamperscope.screening.tasks import Proven
from tamperscope.screening.workers import PanelCache
from tamperscope.shipped import MARKING_TASKS

if TYPE_CHECKING:
    from tamperscope.models.pair_reading import PanelReading, ReadPanel

KEPT_PANELS = 96  # encoded panels in memory; 17 MB each at 512 x 512 in the base size


class NetworkLook:
    """Looks at the panels of one screening; each panel is encoded once while it is kept.

    Args:
        network: Loaded. Without a null of its weights a threshold decides which marks are told;
            with one, marks of modalities that it does not hold are not told.
        cache: Gives pixels and prepared panels by id.
    """

    def __init__(self, network: LoadedReader, cache: PanelCache) -> None:
        self.reader: Any = network.reader
        self.cache = cache
        self.null = network.null
        self.tasks = network.tasks
        self.detector = network.detector
        self.unverified = 0  # pairs that the network marks and no alignment confirms
        self.identical: list[tuple[str, str]] = []
        self._read: OrderedDict[str, ReadPanel] = OrderedDict()
        self._alone: dict[str, PanelReading] = {}  # of the last panel

    def read(self, panel: str) -> "ReadPanel":
        """Panel ``panel`` as the network knows it."""
        if panel not in self._read:
            self._read[panel] = self.reader.read(self.cache.pixels(panel))
            if len(self._read) > KEPT_PANELS:
                self._read.popitem(last=False)
        self._read.move_to_end(panel)
        return self._read[panel]

    def alone(self, panel: str) -> "PanelReading":
        """What the network says of a panel alone, shrunk to its side; two tasks ask in turn."""
        if panel not in self._alone:
            self._alone = {panel: self.reader.alone(self.read(panel))}
        return self._alone[panel]

    def between(self, first: str, second: str) -> list[Proven]:
        """Find content that two panels share."""
        if "pairs" not in self.tasks:
            return []
        pixels = self.cache.pixels(first), self.cache.pixels(second)
        one, two = self.read(first), self.read(second)
        panels = self.cache.panel(first), self.cache.panel(second)
        proposals = self.proposals(one, two)
        identical = np.array_equal(*pixels)
        if identical:
            self.identical.append((first, second))
            proposals.insert(0, identity(panels[0]))
        elif finite(self.reader.rate(one, two)) < THRESHOLD:
            return []
        reading = self.reader.compare(one, two)
        measures = (*marked(reading.score), *((("identical", 1.0),) if identical else ()))
        found = [
            Proven(first, second, match, stability(*panels, match), None, measures)
            for match in verified(*panels, proposals)
        ]
        held = [one for one in found if one.held]
        self.unverified += reading.score >= THRESHOLD and not held
        return held

    def within(self, panel: str) -> list[Proven | Spliced]:
        """Find content that one panel holds twice, and regions unlike their surroundings."""
        copies = "copies" in self.tasks
        marks = any(task in self.tasks for task in MARKING_TASKS)
        if marks and self.null is not None:
            marks = self.cache.panel(panel).kind in self.null.cases
        if not (copies or marks):
            return []
        proven = self.copies(panel) if copies else []
        return [*proven, *(self.marks(panel, proven) if marks else [])]

    def copies(self, panel: str) -> list[Proven]:
        """Find content that one panel holds twice."""
        read, prepared = self.read(panel), self.cache.panel(panel)
        reading = self.alone(panel)
        if finite(reading.score) < THRESHOLD:
            return []
        found = [
            Proven(
                panel, None, match, stability(prepared, None, match), None, marked(reading.score)
            )
            for match in verified(prepared, None, self.proposals(read, None))
        ]
        return [one for one in found if one.held]

    def marks(self, panel: str, known: Sequence[Proven]) -> list[Spliced]:
        """Find regions unlike their surroundings that no known match explains."""
        pixels = self.cache.pixels(panel)
        whole = max(pixels.shape[:2]) <= self.reader.tile
        reading = self.alone(panel) if whole else self.reader.in_tiles(pixels)
        if finite(reading.score) < THRESHOLD:
            return []
        prepared = self.cache.panel(panel)
        heatmap = without_rims(reading.heatmap, prepared)
        regions = spliced(panel, heatmap, [one.match for one in known])
        regions = [replace(one, detector=self.detector) for one in regions]
        return regions if self.null is None else rare(regions, heatmap, self.null, prepared.kind)

    def proposals(self, one: "ReadPanel", two: "ReadPanel | None") -> list[Proposal]:
        """Transforms that the links of the network suggest; none where it has no affinity."""
        if one.features.embedding is None:
            return []
        found = self.reader.links(one, two)
        return links.propose(
            PAIR_DETECTOR,
            found.source,
            found.target,
            found.weight,
            cell=found.cell,
            within=two is None,
        )


def identity(panel: PreparedPanel) -> Proposal:
    """Propose that two panels are one and the same, supported everywhere."""
    height, width = panel.gray.shape
    x, y = np.meshgrid(np.linspace(0, width - 1, 12), np.linspace(0, height - 1, 12))
    points = np.column_stack([x.ravel(), y.ravel()])
    return Proposal(PAIR_DETECTOR, np.eye(3), points, points)


def verified(
    a: PreparedPanel, b: PreparedPanel | None, proposals: Sequence[Proposal]
) -> list[Match]:
    """Matches that alignment confirms, pieces of one joined."""
    found = (verify(a, b, proposal) for proposal in proposals)
    return join_pieces([match for match in found if match is not None])


def merged(known: list[Any], new: Sequence[Proven]) -> list[Proven]:
    """Add the network's matches to what others found; return those that are new.

    Where a match says what a known one says, the network is named in ``also`` there, in place.

    Args:
        known: :class:`Proven` ones, and whatever else was found.
        new: Of the network.
    """
    fresh = []
    for proven in new:
        for index, old in enumerate(known):
            if not isinstance(old, Proven) or (old.first, old.second) != (
                proven.first,
                proven.second,
            ):
                continue
            both = join_pieces([old.match, proven.match])
            if len(both) == 1:
                names = {*old.match.also, PAIR_DETECTOR} - {old.match.detector}
                match = replace(old.match, also=tuple(sorted(names)))
                known[index] = replace(old, match=match, measures=proven.measures)
                break
        else:
            fresh.append(proven)
    return fresh


def notes(look: NetworkLook, names: Mapping[str, str]) -> list[str]:
    """What holds for the whole run, for the reader."""
    told = [
        f"{names[first]} and {names[second]} are identical, pixel for pixel."
        for first, second in look.identical
    ]
    if look.unverified:
        told.append(
            f"The network marked {look.unverified:,} further pairs of panels in which no alignment "
            "could be verified; they are not listed."
        )
    return [sentence[:1].upper() + sentence[1:] for sentence in told]
