"""What a dataset is here: a sorted list of samples, each an image and what is known of its truth.

No pixels are read in this module. Where the truth lies in files, they are named; how their values
are to be understood is a rule with a name (:mod:`tamperscope.data.masks`), because the sets differ:
white, black or green may mean "tampered".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tamperscope.errors import DatasetLayoutError

KINDS = ("blot", "microscopy", "facs", "macroscopy", "photo")
"""Categories of a panel, in the words of the screening records."""

OPERATIONS = ("copy-move", "splicing")
"""What was done: a region copied within the picture, or taken from another one."""

SHOWN = 10
"""Missing files that one error message names; the rest is counted."""


@dataclass(frozen=True)
class MaskFiles:
    """The truth in files: what any of them marks is tampered."""

    paths: tuple[Path, ...]
    rule: str = "white"  # a name in tamperscope.data.masks.RULES

    def __post_init__(self) -> None:
        if not self.paths:
            raise ValueError("a truth in files needs at least one file; pristine is truth=None")


@dataclass(frozen=True)
class Boxes:
    """The truth as half-open rectangles [x0, y0, x1, y1] in pixels of the image."""

    boxes: tuple[tuple[int, int, int, int], ...]

    def __post_init__(self) -> None:
        if not self.boxes:
            raise ValueError("a truth in boxes needs at least one box; pristine is truth=None")
        for x0, y0, x1, y1 in self.boxes:
            if not all(isinstance(value, int) for value in (x0, y0, x1, y1)):
                raise ValueError(f"a box is four whole numbers, got {[x0, y0, x1, y1]}")
            if not (0 <= x0 < x1 and 0 <= y0 < y1):
                raise ValueError(f"a box needs 0 <= x0 < x1 and 0 <= y0 < y1: {[x0, y0, x1, y1]}")


@dataclass(frozen=True)
class Unlocated:
    """Known to be tampered (or reused); the set does not say where."""


Truth = MaskFiles | Boxes | Unlocated


@dataclass(frozen=True)
class Sample:
    """One image with its truth."""

    image: Path
    truth: Truth | None  # None for a pristine image: nothing in it is tampered
    source: str  # name of the dataset, for tables
    group: str | None = None  # paper, scene or original: must stay on one side of any split
    split: str | None = None  # "train", "valid" or "test" where the set has an official one
    kind: str | None = None  # one of KINDS, where the set tells
    copied_from: MaskFiles | None = None  # where a copied region was taken from, if told
    operation: str | None = None  # one of OPERATIONS, where the set tells

    def __post_init__(self) -> None:
        for name, allowed in (("kind", KINDS), ("operation", OPERATIONS)):
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {value!r}")

    def files(self) -> tuple[Path, ...]:
        """Return every file the sample is made of."""
        truth = self.truth.paths if isinstance(self.truth, MaskFiles) else ()
        return (self.image, *truth, *(self.copied_from.paths if self.copied_from else ()))


@dataclass(frozen=True)
class PairSample:
    """Two images, and whether they share a region; the truths mark it in each."""

    a: Sample
    b: Sample
    related: bool  # False: nothing of one is known to be in the other
    source: str
    group: str | None = None
    split: str | None = None
    kind: str | None = None  # of both
    listed: bool = True  # False: the list of pairs was reconstructed, not read from the set

    def __post_init__(self) -> None:
        told = (self.a.truth is not None, self.b.truth is not None)
        if told != (self.related, self.related):
            raise ValueError(f"a related pair has a truth on both sides, others on none: {self}")

    def files(self) -> tuple[Path, ...]:
        """Return every file the pair is made of."""
        return self.a.files() + self.b.files()


AnySample = Sample | PairSample
SampleT = TypeVar("SampleT", Sample, PairSample)


class MissingPartnersError(DatasetLayoutError):
    """Files that the layout asks for are not there; carries what the rest looks like."""

    def __init__(self, missing: Sequence[Path], samples: Sequence[AnySample]) -> None:
        shown = ", ".join(map(str, missing[:SHOWN]))
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        verb = "is" if len(missing) == 1 else "are"
        super().__init__(
            f"{shown}{more} {verb} missing: every tampered image needs its truth, and every truth "
            "its image; download the set again, or leave out what lacks a partner"
        )
        self.missing = tuple(missing)
        self.samples = tuple(samples)


def complete(samples: Iterable[SampleT]) -> list[SampleT]:
    """Return the samples sorted by their files, or an error naming every missing file.

    A missing truth never reads as "pristine".

    Raises:
        MissingPartnersError: An image, a mask or a partner is not there.
    """
    ordered = sorted(samples, key=lambda sample: tuple(map(str, sample.files())))
    there: dict[Path, set[str]] = {}
    missing: dict[Path, None] = {}
    for sample in ordered:
        for path in sample.files():
            if path.parent not in there:
                folder = path.parent
                there[folder] = {f.name for f in folder.iterdir()} if folder.is_dir() else set()
            if path.name not in there[path.parent]:
                missing[path] = None
    if missing:
        raise MissingPartnersError(list(missing), ordered)
    return ordered
