"""The section "How often these methods err" of the page: the error card in words and tables."""

from collections.abc import Sequence

from tamperscope.errors import OutputError
from tamperscope.records import FINDING_KINDS, PANEL_KINDS, Screening
from tamperscope.report.error_card import ErrorCard, Measurement, error_card
from tamperscope.report.error_table import given, rates_table
from tamperscope.report.markup import Element, element
from tamperscope.report.titles import DETECTOR_TITLES, KIND_TITLES, PANEL_TITLES, count, sentence


def errors(screening: Screening, card: ErrorCard | None = None) -> list[Element]:
    """Say how often the methods err, and what that makes of an observation.

    Args:
        screening: ``run.parameters`` may hold ``prevalence`` and ``detectors``.
        card: What was measured; the card that comes with the program if None.

    Raises:
        OutputError: The prevalence does not lie between 0 and 1.
    """
    card = card or error_card()
    prevalence = _prevalence(screening)
    ran = screening.run.parameters.get("detectors")
    families: dict[str, list[Measurement]] = {}
    for measurement in card.measurements:
        families.setdefault(measurement.title, []).append(measurement)
    return [
        *_reading(prevalence),
        *(_family(family, prevalence, ran) for family in families.values()),
        *_untested(card, ran),
        _counted(screening),
        _sources(card),
    ]


def _prevalence(screening: Screening) -> float | None:
    value = screening.run.parameters.get("prevalence")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise OutputError(
            f"the prevalence of a screening lies between 0 and 1, got {value!r}; screen again"
        )
    return float(value)


def _reading(prevalence: float | None) -> list[Element]:
    """How to read the tables."""
    if prevalence is None:
        guess = (
            "Nobody knows how often something is there in the papers you see, and it decides most "
            "of what an observation is worth. So three guesses stand side by side; give your own "
            "with --prevalence. "
        )
    else:
        guess = (
            "You gave, with --prevalence, that something is there in "
            f"{given(prevalence)} of panels, or of compared pairs. Where it is rarer, fewer "
            "observations are right. "
        )
    return [
        element(
            "p",
            "The methods were tried on pictures of which it is known what was changed, and on "
            "unaltered ones. Below each count stand its share and, in brackets, the range "
            "in which the true share lies with 95 % confidence: few trials, wide range. A source "
            "is one laboratory, paper or collection that pictures came from.",
        ),
        element(
            "p",
            guess,
            "The range of this share allows for both counts being off. “At least” stands where no "
            "false alarm was seen: that does not mean that there are none. Of two columns of false "
            "alarms the worse one is used.",
        ),
    ]


def _family(family: Sequence[Measurement], prevalence: float | None, ran: object) -> Element:
    """One table, what it was measured on, and what that has to do with this run."""
    first = family[0]
    sets = [(_titled("Something there", m.case), m.changed) for m in family]
    sets += dict.fromkeys(
        (_titled("Nothing there", short), full) for m in family for short, full in m.unchanged
    )
    notes = dict.fromkeys(note for measurement in family for note in measurement.notes)
    remark = _remark(first, ran)
    table = rates_table(family, prevalence)
    label = f"Table of errors: {first.title}"
    named = [(element("dt", title), element("dd", f"{value}.")) for title, value in sets]
    return element(
        "section",
        element("h3", first.title),
        element("p", remark, class_="remark-run") if remark else None,
        element("div", table, class_="scroller", tabindex="0", role="region", aria_label=label),
        element("dl", named, class_="facts sets"),
        element("p", " ".join(notes), class_="intro") if notes else None,
        class_="errors",
    )


def _titled(title: str, case: str) -> str:
    return f"{title}: {case}" if case else title


def _remark(measurement: Measurement, ran: object) -> str | None:
    """Say where the rates do not belong to the methods of this run."""
    if not isinstance(ran, (list, tuple)):
        return None
    used = [name for name in measurement.detectors if name in ran]
    if not used:
        return "Not looked for in this run."
    if len(used) < len(measurement.detectors):
        names = " and ".join(DETECTOR_TITLES.get(name, name) for name in used)
        return f"Measured with more methods than this run used ({names}): it may find less."
    return None


def _untested(card: ErrorCard, ran: object) -> list[Element]:
    """Say what no number stands for."""
    said = list(card.untested)
    for kind in FINDING_KINDS:
        known = {row.panels for m in card.measurements if m.kind == kind for row in m.rows}
        lacking = [name for name in PANEL_KINDS if name not in (*known, "chart")]
        if not known:
            said.append(f"Observations of the kind “{KIND_TITLES[kind]}”: no rates at all.")
        elif lacking:
            names = " and ".join(PANEL_TITLES[name][1] for name in sorted(known - {"all"}))
            said.append(f"“{KIND_TITLES[kind]}” in anything but {names}.")
    measured = {name for m in card.measurements for name in m.detectors}
    if isinstance(ran, (list, tuple)):
        said += [
            f"What this run reports by {DETECTOR_TITLES.get(name, name)}: the rates above were "
            "measured without it. It can find more, and raise more false alarms."
            for name in ran
            if name not in measured
        ]
    return [
        element("h3", "What was never tested"),
        element("ul", [element("li", line) for line in said], class_="limits"),
    ]


def _counted(screening: Screening) -> Element:
    """Remind that rates are of panels and pairs, not of papers."""
    panels = sum(p.kind != "chart" for figure in screening.figures for p in figure.panels)
    pairs = panels * (panels - 1) // 2
    made = (
        f" The {panels:,} panels of this screening make {count(pairs, 'pair', 'pairs')}."
        if panels > 1
        else ""
    )
    return element(
        "p",
        "All rates are of single panels or pairs of panels, not of papers.",
        made,
        " Where many are looked at, even a rare error becomes likely somewhere.",
    )


def _sources(card: ErrorCard) -> Element:
    """Name the result files, so that anyone can measure again."""
    made = dict.fromkeys(measurement.made_by for measurement in card.measurements)
    return element(
        "details",
        element("summary", "Where these numbers come from"),
        [
            element("dl", [(element("dt", sentence(key)), element("dd", element("code", value)))
                           for key, value in facts], class_="facts sets")
            for facts in made
        ],
        class_="errors",
    )  # fmt: skip
