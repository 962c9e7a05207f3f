"""How often a network marks a region as strongly where nothing was changed.

The null is a table of the strongest mark (:func:`strength`) in each of many pristine panels that
the network never saw, for every modality; ``tools/calibrate_network.py`` makes it. There is one for
each task whose answers are marks, and it holds for one file of weights, which it names by SHA-256:
marks of other weights have no chance, and a plain threshold decides.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.chance import NAMES, Null
from tamperscope.matching.match import Mask

TABLE = Path(__file__).with_name("network_null.json")
FORMAT = "tamperscope-network-null/2"
ALPHA = 0.01
"""Marks that pristine panels show more often than this are not reported."""
TOP = 0.01  # of a panel's pixels that decide how strong a mark is, as in the image-level score
HIGHEST = 1 - 1e-6  # strength beyond which logits are not told apart


def strength(heatmap: NDArray[np.float32], region: Mask) -> float:
    """Mean of the largest probabilities in a region, over 1 % of the panel; in [0, 1].

    A region that is smaller than that counts as filled up with zeros.
    """
    wanted = max(round(TOP * heatmap.size), 1)
    inside = np.sort(heatmap[region], axis=None)[-wanted:]
    return float(inside.sum(dtype=np.float64)) / wanted


def evidence(value: float) -> float:
    """Logit of a strength, in nats: above 0 where the network rather marks than not."""
    held = min(max(value, 1 - HIGHEST), HIGHEST)
    return float(np.log(held) - np.log1p(-held))


@dataclass(frozen=True)
class NetworkNull:
    """Strongest marks in pristine panels, by modality.

    The panels of a modality are windows of few pictures, of fewer collections. What those happen
    not to show says little about others, so that a mark must be rare among the panels of all
    modalities too.
    """

    cases: dict[str, Null]

    def chance(self, value: float, kind: str) -> tuple[float, str]:
        """Look up how often pristine panels are marked as strongly: (chance, null in words).

        Raises:
            KeyError: The table holds no panels of this modality.
        """
        own, every = self.cases[kind], joined(list(self.cases.values()))
        found = evidence(value)
        if own.chance(found) >= every.chance(found):
            return own.chance(found), f"{NAMES[kind]}, {own.cases:,} pristine panels"
        names = ", ".join(NAMES[name] for name in sorted(self.cases))
        return every.chance(found), f"{names}, {every.cases:,} pristine panels"


def joined(nulls: Sequence[Null]) -> Null:
    """One null of the panels of several."""
    highest = sorted((value for null in nulls for value in null.highest), reverse=True)
    return Null(sum(null.cases for null in nulls), tuple(highest))


def null_of(sha256: str, table: Path = TABLE) -> NetworkNull | None:
    """Read the null of a weights file; None where there is none for it.

    Raises:
        ValueError: The table is of another format.
    """
    if not table.is_file():
        return None
    data = json.loads(table.read_text(encoding="utf-8"))
    if data.get("format") != FORMAT:
        raise ValueError(f"{table} must be of format {FORMAT!r}, got {data.get('format')!r}")
    for null in data["tasks"].values():
        if null["weights"] == sha256:
            marks = null["marks"].items()
            return NetworkNull(
                {kind: Null(own["cases"], tuple(own["evidence"])) for kind, own in marks}
            )
    return None
