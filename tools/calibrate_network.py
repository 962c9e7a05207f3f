"""Measure how strongly a network marks pristine panels: screening/network_null.json.

    python -m tools.calibrate_network --task seams --corpus ../shared/corpus --count 400

Panels are windows of pictures that training never sees: the validation side of the forge's split,
whatever their licence, pristine or with labels, of the modalities that the task is asked about.
Each goes the way of every panel of a screening, and its strongest mark is kept. Screenings hold
marks against this table; a task's part is made anew whenever its weights change.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from tamperscope.errors import ForgeError
from tamperscope.matching.prepare import prepare
from tamperscope.runtime import metadata
from tamperscope.screening.annotations import annotation_mask
from tamperscope.screening.network_chance import FORMAT, TABLE, evidence
from tamperscope.screening.network_marks import strongest
from tamperscope.screening.network_readers import LoadedReader, load_reader
from tamperscope.shipped import MARKING_TASKS, PANEL_TASKS, weights_of
from tamperscope.synth.forge import make_sample
from tamperscope.synth.operations import OPERATIONS
from tamperscope.synth.recipe import Recipe, find_recipe
from tamperscope.synth.sources import PictureSource

KINDS = {"seams": ("blot",), "patches": ("blot",), "splices": ("photo", "macroscopy", "microscopy")}
"""Panels of other kinds are not asked for marks."""
RECIPES = {"seams": "cstd", "patches": "patches", "splices": "splices"}
"""Whose pristine panels are shown."""
USES = ("redistribute", "unverified", "internal")  # nothing is learned here, so all may serve
SIZES = ((256, 256), (192, 384), (384, 512), (128, 256), (320, 640))  # in turn
MOST_TRIED = 4  # samples asked for, for each that is wanted


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--task", choices=MARKING_TASKS, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="default: those that come with the program")
    parser.add_argument("--count", type=int, default=300, help="panels of each modality")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=TABLE)
    asked = parser.parse_args()
    loaded = load_reader(weights_of(PANEL_TASKS[asked.task], asked.weights))
    source = PictureSource.from_folder(asked.corpus, split="valid", uses=USES)
    recipe = pristine_only(find_recipe(RECIPES[asked.task]))
    marks = {}
    for kind in KINDS[asked.task]:
        values = measured(loaded, source, recipe, kind, asked.count, asked.seed)
        marked = sorted((round(v, 3) for v in values if v > 0), reverse=True)
        marks[kind] = {"cases": len(values), "evidence": marked}
        print(f"{kind}: {len(marked)} of {len(values)} marked; highest {marked[:5]}", flush=True)
    own = {
        "run": metadata(asked.seed),
        "weights": loaded.facts["sha256"],
        "sources": source.identity,
        "recipe": recipe.digest,
        "marks": marks,
    }
    tasks = json.loads(asked.out.read_text("utf-8"))["tasks"] if asked.out.is_file() else {}
    table = {"format": FORMAT, "tasks": {**tasks, asked.task: own}}
    asked.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def pristine_only(recipe: Recipe) -> Recipe:
    """Leave a recipe's operations that change nothing."""
    kept = {
        name: settings
        for name, settings in recipe.operations.items()
        if OPERATIONS[name].kind == "pristine"
    }
    return replace(recipe, operations=kept)


def measured(
    loaded: LoadedReader, source: PictureSource, recipe: Recipe, kind: str, count: int, seed: int
) -> list[float]:
    """Evidence of the strongest mark in each of ``count`` pristine panels of a modality."""
    values: list[float] = []
    for index in range(MOST_TRIED * count):
        if len(values) == count:
            break
        size = SIZES[index % len(SIZES)]
        own = replace(recipe, size=size, modalities={kind: 1.0})
        try:
            sample = make_sample(own, source, seed, 0, index)
        except ForgeError:
            continue
        values.append(strongest_in(loaded, sample.panels[0], kind))
    return values


def strongest_in(loaded: LoadedReader, pixels: np.ndarray, kind: str) -> float:
    """Evidence of the strongest mark in a panel; 0 where nothing is marked."""
    panel = prepare(pixels, kind, annotation_mask(pixels))
    found = strongest(loaded.reader.in_tiles(pixels).heatmap, panel)
    return evidence(found) if found else 0.0


if __name__ == "__main__":
    main()
