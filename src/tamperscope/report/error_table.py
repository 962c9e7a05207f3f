"""One table of the error card: counts, shares, ranges, and what an observation is worth."""

import math
from collections.abc import Callable, Sequence

from tamperscope.report.error_card import (
    PREVALENCES,
    Measurement,
    Rate,
    Row,
    missed,
    missed_between,
    right,
    right_between,
)
from tamperscope.report.markup import Child, Element, element
from tamperscope.report.titles import PANEL_TITLES, sentence

UNITS = {"panel": "panels", "pair": "compared pairs"}
LEAST = 0.001
"""Shares below it, and as near to 1, are not told apart."""


def rates_table(family: Sequence[Measurement], prevalence: float | None) -> Element:
    """Lay out the measurements of one title.

    Args:
        family: Not empty; all with the same unit and as many sets without alteration.
        prevalence: Given by the user; None shows several guesses side by side.
    """
    first = family[0]
    asked = PREVALENCES if prevalence is None else (prevalence,)
    shorts = [short for short, _ in first.unchanged] if len(first.unchanged) > 1 else []
    units = UNITS[first.unit]
    columns: list[tuple[str, list[str]]] = [
        ("Panels", []),
        ("Reported, where something was there", []),
        ("Reported, where nothing was there (false alarms)", shorts),
    ]
    if prevalence is None:
        title = f"An observation is right, if something is there in … of {units}"
        columns.append((title, [given(one) for one in asked]))
    else:
        there = f"if something is there in {given(prevalence)} of {units}"
        columns.append((f"An observation is right, {there}", []))
        columns.append((f"Something is there though nothing was reported, {there}", []))
    rows = [
        _row(row, measurement.case, asked, prevalence is not None)
        for measurement in family
        for row in measurement.rows
    ]
    return element("table", _head(columns), element("tbody", rows), class_="rates")


def _head(columns: Sequence[tuple[str, list[str]]]) -> Element:
    """Titles of columns, some of which stand over several."""
    deep = any(below for _, below in columns)
    top = [
        element("th", title, scope="colgroup", colspan=len(below))
        if below
        else element("th", title, scope="col", rowspan=2 if deep else None)
        for title, below in columns
    ]
    second = [element("th", title, scope="col") for _, below in columns for title in below]
    return element("thead", element("tr", top), element("tr", second) if deep else None)


def _row(row: Row, case: str, asked: Sequence[float], told: bool) -> Element:
    everything = row.panels == "all"
    name = "all of these" if everything else PANEL_TITLES[row.panels][1]
    return element(
        "tr",
        element("th", sentence(name), f", {case}" if case else None, scope="row"),
        element("td", _counts(row.sensitivity)),
        [element("td", _counts(rate)) for rate in row.false_alarms],
        [element("td", _worth(row, p)) for p in asked],
        [element("td", _left(row, p)) for p in asked] if told else None,
        class_="together" if everything else None,
    )


def _counts(rate: Rate) -> list[Child]:
    low, high = rate.interval
    return [
        f"{rate.successes} of {rate.trials}",
        _span(low, high, rate.share),
        _range(f"{percent(rate.share)} ({_from_to(low, high)})"),
    ]


def _worth(row: Row, prevalence: float) -> list[Child]:
    """What an observation is worth: with the false alarms of the less favourable set."""
    low, high = right_between(row.sensitivity, row.worst, prevalence)
    share = right(row.sensitivity.share, row.worst.share, prevalence)
    if math.isnan(share) or (row.worst.successes == 0 and low < LEAST):
        return ["cannot be said"]
    if row.worst.successes == 0:
        return [f"at least {percent(low, math.floor)}", _span(low, 1.0, None)]
    return [percent(share), _span(low, high, share), _range(_from_to(low, high))]


def _left(row: Row, prevalence: float) -> list[Child]:
    low, high = missed_between(row.sensitivity, row.worst, prevalence)
    share = missed(row.sensitivity.share, row.worst.share, prevalence)
    if math.isnan(share):
        return ["cannot be said"]
    if row.sensitivity.successes == row.sensitivity.trials:
        return [f"at most {percent(high, math.ceil)}"]
    return [percent(share), _range(_from_to(low, high))]


def _range(text: str) -> Element:
    return element("span", text, class_="range")


def _span(low: float, high: float, share: float | None) -> Element:
    """Draw the range on a line from 0 to 100 %, with a stroke at the share."""
    return element(
        "svg",
        element("rect", y=4, width=100, height=2, class_="track"),
        element("rect", x=f"{100 * low:.1f}", y=2, height=6, class_="fill",
                width=f"{max(100 * (high - low), 1):.1f}"),
        None if share is None else
        element("rect", x=f"{min(100 * share, 98):.1f}", width=2, height=10, class_="stroke"),
        viewBox="0 0 100 10", preserveAspectRatio="none", class_="bar", aria_hidden="true",
    )  # fmt: skip


def percent(share: float, whole: Callable[[float], int] = round) -> str:
    """``share`` in per cent; a tenth more exact near 0 and 1, and never rounded onto them.

    ``7.4 %``, ``55 %``, ``99.3 %``; ``under 0.1 %``; ``over 99.9 %``. ``whole`` rounds; a bound is
    rounded away from what it bounds.
    """
    if 0 < share < LEAST:
        return f"under {given(LEAST)}"
    if 1 - LEAST < share < 1:
        return f"over {given(1 - LEAST)}"
    steps = 1 if 0.1 <= share <= 0.9 else 10
    return given(whole(round(100 * steps * share, 6)) / (100 * steps))


def given(share: float) -> str:
    """``share`` in per cent as it was given, to six digits."""
    return f"{100 * share:.6g} %"


def _from_to(low: float, high: float) -> str:
    return f"{percent(low).removesuffix(' %')}–{percent(high)}"
