"""Looks at panels with a network that takes pairs: what it links is aligned, or not reported.

The network marks places and links their cells; the links propose transforms, and only what
alignment verifies on the pixels becomes a finding with two places. What it marks inside a single
panel without any such link becomes a finding of its own: a region unlike its surroundings. Each of
these tasks may have weights of its own. Networks of photographs do the last of them only. PyTorch
is imported when a reader is loaded, so that everything else works where it is not installed.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tamperscope.errors import MissingExtraError, WeightsError
from tamperscope.matching import links
from tamperscope.matching.match import Match, PreparedPanel, Proposal
from tamperscope.matching.stability import stability
from tamperscope.matching.verify import verify
from tamperscope.records import Evidence, Finding
from tamperscope.runtime import pick_device
from tamperscope.screening.findings import Mask, Place, region
from tamperscope.screening.joining import join_pieces
from tamperscope.screening.network_chance import ALPHA, NetworkNull, null_of, strength
from tamperscope.screening.rims import rims
from tamperscope.screening.tasks import Marked, Proven
from tamperscope.screening.workers import PanelCache
from tamperscope.shipped import (
    MARKING_TASKS,
    PANEL_TASKS,
    PHOTOGRAPH_TASKS,
    shipped_tasks,
    weights_of,
)

if TYPE_CHECKING:
    from tamperscope.models.pair_reading import PairReader, PanelReading, ReadPanel
    from tamperscope.models.photograph_reading import PhotographReader

DETECTOR = "biotampernet"
THRESHOLD = 0.5  # probability from which a pixel is marked
KEPT_PANELS = 96  # encoded panels in memory; 17 MB each at 512 x 512 in the base size
LEAST_SHARE = 0.001  # of a panel: smaller marks are left out, as the paper's protocol does
EXPLAINED = 0.5  # of a mark that a match or another detector's mark covers: it says nothing new
BESIDE = 6  # pixels between two detectors' marks of one seam
BAND_WIDTH, BAND_RATIO = 20, 3.0  # pixels at most, and how much longer than wide: a seam


@dataclass(frozen=True)
class Spliced:
    """A region of one panel that the network marks and no alignment explains."""

    panel: str
    mask: Mask
    score: float  # mean probability inside
    chance: float | None = None  # share of pristine panels with a mark as strong; None: not known
    null: str | None = None  # which panels, in words
    detector: str = DETECTOR


@dataclass(frozen=True)
class LoadedReader:
    """A network ready to read panels, with what the record says about it."""

    reader: "PairReader | PhotographReader"
    facts: dict[str, Any]
    null: NetworkNull | None = None  # of these very weights, where there is one
    tasks: tuple[str, ...] = tuple(PANEL_TASKS)  # that it is asked

    @property
    def detector(self) -> str:
        """Name of the network without its size: biotampernet, forma or loma."""
        return str(self.facts["model"]).partition("_")[0]


def load_readers(
    weights: Path | None, tasks: Sequence[str], device: str = "auto"
) -> tuple[LoadedReader, ...]:
    """Load what looks at panels: the given weights, or for each task those that come with us.

    Args:
        weights: Given by the user, and asked every one of the tasks.
        tasks: Some of ``PANEL_TASKS``; without ``weights``, those that have none are left out.
        device: As for :func:`load_reader`.

    Raises:
        WeightsError: None of the tasks has weights that come with the program; see also
            :func:`load_reader`.
    """
    if weights is not None:
        return (load_reader(weights, device, tasks=tuple(tasks)),)
    own = shipped_tasks(tasks)
    if not own:
        weights_of(PANEL_TASKS[tasks[0]], None)  # says what is missing, and the way out
    return tuple(
        load_reader(weights_of(PANEL_TASKS[task], None), device, tasks=(task,)) for task in own
    )


def reader_for(task: str, readers: Sequence[LoadedReader]) -> "PairReader":
    """The network of panels that is asked a task; WeightsError if none is."""
    from tamperscope.models.pair_reading import PairReader

    for loaded in readers:
        if task in loaded.tasks and isinstance(loaded.reader, PairReader):
            return loaded.reader
    raise WeightsError(f"no weights for the task {task!r}; name some with --weights")


def load_reader(
    weights: Path, device: str = "auto", *, tasks: tuple[str, ...] = tuple(PANEL_TASKS)
) -> LoadedReader:
    """Load the network of a weights file.

    Args:
        weights: Of a network of panels, or of photographs.
        device: As ``runtime.pick_device`` takes it.
        tasks: What it is asked; a network of photographs only those of ``PHOTOGRAPH_TASKS``.

    Raises:
        MissingExtraError: PyTorch or safetensors is not installed.
        WeightsError: The file is missing, broken, of a part of a network, or holds NaN; or none of
            the tasks is one of this network's.
        DeviceError: The device is not there.
    """
    place = pick_device(device)
    try:
        import safetensors  # noqa: F401 (asked for by name, so that the message is ours)
    except ImportError as error:
        raise MissingExtraError("weights need safetensors: pip install 'tamperscope[nets]'") from (
            error
        )
    from tamperscope.models import MODELS, PAIR_MODELS
    from tamperscope.models.checkpoints import sha256
    from tamperscope.models.pair_reading import PairReader
    from tamperscope.models.photograph_reading import PhotographReader
    from tamperscope.models.weights import load_weights, read_card

    card = read_card(weights)
    if card.builder not in {**PAIR_MODELS, **MODELS}:
        raise WeightsError(
            f"{weights} holds weights of {card.builder}, which is a part of a network; "
            f"wanted is one of {', '.join(sorted({**PAIR_MODELS, **MODELS}))}"
        )
    pairs = card.builder in PAIR_MODELS
    able = tuple(task for task in tasks if pairs != (task in PHOTOGRAPH_TASKS))
    if not able:
        raise WeightsError(
            f"{weights} holds weights of {card.builder}, which is not asked about "
            f"{' and '.join(tasks)}"
        )
    network: Any = load_weights(weights)
    digest = sha256(weights)
    facts = {
        "model": card.builder,
        "file": weights.name,
        "sha256": digest,
        "data": card.data,
        "device": place.type,
        "tasks": list(able),
    }
    read = PairReader if pairs else PhotographReader
    return LoadedReader(read(network.to(place)), facts, null_of(digest), able)


class NetworkLook:
    """Looks at the panels of one screening; each panel is encoded once while it is kept.

    Args:
        network: From :func:`load_reader`. Without a null of its weights a threshold decides which
            marks are told; with one, marks of modalities that it does not hold are not told.
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
        reading = without_rims(reading, prepared)
        regions = spliced(panel, reading, [one.match for one in known])
        regions = [replace(one, detector=self.detector) for one in regions]
        return regions if self.null is None else rare(regions, reading, self.null, prepared.kind)

    def proposals(self, one: "ReadPanel", two: "ReadPanel | None") -> list[Proposal]:
        """Transforms that the links of the network suggest; none where it has no affinity."""
        if one.features.embedding is None:
            return []
        found = self.reader.links(one, two)
        return links.propose(
            DETECTOR, found.source, found.target, found.weight, cell=found.cell, within=two is None
        )


def finite(score: float) -> float:
    """Return ``score``; WeightsError where the network answered with NaN."""
    if not np.isfinite(score):
        raise WeightsError("the network answered with NaN or infinity; its weights are damaged")
    return score


def marked(score: float) -> tuple[tuple[str, float], ...]:
    """Score of the network as a measure of evidence."""
    return (("network_score", round(score, 6)),)


def identity(panel: PreparedPanel) -> Proposal:
    """Propose that two panels are one and the same, supported everywhere."""
    height, width = panel.gray.shape
    x, y = np.meshgrid(np.linspace(0, width - 1, 12), np.linspace(0, height - 1, 12))
    points = np.column_stack([x.ravel(), y.ravel()])
    return Proposal(DETECTOR, np.eye(3), points, points)


def verified(
    a: PreparedPanel, b: PreparedPanel | None, proposals: Sequence[Proposal]
) -> list[Match]:
    """Matches that alignment confirms, pieces of one joined."""
    found = (verify(a, b, proposal) for proposal in proposals)
    return join_pieces([match for match in found if match is not None])


def untold(regions: Sequence[Spliced], told: Sequence[Marked | Spliced | Proven]) -> list[Spliced]:
    """Leave out the regions that others have marked in the same panel, or found there twice.

    What a panel shares with another one explains nothing: it may be the whole panel.

    Args:
        regions: Marked by a network.
        told: What is known.
    """
    kept = []
    for one in regions:
        known = np.zeros(one.mask.shape, np.bool_)
        for old in told:
            if isinstance(old, Proven):
                if old.first == one.panel and old.second is None:
                    known |= old.match.source_mask | old.match.target_mask
            elif old.panel == one.panel:
                known |= old.mark.mask if isinstance(old, Marked) else old.mask
        near = cv2.dilate(known.astype(np.uint8), np.ones((2 * BESIDE + 1,) * 2, np.uint8)) > 0
        if near[one.mask].mean() < EXPLAINED:
            kept.append(one)
    return kept


def without_rims(reading: "PanelReading", panel: PreparedPanel) -> "PanelReading":
    """Take the marks off where the panel begins: nobody made those transitions."""
    heatmap = np.where(rims(panel), np.float32(0), reading.heatmap)
    return replace(reading, heatmap=heatmap)


def spliced(panel: str, reading: "PanelReading", matches: Sequence[Match]) -> list[Spliced]:
    """Regions that are marked and not covered by a match, largest first."""
    labels, count = ndimage.label(reading.heatmap > THRESHOLD)
    covered = np.zeros(labels.shape, np.bool_)
    for match in matches:
        covered |= match.source_mask | match.target_mask
    regions = []
    for index in range(1, count + 1):
        mask = labels == index
        if mask.mean() >= LEAST_SHARE and covered[mask].mean() < EXPLAINED:
            regions.append(Spliced(panel, mask, float(reading.heatmap[mask].mean())))
    return sorted(regions, key=lambda one: -int(one.mask.sum()))


def rare(
    regions: Sequence[Spliced], reading: "PanelReading", null: NetworkNull, kind: str
) -> list[Spliced]:
    """Keep the regions that pristine panels of this modality seldom show, with their chance."""
    kept = []
    for one in regions:
        chance, words = null.chance(strength(reading.heatmap, one.mask), kind)
        if chance <= ALPHA:
            kept.append(replace(one, chance=chance, null=words))
    return kept


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
                names = {*old.match.also, DETECTOR} - {old.match.detector}
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


def finding_of_splice(found: Spliced, place: Place) -> tuple[Finding, list[NDArray[np.bool_]]]:
    """Finding (without its number) of one marked region, and its mask."""
    seam = is_band(found.mask)
    share = float(found.mask.mean())
    if seam:
        seen = (
            f"The network marks a narrow straight band in {place.name}, as where two pieces of a "
            "picture were joined."
        )
    elif found.chance is not None or found.detector != DETECTOR:  # asked for this and nothing else
        seen = (
            f"The network marks {share:.1%} of {place.name} as unlike its surroundings, as where "
            "something was laid in from elsewhere, erased or retouched."
        )
    else:
        seen = (
            f"The network marks {share:.1%} of {place.name} as unlike its surroundings or shown "
            "twice; no second place could be aligned with it."
        )
    finding = Finding(
        id="unnumbered",
        kind="seam" if seam else "splice",
        detector=found.detector,
        score=round(found.score, 6),
        regions=(region(place, found.mask, "place"),),
        transform=None,
        evidence=Evidence(
            chance=found.chance, chance_null=found.null, measures=marked(found.score)
        ),
        reason=seen,
    )
    return finding, [found.mask]


def is_band(mask: Mask) -> bool:
    """Whether a region is narrow and straight, along rows or columns: a seam, not a patch."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    sides = sorted((rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1))
    return bool(sides[0] <= BAND_WIDTH and sides[1] >= BAND_RATIO * sides[0])
