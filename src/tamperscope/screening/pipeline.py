"""One paper, from files to findings: the straight way that every screening takes.

documents -> figures on disk -> panels -> inside each panel -> short list of pairs -> each pair ->
negative control -> one :class:`~tamperscope.records.Screening`. Nothing here writes a report; the
caller hands the :class:`Screened` to :func:`tamperscope.report.write_report`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from tamperscope import __version__
from tamperscope.matching.index import Descriptor, shortlist
from tamperscope.records import Figure, Finding, Run, Screening, Unread
from tamperscope.runtime import commit, cpu_count
from tamperscope.screening.documents import LoadedFigure, input_hashes, read_documents
from tamperscope.screening.findings import (
    Masks,
    finding_of_mark,
    finding_of_match,
    number,
    places,
)
from tamperscope.screening.limits import Limits
from tamperscope.screening.network_looks import NetworkLook, merged
from tamperscope.screening.network_looks import notes as network_notes
from tamperscope.screening.network_marks import Spliced, finding_of_splice, untold
from tamperscope.screening.network_readers import LoadedReader
from tamperscope.screening.panels import find_panels
from tamperscope.screening.panels_file import read_panels
from tamperscope.screening.scratch import Scratch
from tamperscope.screening.store import FigureStore
from tamperscope.screening.tasks import (
    Between,
    Control,
    Marked,
    Proven,
    Within,
    describe_panel,
    look_between,
    look_elsewhere,
    look_within,
)
from tamperscope.screening.workers import PanelCache, PanelSource, Workers
from tamperscope.shipped import NETWORK_TASKS

Progress = Callable[[str, int, int | None], None]
"""Called with the stage in words, how much of it is done, and of how much (None: not known)."""

DETECTORS = ("keypoints", "dense-field-zm", "seams")
NETWORKS = (*NETWORK_TASKS, "loma")

MIN_PANEL_SIDE = 32
"""Pixels; smaller panels carry too little to match."""


@dataclass(frozen=True)
class Options:
    """What the user may decide about a screening."""

    detectors: tuple[str, ...] = DETECTORS
    panels_file: Path | None = None  # an edited panels.json
    pages: int = Limits().pages  # of one document that are read at most
    jobs: int = field(default_factory=cpu_count)
    remarks: tuple[str, ...] = ()  # for the reader of the report, on how it was run
    prevalence: float | None = None  # share in which something is there; the report reckons with it

    @property
    def matchers(self) -> tuple[str, ...]:
        """The detectors that match regions with regions."""
        others = ("seams", *NETWORKS)
        return tuple(name for name in self.detectors if name not in others)


@dataclass
class Screened:
    """A screening with what its report needs besides: pixels of figures and masks of regions."""

    screening: Screening
    store: FigureStore
    masks: Masks

    def pixels(self, figure: str) -> NDArray[np.uint8]:
        """Pixels of a figure by id."""
        return self.store.pixels(figure)


@dataclass
class _Found:
    """What has been found so far; a screening that is interrupted reports this."""

    figures: list[Figure] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    proven: list[Proven] = field(default_factory=list)
    marked: list[Marked] = field(default_factory=list)
    spliced: list[Spliced] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def take(self, results: Sequence[Proven | Marked]) -> None:
        for result in results:
            if isinstance(result, Proven):
                self.proven.append(result)
            else:
                self.marked.append(result)


def _silent(stage: str, done: int, total: int | None) -> None:
    """Say nothing."""


def screen(
    inputs: Sequence[Path],
    out: Path,
    options: Options,
    progress: Progress = _silent,
    networks: Sequence[LoadedReader] = (),
) -> Screened:
    """Screen documents and images; figures are kept under ``out/evidence/figures``.

    A KeyboardInterrupt ends the work early: what was found up to then is returned, and the run is
    marked as interrupted.

    Args:
        inputs: PDF, DOCX, zip, image files and folders, in any mix.
        out: Output folder; exists and is writable.
        options: Detectors, corrected panels, processes.
        progress: Told what is going on.
        networks: From :func:`tamperscope.screening.network_readers.load_readers`; all of them run.

    Raises:
        PanelsFileError: The corrected panels do not fit.
        MissingKernelError: A detector was asked for whose native library is not built.
    """
    started = time.monotonic()
    store = FigureStore(out)
    found = _Found(notes=list(options.remarks))
    interrupted = False
    try:
        _read(inputs, store, found, options, progress)
        _look(store, found, options, networks, progress)
    except KeyboardInterrupt:
        interrupted = True
    by_id = places(found.figures)
    pairs: list[tuple[Finding, list[NDArray[np.bool_]]]] = [
        finding_of_match(proven, by_id) for proven in found.proven
    ]
    pairs += [finding_of_mark(marked, by_id) for marked in found.marked]
    pairs += [finding_of_splice(spliced, by_id[spliced.panel]) for spliced in found.spliced]
    findings, masks = number(pairs)
    run = Run(
        version=__version__,
        commit=commit(),
        seeds={"matching": 0},
        parameters=_parameters(options, networks),
        inputs=tuple(input_hashes(inputs)),
        seconds=round(time.monotonic() - started, 1),
        interrupted=interrupted,
    )
    screening = Screening(
        tuple(found.figures), findings, tuple(found.unread), run, tuple(found.notes)
    )
    return Screened(screening, store, masks)


def _parameters(options: Options, networks: Sequence[LoadedReader]) -> dict[str, object]:
    """Options as JSON values; processes are left out, they do not change what is found."""
    values = asdict(options)
    values.pop("jobs")
    values.pop("remarks")
    values["networks"] = [network.facts for network in networks]
    values["detectors"] = list(options.detectors)
    values["panels_file"] = None if options.panels_file is None else options.panels_file.name
    return values


def _read(
    inputs: Sequence[Path],
    store: FigureStore,
    found: _Found,
    options: Options,
    progress: Progress,
) -> None:
    """Read figures, write them to the store and split them into panels."""
    for item in read_documents(inputs, limits=Limits(pages=options.pages)):
        if isinstance(item, Unread):
            found.unread.append(item)
            continue
        found.figures.append(_split(item, store))
        progress("Reading figures", len(found.figures), None)
    if options.panels_file is not None:
        found.figures = list(read_panels(options.panels_file, found.figures))


def _split(loaded: LoadedFigure, store: FigureStore) -> Figure:
    """Keep one figure on disk and return it with its panels."""
    store.keep(loaded)
    return replace(loaded.figure, panels=find_panels(loaded.figure, loaded.pixels, loaded.visible))


def _look(
    store: FigureStore,
    found: _Found,
    options: Options,
    networks: Sequence[LoadedReader],
    progress: Progress,
) -> None:
    """Look inside panels and between them, then hold every match against the other panels."""
    sources = _sources(store, found)
    with (
        TemporaryDirectory(prefix=".panels-", dir=store.out) as folder,
        Workers(sources, options.jobs, Scratch(Path(folder)) if options.matchers else None) as work,
    ):
        tasks = [Within(s.id, options.matchers, "seams" in options.detectors) for s in sources]
        for done, result in enumerate(work.run(look_within, tasks), start=1):
            found.take(result)
            progress("Looking inside panels", done, len(tasks))
        if not options.matchers and not networks:
            return
        pairs = _shortlist(work, sources, found, progress)
        if options.matchers:
            compared = [Between(first, second, options.matchers) for first, second in pairs]
            for done, result in enumerate(work.run(look_between, compared), start=1):
                found.take(result)
                progress("Comparing panels", done, len(compared))
        for network in networks:
            _ask_network(network, sources, pairs, found, progress)
        _control(work, sources, found, progress)


def _shortlist(
    work: Workers, sources: Sequence[PanelSource], found: _Found, progress: Progress
) -> list[tuple[str, str]]:
    """Name the pairs of panels that are worth comparing in full."""
    ids = [source.id for source in sources]
    descriptors: list[Descriptor] = []
    for descriptor in work.run(describe_panel, ids):
        descriptors.append(descriptor)
        progress("Indexing panels", len(descriptors), len(ids))
    pairs = [(ids[a], ids[b]) for a, b in shortlist(descriptors)]
    all_pairs = len(ids) * (len(ids) - 1) // 2
    found.notes.append(
        f"Of {all_pairs:,} pairs of panels, {len(pairs):,} were alike enough to be compared in"
        " full."
    )
    return pairs


def _ask_network(
    network: LoadedReader,
    sources: Sequence[PanelSource],
    pairs: Sequence[tuple[str, str]],
    found: _Found,
    progress: Progress,
) -> None:
    """Let the network look inside panels and at the pairs of the short list, in this process."""
    look = NetworkLook(network, PanelCache(sources))
    for done, source in enumerate(sources, start=1):
        answers = look.within(source.id)
        marks = [one for one in answers if isinstance(one, Spliced)]
        found.spliced += untold(marks, [*found.proven, *found.marked, *found.spliced])
        found.proven += merged(found.proven, [one for one in answers if isinstance(one, Proven)])
        progress("Asking the network about panels", done, len(sources))
    asked = pairs if "pairs" in network.tasks else ()
    for done, (first, second) in enumerate(asked, start=1):
        found.proven += merged(found.proven, look.between(first, second))
        progress("Asking the network about pairs", done, len(asked))
    names = {id: place.name for id, place in places(found.figures).items()}
    found.notes += network_notes(look, names)


def _sources(store: FigureStore, found: _Found) -> list[PanelSource]:
    """Panels to match: charts and tiny ones are set aside."""
    sources = []
    for figure in found.figures:
        for panel in figure.panels:
            if panel.kind == "chart":
                continue
            if min(panel.box.width, panel.box.height) < MIN_PANEL_SIDE:
                found.unread.append(
                    Unread(
                        f"{panel.id} ({figure.document})",
                        f"the panel is {panel.box.width} x {panel.box.height} pixels; at least "
                        f"{MIN_PANEL_SIDE} x {MIN_PANEL_SIDE} are needed to match it",
                    )
                )
                continue
            sources.append(PanelSource(panel.id, store.paths[figure.id], panel.box, panel.kind))
    return sources


def _control(
    work: Workers, sources: Sequence[PanelSource], found: _Found, progress: Progress
) -> None:
    """Hold each match against the panels of the same kind that it does not speak of."""
    kinds = {source.id: source.kind for source in sources}
    linked: dict[str, set[str]] = {}
    for proven in found.proven:
        if proven.second is not None:
            linked.setdefault(proven.first, set()).add(proven.second)
            linked.setdefault(proven.second, set()).add(proven.first)
    tasks = []
    for proven in found.proven:
        skip = {proven.first, proven.second} | linked.get(proven.first, set())
        others = [s.id for s in sources if kinds[s.id] == kinds[proven.first] and s.id not in skip]
        tasks.append(Control(proven.first, proven.match, tuple(others)))
    for index, counts in enumerate(work.run(look_elsewhere, tasks)):
        found.proven[index] = replace(found.proven[index], control=counts)
        progress("Trying matches on other panels", index + 1, len(tasks))
