"""The part of the page about one finding: what was seen, the pictures, the facts, the review."""

from tamperscope.records import Finding
from tamperscope.report.evidence import places_of
from tamperscope.report.finding_facts import files, measured, whereabouts
from tamperscope.report.finding_pictures import pictures
from tamperscope.report.markup import Element, element
from tamperscope.report.titles import KIND_TITLES
from tamperscope.report.workshop import Workshop

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
    return element(
        "article",
        element("header", title, element("p", finding.reason, class_="reason")),
        pictures(finding, places, shop),
        element("div", measured(finding), whereabouts(finding, places, shop), class_="columns"),
        files(finding),
        _review(finding),
        id=finding.id,
        class_="finding",
        tabindex="-1",
        aria_labelledby=f"{finding.id}-title",
        data_kind=finding.kind,
    )


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
