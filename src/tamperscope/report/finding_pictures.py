"""The pictures of one finding: as printed, laid onto each other, what differs, with controls."""

from dataclasses import dataclass

from tamperscope.records import Finding
from tamperscope.report import alignment, drawing
from tamperscope.report.evidence import Place, is_pair
from tamperscope.report.finding_facts import swatch
from tamperscope.report.markup import Child, Element, element
from tamperscope.report.titles import page_title, panel_title
from tamperscope.report.workshop import Workshop, picture_of


@dataclass(frozen=True)
class Tile:
    """One evidence picture as the page shows it."""

    role: str  # in Evidence.pictures
    place: Place  # whose window the picture shows
    label: str  # what a reader who cannot see it should know
    caption: Child
    kind: str = ""  # "base" and "over" are mixed by the script
    tones: str = ""  # id of the filter that stretches its tones
    fitted: tuple[str, Place] | None = None  # picture, and its place, whose tones that filter fits


def pictures(finding: Finding, places: list[Place], shop: Workshop) -> list[Element]:
    """Everything there is to see of a finding."""
    if is_pair(finding):
        return _pair(finding, places, shop)
    tiles = [tile for place in places for tile in _alone(finding, place)]
    return [
        element("div", [_drawn(tile, finding, shop) for tile in tiles], class_="tiles two"),
        element("div", _toggles(), class_="controls scripted"),
    ]


def _pair(finding: Finding, places: list[Place], shop: Workshop) -> list[Element]:
    first, second = places
    assert finding.transform is not None
    tones = [_tones(finding, place) for place in places]
    known = [shop.has(place.figure) for place in places]
    lines = "The lines join points of A with the points of B where the transform puts them."
    as_printed = element(
        "figure",
        drawing.pair_view(first, second, finding.transform, known, tones),
        element("figcaption", swatch("A"), " and ", swatch("B"), f" as printed. {lines}"),
        class_="as-printed",
    )
    differs = (
        f"What then differs, tones evened out: white is the same, black {alignment.FULL_SCALE} "
        "grey levels or more; hatched is beyond the panel of B"
    )
    at_a, at_b = _where(first), _where(second)
    tiles = [
        Tile(
            "source",
            first,
            f"A as printed, {at_a}",
            "A as printed",
            "base",
            tones[0],
            ("source", first),
        ),
        Tile(
            "aligned",
            first,
            f"B, {at_b}, laid onto A",
            "B laid onto A",
            "over",
            tones[1],
            ("target", second),
        ),
        Tile("difference", first, f"Difference of A and B laid onto A, around {at_a}", differs),
    ]
    return [
        as_printed,
        element("div", [_drawn(tile, finding, shop) for tile in tiles], class_="tiles three"),
        element("div", _mixer(finding), _toggles(), class_="controls scripted"),
    ]


def _alone(finding: Finding, place: Place) -> list[Tile]:
    letter, where = place.letter, _where(place)
    spread = f"{letter} with grey values spread evenly"
    return [
        Tile(
            f"place-{letter}",
            place,
            f"{letter} as printed, {where}",
            f"{letter} as printed",
            tones=_tones(finding, place),
            fitted=(f"place-{letter}", place),
        ),
        Tile(
            f"equalised-{letter}",
            place,
            f"{spread}, {where}",
            f"{spread}, which brings faint backgrounds to light",
        ),
    ]


def _drawn(tile: Tile, finding: Finding, shop: Workshop) -> Element:
    path = picture_of(finding, tile.role)
    address = shop.album.picture(path, shop.side)
    if address is None:
        link = element("a", "Open the picture", href=path)
        said = "Left out of the page, which would become too large. "
        shown: list[Element] = [element("p", said, link, class_="absent")]
    else:
        place = tile.place
        points = alignment.outline_in(place.region, place.panel, place.window)
        mark = drawing.Mark(place.letter, points)
        shown = [
            drawing.crop(
                address, place.window, tile.label, [mark], kind=tile.kind, tones=tile.tones
            )
        ]
        if tile.fitted is not None:
            role, at = tile.fitted
            spanned = shop.album.tones(picture_of(finding, role), at.box_in_window)
            shown.append(drawing.tone_filter(tile.tones, *spanned))
    return element("figure", shown, element("figcaption", tile.caption), class_="tile")


def _tones(finding: Finding, place: Place) -> str:
    return f"tones-{finding.id}-{place.letter}"


def _where(place: Place) -> str:
    return f"{panel_title(place.figure, place.panel)}{page_title(place.figure)}"


def _mixer(finding: Finding) -> list[Element]:
    """Controls that mix A and B."""
    slider = element(
        "input",
        type="range",
        min=0,
        max=100,
        value=100,
        aria_label=f"Mix of A (left) and B laid onto A (right) in {finding.id}",
    )
    return [
        element("span", "A", slider, "B", class_="mix"),
        _toggle("blink", "Blink A and B", False),
    ]


def _toggles() -> list[Element]:
    return [_toggle("tones", "Stretch tones", False), _toggle("outline", "Outlines", True)]


def _toggle(kind: str, title: str, pressed: bool) -> Element:
    state = "true" if pressed else "false"
    return element("button", title, type="button", aria_pressed=state, class_=kind)
