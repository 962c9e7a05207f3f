"""Everything a run needs before its first step: network, loss, optimiser, data; all checked."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from tamperscope.errors import RecipeError
from tamperscope.models import MODELS, PAIR_MODELS, create_model
from tamperscope.models.convert import listed
from tamperscope.models.network import Network
from tamperscope.models.starts import start_from
from tamperscope.models.weights import config_of, frozen, load_weights, read_card
from tamperscope.synth.opening import DRAWN_NAME
from tamperscope.training.batches import Plan
from tamperscope.training.objectives import AnyNetwork, Objective, cell_of
from tamperscope.training.opening import Wanted, open_streams, panel_size
from tamperscope.training.recipe import Model, Optimiser, TrainingRecipe, parts_of
from tamperscope.training.streams import SampleStream
from tamperscope.training.tables import nearest, refuse_unknown
from tamperscope.training.validation import Part, make_parts, named

INPUTS = ("colours", "matches", "match_widths", "noise")
"""Fields of a config that say what a network is shown. It may start from weights that were shown
something else: what it no longer sees is left out, and the branch of matches begins as nothing."""
VALIDATION_SEED = 0  # the set stays the same when the seed of a run changes
Report = Callable[[str, int, int | None], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a run is made of."""

    recipe: TrainingRecipe
    text: str  # of the recipe
    network: AnyNetwork
    objective: Objective
    optimiser: torch.optim.AdamW
    plan: Plan
    held_out: list[tuple[str, int, SampleStream]]  # name, samples, stream
    folders: Mapping[str, str]  # by name

    @cached_property
    def decides(self) -> dict[str, Any]:
        """What decides the weights, as JSON values: other values, another run."""
        return {
            **parts_of(self.text),
            "start": [
                hashlib.sha256(Path(name).read_bytes()).hexdigest()[:16]
                for name in self.recipe.model.start
            ],
            "training data": [stream.identity for stream in self.plan.streams],
            "validation data": [stream.identity for _, _, stream in self.held_out],
        }

    @property
    def unused(self) -> bool:
        """Whether a step may leave parameters without a gradient: single panels and pairs do."""
        return len({stream.form for stream in self.plan.streams}) > 1 or not isinstance(
            self.network, Network
        )

    @cached_property
    def data(self) -> str:
        """What the network is trained on, in words."""
        said = []
        for stream in self.recipe.data:
            if stream.forge is None:
                said.append(f"{stream.dataset} ({stream.split})")
                continue
            pictures = [name for name in stream.sources if name != DRAWN_NAME]
            which = f" ({stream.split} side, {' or '.join(stream.uses)})" if pictures else ""
            said.append(f"{stream.forge} forged from {', '.join(stream.sources)}{which}")
        return "; ".join(dict.fromkeys(said))

    @cached_property
    def manifests(self) -> dict[str, str]:
        """SHA-256 of the manifests of the corpora and forged sets that are trained on."""
        found = {}
        for stream in self.recipe.data:
            for name in (*stream.sources, stream.root or stream.dataset):
                for file in ("manifest.csv", "manifest.jsonl"):
                    path = Path(self.folders.get(str(name), "")) / file
                    if name in self.folders and path.is_file():
                        found[f"{name}/{file}"] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def validation(self, report: Report) -> list[Part]:
        """Make the validation set."""
        recipe = self.recipe
        batch = max(recipe.run.batch // recipe.run.accumulate, 1)
        return make_parts(self.held_out, batch, report, matches=self.plan.matches)


def prepare(recipe: TrainingRecipe, text: str, roots: Mapping[str, str], where: str) -> Prepared:
    """Build and check everything but the samples themselves.

    Args:
        recipe: What was asked for.
        text: The same as it was written.
        roots: Folders by name, over those of the recipe.
        where: The recipe's file, for errors.

    Raises:
        TamperscopeError: Something asked for is not there or does not go together.
    """
    network = build_network(recipe.model, recipe.run.seed, where)
    objective = Objective(network, recipe.loss)
    folders = {**recipe.roots, **roots}
    pairs = not isinstance(network, Network)
    sizes = {panel_size(stream) for stream in recipe.data}
    matching = "partners" in objective.extra
    cells = {size: cell_of(network, size) for size in sizes} if matching else {}
    wanted = Wanted(pairs, recipe.run.seed, objective.extra, cells)
    streams = open_streams(recipe.data, folders, wanted, f"{where}: data")
    flat = [stream for parts in streams for stream in parts]
    validating = Wanted(pairs, VALIDATION_SEED, held_out=True)
    held = open_streams(recipe.validation.data, folders, validating, f"{where}: validation.data")
    return Prepared(
        recipe,
        text,
        network,
        objective,
        build_optimiser(network, recipe.optimiser),
        Plan(tuple(flat), recipe.run.seed, recipe.run.batch, reads_matches(network)),
        named(recipe.validation.data, held),
        folders,
    )


def build_network(model: Model, seed: int, where: str) -> AnyNetwork:
    """Build the network of a recipe with its start; in training mode, on the CPU.

    Raises:
        RecipeError: Its name or a field of its config is unknown, or a value does not fit.
        WeightsError: A start does not fit.
    """
    known = {**MODELS, **PAIR_MODELS}
    if model.name not in known:
        raise RecipeError(
            f"{where}: model: name: no network is called {model.name!r}; "
            f"{nearest(model.name, known)}"
        )
    fields = config_of(create_model(model.name))
    refuse_unknown(model.config, fields, f"{where}: model.config")
    try:
        changes = {key: frozen(value) for key, value in model.config.items()}
        network: AnyNetwork = create_model(model.name, seed=seed, **changes)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{where}: model.config: {error}") from error
    for name in model.start:
        begin_with(network, Path(name), where)
    return network.train()


def begin_with(network: AnyNetwork, path: Path, where: str) -> None:
    """Fill a network, or the part of it that a weights file holds."""
    part = load_weights(path, for_training=True)
    builder = read_card(path).builder
    if builder != network.builder:
        start_from(network, builder, part.state_dict())
        return
    theirs, ours = config_of(part), config_of(network)
    if any(theirs[name] != value for name, value in ours.items() if name not in INPUTS):
        raise RecipeError(f"{where}: model.start: {path} is a {builder} of another config")
    own, stored = network.state_dict(), part.state_dict()
    fresh = [key for key in own if key not in stored and not key.startswith("matches.")]
    other = [key for key in own if key in stored and own[key].shape != stored[key].shape]
    if fresh or other:
        raise RecipeError(
            f"{where}: model.start: {path} was trained on other inputs and lacks weights for "
            f"those of this config ({listed(other + fresh)})"
        )
    network.load_state_dict(stored, strict=False)


def reads_matches(network: AnyNetwork) -> bool:
    """Whether a network is shown matches within its panels."""
    return isinstance(network, Network) and network.reads_matches


def build_optimiser(network: AnyNetwork, wanted: Optimiser) -> torch.optim.AdamW:
    """AdamW over everything that learns; decay on all of it, or on what has two dimensions."""
    learning = [p for p in network.parameters() if p.requires_grad]
    decaying = [p for p in learning if wanted.decay_all or p.ndim > 1]
    sparing = [p for p in learning if not (wanted.decay_all or p.ndim > 1)]
    groups = [{"params": decaying, "weight_decay": wanted.decay}]
    if sparing:
        groups.append({"params": sparing, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=wanted.rate, betas=wanted.betas, eps=wanted.epsilon)
