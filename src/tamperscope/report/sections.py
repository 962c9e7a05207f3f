"""The parts of the page around the findings: summary, panels, what was left out, the run."""

import json
from collections import Counter
from collections.abc import Sequence

from tamperscope.records import FINDING_KINDS, PANEL_KINDS, Figure, Finding, Screening
from tamperscope.report import drawing
from tamperscope.report.evidence import places_of
from tamperscope.report.finding_facts import swatch
from tamperscope.report.markup import Child, Element, element, name
from tamperscope.report.titles import (
    KIND_PLURALS,
    KIND_TITLES,
    ORIGIN_TITLES,
    PANEL_TITLES,
    count,
    figure_title,
    page_title,
    panel_title,
    sentence,
)
from tamperscope.report.words import chance_in_short
from tamperscope.report.workshop import Workshop


def summary(screening: Screening) -> list[Element]:
    """Say in plain sentences what was screened and what was seen."""
    return [
        element("p", _screened(screening), class_="lead"),
        element("p", _seen(screening), class_="lead"),
        *([element("p", *_left_out(screening))] if screening.unread else []),
        *(element("p", note) for note in screening.notes),
        *([_index(screening)] if screening.findings else []),
    ]


def _screened(screening: Screening) -> list[Child]:
    figures = screening.figures
    documents = sorted({figure.document for figure in figures})
    kinds = Counter(panel.kind for figure in figures for panel in figure.panels)
    total = sum(kinds.values())
    parts = [
        count(kinds[kind], *PANEL_TITLES[kind])
        for kind in PANEL_KINDS
        if kinds[kind] and kind != "chart"
    ]
    aside = kinds["chart"]
    said: list[Child] = [
        f"{count(len(documents), 'document', 'documents')} with ",
        f"{count(len(figures), 'figure', 'figures')} {'was' if len(documents) == 1 else 'were'} ",
        f"screened, split into {count(total, 'panel', 'panels')}",
        f": {', '.join(parts)}" if parts else "",
        ".",
    ]
    if aside:
        verb = "was set aside and not" if aside == 1 else "were set aside and not"
        said.append(f" {count(aside, 'chart or diagram', 'charts or diagrams')} {verb} compared.")
    return said


def _seen(screening: Screening) -> list[Child]:
    if not screening.findings:
        return [
            "No observation was made. ",
            "That says that the methods below saw nothing, not that nothing is there.",
        ]
    kinds = Counter(finding.kind for finding in screening.findings)
    parts = [count(kinds[k], *KIND_PLURALS[k]) for k in FINDING_KINDS if kinds[k]]
    return [
        element("strong", count(len(screening.findings), "observation", "observations")),
        f": {'; '.join(parts)}.",
    ]


def _left_out(screening: Screening) -> list[Child]:
    number = len(screening.unread)
    return [
        element("a", count(number, "thing was", "things were") + " not screened", href="#unread"),
        "; each is named below with the reason.",
    ]


def _index(screening: Screening) -> Element:
    """Table of all findings."""
    heads = ("No.", "What was seen", "Where", "Chance", "Stability", "Your review")
    rows = [_index_row(finding, screening) for finding in screening.findings]
    head = element("tr", [element("th", title, scope="col") for title in heads[:-1]],
                   element("th", heads[-1], scope="col", class_="scripted"))  # fmt: skip
    table = element(
        "table",
        element("caption", "Observations, strongest first"),
        element("thead", head),
        element("tbody", rows),
        class_="index",
    )
    return element("div", table, class_="scroller", tabindex="0", role="region",
                   aria_label="Table of observations")  # fmt: skip


def _index_row(finding: Finding, screening: Screening) -> Element:
    places = places_of(finding, screening)
    where = [
        element(
            "div",
            swatch(place.letter),
            f" {panel_title(place.figure, place.panel)}",
        )
        for place in places
    ]
    chance, held = finding.evidence.chance, finding.evidence.stability
    return element(
        "tr",
        element("th", element("a", finding.id, href=f"#{finding.id}"), scope="row"),
        element("td", KIND_TITLES[finding.kind]),
        element("td", where),
        element("td", "–" if chance is None else chance_in_short(chance)),
        element("td", f"{sum(h for _, h in held)} of {len(held)}" if held else "–"),
        element("td", "–", class_="scripted", data_review_of=finding.id),
        data_kind=finding.kind,
    )


def navigation(screening: Screening) -> list[Element]:
    """Links to all findings, with a filter by kind where there are several kinds."""
    if not screening.findings:
        return [element("p", "No observations", class_="quiet")]
    kinds = Counter(finding.kind for finding in screening.findings)
    boxes = [
        element(
            "label",
            element("input", type="checkbox", checked=True, value=kind, class_="filter"),
            f"{KIND_TITLES[kind]} ",
            element("span", f"{kinds[kind]}", class_="quiet"),
        )
        for kind in FINDING_KINDS
        if kinds[kind]
    ]
    links = [
        element(
            "li",
            element(
                "a",
                element("span", finding.id, class_="number"),
                " ",
                KIND_TITLES[finding.kind],
                element("span", class_="state", data_state_of=finding.id),
                href=f"#{finding.id}",
            ),
            data_kind=finding.kind,
        )
        for finding in screening.findings
    ]
    choose = element("fieldset", element("legend", "Show"), boxes, class_="filters scripted")
    return [*([choose] if len(kinds) > 1 else []), element("ol", links, class_="finding-links")]


def panels(shop: Workshop) -> list[Element]:
    """Every figure with its panels as split."""
    figures = shop.screening.figures
    if not figures:
        return [element("p", "No figure was found.")]
    documents: dict[str, list[Figure]] = {}
    for figure in figures:
        documents.setdefault(figure.document, []).append(figure)
    return [
        element(
            "section",
            element("h3", name(document)),
            element("div", [_figure(figure, shop) for figure in members], class_="figures"),
        )
        for document, members in documents.items()
    ]


def _figure(figure: Figure, shop: Workshop) -> Element:
    known = shop.has(figure)
    title = figure_title(figure)
    page = page_title(figure)
    label = f"{title}{page} with {count(len(figure.panels), 'panel', 'panels')} framed"
    rows = [
        element(
            "tr",
            element("th", str(number), f" ({panel.label})" if panel.label else None, scope="row"),
            element(
                "td",
                PANEL_TITLES[panel.kind][0],
                " (set aside)" if panel.kind == "chart" else None,
            ),
            element("td", f"{panel.probability:.2f}"),
        )
        for number, panel in enumerate(figure.panels, start=1)
    ]
    heads = [element("th", t, scope="col") for t in ("Panel", "Kind", "Probability")]
    table = element("table", element("thead", element("tr", heads)), element("tbody", rows))
    return element(
        "figure",
        drawing.figure_view(figure, known, label, numbered=True),
        element(
            "figcaption",
            element("strong", sentence(title)),
            f"{page}. {figure.width} × {figure.height} px, {ORIGIN_TITLES[figure.origin]}.",
            f" {figure.note}" if figure.note else None,
            None if known else " Not drawn here, to keep the page small.",
        ),
        element("details", element("summary", count(len(rows), "panel", "panels")), table)
        if rows
        else element("p", "No panel was found in this figure.", class_="quiet"),
    )


def unread(screening: Screening) -> list[Element]:
    """Table of what was not screened, and why."""
    if not screening.unread:
        return [element("p", "Everything that was given was read.")]
    rows = [
        element("tr", element("td", name(skipped.what)), element("td", skipped.why))
        for skipped in screening.unread
    ]
    heads = element("tr", element("th", "What", scope="col"), element("th", "Why", scope="col"))
    return [element("table", element("thead", heads), element("tbody", rows), class_="unread")]


def run_details(screening: Screening) -> list[Element]:
    """Version, seeds, parameters and inputs: what it takes to run the same again."""
    run = screening.run
    inputs = [
        element(
            "tr", element("td", name(given)), element("td", element("code", sha256), class_="hash")
        )
        for given, sha256 in run.inputs
    ]
    heads = element(
        "tr", element("th", "Input", scope="col"), element("th", "SHA-256", scope="col")
    )
    facts: list[tuple[str, Child]] = [
        ("Tamperscope", run.version),
        ("Commit", element("code", run.commit) if run.commit else "not known"),
        ("Time", f"{run.seconds:.1f} s"),
        ("Seeds", _pairs(sorted(run.seeds.items()))),
        ("Parameters", _pairs(sorted(run.parameters.items()))),
    ]
    rows = [(element("dt", title), element("dd", value)) for title, value in facts]
    table = element("table", element("thead", heads), element("tbody", inputs), class_="inputs")
    return [element("dl", rows, class_="facts"), element("div", table, class_="scroller")]


def _pairs(items: Sequence[tuple[str, object]]) -> Child:
    if not items:
        return "none"
    return element(
        "ul",
        [
            element(
                "li",
                element("code", f"{key} = {json.dumps(value, ensure_ascii=False, default=str)}"),
            )
            for key, value in items
        ],
        class_="plain",
    )
