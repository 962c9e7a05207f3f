"""Streams of samples: a number -> an example, the same on every machine and in every process.

A stream makes samples of one form, single panels or pairs: all samples of a batch go through the
network the same way. A forge recipe that makes both becomes two streams.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from tamperscope.errors import ForgeError, RecipeError
from tamperscope.synth.forge import check_recipe, make_sample
from tamperscope.synth.generators import open_generators
from tamperscope.synth.operations import OPERATIONS
from tamperscope.synth.recipe import Recipe
from tamperscope.synth.sample import Mask, Pixels, Sample, Size
from tamperscope.synth.work import PanelSource, PatchGenerator
from tamperscope.training.partners import partner_maps
from tamperscope.training.recipe import Stream
from tamperscope.training.symmetries import draw_symmetry, exchanged, turned_sample

EPOCH = 1_000_000
"""Samples of an epoch of the forge. A sample that cannot be made is replaced by the one that stands
a whole epoch later in the list of the same epoch, which no other number reaches."""
REPLACEMENTS = 8
VALIDATION_EPOCH = 2**31 - 1  # no training gets there: drawn panels have no split
SYMMETRY = 1  # of the random numbers of a sample: what follows [seed, epoch, index]
FORMS = {"single": 1, "pair": 2}


@dataclass(frozen=True, eq=False)
class Example:
    """One sample as a network is shown it."""

    panels: tuple[Pixels, ...]  # uint8 (H, W, 3), one or two
    masks: tuple[Mask, ...]  # bool (H, W): what the network is to mark
    targets: Mapping[str, tuple[np.ndarray, ...]] = field(default_factory=dict)  # what else a
    # loss wants to know of each panel, by name
    modality: str | None = None
    replaced: int = 0  # samples that could not be made before this one


class SampleStream(Protocol):
    """Examples of one form."""

    @property
    def form(self) -> int:
        """Panels of an example."""

    @property
    def share(self) -> float:
        """Weight against other streams."""

    @property
    def size(self) -> Size:
        """(height, width) of the panels."""

    @property
    def identity(self) -> str:
        """Text that changes when other examples would be made."""

    def example(self, number: int) -> Example:
        """Return the example of a number, 0 or more."""


@dataclass(frozen=True, eq=False)
class ForgedStream:
    """Samples of the forge, made when they are asked for."""

    recipe: Recipe  # of one form
    source: PanelSource
    form: int
    share: float
    seed: int
    both: bool  # mark the original as well as the copy
    symmetries: bool
    extra: tuple[str, ...] = ()  # targets beside the masks: "copies", "partners"
    cell: float = 8.0  # pixels of a cell of those targets
    held_out: bool = False  # samples for validation
    generators: tuple[PatchGenerator, ...] = ()  # of patches, where the recipe asks for them

    @property
    def size(self) -> Size:
        """(height, width) of the panels."""
        return self.recipe.size

    @property
    def identity(self) -> str:
        """Recipe and sources."""
        made_by = "".join(f" with {generator.identity}" for generator in self.generators)
        return f"{self.recipe.name} {self.recipe.digest} of {self.source.identity}{made_by}"

    def example(self, number: int) -> Example:
        """Forge the sample of a number; one that cannot be made is replaced.

        Raises:
            ForgeError: Nor could any of its replacements.
        """
        epoch, index = divmod(number, EPOCH)
        if self.held_out:
            epoch, index = VALIDATION_EPOCH, number
        for replaced in range(REPLACEMENTS):
            place = index + replaced * EPOCH
            try:
                sample = make_sample(
                    self.recipe, self.source, self.seed, epoch, place, self.generators
                )
            except ForgeError as error:
                why = error
                continue
            return self._example(sample, [self.seed, epoch, place, SYMMETRY], replaced)
        raise ForgeError(f"{why} - and so {REPLACEMENTS} samples in a row")

    def _example(self, sample: Sample, numbers: list[int], replaced: int) -> Example:
        if self.symmetries:
            rng = np.random.default_rng(numbers)
            sample = turned_sample(sample, draw_symmetry(rng, self.size))
            if self.form == 2 and rng.random() < 0.5:
                sample = exchanged(sample)
        masks = sample.targets
        if self.both:
            masks = tuple(a | b for a, b in zip(sample.sources, sample.targets, strict=True))
        return Example(
            sample.panels, masks, extra_targets(sample, self.extra, self.cell),
            sample.modality, replaced,
        )  # fmt: skip


def extra_targets(
    sample: Sample, names: tuple[str, ...], cell: float
) -> dict[str, tuple[np.ndarray, ...]]:
    """Compute what a loss wants to know beside the masks, for each panel."""
    made: dict[str, tuple[np.ndarray, ...]] = {}
    if "copies" in names:
        made["copies"] = sample.targets
    if "partners" in names:
        made["partners"] = partner_maps(sample, cell)
    return made


def forged_streams(
    stream: Stream,
    recipe: Recipe,
    source: PanelSource,
    *,
    seed: int,
    both: bool,
    extra: tuple[str, ...],
    cell: float,
    held_out: bool,
) -> list[ForgedStream]:
    """Build the one or two streams of a forge recipe.

    Raises:
        RecipeError: The source cannot give what the recipe asks for, or nothing is left of it.
    """
    recipe = adjusted(recipe, stream)
    found = []
    for name, form in FORMS.items():
        part = only_form(recipe, form)
        weight = sum(settings.weight for settings in part.operations.values())
        if weight == 0 or stream.form not in ("any", name):
            continue
        generators = open_generators(part)
        check_recipe(part, source, generators)
        found.append(
            ForgedStream(
                part, source, form, weight, seed, both, stream.symmetries, extra, cell, held_out,
                generators,
            )
        )  # fmt: skip
    if not found:
        raise RecipeError(f"forge recipe {recipe.name} makes nothing of the form {stream.form!r}")
    total = sum(one.share for one in found)
    return [replace(one, share=stream.share * one.share / total) for one in found]


def adjusted(recipe: Recipe, stream: Stream) -> Recipe:
    """Return ``recipe`` with the size, modalities and share of pristine samples of a stream."""
    if stream.size is not None:
        recipe = replace(recipe, size=stream.size)
    if stream.modalities:
        recipe = replace(recipe, modalities=stream.modalities)
    if stream.pristine is None:
        return recipe
    weights = {True: 0.0, False: 0.0}  # by whether pristine
    for name, settings in recipe.operations.items():
        weights[OPERATIONS[name].kind == "pristine"] += settings.weight
    wanted = {True: stream.pristine, False: 1 - stream.pristine}
    for pristine, share in wanted.items():
        if share > 0 and weights[pristine] == 0:
            kind = "pristine samples" if pristine else "changes"
            raise RecipeError(
                f"forge recipe {recipe.name} makes no {kind}, and {share:g} are asked for"
            )
    operations = {}
    for name, settings in recipe.operations.items():
        pristine = OPERATIONS[name].kind == "pristine"
        factor = wanted[pristine] / weights[pristine] if weights[pristine] else 0.0
        operations[name] = replace(settings, weight=settings.weight * factor)
    return replace(recipe, operations=operations)


def only_form(recipe: Recipe, form: int) -> Recipe:
    """Return ``recipe`` with the operations that make ``form`` panels."""
    kept = {
        name: settings
        for name, settings in recipe.operations.items()
        if OPERATIONS[name].panels == form and settings.weight > 0
    }
    return replace(recipe, operations=kept)
