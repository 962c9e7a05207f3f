"""Streams from sets on disk: what ``tamperscope synth`` wrote, or a dataset by name."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from tamperscope.data.masks import read_files, read_mask
from tamperscope.data.samples import AnySample, PairSample, Sample, Unlocated
from tamperscope.errors import DatasetLayoutError, RecipeError, UnreadableInputError
from tamperscope.images import read_pixels
from tamperscope.synth.sample import Mask, Pixels, Size
from tamperscope.training.augmenting import augment_photograph
from tamperscope.training.recipe import Stream
from tamperscope.training.streams import FORMS, REPLACEMENTS, SYMMETRY, Example, SampleStream
from tamperscope.training.symmetries import draw_symmetry, turned

ORDER, CHOICE = 2, 3  # of random numbers, beside SYMMETRY


@dataclass(frozen=True, eq=False)
class SetStream:
    """Samples that lie on disk; every one of them once, in a new order, before any comes again.

    With wanted shares (``pristine``, ``modalities``) samples are drawn with replacement instead.
    """

    samples: tuple[AnySample, ...]  # of one form
    stream: Stream
    form: int
    share: float
    seed: int
    both: bool  # mark the original as well as the copy
    held_out: bool  # for validation: shown as it is
    groups: tuple[tuple[float, np.ndarray], ...] = field(default=())  # weight, places in samples

    @property
    def size(self) -> Size:
        """(height, width) that every picture is brought to."""
        assert self.stream.size is not None
        return self.stream.size

    @property
    def identity(self) -> str:
        """Hash of the files' names and sizes."""
        digest = hashlib.sha256()
        for sample in self.samples:
            for path in sample.files():
                digest.update(f"{path.name}\0{path.stat().st_size}\n".encode())
        return f"{self.stream.dataset} {digest.hexdigest()[:16]}"

    def example(self, number: int) -> Example:
        """Read the sample of a number; one that cannot be read is replaced by another.

        Raises:
            DatasetLayoutError: Nor can any of its replacements.
        """
        for replaced in range(REPLACEMENTS):
            sample = self.samples[self._place(number, replaced)]
            try:
                return self._example(sample, number, replaced)
            except (DatasetLayoutError, UnreadableInputError) as error:
                why = error
        raise DatasetLayoutError(f"{why} - and so {REPLACEMENTS} samples in a row")

    def _place(self, number: int, replaced: int) -> int:
        if replaced or self.groups:
            rng = np.random.default_rng([self.seed, number, replaced, CHOICE])
            if not self.groups:
                return int(rng.integers(len(self.samples)))
            weights = np.array([weight for weight, _ in self.groups])
            chosen = self.groups[int(rng.choice(len(weights), p=weights / weights.sum()))][1]
            return int(chosen[int(rng.integers(len(chosen)))])
        epoch, index = divmod(number, len(self.samples))
        order = np.random.default_rng([self.seed, epoch, ORDER]).permutation(len(self.samples))
        return int(order[index])

    def _example(self, sample: AnySample, number: int, replaced: int) -> Example:
        sides = (sample.a, sample.b) if isinstance(sample, PairSample) else (sample,)
        read = [self._side(side, paired=len(sides) == 2) for side in sides]
        rng = np.random.default_rng([self.seed, number, SYMMETRY])
        if self.stream.augment == "photographs" and not self.held_out:
            read = [augment_photograph(panel, mask, rng) for panel, mask in read]
        read = [fitted(panel, mask, self.size) for panel, mask in read]
        if self.stream.symmetries and not self.held_out:
            symmetry = draw_symmetry(rng, self.size)
            read = [(turned(panel, symmetry), turned(mask, symmetry)) for panel, mask in read]
            if len(read) == 2 and rng.random() < 0.5:
                read = read[::-1]
        panels, masks = zip(*read, strict=True)
        return Example(panels, masks, {}, sample.kind, replaced)

    def _side(self, sample: Sample, *, paired: bool) -> tuple[Pixels, Mask]:
        pixels = read_pixels(sample.image)
        size = (pixels.shape[0], pixels.shape[1])
        mask = read_mask(sample, size=size)
        if self.both and not paired and sample.copied_from is not None:
            what = str(sample.image)
            mask = mask | read_files(sample.copied_from, size, resize=False, what=what)
        return pixels, mask


def fitted(pixels: Pixels, mask: Mask, size: Size) -> tuple[Pixels, Mask]:
    """Bring a picture and its mask to (height, width), whatever its proportions; both bilinear."""
    if pixels.shape[:2] == tuple(size):
        return pixels, mask
    shown = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_LINEAR)
    marked = cv2.resize(mask.astype(np.uint8) * 255, size[::-1], interpolation=cv2.INTER_LINEAR)
    return shown, marked > 127


def set_streams(
    stream: Stream, samples: Sequence[AnySample], seed: int, both: bool, *, held_out: bool = False
) -> list[SampleStream]:
    """Build the one or two streams of a set.

    Raises:
        RecipeError: Nothing is left of it, or a share cannot be given.
    """
    found: list[SampleStream] = []
    located = [sample for sample in samples if not unlocated(sample)]
    for name, form in FORMS.items():
        own = [s for s in located if isinstance(s, PairSample) == (form == 2)]
        if own and stream.form in ("any", name):
            share = stream.share * len(own) / len(located)
            groups = balanced_groups(stream, own)
            if (
                held_out
                and not groups
                and round(stream.samples * len(own) / len(located)) > len(own)
            ):
                raise RecipeError(
                    f"dataset {stream.dataset} has {len(own)} samples of the form {name}, fewer "
                    "than validation is to have"
                )
            found.append(SetStream(tuple(own), stream, form, share, seed, both, held_out, groups))
    if not found:
        raise RecipeError(
            f"dataset {stream.dataset} has no samples of the form {stream.form!r} whose truth is "
            "known by pixel"
        )
    return found


def unlocated(sample: AnySample) -> bool:
    """Whether a sample is known to be tampered, and not where."""
    sides = (sample.a, sample.b) if isinstance(sample, PairSample) else (sample,)
    return any(isinstance(side.truth, Unlocated) for side in sides)


def balanced_groups(
    stream: Stream, samples: Sequence[AnySample]
) -> tuple[tuple[float, np.ndarray], ...]:
    """Weigh samples by whether they are pristine and by modality; nothing where not asked for."""
    if stream.pristine is None and not stream.modalities:
        return ()
    places: dict[tuple[bool, str], list[int]] = {}
    for place, sample in enumerate(samples):
        kind = str(sample.kind) if stream.modalities else ""
        places.setdefault((is_pristine(sample), kind), []).append(place)
    weights = {}
    for (pristine, kind), own in places.items():
        alike = len(own)  # of this modality
        if stream.pristine is None:
            alike = sum(len(others) for (_, other), others in places.items() if other == kind)
        wanted = stream.modalities.get(kind, 0.0) if stream.modalities else float(alike)
        weights[pristine, kind] = wanted * len(own) / alike
    found = []
    for (pristine, kind), own in sorted(places.items()):
        weight = weights[pristine, kind]
        if stream.pristine is not None:
            total = sum(w for (other, _), w in weights.items() if other == pristine)
            share = stream.pristine if pristine else 1 - stream.pristine
            weight = share * weight / total if total else 0.0
        if weight > 0:
            found.append((weight, np.array(own)))
    if not found:
        raise RecipeError(f"dataset {stream.dataset} has nothing of what the stream asks for")
    return tuple(found)


def is_pristine(sample: AnySample) -> bool:
    """Whether nothing in a sample is tampered or shared."""
    return not sample.related if isinstance(sample, PairSample) else sample.truth is None
