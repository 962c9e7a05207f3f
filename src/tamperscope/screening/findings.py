"""Turns what the workers found into findings: regions in figure coordinates, evidence, order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.records import Box, Evidence, Figure, Finding, Panel, Point, Region
from tamperscope.screening.tasks import Marked, Proven
from tamperscope.screening.wording import movement_of, sentence_between, sentence_within

Mask = NDArray[np.bool_]
Masks = dict[tuple[str, int], Mask]

SAME_FIELD_SCORE = 0.5
"""Factor on the score of two panels of one figure that show one field at one place: usually
colour channels, so they are shown after everything else, but they are shown."""

MARKERS = {"seam": "seams", "erased": "erased", "splice": "pasted"}
"""Detector of each kind of mark."""

SAME_PLACE = 0.02
"""Shift, as a share of the panel, up to which two channels count as being at one place."""


@dataclass(frozen=True)
class Place:
    """A panel together with its figure and the name the reader knows it by."""

    figure: Figure
    panel: Panel
    documents: int  # in the screening; the document is named where there are several

    @property
    def name(self) -> str:
        """E.g. ``panel 2 of figure 3 (page 5)``."""
        number = [panel.id for panel in self.figure.panels].index(self.panel.id) + 1
        label = self.panel.label or str(number)
        where = [self.figure.document] if self.documents > 1 else []
        where += [f"page {self.figure.page}"] if self.figure.page is not None else []
        figure = f"figure {int(self.figure.id.lstrip('f'))}"
        if where:
            figure += f" ({', '.join(where)})"
        return f"panel {label} of {figure}" if len(self.figure.panels) > 1 else figure


def places(figures: Sequence[Figure]) -> dict[str, Place]:
    """Every panel by its id."""
    count = len({figure.document for figure in figures})
    return {panel.id: Place(figure, panel, count) for figure in figures for panel in figure.panels}


def outline(mask: Mask, origin: Box) -> tuple[Box, tuple[Point, ...]]:
    """Box and polygon of a panel's mask, in the figure; the polygon follows the largest part.

    Raises:
        ValueError: The mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise ValueError("an empty mask has no outline")
    x0, x1 = int(columns[0]), int(columns[-1]) + 1
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    box = Box(x0, y0, x1, y1).shifted(origin.x0, origin.y0)
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    largest = max(contours, key=cv2.contourArea)
    simple = cv2.approxPolyDP(largest, 1.5, True)[:, 0, :]
    if len(simple) < 3:  # a line of pixels: its box says as much
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        return box, tuple((float(x + origin.x0), float(y + origin.y0)) for x, y in corners)
    return box, tuple((float(x + origin.x0), float(y + origin.y0)) for x, y in simple)


def region(place: Place, mask: Mask, role: str) -> Region:
    """A region of a panel from its mask."""
    box, polygon = outline(mask, place.panel.box)
    return Region(place.figure.id, place.panel.id, box, polygon, role=role)


def shows_one_field(proven: Proven, first: Place, second: Place) -> bool:
    """Whether two panels of one figure coincide without any shift, as colour channels do."""
    if first.figure.id != second.figure.id:
        return False
    a, b = first.panel.box, second.panel.box
    if abs(a.width - b.width) > 0.05 * a.width or abs(a.height - b.height) > 0.05 * a.height:
        return False
    move = movement_of(proven.match)
    shift = np.abs(move.shift) / (a.width, a.height)
    return bool(
        not move.mirrored
        and abs(move.degrees) < 1
        and abs(move.scale - 1) < 0.05
        and shift.max() < SAME_PLACE
    )


def finding_of_match(proven: Proven, by_id: Mapping[str, Place]) -> tuple[Finding, list[Mask]]:
    """Finding (without its number) of one match, and the masks of its two regions."""
    match = proven.match
    first = by_id[proven.first]
    second = by_id[proven.second] if proven.second is not None else first
    inside = proven.second is None
    same_field = not inside and shows_one_field(proven, first, second)
    kind = "copy-move" if inside else "duplicate"
    roles = ("place", "place")  # the pixels alone do not tell which one came first
    matrix = tuple((float(r[0]), float(r[1]), float(r[2])) for r in match.transform)
    finding = Finding(
        id="unnumbered",
        kind=kind,
        detector=match.detector,
        also=match.also,
        score=round(match.score * (SAME_FIELD_SCORE if same_field else 1.0), 6),
        regions=(
            region(first, match.source_mask, roles[0]),
            region(second, match.target_mask, roles[1]),
        ),
        transform=matrix,
        evidence=Evidence(
            inliers=match.inliers,
            correlation=round(match.correlation, 6),
            correlation_tone=round(match.correlation_tone, 6),
            chance=match.chance,
            chance_null=match.chance_null,
            stability=proven.stability,
            control=proven.control,
            measures=(
                *((("same_field", float(same_field)),) if not inside else ()),
                *proven.measures,
            ),
        ),
        reason=sentence_within(match, first.name)
        if inside
        else sentence_between(match, first.name, second.name, same_field),
    )
    return finding, [match.source_mask, match.target_mask]


def finding_of_mark(marked: Marked, by_id: Mapping[str, Place]) -> tuple[Finding, list[Mask]]:
    """Finding (without its number) of one seam or erased area, and its mask."""
    place = by_id[marked.panel]
    mark = marked.mark
    finding = Finding(
        id="unnumbered",
        kind=marked.kind,
        detector=MARKERS[marked.kind],
        score=round(mark.score, 6),
        regions=(region(place, mark.mask, "place"),),
        transform=None,
        evidence=Evidence(chance=mark.chance, chance_null=mark.chance_null, measures=mark.measures),
        reason=mark.sentence(place.name),
    )
    return finding, [mark.mask]


def number(found: Iterable[tuple[Finding, list[Mask]]]) -> tuple[tuple[Finding, ...], Masks]:
    """Order findings by score and number them F1, F2, ...; masks by (finding id, region index)."""
    ordered = sorted(
        found,
        key=lambda pair: (
            -pair[0].score,
            pair[0].kind,
            tuple((r.figure, r.panel, *r.box.as_list()) for r in pair[0].regions),
            pair[0].detector,
        ),
    )
    findings, masks = [], {}
    for index, (finding, regions) in enumerate(ordered, start=1):
        numbered = replace(finding, id=f"F{index}")
        findings.append(numbered)
        for place, mask in enumerate(regions):
            masks[numbered.id, place] = mask
    return tuple(findings), masks
