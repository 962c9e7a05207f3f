"""The records that cross borders: screening -> report -> JSON -> page. Plain frozen values.

Coordinates are pixels of the figure unless a field says otherwise; boxes are half-open
``[x0, y0, x1, y1]``. Every record checks itself on construction, so that a record read back from
JSON is as trustworthy as one made here. No torch, no files, no arrays.

Vocabulary: a *figure* is one picture a document holds; a *panel* is one picture inside a figure; a
*finding* is an observation about one or more regions, never a verdict.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

FORMAT = "tamperscope-screening/1"

PANEL_KINDS = ("blot", "microscopy", "facs", "macroscopy", "photo", "chart")
"""Modalities of a panel; ``blot`` is blots and gels, ``chart`` is set aside from matching."""

FINDING_KINDS = ("copy-move", "duplicate", "seam", "erased", "splice")
"""``copy-move``: inside one panel; ``duplicate``: between two panels; ``seam``: an abrupt straight
transition in a blot; ``erased``: an unnaturally flat area; ``splice``: a region pasted in."""

Matrix = tuple[tuple[float, float, float], ...]
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A half-open rectangle in pixels: columns x0..x1-1, rows y0..y1-1; never empty."""

    x0: int
    y0: int
    x1: int
    y1: int

    def __post_init__(self) -> None:
        if not (0 <= self.x0 < self.x1 and 0 <= self.y0 < self.y1):
            raise ValueError(f"a box needs 0 <= x0 < x1 and 0 <= y0 < y1, got {self.as_list()}")

    @property
    def width(self) -> int:
        """Columns."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Rows."""
        return self.y1 - self.y0

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of an array in (row, column) order."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def intersection(self, other: "Box") -> int:
        """Pixels shared with ``other``."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(width, 0) * max(height, 0)

    def shifted(self, dx: int, dy: int) -> "Box":
        """Moved by (dx, dy) pixels."""
        return Box(self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy)

    def as_list(self) -> list[int]:
        """As ``[x0, y0, x1, y1]``."""
        return [self.x0, self.y0, self.x1, self.y1]

    @classmethod
    def from_list(cls, values: Sequence[int]) -> Self:
        """Read ``[x0, y0, x1, y1]``."""
        if len(values) != 4:
            raise ValueError(f"a box is [x0, y0, x1, y1], got {list(values)}")
        return cls(*(int(v) for v in values))


@dataclass(frozen=True)
class Panel:
    """One picture inside a figure."""

    id: str  # unique in the screening, e.g. "f003p02"
    box: Box  # in the figure
    kind: str  # one of PANEL_KINDS
    probability: float  # of that kind, by the modality classifier
    label: str | None = None  # the letter printed beside it, where the user gave one

    def __post_init__(self) -> None:
        if self.kind not in PANEL_KINDS:
            raise ValueError(f"panel kind must be one of {PANEL_KINDS}, got {self.kind!r}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must lie in [0, 1], got {self.probability}")


@dataclass(frozen=True)
class Figure:
    """One picture that a document holds, with its panels."""

    id: str  # unique in the screening, e.g. "f003"
    document: str  # name of the input it came from, as the user gave it
    page: int | None  # 1-based page or frame; None where there are no pages
    width: int
    height: int
    panels: tuple[Panel, ...] = ()
    origin: str = "image"  # "embedded", "rendered", "media" (DOCX) or "image"
    sha256: str | None = None  # of the bytes as stored in the document, where there are any
    place: tuple[float, float, float, float] | None = None  # on the page: x0 y0 x1 y1, points
    note: str | None = None  # what a reader should know: clipped, softly masked, tone-stretched

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"figure {self.id} has no pixels: {self.width} x {self.height}")
        for panel in self.panels:
            if panel.box.x1 > self.width or panel.box.y1 > self.height:
                raise ValueError(f"panel {panel.id} {panel.box} leaves figure {self.id}")


@dataclass(frozen=True)
class Region:
    """A place in a panel that a finding speaks of."""

    figure: str
    panel: str
    box: Box  # in the figure
    polygon: tuple[Point, ...]  # outline in the figure, (x, y), at least three points
    mask: str | None = None  # PNG (0/255, size of the panel) under the output folder
    role: str = "place"  # "source", "target", or "place" where the two cannot be told apart

    def __post_init__(self) -> None:
        if len(self.polygon) < 3:
            raise ValueError(f"a polygon needs three points, got {len(self.polygon)}")


@dataclass(frozen=True)
class Evidence:
    """What stands behind a finding; every number says how it was measured.

    ``None`` means "does not apply to this kind of finding", never "not computed".
    """

    inliers: int | None = None  # key points or field cells that follow the transform
    correlation: float | None = None  # Pearson, of the aligned regions
    correlation_tone: float | None = None  # the same after removing the best monotone tone curve
    chance: float | None = None  # share of unrelated panel pairs that align at least this well
    chance_null: str | None = None  # which null: modality and number of pairs, in words
    stability: tuple[tuple[str, bool], ...] = ()  # (disturbance, did the match hold)
    control: tuple[int, int] | None = None  # (how many other panels match as well, of how many)
    measures: tuple[tuple[str, float], ...] = ()  # further named numbers of the detector
    pictures: tuple[tuple[str, str], ...] = ()  # (role, path under the output folder)

    def __post_init__(self) -> None:
        for name in ("correlation", "correlation_tone", "chance"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number or None, got {value}")


@dataclass(frozen=True)
class Finding:
    """An observation about one or more regions. The wording never says 'fraud'."""

    id: str  # "F1", "F2", ... in the order of the report
    kind: str  # one of FINDING_KINDS
    detector: str  # "keypoints", "dense-field-zm", "dense-field-pct", "dense-field-fmt", "seams"...
    score: float  # in [0, 1]; orders findings, see the detector for its meaning
    regions: tuple[Region, ...]
    transform: Matrix | None  # 3x3, maps (x, y, 1) of the first region's PANEL to the second's
    evidence: Evidence
    reason: str  # one sentence in plain words
    also: tuple[str, ...] = ()  # other detectors that found the same place

    def __post_init__(self) -> None:
        if self.kind not in FINDING_KINDS:
            raise ValueError(f"finding kind must be one of {FINDING_KINDS}, got {self.kind!r}")
        if not 0 <= self.score <= 1:
            raise ValueError(f"score must lie in [0, 1], got {self.score}")
        if not self.regions:
            raise ValueError("a finding needs at least one region")
        if self.transform is not None and [len(row) for row in self.transform] != [3, 3, 3]:
            raise ValueError(f"transform must be 3 x 3, got {self.transform}")


@dataclass(frozen=True)
class Unread:
    """Something that was not screened, and why; shown in the report."""

    what: str
    why: str


@dataclass(frozen=True)
class Run:
    """How the screening was made."""

    version: str
    commit: str | None
    seeds: Mapping[str, int]
    parameters: Mapping[str, Any]
    inputs: tuple[tuple[str, str], ...]  # (name, sha256)
    seconds: float
    interrupted: bool = False  # stopped by the user before everything was looked at


@dataclass(frozen=True)
class Screening:
    """Everything one run of the screening says."""

    figures: tuple[Figure, ...]
    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...]
    run: Run
    notes: tuple[str, ...] = field(default=())  # what holds for the whole run, for the reader

    def figure(self, id: str) -> Figure:
        """Return the figure called ``id``; KeyError where there is none."""
        for figure in self.figures:
            if figure.id == id:
                return figure
        raise KeyError(id)

    def panel(self, id: str) -> Panel:
        """Return the panel called ``id``; KeyError where there is none."""
        for figure in self.figures:
            for panel in figure.panels:
                if panel.id == id:
                    return panel
        raise KeyError(id)


def to_dict(screening: Screening) -> dict[str, Any]:
    """Turn a screening into what ``findings.json`` holds; :func:`from_dict` is its inverse."""
    return {
        "format": FORMAT,
        "figures": [_figure_dict(figure) for figure in screening.figures],
        "findings": [_finding_dict(finding) for finding in screening.findings],
        "unread": [{"what": u.what, "why": u.why} for u in screening.unread],
        "notes": list(screening.notes),
        "run": {
            "version": screening.run.version,
            "commit": screening.run.commit,
            "seeds": dict(screening.run.seeds),
            "parameters": dict(screening.run.parameters),
            "inputs": [{"name": n, "sha256": s} for n, s in screening.run.inputs],
            "seconds": screening.run.seconds,
            "interrupted": screening.run.interrupted,
        },
    }


def from_dict(data: Mapping[str, Any]) -> Screening:
    """Read what :func:`to_dict` wrote; ValueError or KeyError where it does not fit the format."""
    if data.get("format") != FORMAT:
        raise ValueError(f"expected format {FORMAT!r}, got {data.get('format')!r}")
    run = data["run"]
    return Screening(
        figures=tuple(_figure_from(d) for d in data["figures"]),
        findings=tuple(_finding_from(d) for d in data["findings"]),
        unread=tuple(Unread(d["what"], d["why"]) for d in data["unread"]),
        notes=tuple(data.get("notes", ())),
        run=Run(
            version=run["version"],
            commit=run["commit"],
            seeds=run["seeds"],
            parameters=run["parameters"],
            inputs=tuple((d["name"], d["sha256"]) for d in run["inputs"]),
            seconds=run["seconds"],
            interrupted=run.get("interrupted", False),
        ),
    )


def panel_dict(panel: Panel) -> dict[str, Any]:
    """Turn a panel into JSON values, as in ``findings.json`` and ``panels.json``."""
    return {
        "id": panel.id,
        "box": panel.box.as_list(),
        "kind": panel.kind,
        "probability": panel.probability,
        "label": panel.label,
    }


def panel_from(data: Mapping[str, Any]) -> Panel:
    """Read what :func:`panel_dict` wrote."""
    return Panel(
        id=data["id"],
        box=Box.from_list(data["box"]),
        kind=data["kind"],
        probability=data.get("probability", 1.0),
        label=data.get("label"),
    )


def _figure_dict(figure: Figure) -> dict[str, Any]:
    return {
        "id": figure.id,
        "document": figure.document,
        "page": figure.page,
        "width": figure.width,
        "height": figure.height,
        "origin": figure.origin,
        "sha256": figure.sha256,
        "place": None if figure.place is None else list(figure.place),
        "note": figure.note,
        "panels": [panel_dict(panel) for panel in figure.panels],
    }


def _figure_from(data: Mapping[str, Any]) -> Figure:
    place = data.get("place")
    return Figure(
        id=data["id"],
        document=data["document"],
        page=data["page"],
        width=data["width"],
        height=data["height"],
        panels=tuple(panel_from(d) for d in data["panels"]),
        origin=data.get("origin", "image"),
        sha256=data.get("sha256"),
        place=None if place is None else (place[0], place[1], place[2], place[3]),
        note=data.get("note"),
    )


def _finding_dict(finding: Finding) -> dict[str, Any]:
    evidence = finding.evidence
    return {
        "id": finding.id,
        "kind": finding.kind,
        "detector": finding.detector,
        "also": list(finding.also),
        "score": finding.score,
        "regions": [
            {
                "figure": region.figure,
                "panel": region.panel,
                "box": region.box.as_list(),
                "polygon": [list(point) for point in region.polygon],
                "mask": region.mask,
                "role": region.role,
            }
            for region in finding.regions
        ],
        "transform": None if finding.transform is None else [list(r) for r in finding.transform],
        "evidence": {
            "inliers": evidence.inliers,
            "correlation": evidence.correlation,
            "correlation_tone": evidence.correlation_tone,
            "chance": evidence.chance,
            "chance_null": evidence.chance_null,
            "stability": [{"test": name, "held": held} for name, held in evidence.stability],
            "control": None if evidence.control is None else list(evidence.control),
            "measures": dict(evidence.measures),
            "pictures": dict(evidence.pictures),
        },
        "reason": finding.reason,
    }


def _finding_from(data: Mapping[str, Any]) -> Finding:
    evidence = data["evidence"]
    transform = data["transform"]
    control = evidence["control"]
    return Finding(
        id=data["id"],
        kind=data["kind"],
        detector=data["detector"],
        also=tuple(data.get("also", ())),
        score=data["score"],
        regions=tuple(
            Region(
                figure=d["figure"],
                panel=d["panel"],
                box=Box.from_list(d["box"]),
                polygon=tuple((p[0], p[1]) for p in d["polygon"]),
                mask=d["mask"],
                role=d.get("role", "place"),
            )
            for d in data["regions"]
        ),
        transform=None if transform is None else tuple((r[0], r[1], r[2]) for r in transform),
        evidence=Evidence(
            inliers=evidence["inliers"],
            correlation=evidence["correlation"],
            correlation_tone=evidence["correlation_tone"],
            chance=evidence["chance"],
            chance_null=evidence["chance_null"],
            stability=tuple((d["test"], d["held"]) for d in evidence["stability"]),
            control=None if control is None else (control[0], control[1]),
            measures=tuple(evidence["measures"].items()),
            pictures=tuple(evidence["pictures"].items()),
        ),
        reason=data["reason"],
    )
