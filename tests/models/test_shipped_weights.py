"""The weights that come with the program: what their cards say, and that they do what they learned.

Samples are drawn by the forge without any picture, so that the tests need nothing else.
"""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tamperscope.evaluation.metrics import Counts, count
from tamperscope.models.checkpoints import sha256
from tamperscope.models.pair_reading import PairReader
from tamperscope.models.photograph_reading import PhotographReader
from tamperscope.models.weights import load_weights, read_card
from tamperscope.screening.network_chance import TABLE
from tamperscope.shipped import (
    FOLDER,
    MARKING_TASKS,
    PANEL_TASKS,
    shipped_names,
    shipped_tasks,
    weights_of,
)
from tamperscope.synth.drawn_source import DrawnSource
from tamperscope.synth.forge import make_sample
from tamperscope.synth.recipe import find_recipe

MOST_BYTES = 60_000_000
SMALL, LARGE = (128, 128), (256, 256)


def drawn_samples(task: str, size: tuple[int, int], count: int, *, pristine: bool):
    """Forge samples of a task; only those with something to mark, or only those without."""
    recipe, source = replace(find_recipe(task), size=size), DrawnSource()
    operations = {k: v for k, v in recipe.operations.items() if k != "generated-patch"}
    recipe = replace(recipe, operations=operations)
    if task in ("cstd", "patches"):  # what is asked of blots alone
        recipe = replace(recipe, modalities={"blot": 1.0})
    made, index = [], 0
    while len(made) < count:
        sample = make_sample(recipe, source, 11, 0, index)
        index += 1
        if any(target.any() for target in sample.targets) != pristine:
            made.append(sample)
    return made


def reader(task: str) -> PairReader:
    return PairReader(load_weights(weights_of(PANEL_TASKS[task], None)))


def test_something_is_shipped_and_all_of_it_is_small():
    sizes = [path.stat().st_size for path in FOLDER.glob("*.safetensors")]
    assert shipped_names()
    assert sum(sizes) < MOST_BYTES


@pytest.mark.parametrize("name", shipped_names())
def test_every_card_says_what_may_be_done_with_it_and_how_it_was_made(name):
    card = read_card(weights_of(name, None))
    assert card.licence == "Apache-2.0"
    assert "redistribute" in card.data
    assert "unverified" not in card.data
    assert "internal" not in card.data
    assert card.commit is not None
    assert not card.commit.endswith("-dirty")
    assert card.training["recipe"].startswith("#")
    assert card.training["samples"] > 0


def test_seams_in_drawn_blots_are_marked_and_pristine_ones_hardly():
    network = reader("seams")
    total, marked = Counts(), []
    for sample in drawn_samples("cstd", SMALL, 12, pristine=False):
        heatmap = network.alone(network.read(sample.panels[0])).heatmap
        total += count(heatmap > 0.5, sample.targets[0])
    for sample in drawn_samples("cstd", SMALL, 12, pristine=True):
        marked.append((network.alone(network.read(sample.panels[0])).heatmap > 0.5).mean())
    assert total.f1 > 0.4
    assert np.mean(marked) < 0.02


def test_patches_in_drawn_blots_are_marked():
    network = reader("patches")
    total = Counts()
    for sample in drawn_samples("patches", SMALL, 12, pristine=False):
        heatmap = network.alone(network.read(sample.panels[0])).heatmap
        total += count(heatmap > 0.5, sample.targets[0])
    assert total.mcc > 0.5


def test_what_was_laid_into_drawn_pictures_is_marked():
    network: Any = load_weights(weights_of(PANEL_TASKS["splices"], None))
    reader = PhotographReader(network)
    total = Counts()
    for sample in drawn_samples("splices_plain", LARGE, 12, pristine=False):
        total += count(reader.alone(sample.panels[0]).heatmap > 0.5, sample.targets[0])
    assert total.f1 > 0.4


def test_what_two_drawn_panels_share_is_marked():
    network = reader("pairs")
    total = Counts()
    for sample in drawn_samples("edd", LARGE, 8, pristine=False):
        pair = network.compare(*(network.read(pixels) for pixels in sample.panels))
        for side, (a, b) in zip(
            (pair.first, pair.second), zip(sample.sources, sample.targets, strict=True), strict=True
        ):
            total += count(side.heatmap > 0.5, a | b)
    assert total.mcc > 0.5


@pytest.mark.parametrize("task", shipped_tasks(MARKING_TASKS))
def test_the_null_of_marks_is_that_of_the_weights_that_are_asked(task):
    null = json.loads(TABLE.read_text(encoding="utf-8"))["tasks"][task]
    assert null["weights"] == sha256(weights_of(PANEL_TASKS[task], None))
    assert null["marks"]
    assert all(own["cases"] >= 300 for own in null["marks"].values())
