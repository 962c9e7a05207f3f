"""Writes the pictures that let a reader check a finding, and a small view of every figure.

OUT/evidence/previews/f001.jpg    whole figure, at most PREVIEW_SIDE pixels
OUT/evidence/F1-mask-A.png        0/255, size of the panel
OUT/evidence/F1-source.png        first place with its surroundings, pixels as screened
OUT/evidence/F1-target.png        second place with its surroundings, pixels as screened
OUT/evidence/F1-aligned.png       second panel laid onto the first place by the transform
OUT/evidence/F1-difference.png    what then differs, once tones are evened out
OUT/evidence/F2-place-A.png       a finding without partner: the place ...
OUT/evidence/F2-equalised-A.png   ... and the same with grey values spread evenly
"""

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.errors import OutputError
from tamperscope.images import encode_jpeg, write_png
from tamperscope.records import Box, Figure, Finding, Panel, Region, Screening
from tamperscope.report import alignment
from tamperscope.report.findings_file import replace_file

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Masks = Mapping[tuple[str, int], Mask]
PixelSource = Callable[[str], Pixels]

FOLDER = "evidence"
PREVIEW_SIDE = 1600  # pixels of the longer side
PREVIEW_QUALITY = 85
LETTERS = string.ascii_uppercase


@dataclass(frozen=True)
class Place:
    """A region of a finding with the panel it lies in."""

    letter: str
    region: Region
    panel: Panel
    figure: Figure
    margin: float  # shown around the region, as a share of its longer side

    @property
    def window(self) -> Box:
        """Rectangle of the panel that the evidence picture shows."""
        return alignment.window(self.region, self.panel, self.margin)

    @property
    def box_in_window(self) -> Box:
        """Box of the region in pixels of that evidence picture."""
        dx, dy = self.panel.box.x0 + self.window.x0, self.panel.box.y0 + self.window.y0
        return self.region.box.shifted(-dx, -dy)


def places_of(finding: Finding, screening: Screening) -> list[Place]:
    """Regions of a finding, lettered A, B, ... as everywhere in the report."""
    margin = alignment.MARGIN if is_pair(finding) else alignment.ALONE_MARGIN
    return [
        Place(
            _letter(index),
            region,
            screening.panel(region.panel),
            screening.figure(region.figure),
            margin,
        )
        for index, region in enumerate(finding.regions)
    ]


def is_pair(finding: Finding) -> bool:
    """Whether the finding says how one place becomes another."""
    return finding.transform is not None and len(finding.regions) == 2


def write_evidence(screening: Screening, pixels: PixelSource, masks: Masks, out: Path) -> Screening:
    """Write all evidence pictures under ``out`` and return the screening that names them.

    Raises:
        OutputError: The folder cannot be written.
        ValueError: A mask does not have its panel's size.
    """
    folder = out / FOLDER
    try:
        (folder / "previews").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror or error}") from None
    for figure in screening.figures:
        write_preview(figure, pixels(figure.id), out)
    findings = tuple(
        _document(finding, screening, pixels, masks, out) for finding in screening.findings
    )
    return replace(screening, findings=findings)


def preview_path(figure: Figure) -> str:
    """Where the small view of a figure lies, relative to the output folder."""
    return f"{FOLDER}/previews/{figure.id}.jpg"


def write_preview(figure: Figure, pixels: Pixels, out: Path) -> None:
    """Write the small view of one figure."""
    replace_file(
        out / preview_path(figure), encode_jpeg(shrunk(pixels, PREVIEW_SIDE), PREVIEW_QUALITY)
    )


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """``pixels`` so that the longer side has at most ``side`` pixels."""
    height, width = pixels.shape[:2]
    if max(height, width) <= side:
        return pixels
    factor = side / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _document(
    finding: Finding, screening: Screening, pixels: PixelSource, masks: Masks, out: Path
) -> Finding:
    """Write what belongs to one finding."""
    places = places_of(finding, screening)
    regions = []
    for index, place in enumerate(places):
        mask = masks.get((finding.id, index))
        path = None
        if mask is not None:
            path = f"{FOLDER}/{finding.id}-mask-{place.letter}.png"
            _write(out / path, _as_picture(mask, place.panel))
        regions.append(replace(place.region, mask=path))
    views = _pair_views if is_pair(finding) else _place_views
    pictures = []
    for role, picture in views(finding, places, pixels, masks).items():
        path = f"{FOLDER}/{finding.id}-{role}.png"
        _write(out / path, picture)
        pictures.append((role, path))
    evidence = replace(finding.evidence, pictures=tuple(pictures))
    return replace(finding, regions=tuple(regions), evidence=evidence)


def _pair_views(
    finding: Finding, places: list[Place], pixels: PixelSource, masks: Masks
) -> dict[str, Pixels]:
    first, second = places
    assert finding.transform is not None
    shown = first.window
    source = _panel_pixels(first, pixels)[shown.slices]
    other = _panel_pixels(second, pixels)
    laid, inside = alignment.lay_onto(other, finding.transform, shown)
    mask = masks.get((finding.id, 0))
    if mask is None:
        outline = alignment.outline_in(first.region, first.panel, shown)
        region = alignment.filled(outline, (shown.width, shown.height))
    else:
        region = mask[shown.slices]
    return {
        "source": source,
        "target": other[second.window.slices],
        "aligned": laid,
        "difference": alignment.difference(source, laid, inside, region),
    }


def _place_views(
    finding: Finding, places: list[Place], pixels: PixelSource, masks: Masks
) -> dict[str, Pixels]:
    views = {}
    for place in places:
        crop = _panel_pixels(place, pixels)[place.window.slices]
        views[f"place-{place.letter}"] = crop
        views[f"equalised-{place.letter}"] = alignment.equalised(crop)
    return views


def _panel_pixels(place: Place, pixels: PixelSource) -> Pixels:
    return pixels(place.figure.id)[place.panel.box.slices]


def _as_picture(mask: Mask, panel: Panel) -> Pixels:
    if mask.shape != (panel.box.height, panel.box.width):
        raise ValueError(
            f"the mask has {mask.shape} pixels, "
            f"panel {panel.id} {panel.box.height} x {panel.box.width}"
        )
    return np.where(mask, 255, 0).astype(np.uint8)


def _write(path: Path, picture: Pixels) -> None:
    try:
        write_png(path, np.ascontiguousarray(picture))
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None


def _letter(index: int) -> str:
    """A to Z, then A2, B2, ..."""
    around, place = divmod(index, len(LETTERS))
    return LETTERS[place] + (str(around + 1) if around else "")
