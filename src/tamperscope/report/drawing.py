"""Draws boxes with letters, panels and match lines over pictures, as SVG.

Every figure is put into the page once (:func:`shelf`) and drawn from there wherever it is needed.
Colours are classes of the style sheet; each place also has a letter and its own dash, so that
nothing depends on colour.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tamperscope.records import Box, Figure, Matrix, Point
from tamperscope.report import alignment
from tamperscope.report.evidence import Place
from tamperscope.report.markup import Element, element

LINKS = 6  # match lines of a pair: enough to see the movement, few enough to see the picture
STRIP = 4.2  # two pictures side by side wider than this are put one above the other
GAP = 28  # between the two, in units of the drawing
TALL, WIDE = 300, 620  # of a picture in the drawing of a pair


@dataclass(frozen=True)
class Mark:
    """An outline with its letter, in pixels of the picture it is drawn on."""

    letter: str
    points: Sequence[Point]


def shelf(addresses: Mapping[str, str], figures: Sequence[Figure]) -> Element:
    """Hold every figure once, in figure coordinates, to be drawn with ``use``."""
    pictures = [
        element(
            "image",
            id=f"picture-{figure.id}",
            href=addresses[figure.id],
            width=figure.width,
            height=figure.height,
            preserveAspectRatio="none",
        )
        for figure in figures
        if figure.id in addresses
    ]
    return _hidden(*pictures)


def crop(
    address: str, box: Box, label: str, marks: Sequence[Mark], *, kind: str = "", tones: str = ""
) -> Element:
    """Draw an evidence picture with outlines.

    Args:
        address: The picture, as ``data:``.
        box: Gives its size.
        label: What a reader who cannot see it should know.
        marks: Outlines.
        kind: Class that tells the script what it is for.
        tones: Id of the :func:`tone_filter` that stretches its tones on demand.
    """
    small = " small" if max(box.width, box.height) < 120 else ""
    image = element(
        "image",
        href=address,
        width=box.width,
        height=box.height,
        class_="layer",
        data_tones=tones or None,
    )
    size = max(box.width, box.height) * 0.052
    outlines = element("g", [outline(mark, size, tag=False) for mark in marks], class_="outlines")
    return _svg(box.width, box.height, label, image, outlines, class_=f"crop{small} {kind}".strip())


def tone_filter(id: str, darkest: float, brightest: float) -> Element:
    """Filter that stretches the tones from ``darkest`` to ``brightest`` over the full range."""
    span = max(brightest - darkest, 1 / 255)
    slope, intercept = f"{1 / span:.4f}", f"{-darkest / span:.4f}"
    channels = [
        element(f"feFunc{channel}", type="linear", slope=slope, intercept=intercept)
        for channel in "RGB"
    ]
    stretch = element("filter", element("feComponentTransfer", channels), id=id)
    stretch.set("color-interpolation-filters", "sRGB")
    return _hidden(stretch)


def figure_view(
    figure: Figure, known: bool, label: str, marks: Sequence[Mark] = (), *, numbered: bool = False
) -> Element:
    """Draw a whole figure with its panels and outlines; ``numbered`` writes panel numbers."""
    longer = max(figure.width, figure.height)
    boxes = [
        panel_box(panel.box, str(number) if numbered else "", longer * 0.032, panel.kind == "chart")
        for number, panel in enumerate(figure.panels, start=1)
    ]
    outlines = [outline(mark, longer * (0.032 if numbered else 0.07)) for mark in marks]
    return _svg(figure.width, figure.height, label, _picture(figure, known), boxes, outlines)


def panel_box(box: Box, number: str, size: float, aside: bool) -> Element:
    """Frame of a panel; dashed where it was set aside."""
    corner = {"x": box.x0, "y": box.y0}
    frame = {**corner, "width": box.width, "height": box.height}
    tag = None
    if number:
        width = size * (0.55 + 0.6 * len(number))
        tag = element(
            "g",
            element("rect", **corner, width=width, height=size * 1.2),
            element("text", number, x=box.x0 + width / 2, y=box.y0 + size, font_size=size),
            class_="number",
        )
    return element(
        "g",
        element("rect", **frame, class_="halo"),
        element("rect", **frame, class_="line"),
        tag,
        class_="panel aside" if aside else "panel",
    )


def outline(mark: Mark, size: float, *, tag: bool = True) -> Element:
    """Outline with a dark seam, so that it shows on any picture; letter at its corner."""
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in mark.points)
    letter = _tag(mark, size) if tag else None
    return element(
        "g",
        element("polygon", points=points, class_="halo"),
        element("polygon", points=points, class_="line"),
        letter,
        class_=f"mark {mark_class(mark.letter)}",
    )


def mark_class(letter: str) -> str:
    """Class that colours everything about one place."""
    return f"mark-{'ABCD'[(ord(letter[0]) - ord('A')) % 4]}"


def pair_view(
    first: Place, second: Place, matrix: Matrix, known: Sequence[bool], tones: Sequence[str]
) -> Element:
    """Draw both panels as printed, their places, and lines between corresponding points.

    ``known`` says whether the page holds their figures; ``tones`` are as in :func:`crop`.
    """
    starts, ends = correspondences(first, second, matrix)
    a, b = first.panel.box, second.panel.box
    mark_a = Mark(first.letter, _in_panel(first))
    mark_b = Mark(second.letter, _in_panel(second))
    if first.panel.id == second.panel.id:
        frames = [(0.0, 0.0, 1.0)]
        width, height = float(a.width), float(a.height)
    else:
        frames, width, height = _beside(a, b)
    where_b = frames[-1]
    size = max(width * 0.019, height * 0.03)
    pictures = [  # one frame where both places lie in one panel
        _panel(place, at, ok, tone)
        for place, at, ok, tone in zip((first, second), frames, known, tones, strict=False)
    ]
    links = [
        (_placed(p, frames[0]), _placed(q, where_b)) for p, q in zip(starts, ends, strict=True)
    ]
    label = f"{_named(first)} and {_named(second)} as printed, with lines between matching points"
    return _svg(
        width,
        height,
        label,
        pictures,
        element("g", [_link(p, q) for p, q in links], class_="links"),
        outline(Mark(mark_a.letter, [_placed(p, frames[0]) for p in mark_a.points]), size),
        outline(Mark(mark_b.letter, [_placed(p, where_b) for p in mark_b.points]), size),
        class_="pair-view",
    )


def correspondences(first: Place, second: Place, matrix: Matrix) -> tuple[list[Point], list[Point]]:
    """Points around the first place and where the transform puts them, in pixels of the panels.

    Only those whose partner lies in the second panel.
    """
    ring = _along(_in_panel(first), LINKS)
    x = math.fsum(p[0] for p in ring) / len(ring)
    y = math.fsum(p[1] for p in ring) / len(ring)
    starts = [(x + 0.8 * (p[0] - x), y + 0.8 * (p[1] - y)) for p in ring]
    box = second.panel.box
    pairs = [
        (p, q)
        for p, q in zip(starts, alignment.map_points(matrix, starts), strict=True)
        if 0 <= q[0] < box.width and 0 <= q[1] < box.height
    ]
    return [p for p, _ in pairs], [q for _, q in pairs]


def _along(points: Sequence[Point], number: int) -> list[Point]:
    """``number`` points at equal steps along a closed outline."""
    closed = [*points, points[0]]
    lengths = [math.dist(p, q) for p, q in pairwise(closed)]
    step = sum(lengths) / number
    found: list[Point] = []
    walked = 0.0
    for (p, q), length in zip(pairwise(closed), lengths, strict=True):
        while len(found) < number and len(found) * step <= walked + length and length > 0:
            share = (len(found) * step - walked) / length
            found.append((p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1])))
        walked += length
    return found or [points[0]]


def _beside(a: Box, b: Box) -> tuple[list[tuple[float, float, float]], float, float]:
    """Place two panels: (x, y, scale) of each, and the size of the drawing."""
    scale_a, scale_b = TALL / a.height, TALL / b.height
    width = a.width * scale_a + GAP + b.width * scale_b
    if width / TALL <= STRIP:
        return [(0, 0, scale_a), (a.width * scale_a + GAP, 0, scale_b)], width, TALL
    scale_a, scale_b = WIDE / a.width, WIDE / b.width
    height = a.height * scale_a + GAP + b.height * scale_b
    return [(0, 0, scale_a), (0, a.height * scale_a + GAP, scale_b)], WIDE, height


def _panel(place: Place, frame: tuple[float, float, float], known: bool, tones: str) -> Element:
    box = place.panel.box
    x, y, scale = frame
    return element(
        "svg",
        _picture(place.figure, known, tones),
        x=f"{x:.2f}",
        y=f"{y:.2f}",
        width=f"{box.width * scale:.2f}",
        height=f"{box.height * scale:.2f}",
        viewBox=f"{box.x0} {box.y0} {box.width} {box.height}",
        preserveAspectRatio="none",
    )


def _picture(figure: Figure, known: bool, tones: str = "") -> Element:
    if known:
        return element("use", href=f"#picture-{figure.id}", data_tones=tones or None)
    return element("rect", width=figure.width, height=figure.height, class_="absent")


def _link(p: Point, q: Point) -> list[Element]:
    ends = {"x1": f"{p[0]:.1f}", "y1": f"{p[1]:.1f}", "x2": f"{q[0]:.1f}", "y2": f"{q[1]:.1f}"}
    return [element("line", class_="halo", **ends), element("line", class_="line", **ends)]


def _tag(mark: Mark, size: float) -> Element:
    x, y = min(p[0] for p in mark.points), min(p[1] for p in mark.points)
    width, height = size * (0.6 + 0.65 * len(mark.letter)), size * 1.3
    top = y - height if y >= height else y
    return element(
        "g",
        element("rect", x=f"{x:.1f}", y=f"{top:.1f}", width=f"{width:.1f}", height=f"{height:.1f}"),
        element(
            "text",
            mark.letter,
            x=f"{x + width / 2:.1f}",
            y=f"{top + size * 1.02:.1f}",
            font_size=f"{size:.1f}",
        ),
        class_="tag",
    )


def _placed(point: Point, frame: tuple[float, float, float]) -> Point:
    x, y, scale = frame
    return x + point[0] * scale, y + point[1] * scale


def _in_panel(place: Place) -> list[Point]:
    box = place.panel.box
    return [(x - box.x0, y - box.y0) for x, y in place.region.polygon]


def _named(place: Place) -> str:
    return f"place {place.letter}"


def _hidden(*definitions: Element) -> Element:
    """Hold what is drawn, or used, elsewhere."""
    return element(
        "svg", element("defs", definitions), class_="shelf", width=0, height=0, aria_hidden="true"
    )


def _svg(width: float, height: float, label: str, *children: object, class_: str = "") -> Element:
    return element(
        "svg",
        *children,  # type: ignore[arg-type]
        viewBox=f"0 0 {width:.6g} {height:.6g}",
        role="img",
        aria_label=label,
        class_=class_ or None,
    )
