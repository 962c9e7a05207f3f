"""What the single-panel tests of blots report: a marked place with a score and its measures.

The chance statistic holds a mark against pristine blots: it is the share of them whose strongest
mark of the same kind is at least as strong, read from ``blot_null.json``, which
``tools/make_blot_null.py`` builds from the corpus.
"""

import bisect
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tamperscope.matching.match import Mask
from tamperscope.records import Box


@dataclass(frozen=True, eq=False)
class Mark:
    """A place in one panel that stands out."""

    box: Box  # in the panel
    mask: Mask  # (height, width) of the panel
    strength: float  # what the chance is read from; see the detector
    score: float  # in [0, 1]: 1 - chance
    chance: float  # share of pristine blots with a mark at least as strong, in (0, 1]
    chance_null: str  # which null, in words
    measures: tuple[tuple[str, float], ...]  # named numbers, see the detector

    def measure(self, name: str) -> float:
        """Value of one measure; KeyError where there is none of that name."""
        return dict(self.measures)[name]

    def sentence(self, panel: str) -> str:
        """Say in plain words what was seen in ``panel``."""
        raise NotImplementedError


@dataclass(frozen=True)
class Null:
    """Strongest marks of pristine blots."""

    panels: int
    strengths: tuple[float, ...]  # ascending; panels without any mark are left out

    def chance(self, strength: float) -> float:
        """(1 + panels at least as strong) / (1 + panels): never 0, however strong."""
        above = len(self.strengths) - bisect.bisect_left(self.strengths, strength)
        return (1 + above) / (1 + self.panels)

    @property
    def words(self) -> str:
        """Name the null, for ``Evidence.chance_null``."""
        return f"blot, {self.panels} pristine panels"


@cache
def blot_null(kind: str) -> Null:
    """Read the null of ``seam`` or ``erased``."""
    text = files("tamperscope.matching").joinpath("blot_null.json").read_text(encoding="utf-8")
    table = json.loads(text)[kind]
    return Null(table["panels"], tuple(table["strengths"]))
