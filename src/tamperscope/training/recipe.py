"""Recipes of trainings: one TOML file says everything that decides the weights.

    format = "tamperscope-training/1"
    licence = "Apache-2.0"                 # of the weights that come out

    [model]                                # a network by name; [model.config] changes its fields
    [[data]]                               # one table for each stream of samples, mixed by share
    [loss]  [optimiser]  [schedule]
    [validation]  [[validation.data]]      # streams of a fixed set, from other sources
    [run]                                  # steps, batch, precision, checkpoints
    [roots]                                # folders by name; --root NAME=DIR overrides them

An unknown key is an error. What changes from machine to machine (folders, device, threads, worker
processes) does not decide the weights, and is given on the command line.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tamperscope.errors import RecipeError
from tamperscope.synth.sample import MODALITIES
from tamperscope.training.tables import nearest, read_table

FORMAT = "tamperscope-training/1"
Truth = Literal["auto", "both", "changed"]
Score = Literal[
    "pixel_mcc", "pixel_f1", "pixel_iou", "image_mcc", "image_auc", "mean_f1", "mean_f1_iou"
]


@dataclass(frozen=True)
class Model:
    """The network and where its weights start."""

    name: str  # of models.MODELS or models.PAIR_MODELS
    config: Mapping[str, Any] = field(default_factory=dict)  # fields of its config to change
    start: tuple[str, ...] = ()  # weights files: of this network, or of parts it starts from


@dataclass(frozen=True)
class Stream:
    """One kind of samples: forged while training, or read from a set on disk."""

    forge: str | None = None  # forge recipe by name, or a file NAME.toml
    sources: tuple[str, ...] = ()  # of the forge: "drawn" and names in [roots]
    dataset: str | None = None  # or a dataset by name; its folder is the root of that name
    root: str | None = None  # another name in [roots] for the dataset's folder
    split: Literal["all", "train", "valid", "test"] = "all"
    uses: tuple[str, ...] = ("redistribute",)  # of a corpus' pictures
    modality: str | None = None  # of all pictures in folders that do not say
    size: tuple[int, int] | None = None  # height, width in pixels; None: as the forge recipe says
    form: Literal["any", "single", "pair"] = "any"  # keep only what has one panel, or two
    share: float = 1.0  # against the other streams
    pristine: float | None = None  # share of samples without a change; None: as they come
    modalities: Mapping[str, float] = field(default_factory=dict)  # weights; empty: as they come
    truth: Truth = "auto"  # what is marked; auto: "both" for pair networks, else "changed"
    symmetries: bool = True  # turn and mirror panels, exchange the two of a pair
    augment: Literal["none", "photographs"] = "none"  # of a dataset; see training.augmenting
    samples: int = 0  # of a validation stream

    def __post_init__(self) -> None:
        if (self.forge is None) == (self.dataset is None):
            raise ValueError("name either a forge recipe or a dataset")
        if self.forge is not None and not self.sources:
            raise ValueError("the forge needs sources: 'drawn' or names in [roots]")
        if self.dataset is not None and (self.sources or self.size is None):
            raise ValueError("a dataset needs a size, and takes no sources")
        if self.forge is not None and self.augment != "none":
            raise ValueError("augment is for datasets; the forge's recipe says what it changes")
        if self.split == "test":
            raise ValueError("nothing is trained or chosen on a test split")
        if self.share <= 0 or self.samples < 0:
            raise ValueError("share is above 0, samples 0 or more")
        if self.size is not None and not all(64 <= side <= 2048 for side in self.size):
            raise ValueError(f"each side of size is 64 to 2048 pixels, got {self.size}")
        if self.pristine is not None and not 0 <= self.pristine <= 1:
            raise ValueError(f"pristine is a share from 0 to 1, got {self.pristine}")
        for kind, weight in self.modalities.items():
            if kind not in MODALITIES or weight < 0:
                raise ValueError(f"modalities: weights of {', '.join(MODALITIES)}, got {kind!r}")
        if self.modalities and not sum(self.modalities.values()) > 0:
            raise ValueError("modalities: one weight must be above 0")


@dataclass(frozen=True)
class Loss:
    """What is minimised; keys of the other loss are not looked at."""

    name: Literal["dice_focal", "biotampernet"]
    dice: bool = True
    focal: bool = True
    weights: tuple[float, float, float] = (0.5, 0.5, 1.0)  # alone, crossed, fused
    most_weight: float = 5.0  # of a positive pixel
    matching: float = 0.0  # weight of the matching loss of a pair network's affinities

    def __post_init__(self) -> None:
        if min(*self.weights, self.matching) < 0 or self.most_weight < 1:
            raise ValueError("weights and matching are 0 or more, most_weight 1 or more")
        if self.name == "dice_focal" and self.matching:
            raise ValueError("matching is for the loss biotampernet")


@dataclass(frozen=True)
class Optimiser:
    """AdamW."""

    rate: float = 1e-4
    decay: float = 0.01
    decay_all: bool = True  # False spares what has one dimension: norms and biases
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    clip: float = 0.0  # largest norm of the gradient; 0: any
    average: float = 0.0  # decay of the moving average of the weights; 0: none

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.epsilon <= 0 or min(self.decay, self.clip) < 0:
            raise ValueError("rate and epsilon are above 0, decay and clip 0 or more")
        if not all(0 <= beta < 1 for beta in (*self.betas, self.average)):
            raise ValueError("betas and average are at least 0 and below 1")


@dataclass(frozen=True)
class Schedule:
    """How the rate changes."""

    name: Literal["constant", "cosine", "plateau"] = "constant"
    warm_up: int = 0  # steps over which the rate rises from 0
    floor: float = 0.0  # lowest rate
    factor: float = 0.8  # plateau: the rate is multiplied by it
    patience: int = 3  # plateau: validations without a better score before that

    def __post_init__(self) -> None:
        if min(self.warm_up, self.floor, self.patience) < 0 or not 0 < self.factor < 1:
            raise ValueError("warm_up, floor and patience are 0 or more, factor within 0 to 1")


@dataclass(frozen=True)
class Validation:
    """A fixed set that chooses the best weights; scored by the evaluation package."""

    data: tuple[Stream, ...]
    every: int = 1000  # steps
    score: Score = "pixel_mcc"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not self.data or any(stream.samples < 1 for stream in self.data):
            raise ValueError("each [[validation.data]] says how many samples it has")
        if self.every < 1 or not 0 < self.threshold < 1:
            raise ValueError("every is 1 or more, threshold within 0 to 1")


@dataclass(frozen=True)
class Run:
    """How long, in what portions, and what is written when."""

    steps: int
    batch: int  # samples of a step, of all processes and parts together
    seed: int = 0
    accumulate: int = 1  # parts a process computes one after the other
    precision: Literal["32", "bf16", "16"] = "32"  # 16 and bf16 are mixed with 32
    checkpoint_every: int = 200  # steps: what an interruption costs at most
    log_every: int = 20  # steps
    samples_every: int = 0  # steps between pictures of predictions; 0: none
    early_stopping: int = 0  # validations without a better score that end the run; 0: never

    def __post_init__(self) -> None:
        portions = (self.steps, self.batch, self.accumulate, self.checkpoint_every, self.log_every)
        if min(portions) < 1 or min(self.seed, self.samples_every, self.early_stopping) < 0:
            raise ValueError(
                "steps, batch, accumulate, checkpoint_every and log_every are 1 or more, seed, "
                "samples_every and early_stopping 0 or more"
            )
        if self.batch % self.accumulate:
            raise ValueError(f"batch {self.batch} cannot be cut into {self.accumulate} parts")


@dataclass(frozen=True)
class TrainingRecipe:
    """A recipe that was read and checked."""

    format: Literal["tamperscope-training/1"]
    licence: str  # under which terms the weights may be used
    model: Model
    data: tuple[Stream, ...]
    loss: Loss
    run: Run
    validation: Validation
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule = field(default_factory=Schedule)
    roots: Mapping[str, str] = field(default_factory=dict)
    description: str = ""

    def __post_init__(self) -> None:
        if not self.data:
            raise ValueError("there is no [[data]]")
        if self.schedule.name == "cosine" and self.schedule.warm_up >= self.run.steps:
            raise ValueError("[schedule] warms up longer than [run] lasts")


def parse_recipe(text: str, name: str) -> TrainingRecipe:
    """Read a recipe's text.

    Raises:
        RecipeError: A key is unknown, or a value does not fit; the message names file and key.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe {name} is not TOML: {error}") from error
    if data.get("format") != FORMAT:
        raise RecipeError(f'recipe {name} must begin with format = "{FORMAT}"')
    return read_table(TrainingRecipe, data, f"recipe {name}")


def parts_of(text: str) -> dict[str, str]:
    """Hash of what each section says, comments and order aside.

    Folders and words are left out: they do not decide the weights.
    """
    said = tomllib.loads(text)
    return {
        section: hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
        for section, value in sorted(said.items())
        if section not in ("roots", "description", "format")
    }


def root_of(name: str, roots: Mapping[str, str]) -> Path:
    """Folder called ``name``; RecipeError where nobody said where it is."""
    if name not in roots:
        raise RecipeError(
            f"no folder is known for {name!r}; add it to [roots] or give --root {name}=DIR "
            f"({nearest(name, roots)})"
        )
    return Path(roots[name])
