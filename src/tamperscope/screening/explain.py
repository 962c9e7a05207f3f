"""Shows what a pair network's affinities link: heatmaps over both panels, and one point's partners.

Written beside a comparison, for every panel X of a (and b):

    X_self_affinity.png     where X resembles itself elsewhere, tinted over the picture
    X_cross_affinity.png    where X resembles the other panel; with one panel, itself
    X_linked.png            partners of the point that was asked about, in X
    affinity.json           the links between cells: source, target, weight; the point's partners

Affinity is what the network computes with, not a finding: what looks alike is linked, copied or
not.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.errors import OutputError, WeightsError
from tamperscope.images import write_png

if TYPE_CHECKING:
    from tamperscope.models.pair_links import Links
    from tamperscope.models.pair_reading import PairReader, ReadPanel

FORMAT = "tamperscope-affinity/1"
FILE = "affinity.json"
PICTURES = ("self_affinity", "cross_affinity", "linked")
TINT = np.array([255, 32, 32], dtype=np.float32)  # red, as much of it as the affinity says
MOST_TINT = 0.7  # what is under it stays visible
MARK = (0, 96, 255)  # blue: the point that was asked about
MOST_LINKS = 200  # strongest ones that are written down
PARTNERS = 10  # strongest places that a point is linked to

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Explanation:
    """What was written, and in words what the point is linked to."""

    files: tuple[str, ...]  # names in the output folder
    partners: tuple[tuple[str, float, float, float], ...]  # panel a or b, x, y, share of strongest


def explain(
    reader: "PairReader",
    panels: Sequence[Pixels],
    out: Path,
    point: tuple[float, float] | None = None,
) -> Explanation:
    """Write the affinity pictures and ``affinity.json`` of one panel or two.

    Args:
        reader: A network with affinity.
        panels: One or two pictures, uint8 (height, width, 3).
        out: An existing folder.
        point: (x, y) in the first picture, whose partners are shown.

    Raises:
        WeightsError: The network was built without affinity.
        OutputError: The point lies outside the first picture.
    """
    read = [reader.read(pixels) for pixels in panels]
    if read[0].features.embedding is None:
        raise WeightsError("--explain: this network was built without affinity and links nothing")
    height, width = panels[0].shape[:2]
    if point is not None and not (0 <= point[0] < width and 0 <= point[1] < height):
        raise OutputError(
            f"--point {point[0]:g},{point[1]:g} lies outside the first picture, which has "
            f"{width} x {height} pixels"
        )
    pictures = affinity_pictures(reader, panels, read)
    partners: list[tuple[str, float, float, float]] = []
    if point is not None:
        for letter, pixels, other in zip("ab", panels, (None, *read[1:]), strict=False):
            heat = reader.partners(point, read[0], other)
            linked = tinted(pixels, heat)
            pictures[f"{letter}_linked.png"] = (
                with_point(linked, point) if letter == "a" else linked
            )
            partners += [(letter, *peak) for peak in peaks(heat, reader_cell(reader, read[0]))]
    for name, picture in pictures.items():
        write_png(out / name, picture)
    links = reader.links(*read)
    (out / FILE).write_text(
        json.dumps(record(links, len(panels), point, partners), indent=1) + "\n", encoding="utf-8"
    )
    return Explanation((*pictures, FILE), tuple(partners))


def affinity_pictures(
    reader: "PairReader", panels: Sequence[Pixels], read: Sequence["ReadPanel"]
) -> dict[str, Pixels]:
    """Both maps of every panel, over its picture; by file name."""
    pictures = {}
    for index, (letter, pixels) in enumerate(zip("ab", panels, strict=False)):
        other = None if len(read) == 1 else read[1 - index]
        maps = reader.affinity_maps(read[index], other)
        for kind, heat in zip(PICTURES, maps, strict=False):
            pictures[f"{letter}_{kind}.png"] = tinted(pixels, heat)
    return pictures


def reader_cell(reader: "PairReader", panel: "ReadPanel") -> float:
    """Pixels of the panel, as it was given, between two cells."""
    return reader.network.cell_of(panel.image) * panel.size[0] / panel.image.shape[2]


def tinted(pixels: Pixels, heat: NDArray[np.float32]) -> Pixels:
    """The picture with red laid over it, as much as the heatmap says."""
    amount = (heat * MOST_TINT)[..., None]
    return np.rint(pixels * (1 - amount) + TINT * amount).astype(np.uint8)


def with_point(pixels: Pixels, point: tuple[float, float]) -> Pixels:
    """Mark a point with a ring and a dot."""
    marked = pixels.copy()
    centre = round(point[0]), round(point[1])
    radius = max(min(pixels.shape[:2]) // 40, 4)
    cv2.circle(marked, centre, radius, MARK, max(radius // 4, 1), cv2.LINE_AA)
    cv2.circle(marked, centre, 1, MARK, -1)
    return marked


def peaks(heat: NDArray[np.float32], distance: float) -> list[tuple[float, float, float]]:
    """Strongest places (x, y, value), further apart than ``distance`` pixels."""
    left = heat.copy()
    found: list[tuple[float, float, float]] = []
    while len(found) < PARTNERS and left.max() > 0:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        found.append((float(column), float(row), round(float(left[row, column]), 6)))
        reach = int(np.ceil(1.5 * distance))
        rows = slice(max(int(row) - reach, 0), int(row) + reach + 1)
        left[rows, max(int(column) - reach, 0) : int(column) + reach + 1] = 0
    return found


def record(
    links: "Links",
    panels: int,
    point: tuple[float, float] | None,
    partners: Sequence[tuple[str, float, float, float]],
) -> dict[str, Any]:
    """Return what ``affinity.json`` holds; places are (x, y) in pixels of the pictures."""
    rows = zip(links.source, links.target, links.weight, strict=True)
    return {
        "format": FORMAT,
        "links": {
            "from": "a",
            "to": "a" if panels == 1 else "b",
            "weight": "product of both softmaxes, in (0, 1]; cells that are each other's strongest",
            "count": len(links.weight),
            "strongest": [
                {
                    "source": [round(float(v), 1) for v in source],
                    "target": [round(float(v), 1) for v in target],
                    "weight": round(float(weight), 6),
                }
                for source, target, weight in list(rows)[:MOST_LINKS]
            ],
        },
        "point": None
        if point is None
        else {
            "at": list(point),
            "partners": [
                {"panel": panel, "at": [x, y], "share_of_strongest": value}
                for panel, x, y, value in partners
            ],
        },
    }
