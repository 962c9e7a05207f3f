"""How often the methods err, as measured on sets of known truth, and what an observation is worth.

``error_card.json`` beside this file is made from result files by ``python -m
tools.make_error_card``; every rate in it is counted, none is judged. What an observation is worth
follows from two rates and from how often something is there at all (the prevalence, p). With the
sensitivity s (share reported where something is there) and the share of false alarms f (reported
where nothing is), Bayes' rule says

    share of observations that are right            =  s p / (s p + f (1 - p))
    share of what was not reported in which
    something is there all the same                 =  (1 - s) p / ((1 - s) p + (1 - f) (1 - p))

Altman and Bland, "Diagnostic tests 2: predictive values", BMJ 309, 1994.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Self

FORMAT = "tamperscope-error-card/1"
NAME = "error_card.json"

PREVALENCES = (0.001, 0.01, 0.1)
"""Shown where the user gives none: nobody knows the true one, and it decides more than a rate."""


@dataclass(frozen=True)
class Rate:
    """A counted share with its 95 % interval."""

    successes: int
    trials: int
    interval: tuple[float, float]

    def __post_init__(self) -> None:
        low, high = self.interval
        if not (self.trials > 0 and 0 <= low <= self.share <= high <= 1):
            raise ValueError(
                f"{self.successes} of {self.trials} does not fit an interval of {low} to {high}"
            )

    @property
    def share(self) -> float:
        """In [0, 1]."""
        return self.successes / self.trials


@dataclass(frozen=True)
class Row:
    """The rates for one kind of panel."""

    panels: str  # one of records.PANEL_KINDS, or "all"
    sensitivity: Rate
    false_alarms: tuple[Rate, ...]  # one for each of the measurement's sets without alteration

    @property
    def worst(self) -> Rate:
        """The false alarms of the set that speaks worst of the method."""
        return max(self.false_alarms, key=lambda rate: rate.interval[1])


@dataclass(frozen=True)
class Measurement:
    """One family of observations on one set with something to find, and on sets with nothing."""

    kind: str  # one of records.FINDING_KINDS
    title: str  # measurements of one title share a table
    case: str  # what tells this one from others of its title, in words; may be empty
    unit: str  # what is counted: "panel" or "pair"
    detectors: tuple[str, ...]
    changed: str  # name of the set with something to find
    unchanged: tuple[tuple[str, str], ...]  # (short, full) name of each set without
    rows: tuple[Row, ...]
    notes: tuple[str, ...]  # what a reader must know of these sets
    made_by: tuple[tuple[str, str], ...]  # file, command and commit of the result

    def __post_init__(self) -> None:
        if self.unit not in ("panel", "pair"):
            raise ValueError(f"the unit must be 'panel' or 'pair', got {self.unit!r}")
        if any(len(row.false_alarms) != len(self.unchanged) for row in self.rows):
            raise ValueError(f"{self.title}: a row lacks a set without alteration")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read one entry of the card."""
        return cls(
            kind=data["kind"],
            title=data["title"],
            case=data["case"],
            unit=data["unit"],
            detectors=tuple(data["detectors"]),
            changed=data["changed"],
            unchanged=tuple((name["short"], name["full"]) for name in data["unchanged"]),
            rows=tuple(
                Row(
                    row["panels"],
                    _rate(row["sensitivity"]),
                    tuple(_rate(rate) for rate in row["false_alarms"]),
                )
                for row in data["rows"]
            ),
            notes=tuple(data["notes"]),
            made_by=tuple(data["made_by"].items()),
        )


@dataclass(frozen=True)
class ErrorCard:
    """Everything measured, and in words what never was."""

    measurements: tuple[Measurement, ...]
    untested: tuple[str, ...]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read a card; ValueError where it has another format."""
        if data["format"] != FORMAT:
            raise ValueError(f"expected format {FORMAT!r}, got {data['format']!r}")
        return cls(
            tuple(Measurement.from_dict(entry) for entry in data["measurements"]),
            tuple(data["untested"]),
        )


@cache
def error_card() -> ErrorCard:
    """Read the card that comes with the program."""
    text = files("tamperscope.report").joinpath(NAME).read_text("utf-8")
    return ErrorCard.from_dict(json.loads(text))


def right(sensitivity: float, false_alarms: float, prevalence: float) -> float:
    """Share of observations that are right (positive predictive value).

    NaN where the rates allow no observation at all: there is then no share of them.

    Args:
        sensitivity: Share reported where something is there.
        false_alarms: Share reported where nothing is.
        prevalence: Share in which something is there.
    """
    true, false = sensitivity * prevalence, false_alarms * (1 - prevalence)
    return true / (true + false) if true + false > 0 else math.nan


def missed(sensitivity: float, false_alarms: float, prevalence: float) -> float:
    """Share of what was not reported in which something is (1 - negative predictive value).

    NaN where the rates leave nothing unreported. Arguments as of :func:`right`.
    """
    return right(1 - sensitivity, 1 - false_alarms, prevalence)


def right_between(sensitivity: Rate, false_alarms: Rate, prevalence: float) -> tuple[float, float]:
    """Bounds of :func:`right` from the unfavourable and the favourable ends of both intervals.

    The share rises with the sensitivity and falls with the false alarms, so it leaves these bounds
    only where a rate leaves its own 95 % interval: each bound is passed in at most 5 % of all
    measurements (2.5 % for each rate), and mostly far less often, since both rates would have to
    lie at their ends at once. With no false alarm seen the upper bound is 1, and only the lower
    one says anything.
    """
    (low, high), (rare, often) = sensitivity.interval, false_alarms.interval
    return right(low, often, prevalence), right(high, rare, prevalence)


def missed_between(sensitivity: Rate, false_alarms: Rate, prevalence: float) -> tuple[float, float]:
    """Bounds of :func:`missed`, made as those of :func:`right_between`.

    The share falls with the sensitivity and rises with the false alarms.
    """
    (low, high), (rare, often) = sensitivity.interval, false_alarms.interval
    return missed(high, rare, prevalence), missed(low, often, prevalence)


def _rate(data: dict[str, Any]) -> Rate:
    low, high = data["interval"]
    return Rate(data["successes"], data["trials"], (low, high))
