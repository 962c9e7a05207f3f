"""The part of the page about one finding: what was seen, the pictures, the review."""

from tamperscope.records import Finding
from tamperscope.report import alignment, drawing
from tamperscope.report.evidence import Place, is_pair, places_of
from tamperscope.report.finding_facts import files, measured, swatch, whereabouts
from tamperscope.report.markup import Child, Element, element
from tamperscope.report.titles import KIND_TITLES, page_title, panel_title
from tamperscope.report.workshop import Workshop, picture_of

REVIEWS = (("", "Not reviewed"), ("explained", "Looks explained"), ("follow-up", "Follow up"))


def finding_section(finding: Finding, shop: Workshop) -> Element:
    """Build the article of one finding."""
    places = places_of(finding, shop.screening)
    title = element(
        "h3",
        element("span", finding.id, class_="number"),
        f" {KIND_TITLES[finding.kind]}",
        id=f"{finding.id}-title",
    )
    pictures = _pair(finding, places, shop) if is_pair(finding) else _single(finding, places, shop)
    return element(
        "article",
        element("header", title, element("p", finding.reason, class_="reason")),
        pictures,
        element("div", measured(finding), whereabouts(finding, places, shop), class_="columns"),
        files(finding),
        _review(finding),
        id=finding.id,
        class_="finding",
        tabindex="-1",
        aria_labelledby=f"{finding.id}-title",
        data_kind=finding.kind,
    )


def _pair(finding: Finding, places: list[Place], shop: Workshop) -> list[Element]:
    first, second = places
    assert finding.transform is not None
    known = [shop.has(place.figure) for place in places]
    marks = [_mark(first)]
    as_printed = element(
        "figure",
        drawing.pair_view(first, second, finding.transform, known),
        element(
            "figcaption",
            swatch("A"),
            " and ",
            swatch("B"),
            " as printed. The lines join points of A with the points of B where the transform "
            "puts them.",
        ),
        class_="as-printed",
    )
    source, aligned, difference = (
        picture_of(finding, role) for role in ("source", "aligned", "difference")
    )
    tiles = [
        _tile(shop, source, first, marks, "A as printed", kind="base"),
        _tile(shop, aligned, first, marks, "B laid onto A", kind="over", controls=_mixer(finding)),
        _tile(
            shop,
            difference,
            first,
            marks,
            "What then differs, tones evened out",
            more=f": white is the same, black {alignment.FULL_SCALE} grey levels or more; "
            "hatched is beyond the panel of B.",
        ),
    ]
    return [as_printed, element("div", tiles, class_="tiles three")]


def _single(finding: Finding, places: list[Place], shop: Workshop) -> list[Element]:
    tiles = []
    for place in places:
        plain = picture_of(finding, f"place-{place.letter}")
        spread = picture_of(finding, f"equalised-{place.letter}")
        marks = [_mark(place)]
        tiles += [
            _tile(shop, plain, place, marks, f"{place.letter} as printed"),
            _tile(
                shop,
                spread,
                place,
                marks,
                f"{place.letter} with grey values spread evenly",
                more=", which brings faint backgrounds to light.",
            ),
        ]
    controls = element("div", _outline_button(), class_="mixer scripted")
    return [element("div", tiles, class_="tiles two"), controls]


def _mark(place: Place) -> drawing.Mark:
    points = alignment.outline_in(place.region, place.panel, place.window)
    return drawing.Mark(place.letter, points)


def _tile(
    shop: Workshop,
    path: str,
    place: Place,
    marks: list[drawing.Mark],
    caption: str,
    *,
    more: str = "",
    kind: str = "",
    controls: Child = None,
) -> Element:
    """One evidence picture with its caption; ``kind`` tells the script what it is for."""
    where = f"{panel_title(place.figure, place.panel)}{page_title(place.figure)}"
    address = shop.album.picture(path, shop.side)
    if address is None:
        link = element("a", "Open the picture", href=path)
        said = "Left out of the page, which would become too large. "
        picture = element("p", said, link, class_="absent")
    else:
        picture = drawing.crop(address, place.window, f"{caption}: {where}", marks, kind)
    return element("figure", picture, element("figcaption", caption, more), controls, class_="tile")


def _mixer(finding: Finding) -> Element:
    """Controls that mix A and B; shown only where scripts run."""
    slider = element(
        "input",
        type="range",
        min=0,
        max=100,
        value=100,
        aria_label=f"Mix of A (left) and B (right) in {finding.id}",
    )
    blink = element("button", "Blink", type="button", aria_pressed="false", class_="blink")
    return element(
        "div",
        element("span", "A", aria_hidden="true"),
        slider,
        element("span", "B", aria_hidden="true"),
        blink,
        _outline_button(),
        class_="mixer scripted",
    )


def _outline_button() -> Element:
    return element("button", "Outline", type="button", aria_pressed="true", class_="outline")


def _review(finding: Finding) -> Element:
    """What the reviewer makes of it; kept in the browser only."""
    group = f"review-{finding.id}"
    choices = [
        element(
            "label",
            element("input", type="radio", name=group, value=value, checked=not value),
            title,
        )
        for value, title in REVIEWS
    ]
    note = element("label", "Note ", element("input", type="text", maxlength=500), class_="note")
    legend = element("legend", "Your review")
    return element("fieldset", legend, choices, note, class_="review scripted")
