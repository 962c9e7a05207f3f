"""The facts beside the pictures of a finding: numbers in words, movement, places, files."""

from pathlib import Path

from tamperscope.movement import in_words, movement
from tamperscope.records import Figure, Finding
from tamperscope.report import drawing, words
from tamperscope.report.evidence import FOLDER, Place, is_pair
from tamperscope.report.markup import Child, Element, element, name
from tamperscope.report.titles import (
    DETECTOR_TITLES,
    figure_title,
    page_title,
    panel_title,
    sentence,
)
from tamperscope.report.workshop import Workshop

FILE_TITLES = {
    "source": "A, pixels as screened",
    "target": "B, pixels as screened",
    "aligned": "B laid onto A",
}


def swatch(letter: str) -> Element:
    """The letter of a place on its colour."""
    return element("span", letter, class_=f"swatch {drawing.mark_class(letter)}")


def measured(finding: Finding) -> Element:
    """List every statistic with its meaning."""
    rows = [part for statistic in words.statistics(finding) for part in _statistic(statistic)]
    for measure, value in words.measures(finding.evidence):
        rows += _fact(measure, value)
    detectors = [DETECTOR_TITLES.get(one, one) for one in (finding.detector, *finding.also)]
    rows += _fact("Found by", sentence(", ".join(detectors)))
    rows += _fact(
        "Score",
        f"{finding.score:.2f}",
        _meaning("Score", "Puts the findings in order, strongest first. It is no probability."),
    )
    title = element("h4", "What was measured")
    return element("section", title, element("dl", rows, class_="facts"))


def _fact(title: str, *value: Child) -> list[Element]:
    return [element("dt", title), element("dd", *value)]


def _statistic(statistic: words.Statistic) -> list[Element]:
    tests = [
        element("li", f"{'held' if held else 'lost'}: {test}", class_=None if held else "lost")
        for test, held in statistic.tests
    ]
    return _fact(
        statistic.title,
        element("span", statistic.value, class_="value"),
        _meaning(statistic.title, statistic.meaning),
        None if statistic.level is None else _bar(statistic.level),
        element("p", statistic.remark, class_="remark") if statistic.remark else None,
        element("ul", tests, class_="tests") if tests else None,
    )


def _meaning(title: str, meaning: str) -> Element:
    mark = element("summary", "?", aria_label=f"What is this: {title}")
    return element("details", mark, element("p", meaning), class_="meaning")


def _bar(level: float) -> Element:
    filled = 100 * max(min(level, 1.0), 0.0)
    return element(
        "svg",
        element("rect", width=100, height=6, class_="track"),
        element("rect", width=f"{filled:.1f}", height=6, class_="fill"),
        viewBox="0 0 100 6",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )


def whereabouts(finding: Finding, places: list[Place], shop: Workshop) -> Element:
    """Say how A became B, and show each place in its whole figure."""
    figures = list(dict.fromkeys(place.figure.id for place in places))
    return element(
        "section",
        _movement(finding, places) if is_pair(finding) else None,
        element("h4", "Where it is"),
        [
            _location([place for place in places if place.figure.id == figure], shop)
            for figure in figures
        ],
    )


def _movement(finding: Finding, places: list[Place]) -> list[Element]:
    first, second = places
    assert finding.transform is not None
    box, panel = first.region.box, first.panel.box
    centre = ((box.x0 + box.x1) / 2 - panel.x0, (box.y0 + box.y1) / 2 - panel.y0)
    move = movement(finding.transform, centre)
    said = in_words(move, same_panel=first.panel.id == second.panel.id)
    rows = [
        element("tr", [element("td", f"{value:.6g}") for value in row]) for row in finding.transform
    ]
    meaning = "Maps (x, y, 1), in pixels of the panel of A, to the panel of B."
    matrix = element(
        "details",
        element("summary", "As a matrix"),
        element("p", meaning),
        element("table", element("tbody", rows), class_="matrix"),
        class_="matrix-details",
    )
    return [element("h4", "From A to B"), element("p", f"{sentence(', '.join(said))}."), matrix]


def _location(places: list[Place], shop: Workshop) -> Element:
    """The places of a finding that lie in one figure."""
    figure = places[0].figure
    marks = [drawing.Mark(place.letter, place.region.polygon) for place in places]
    letters = " and ".join(place.letter for place in places)
    label = f"Where {letters} {'lies' if len(places) == 1 else 'lie'} in {figure_title(figure)}"
    facts: list[Child] = [
        element("p", name(figure.document), page_title(figure)),
        [_place(place) for place in places],
        _original(figure, shop),
    ]
    if figure.sha256:
        facts.append(element("p", "SHA-256 ", element("code", figure.sha256), class_="hash"))
    view = drawing.figure_view(figure, shop.has(figure), label, marks)
    return element("div", view, element("div", facts), class_="location")


def _place(place: Place) -> Element:
    x0, y0, x1, y1 = place.region.box.as_list()
    size = f"{place.figure.width}\u00a0×\u00a0{place.figure.height}"
    role = "" if place.region.role == "place" else f" ({place.region.role})"
    return element(
        "p",
        swatch(place.letter),
        element("strong", f" {sentence(panel_title(place.figure, place.panel))}{role}"),
        element("br"),
        f"columns {x0} to {x1 - 1}, rows {y0} to {y1 - 1} of {size}",
    )


def _original(figure: Figure, shop: Workshop) -> Element | None:
    """Link the figure as the run kept it, where it did."""
    folder = shop.album.out / FOLDER / "figures"
    links = [
        element(
            "a",
            "Pixels as screened" if file.name.endswith(".pixels.png") else "File as stored",
            href=f"{FOLDER}/figures/{file.name}",
        )
        for file in sorted(folder.glob(f"{figure.id}.*"))
    ]
    if not links:
        return None
    return element("p", "Whole figure: ", [[link, " "] for link in links])


def files(finding: Finding) -> Element:
    """Link every file that belongs to the finding."""
    links = [
        (FILE_TITLES.get(role, role.replace("-", " ")), path)
        for role, path in finding.evidence.pictures
    ]
    links += [
        (f"mask of {Path(region.mask).stem.rsplit('-', 1)[-1]}", region.mask)
        for region in finding.regions
        if region.mask is not None
    ]
    items = [element("li", element("a", title, href=path)) for title, path in links]
    return element("div", element("h4", "Files to check"), element("ul", items), class_="files")
