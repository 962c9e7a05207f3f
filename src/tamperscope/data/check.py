"""Checks a dataset on disk: counts, partners, sizes, mask values, duplicates across splits.

Everything wrong is listed, not only the first. What is odd but may be so is a note.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tamperscope.data.catalog import Dataset
from tamperscope.data.folders import is_image
from tamperscope.data.masks import Size, luminance, nearest, read_plane
from tamperscope.data.samples import (
    AnySample,
    Boxes,
    MaskFiles,
    MissingPartnersError,
    PairSample,
    Sample,
)
from tamperscope.errors import UnreadableInputError
from tamperscope.images import read_pixels

GREY_SHARE = 0.01  # of a white or black mask that lies far from both ends
GREY = (48, 207)  # JPEG moves pure black and white by less
INVERTED = 0.5  # median tampered share above which the masks are thought to be inverted

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    tampered: int  # samples, or related pairs
    pristine: int  # samples, or unrelated pairs
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def check_dataset(
    dataset: Dataset, root: Path, *, partial: bool = False, progress: Progress | None = None
) -> Checked:
    """Read everything of a dataset once and list what is wrong.

    Args:
        dataset: Its entry in the catalogue.
        root: Its folder, or file.
        partial: Only a part of the set is there: its size is not compared with the published one.
        progress: Called with a word, how many images are done and of how many.

    Raises:
        DatasetLayoutError: The folder is laid out so differently that nothing could be listed.
    """
    problems: list[str] = []
    try:
        samples = list(dataset.index(root))
    except MissingPartnersError as error:
        problems += [f"{path} is missing" for path in error.missing]
        missing = set(error.missing)
        samples = [sample for sample in error.samples if not missing & set(sample.files())]
    truths = [
        sample.related if isinstance(sample, PairSample) else sample.truth is not None
        for sample in samples
    ]
    tampered, pristine = sum(truths), len(truths) - sum(truths)
    if not partial:
        problems += _count_problems(dataset, tampered, pristine)
    singles = _singles(samples)
    problems += _orphans(singles)
    pairs = [sample for sample in samples if isinstance(sample, PairSample)]
    read = _Reading(problems, {side.image for pair in pairs for side in (pair.a, pair.b)})
    images = _by_image(singles)
    for number, (image, group) in enumerate(images.items(), start=1):
        read.image(image, group)
        if progress is not None:
            progress("images", number, len(images))
    problems += read.inverted() + _groups_across(singles)
    notes = read.duplicates()
    if any(not pair.listed for pair in pairs):
        notes.append("the list of pairs is reconstructed: every two panels of one category")
    return Checked(tampered, pristine, tuple(problems), tuple(notes))


def _count_problems(dataset: Dataset, tampered: int, pristine: int) -> list[str]:
    return [
        f"{found:,} {what}, expected {' or '.join(f'{n:,}' for n in expected)} "
        "(a part of the set? then say so with --partial)"
        for what, found, expected in (
            ("tampered", tampered, dataset.tampered),
            ("pristine", pristine, dataset.pristine),
        )
        if expected and found not in expected
    ]


def _singles(samples: Sequence[AnySample]) -> list[Sample]:
    found: dict[Sample, None] = {}
    for sample in samples:
        if isinstance(sample, PairSample):
            found[sample.a] = found[sample.b] = None
        else:
            found[sample] = None
    return list(found)


def _by_image(samples: Iterable[Sample]) -> dict[Path, list[Sample]]:
    found: dict[Path, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.image, []).append(sample)
    return found


def _orphans(samples: Sequence[Sample]) -> list[str]:
    """Files that lie among the masks, or among the images, and belong to nothing."""
    images = {sample.image for sample in samples}
    masks = {path for sample in samples for path in sample.files()[1:]}
    found = []
    for folder in sorted({path.parent for path in masks} - {path.parent for path in images}):
        wanted = {path.suffix for path in masks if path.parent == folder}
        found += [
            f"{path} is a mask without an image"
            for path in sorted(folder.iterdir())
            if path not in masks and (is_image(path) or path.suffix in wanted)
        ]
    return found


class _Reading:
    """Reads the files one after the other and remembers what only the whole set can tell."""

    def __init__(self, problems: list[str], paired: set[Path]) -> None:
        self.problems = problems
        self.paired = paired  # images of pairs, which may be shared as a whole
        self.shares: list[float] = []  # tampered share of each masked image
        self.digests: dict[str, list[Sample]] = {}

    def image(self, path: Path, samples: list[Sample]) -> None:
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            height, width = read_pixels(path).shape[:2]
        except (UnreadableInputError, OSError) as error:
            self.problems.append(str(error))
            return
        self.digests.setdefault(digest, []).append(samples[0])
        for sample in samples:
            if isinstance(sample.truth, MaskFiles):
                self._masks(sample, sample.truth, (height, width))
            elif isinstance(sample.truth, Boxes):
                self.problems += [
                    f"{path}: the box {list(box)} reaches beyond {width} x {height} pixels"
                    for box in sample.truth.boxes
                    if box[2] > width or box[3] > height
                ]

    def _masks(self, sample: Sample, truth: MaskFiles, size: Size) -> None:
        union = np.zeros(size, dtype=bool)
        for path in truth.paths:
            try:
                plane = read_plane(path, truth.rule)
                self._values(path, truth.rule)
            except UnreadableInputError as error:
                self.problems.append(str(error))
                return
            if plane.shape != size:
                self.problems.append(
                    f"{path} is {plane.shape[1]} x {plane.shape[0]}, its image {sample.image.name} "
                    f"{size[1]} x {size[0]} pixels"
                )
                plane = nearest(plane, size)
            union |= plane
        if not union.any():
            self.problems.append(f"{truth.paths[0]} marks nothing of a tampered image")
        if sample.image in self.paired:
            return
        self.shares.append(float(union.mean()))
        if union.all():
            self.problems.append(f"{truth.paths[0]} marks all of {sample.image.name}")

    def _values(self, path: Path, rule: str) -> None:
        if rule in ("white", "black"):
            grey = luminance(read_pixels(path))
            share = float(((grey >= GREY[0]) & (grey <= GREY[1])).mean())
            if share > GREY_SHARE:
                self.problems.append(
                    f"{path}: {share:.0%} of the mask is grey, neither black nor white"
                )

    def inverted(self) -> list[str]:
        if not self.shares or np.median(self.shares) <= INVERTED:
            return []
        share = np.median(self.shares)
        return [f"the masks mark {share:.0%} of the median image: they look inverted"]

    def duplicates(self) -> list[str]:
        """Add duplicates that spoil a measurement to the problems; return the harmless ones."""
        notes = []
        for samples in self.digests.values():
            if len(samples) < 2:
                continue
            names = " = ".join(str(sample.image) for sample in samples)
            if len({sample.split for sample in samples}) > 1:
                self.problems.append(f"the same bytes on both sides of a split: {names}")
            elif len({sample.truth is None for sample in samples}) > 1:
                self.problems.append(f"the same bytes as tampered and as pristine: {names}")
            else:
                notes.append(f"the same bytes twice: {names}")
        return notes


def _groups_across(samples: Sequence[Sample]) -> list[str]:
    splits: dict[str, set[str]] = {}
    for sample in samples:
        if sample.group is not None and sample.split is not None:
            splits.setdefault(sample.group, set()).add(sample.split)
    return [
        f"group {group} lies in {' and '.join(sorted(found))}"
        for group, found in sorted(splits.items())
        if len(found) > 1
    ]
