"""Makes samples: a recipe, a source of panels and ``[seed, epoch, index]`` decide every byte."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tamperscope.errors import ForgeError, RecipeError
from tamperscope.synth.geometry import Box, compose, inverse, scaling, warp_mask
from tamperscope.synth.marks import annotate
from tamperscope.synth.operations import OPERATIONS
from tamperscope.synth.pages import on_page
from tamperscope.synth.postprocess import Chain, apply_chain
from tamperscope.synth.recipe import Recipe
from tamperscope.synth.sample import Forgery, Link, Mask, Sample, Size, UnfitError, no_mask
from tamperscope.synth.settings import Look, Settings
from tamperscope.synth.work import PanelSource, PatchGenerator, Work

TRIES = 8  # of one operation, each with other panels
OPERATIONS_TRIED = 6  # before an index is given up


def make_sample(
    recipe: Recipe,
    source: PanelSource,
    seed: int,
    epoch: int,
    index: int,
    generators: Sequence[PatchGenerator] = (),
) -> Sample:
    """Make the sample of an index; the same whatever was made before, and on every machine.

    Args:
        recipe: What is made, in which shares.
        source: Gives pristine panels; only its state on disk matters, not its history.
        seed: Of the whole set.
        epoch: Another epoch, another sample.
        index: Of the sample.
        generators: For the operation ``generated-patch``.

    Returns:
        A sample whose panels have the recipe's size.

    Raises:
        RecipeError: The recipe asks for what the source or the generators cannot give.
        ForgeError: Nothing that was tried could be shown on the source's panels.
    """
    check_recipe(recipe, source, generators)
    rng = np.random.default_rng([seed, epoch, index])
    reasons: Counter[str] = Counter()
    for _ in range(OPERATIONS_TRIED):
        operation = _choose_operation(recipe, rng)
        for _ in range(TRIES):
            modality = _choose_modality(recipe, operation, source, rng)
            try:
                return _made(recipe, operation, modality, source, generators, rng)
            except UnfitError as error:
                reasons[f"{operation}: {error}"] += 1
    often = "; ".join(f"{why} ({count} times)" for why, count in reasons.most_common(3))
    raise ForgeError(f"sample {index} could not be made of these sources: {often}")


def check_recipe(
    recipe: Recipe, source: PanelSource, generators: Sequence[PatchGenerator] = ()
) -> None:
    """Raise RecipeError where an operation of the recipe can never be done."""
    for name, settings in recipe.operations.items():
        if settings.weight == 0:
            continue
        if name == "generated-patch" and not generators:
            raise RecipeError(
                f"recipe {recipe.name} asks for generated patches, and no generator was given; "
                "set the weight of generated-patch to 0"
            )
        if not any(_weights(recipe, name, source)):
            wanted = ", ".join(settings.modalities or OPERATIONS[name].modalities)
            raise RecipeError(
                f"recipe {recipe.name}: {name} works on {wanted} panels, and the sources have "
                f"{', '.join(source.modalities) or 'none'} (with a weight above 0); give other "
                "sources, or set its weight to 0"
            )


def _weights(recipe: Recipe, operation: str, source: PanelSource) -> list[float]:
    allowed = recipe.operations[operation].modalities or OPERATIONS[operation].modalities
    return [
        (recipe.modalities.get(modality, 0.0) if recipe.modalities else 1.0)
        if modality in allowed
        else 0.0
        for modality in source.modalities
    ]


def _choose_operation(recipe: Recipe, rng: np.random.Generator) -> str:
    names = sorted(recipe.operations)
    weights = np.array([recipe.operations[name].weight for name in names])
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def _choose_modality(
    recipe: Recipe, operation: str, source: PanelSource, rng: np.random.Generator
) -> str:
    weights = np.array(_weights(recipe, operation, source))
    return source.modalities[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _made(
    recipe: Recipe,
    operation: str,
    modality: str,
    source: PanelSource,
    generators: Sequence[PatchGenerator],
    rng: np.random.Generator,
) -> Sample:
    chains = _draw_chains(recipe, OPERATIONS[operation].panels, rng)
    settings = _of_modality(recipe.operations[operation], modality)
    look = draw_look(recipe.look, modality, rng)
    work = Work(
        rng, chains[0].canvas, modality, settings, source, generators, look,
        recipe.look.sharp, recipe.look.stored,
    )  # fmt: skip
    forgery = OPERATIONS[operation].make(work)
    labels: list[str] = []
    if rng.random() < recipe.labels and "labels" not in forgery.parameters:
        panels, labels = annotate(forgery.panels, modality, rng)
        forgery = replace(forgery, panels=panels, before=(None,) * len(panels))
    if recipe.page and rng.random() < recipe.page:
        forgery = on_page(forgery, work)
    told: dict[str, object] = {"look": list(look)} if look else {}
    if labels:
        told["labels"] = labels
    return finished(forgery, operation, modality, chains, recipe.size, told)


def _of_modality(settings: Settings, modality: str) -> Settings:
    """Plots are moved and scaled, never turned: their words would give it away."""
    if modality != "facs":
        return settings
    upright = replace(settings.geometry, flip=0.0, right_angle=0.0, rotate=0.0, shear=0.0)
    return replace(settings, geometry=upright)


def draw_look(look: Look, modality: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Draw how the panels of a sample are shown."""
    blot = modality == "blot"
    if rng.random() >= (look.grey_blot if blot else look.grey):
        return ()
    if not blot:
        return ("grey",)
    return ("grey", "dark bands" if rng.random() < look.dark_bands else "bright bands")


def _draw_chains(recipe: Recipe, panels: int, rng: np.random.Generator) -> list[Chain]:
    """Draw what each panel goes through; the canvases of a pair have one size."""
    first = recipe.post.draw(recipe.size, rng)
    if panels == 1:
        return [first]
    if rng.random() < recipe.post.alike:
        return [first, first]
    second = recipe.post.draw(recipe.size, rng)
    fits = second.canvas == first.canvas or any(
        step[0] == "resize" and step[1:3] == recipe.size for step in second.steps
    )
    steps = second.steps if fits else (("resize", *recipe.size, "bicubic"), *second.steps)
    return [first, replace(second, canvas=first.canvas, steps=steps)]


def finished(
    forgery: Forgery,
    operation: str,
    modality: str,
    chains: Sequence[Chain],
    size: Size,
    told: dict[str, object],
) -> Sample:
    """Put panels through their chains; masks and matrices follow.

    Raises:
        UnfitError: Nothing is left of a region at the final size.
    """
    onto = scaling(chains[0].canvas, size)
    back = inverse(onto)
    here = Box(0, 0, size[1], size[0])

    def scaled(mask: Mask) -> Mask:
        if mask.shape == size:
            return mask
        return warp_mask(mask, onto, here) if mask.any() else np.zeros(size, dtype=bool)

    links = tuple(
        Link(
            scaled(link.source), scaled(link.target), compose(onto, link.matrix, back),
            link.source_panel, link.target_panel,
        )
        for link in forgery.links
    )  # fmt: skip
    targets = tuple(scaled(mask) for mask in forgery.targets)
    panels = tuple(
        apply_chain(panel, chain) for panel, chain in zip(forgery.panels, chains, strict=True)
    )
    sources = [no_mask(panel) for panel in panels]
    for link in links:
        sources[link.source_panel] |= link.source
    if forgery.kind != "pristine" and not any(mask.any() for mask in targets):
        raise UnfitError(f"nothing of the change is left at {size[1]} x {size[0]} pixels")
    parameters = {**forgery.parameters, **told, "post": [c.as_json() for c in chains]}
    return Sample(
        forgery.kind, operation, panels, tuple(sources), targets, links, modality,
        forgery.names, forgery.groups, parameters,
    )  # fmt: skip
