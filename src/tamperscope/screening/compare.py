"""One pair of pictures, or one picture with itself: the detectors of a screening without the paper.

Each picture is taken as one panel, whole: nothing is split.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tamperscope import __version__
from tamperscope.errors import UnreadableInputError
from tamperscope.records import Box, Figure, Panel, Run, Screening, Unread
from tamperscope.runtime import commit
from tamperscope.screening.documents import LoadedFigure, input_hashes, read_documents
from tamperscope.screening.findings import Place, finding_of_mark, finding_of_match, number, places
from tamperscope.screening.modality import classify
from tamperscope.screening.network_looks import NetworkLook, merged
from tamperscope.screening.network_looks import notes as network_notes
from tamperscope.screening.network_marks import Spliced, finding_of_splice, untold
from tamperscope.screening.network_readers import LoadedReader
from tamperscope.screening.pipeline import Options, Screened
from tamperscope.screening.store import FigureStore
from tamperscope.screening.tasks import Between, Marked, Proven, Within, look_between, look_within
from tamperscope.screening.workers import PanelCache, PanelSource, Workers

Mask = NDArray[np.bool_]


@dataclass
class Compared:
    """A comparison: what the report needs, and one mask a picture with every place found in it."""

    screened: Screened
    masks: tuple[Mask, ...]  # of each input, its size


def compare(
    inputs: Sequence[Path], out: Path, options: Options, networks: Sequence[LoadedReader] = ()
) -> Compared:
    """Compare two pictures, or look inside one.

    Args:
        inputs: One or two image files of a single frame each.
        out: Output folder; exists and is writable.
        options: Detectors; with two pictures only what they share is looked for.
        networks: All of them run.

    Raises:
        UnreadableInputError: A file cannot be read, or holds more than one picture.
    """
    started = time.monotonic()
    store = FigureStore(out)
    figures, sources, unread = [], [], []
    for number_, path in enumerate(inputs, start=1):
        loaded, problems = _one_picture(path)
        unread += problems
        figure = replace(_whole(loaded), id=f"f{number_:03d}")
        panel = replace(figure.panels[0], id=f"f{number_:03d}p01")
        figures.append(replace(figure, panels=(panel,)))
        store.keep(replace(loaded, figure=figures[-1]))
        sources.append(PanelSource(panel.id, store.paths[figure.id], panel.box, panel.kind))

    workers = Workers(sources, jobs=1)
    if len(sources) == 1:
        within = Within(sources[0].id, options.matchers, "seams" in options.detectors)
        (seen,) = workers.run(look_within, [within])
    else:
        between = Between(sources[0].id, sources[1].id, options.matchers)
        (seen,) = workers.run(look_between, [between])

    by_id = places(figures)
    spliced: list[Spliced] = []
    notes: list[str] = []
    for network in networks:
        marked, told = _ask_network(network, sources, by_id, seen, spliced)
        spliced += marked
        notes += told
    pairs = [
        finding_of_match(result, by_id)
        if isinstance(result, Proven)
        else finding_of_mark(result, by_id)
        for result in seen
    ]
    pairs += [finding_of_splice(one, by_id[one.panel]) for one in spliced]
    findings, masks = number(pairs)
    run = Run(
        version=__version__,
        commit=commit(),
        seeds={"matching": 0},
        parameters={
            "detectors": list(options.detectors),
            "split": False,
            "networks": [network.facts for network in networks],
        },
        inputs=tuple(input_hashes(inputs)),
        seconds=round(time.monotonic() - started, 1),
    )
    screening = Screening(tuple(figures), findings, tuple(unread), run, tuple(notes))
    unions = []
    for figure in figures:
        union = np.zeros((figure.height, figure.width), dtype=bool)
        for finding in findings:
            for index, place in enumerate(finding.regions):
                if place.figure == figure.id:
                    union |= masks[finding.id, index]
        unions.append(union)
    return Compared(Screened(screening, store, masks), tuple(unions))


def _ask_network(
    network: LoadedReader,
    sources: Sequence[PanelSource],
    by_id: Mapping[str, Place],
    seen: list[Proven | Marked],
    marked: Sequence[Spliced],
) -> tuple[list[Spliced], list[str]]:
    """Let the network look; its matches are added to ``seen``: (regions not ``marked``, notes)."""
    look = NetworkLook(network, PanelCache(sources))
    ids = [source.id for source in sources]
    answers = look.within(*ids) if len(ids) == 1 else look.between(*ids)
    seen += merged(seen, [one for one in answers if isinstance(one, Proven)])
    spliced = untold([one for one in answers if isinstance(one, Spliced)], [*seen, *marked])
    return spliced, network_notes(look, {id: place.name for id, place in by_id.items()})


def _one_picture(path: Path) -> tuple[LoadedFigure, list[Unread]]:
    """Read the only picture of a file, with what could not be read of it."""
    items = list(read_documents([path]))
    loaded = [item for item in items if not isinstance(item, Unread)]
    unread = [item for item in items if isinstance(item, Unread)]
    if not loaded:
        why = "; ".join(item.why for item in unread) or "it holds no picture"
        raise UnreadableInputError(f"{path}: {why}")
    if len(loaded) > 1:
        raise UnreadableInputError(
            f"{path} holds {len(loaded)} pictures; 'compare' takes one, 'tamperscope screen' all"
        )
    return loaded[0], unread


def _whole(loaded: LoadedFigure) -> Figure:
    """The figure as one panel."""
    kind, probability = classify(loaded.pixels)
    if kind == "chart":
        kind, probability = "photo", 1 - probability  # asked for by name: looked at all the same
    figure = loaded.figure
    box = Box(0, 0, figure.width, figure.height)
    return replace(figure, panels=(Panel(f"{figure.id}p01", box, kind, probability),))
