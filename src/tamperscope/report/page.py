"""Builds ``report.html``: one page that needs nothing but itself, from findings and evidence.

The policy in its head forbids every request: pictures are ``data:`` addresses, and style and
script are those whose digests it names. It reads the same without scripts, only without mixing,
filtering and review.
"""

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from string import Template

from tamperscope.records import Screening, to_dict
from tamperscope.report import drawing, sections
from tamperscope.report.album import Album
from tamperscope.report.error_section import errors
from tamperscope.report.finding_section import finding_section
from tamperscope.report.findings_file import replace_file
from tamperscope.report.markup import Element, element, name, render
from tamperscope.report.workshop import set_up

NAME = "report.html"
TITLED = 3  # documents named in the headline; more are counted


def build_page(screening: Screening, out: Path) -> str:
    """Page of a screening whose evidence lies under ``out``.

    Raises:
        OutputError: An evidence picture is missing or broken, or the prevalence is none.
    """
    shop = set_up(screening, Album(out))
    style, script = _template("page.css"), _template("page.js")
    articles = [finding_section(finding, shop) for finding in screening.findings]
    return Template(_template("page.html")).substitute(
        policy=_policy(style, script),
        title=render_text(f"Screening report: {_documents(screening)}"),
        style=style,
        script=script,
        key=_key(screening),
        shelf=render(drawing.shelf(shop.figures, screening.figures)),
        documents=render(_headline(screening)),
        without="" if screening.findings else " hidden",
        interrupted=render(*_banner(screening)),
        navigation=render(*sections.navigation(screening)),
        summary=render(*sections.summary(screening)),
        findings=render(*articles)
        if articles
        else render(element("p", "No observation was made.")),
        panels=render(*sections.panels(shop)),
        unread=render(*sections.unread(screening)),
        errors=render(*errors(screening)),
        run=render(*sections.run_details(screening)),
    )


def write_page(screening: Screening, out: Path) -> Path:
    """Write ``out/report.html``."""
    path = out / NAME
    replace_file(path, build_page(screening, out).encode("utf-8"))
    return path


def render_text(text: str) -> str:
    """Escape text for a place that takes no elements, such as the title."""
    return render(element("p", text)).removeprefix("<p>").removesuffix("</p>")


def _template(file: str) -> str:
    return files("tamperscope.report").joinpath("templates", file).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")

    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest(style)}'; "
        f"script-src 'sha256-{digest(script)}'; base-uri 'none'; form-action 'none'"
    )


def _key(screening: Screening) -> str:
    """Name under which the browser keeps reviews: the same findings, the same name."""
    data = to_dict(screening)
    said = json.dumps([data["figures"], data["findings"]], sort_keys=True)
    return hashlib.sha256(said.encode("ascii")).hexdigest()[:16]


def _names(screening: Screening) -> list[str]:
    return list(dict.fromkeys(figure.document for figure in screening.figures)) or [
        given for given, _ in screening.run.inputs
    ]


def _documents(screening: Screening) -> str:
    names = _names(screening)
    return ", ".join(names[:TITLED]) + (
        f" and {len(names) - TITLED} more" if len(names) > TITLED else ""
    )


def _headline(screening: Screening) -> Element:
    names = _names(screening)
    shown: list[Element | str] = []
    for given in names[:TITLED]:
        shown += [", ", name(given)] if shown else [name(given)]
    if len(names) > TITLED:
        shown.append(f" and {len(names) - TITLED} more")
    return element("p", shown, class_="documents")


def _banner(screening: Screening) -> list[Element]:
    if not screening.run.interrupted:
        return []
    said = element("strong", "This screening was stopped before it was done.")
    rest = " What follows is what had been looked at by then; the rest was not screened."
    return [element("p", said, rest, class_="banner", role="status")]
