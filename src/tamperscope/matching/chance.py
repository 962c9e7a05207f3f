"""How often unrelated panels align at least this well: the chance statistic.

The null is a table of the evidence (:mod:`tamperscope.matching.agreement`) of the best alignment
that the very same proposals and verification find where nothing is shared: between panels of
different origin, and inside pristine panels, for every modality. ``tools/build_null.py`` makes it.

The chance of an evidence inside the table is ``(1 + number of null cases at least as good) /
(1 + number of null cases)``. Beyond the table the chance falls exponentially from there, at the
rate of the table's own tail: an extrapolation, never below FLOOR.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

TABLE = Path(__file__).with_name("null.json")
FORMAT = "tamperscope-null/1"
ALPHA = 0.005
"""Matches of two panels that chance explains more often than this are not reported."""
ALPHA_WITHIN = 0.01
"""The same inside one panel: there are fewer panels than pairs of them."""
FLOOR = 1e-6
SHORTEST_TAIL = 8.0  # nats over which the chance falls by a factor of e, at least
TAIL = 10  # highest values from which the rate of the tail is taken

NAMES = {
    "blot": "blots and gels",
    "microscopy": "micrographs",
    "facs": "FACS plots",
    "macroscopy": "macroscopic pictures",
    "photo": "photographs",
    "chart": "panels of all kinds",
}


@dataclass(frozen=True)
class Null:
    """Evidence where nothing is shared."""

    cases: int
    highest: tuple[float, ...]  # nats, falling; cases that are not listed had none

    def chance(self, evidence: float) -> float:
        """Share of the null with at least this evidence, in (0, 1]; falls with the evidence."""
        if evidence <= 0:
            return 1.0
        values = np.asarray(self.highest)
        as_good = int(np.count_nonzero(values >= evidence))
        inside = (1 + as_good) / (1 + self.cases)
        beyond = evidence - (float(values[0]) if len(values) else 0.0)
        if beyond <= 0:
            return inside
        return max(inside * float(np.exp(-beyond / self._tail())), FLOOR)

    def _tail(self) -> float:
        """Mean excess of the highest values over the next one (exponential tail, by moments)."""
        values = np.asarray(self.highest[: TAIL + 1])
        if len(values) < 3:
            return SHORTEST_TAIL
        return max(float(np.mean(values[:-1] - values[-1])), SHORTEST_TAIL)


def chance_of(evidence: float, kind: str, *, within: bool) -> tuple[float, str]:
    """Look up the chance of an alignment: (chance, the null in words).

    The larger of two: among panels of this modality, and among panels of all of them. A modality
    whose panels had nothing in common says little about those it has not seen.

    Args:
        evidence: Nats.
        kind: Modality of the panel.
        within: Whether both places lie in one panel.
    """
    own, every = nulls(kind, within=within), nulls("chart", within=within)
    what = NAMES[kind]
    if every.chance(evidence) > own.chance(evidence):
        own, what = every, NAMES["chart"]
    if within:
        return own.chance(evidence), f"{what}, inside {own.cases:,} pristine panels"
    return own.chance(evidence), f"{what}, {own.cases:,} unrelated pairs"


@cache
def nulls(kind: str, *, within: bool) -> Null:
    """Null of one modality; charts are held against all modalities together."""
    table = _table()["within" if within else "between"]
    kinds = [kind] if kind in table else sorted(table)
    highest = sorted((v for k in kinds for v in table[k]["evidence"]), reverse=True)
    return Null(sum(table[k]["cases"] for k in kinds), tuple(highest))


@cache
def _table() -> dict:
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    if table.get("format") != FORMAT:
        raise ValueError(f"{TABLE} must be of format {FORMAT!r}, got {table.get('format')!r}")
    return dict(table)
