"""Networks of panels against the classical detectors, on forged panels of held-out sources.

    python -m benchmarks.held_out --task edd --network "BioTamperNet: pairs.safetensors"
    python -m benchmarks.held_out --task cstd                with the weights of the program
    python -m benchmarks.held_out --task cstd --other-styles --out benchmarks/results/x.json

The corpus is split by origin: no network has learned from these pictures, and the thresholds of the
networks are chosen on one draw of samples and measured on another. Where few sources are held out
(two of blots), intervals by source say little; ``--other-styles`` measures on pictures that may not
be redistributed, of which no network has seen the like: scans and photographs of other laboratories
and whole figures of journals, labels and rims included. Three tasks, as the paper has
them: ``edd`` pairs that share content, ``idd`` copies inside a panel, ``cstd`` seams in blots; and
``patches``, what was laid into a blot from elsewhere, ``splices``, what was laid into a photograph;
``by_hand``, the same with more of what a hand does, and regions with another history alone.

Methods: *everything* marks every pixel; *classical* is what a screening without network would tell
(verified matches that hold when disturbed, or seams and pasted boxes); each network; *both*, which
adds the network's marks to the classical ones wherever the network is sure of the image; and
*screened*, what a screening tells with the network: of what it links only what can be aligned, of
what it marks only what pristine panels seldom show. *screened, all networks* asks all that a
screening asks unasked, whatever their task: its false alarms are those of a whole screening.
Scores: pooled over pixels of all samples, pristine ones included, and over images; 95 % intervals
by bootstrap of whole sources. Results: ``benchmarks/results/held_out_TASK.json``.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from tamperscope.errors import ForgeError
from tamperscope.evaluation import resampling
from tamperscope.evaluation.intervals import bootstrap_by_source, clopper_pearson
from tamperscope.evaluation.metrics import Mask, count
from tamperscope.matching.match import Match, PreparedPanel
from tamperscope.matching.pasted import find_pasted
from tamperscope.matching.prepare import prepare
from tamperscope.matching.reuse import match_between, match_within
from tamperscope.matching.seams import find_erased, find_seams
from tamperscope.matching.stability import stability
from tamperscope.runtime import metadata
from tamperscope.screening.annotations import annotation_mask
from tamperscope.screening.network_looks import NetworkLook
from tamperscope.screening.network_marks import Spliced
from tamperscope.screening.network_readers import LoadedReader, load_reader, load_readers
from tamperscope.shipped import (
    MARKING_TASKS,
    PANEL_TASKS,
    PHOTOGRAPH_TASKS,
    USUAL_TASKS,
    shipped_tasks,
    weights_of,
)
from tamperscope.synth.forge import make_sample
from tamperscope.synth.generators import open_generators
from tamperscope.synth.recipe import find_recipe
from tamperscope.synth.sample import Sample
from tamperscope.synth.sources import PictureSource

RESULTS = Path(__file__).parent / "results"
FORMAT = "tamperscope-held-out/1"
TASKS = {
    "edd": "pairs",
    "idd": "copies",
    "cstd": "seams",
    "patches": "patches",
    "splices": "splices",
    "by_hand": "splices",
}
"""Forge recipes, and what we call the question."""
SHOWN = {"seams": "blot", "patches": "blot", "splices": "photo"}  # the only modality asked about
SCORES = {"pixel_mcc": resampling.pooled_mcc, "pixel_f1": resampling.pooled_f1}
STEPS = np.round(np.arange(0.1, 0.96, 0.05), 2)  # thresholds that are tried
FALSE_ALARMS = 0.02  # of pristine images, to which a network's threshold for "both" is set
PRISTINE = {"splices": 4.5, "by_hand": 5.5}
"""Weight of pristine samples: about a third of all, as in the other recipes."""
CHOOSING, MEASURING = 101, 202  # seeds of the two draws
SEED = 0
OURS, OTHERS = ("redistribute",), ("unverified", "internal")  # uses of the corpus' pictures

Heatmaps = list[NDArray[np.float32]]


@dataclass
class Tally:
    """Counts of one method, sample by sample: (hits, false alarms, misses, rejections)."""

    pixels: list[list[int]] = field(default_factory=list)
    images: list[list[int]] = field(default_factory=list)

    def add(self, marks: list[Mask], truths: list[Mask], fired: bool) -> None:
        """Count one sample."""
        counts = [count(mine, truth) for mine, truth in zip(marks, truths, strict=True)]
        self.pixels.append(
            [
                sum(getattr(c, name) for c in counts)
                for name in ("hits", "false_alarms", "misses", "rejections")
            ]
        )
        changed = any(truth.any() for truth in truths)
        self.images.append(
            [fired and changed, fired and not changed, not fired and changed,
             not fired and not changed]
        )  # fmt: skip

    def scores(self, groups: list[str]) -> dict[str, Any]:
        """Scores with their intervals."""
        pixels, images = np.array(self.pixels, float), np.array(self.images, float)
        rng = np.random.default_rng(SEED)
        found: dict[str, Any] = {}
        for name, score in SCORES.items():
            found[name] = interval(pixels, groups, score, rng)
        found["image_mcc"] = interval(images, groups, resampling.pooled_mcc, rng)
        changed = images[:, 0] + images[:, 2] > 0
        found["found"] = share(images[:, 0], changed, groups, rng)
        return found | {"false_alarms": share(images[:, 1], ~changed, groups, rng)}


def interval(
    rows: NDArray[np.float64], groups: list[str], score: resampling.Score, rng: np.random.Generator
) -> dict[str, Any]:
    """One score, and its 95 % interval."""
    value = float(score(rows.sum(axis=0)))
    return {"value": value, "interval": resampling.interval(rows, groups, score, rng)}


def share(
    outcomes: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    groups: list[str],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Share of the chosen images with its intervals, as the error card reads it."""
    own = outcomes[chosen].tolist()
    sources = [group for group, one in zip(groups, chosen, strict=True) if one]
    successes, trials = int(sum(own)), len(own)
    return {
        "successes": successes,
        "trials": trials,
        "share": successes / trials,
        "interval": clopper_pearson(successes, trials),
        "interval_by_origin": bootstrap_by_source(own, sources, rng),
    }


def samples(
    uses: tuple[str, ...],
    corpus: Path,
    task: str,
    kind: str | None,
    size: int,
    number: int,
    seed: int,
) -> Iterator[Sample]:
    """Forge samples of one task from held-out sources, of one modality or as the recipe says."""
    recipe = replace(find_recipe(task), size=(size, size))
    if kind is not None:
        recipe = replace(recipe, modalities={kind: 1.0})
    if task in PRISTINE:
        untouched = replace(recipe.operations["pristine"], weight=PRISTINE[task])
        recipe = replace(recipe, operations={**recipe.operations, "pristine": untouched})
    generators = open_generators(recipe)
    # Of other styles nothing is trained on; their "valid" side is in the null of the marks.
    split = "valid" if uses == OURS else "train"
    source = PictureSource.from_folder(corpus, split=split, uses=uses)
    made = index = 0
    while made < number:
        try:
            sample = make_sample(recipe, source, seed, 0, index, generators)
        except ForgeError:
            sample = None
        index += 1
        if sample is not None:
            made += 1
            yield sample


def truths_of(sample: Sample, task: str) -> list[Mask]:
    """What is to be marked: of seams and patches these alone, else originals and copies."""
    if TASKS[task] in MARKING_TASKS:
        return list(sample.targets)
    return [a | b for a, b in zip(sample.sources, sample.targets, strict=True)]


class Shown:
    """The panels of one sample, as a screening hands them to a network."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample

    def pixels(self, panel: str) -> NDArray[np.uint8]:
        """Pixels of panel "0" or "1"."""
        return self.sample.panels[int(panel)]

    def panel(self, panel: str) -> PreparedPanel:
        """The same, prepared."""
        pixels = self.pixels(panel)
        return prepare(pixels, self.sample.modality, annotation_mask(pixels))


def classical(sample: Sample) -> list[Mask]:
    """What the classical detectors of a screening mark."""
    panels = [Shown(sample).panel(str(place)) for place in range(len(sample.panels))]
    marks = [np.zeros(panel.gray.shape, np.bool_) for panel in panels]
    first, last = panels[0], panels[-1]
    if len(panels) == 2:
        for match in held(match_between(first, last), first, last):
            marks[0] |= match.source_mask
            marks[1] |= match.target_mask
        return marks
    for match in held(match_within(first), first, None):
        marks[0] |= match.source_mask | match.target_mask
    return marks


def classical_seams(sample: Sample) -> list[Mask]:
    """Seams, erased areas and pasted boxes of a blot."""
    panel = Shown(sample).panel("0")
    mark = np.zeros(panel.gray.shape, np.bool_)
    for found in (*find_seams(panel), *find_erased(panel), *find_pasted(panel)):
        mark |= found.mask
    return [mark]


def held(matches: list[Match], a: PreparedPanel, b: PreparedPanel | None) -> list[Match]:
    """Leave the matches that survive some disturbance, as a screening does."""
    return [match for match in matches if any(ok for _, ok in stability(a, b, match))]


def answer(reader: Any, sample: Sample) -> tuple[Heatmaps, float]:
    """Heatmap of each panel by a network's reader, and the score of the image or pair."""
    read = [reader.read(pixels) for pixels in sample.panels]
    if len(read) == 1:
        alone = reader.alone(read[0])
        return [alone.heatmap], alone.score
    pair = reader.compare(*read)
    return [pair.first.heatmap, pair.second.heatmap], pair.score


def told_by(network: LoadedReader, asked: str, sample: Sample) -> list[Mask]:
    """What a screening tells of the network's answers: links that align, and rare marks."""
    shown: Any = Shown(sample)
    look = NetworkLook(replace(network, tasks=(asked,)), shown)
    marks = [np.zeros(pixels.shape[:2], np.bool_) for pixels in sample.panels]
    for found in look.between("0", "1") if len(marks) == 2 else look.within("0"):
        if isinstance(found, Spliced):
            marks[0] |= found.mask
        else:
            marks[0] |= found.match.source_mask
            marks[-1] |= found.match.target_mask
    return marks


def joined(some: list[Mask], others: list[Mask]) -> list[Mask]:
    """What either marks."""
    return [a | b for a, b in zip(some, others, strict=True)]


@dataclass(frozen=True)
class Chosen:
    """Thresholds of one network, from the draw that is not measured."""

    pixel: float  # the best pixel score
    image: float  # the best image MCC
    sure: float  # at most FALSE_ALARMS of the pristine images score above

    @classmethod
    def on(cls, answers: list[tuple[Heatmaps, float]], truths: list[list[Mask]], score: str):
        """Choose on answers whose truth is known."""
        best = {}
        for step in STEPS:
            rows = np.zeros(4)
            for (heatmaps, _), masks in zip(answers, truths, strict=True):
                for heat, mask in zip(heatmaps, masks, strict=True):
                    c = count(heat > step, mask)
                    rows += (c.hits, c.false_alarms, c.misses, c.rejections)
            best[float(step)] = float(SCORES[score](rows))
        images = np.array([value for _, value in answers])
        changed = np.array([any(m.any() for m in masks) for masks in truths])
        quality = {float(t): image_mcc(images > t, changed) for t in np.unique(images)}
        return cls(
            max(best, key=lambda t: best[t]),
            max(quality, key=lambda t: quality[t]),
            float(np.quantile(images[~changed], 1 - FALSE_ALARMS, method="higher")),
        )


def image_mcc(fired: NDArray[np.bool_], changed: NDArray[np.bool_]) -> float:
    rows = np.array([(fired & changed).sum(), (fired & ~changed).sum(),
                     (~fired & changed).sum(), (~fired & ~changed).sum()], float)  # fmt: skip
    return float(resampling.pooled_mcc(rows))


def measured(task: str, networks: dict[str, LoadedReader], asked: argparse.Namespace) -> dict:
    """Scores of every method on one task."""
    score = "pixel_f1" if task == "cstd" else "pixel_mcc"
    uses = OTHERS if asked.other_styles else OURS
    kind = asked.kind or SHOWN.get(TASKS[task])
    draw = (uses, asked.corpus, task, kind, asked.size)
    chosen: dict[str, Chosen] = {}
    learned = list(samples(*draw, asked.choose, CHOOSING)) if networks else []
    for name, network in networks.items():
        answers = [answer(network.reader, sample) for sample in learned]
        chosen[name] = Chosen.on(answers, [truths_of(s, task) for s in learned], score)
        print(f"{name}: {chosen[name]}", flush=True)
    marking = TASKS[task] in MARKING_TASKS
    look: Callable[[Sample], list[Mask]] = classical_seams if kind == "blot" else classical
    usual = load_readers(None, USUAL_TASKS) if marking and networks and shipped_tasks() else ()
    tallies: dict[str, Tally] = {"everything": Tally(), "classical": Tally()}
    groups = []
    for sample in samples(*draw, asked.count, MEASURING):
        truths = truths_of(sample, task)
        groups.append(sample.groups[0])
        everything = [np.ones(mask.shape, np.bool_) for mask in truths]
        tallies["everything"].add(everything, truths, True)
        marks = look(sample)
        fired = any(mark.any() for mark in marks)
        tallies["classical"].add(marks, truths, fired)
        for name, network in networks.items():
            heatmaps, value = answer(network.reader, sample)
            own = chosen[name]
            seen = [heat > own.pixel for heat in heatmaps]
            tallies.setdefault(name, Tally()).add(seen, truths, value > own.image)
            sure = value > own.sure
            both = joined(marks, seen) if sure else marks
            tallies.setdefault(f"both, {name}", Tally()).add(both, truths, fired or sure)
            told = joined(marks, told_by(network, TASKS[task], sample))
            tally = tallies.setdefault(f"screened, {name}", Tally())
            tally.add(told, truths, any(mark.any() for mark in told))
        if usual:
            for network in usual:
                marks = joined(marks, told_by(network, network.tasks[0], sample))
            tally = tallies.setdefault("screened, all networks", Tally())
            tally.add(marks, truths, any(mark.any() for mark in marks))
        if len(groups) % 20 == 0:
            print(f"{task}: {len(groups)} of {asked.count}", file=sys.stderr, flush=True)
    return {
        "task": task,
        "kind": kind,
        "size": asked.size,
        "uses": list(uses),
        "samples": len(groups),
        "sources": len(set(groups)),
        "networks": {name: network.facts for name, network in networks.items()},
        "thresholds": {name: vars(own) for name, own in chosen.items()},
        "methods": {name: tally.scores(groups) for name, tally in tallies.items()},
    }


def networks_of(task: str, named: list[str]) -> dict[str, LoadedReader]:
    """Load the networks that were named, or the one that comes with the program, if any does."""
    if not named and not shipped_tasks((TASKS[task],)):
        return {}
    ours = "ForMa" if TASKS[task] in PHOTOGRAPH_TASKS else "BioTamperNet"
    pairs = [text.partition(":") for text in named] or [(ours, ":", "")]
    return {
        name.strip(): load_reader(
            weights_of(PANEL_TASKS[TASKS[task]], Path(path.strip()) if path.strip() else None)
        )
        for name, _, path in pairs
    }


def command(task: str, asked: argparse.Namespace) -> str:
    """The command that makes this result again."""
    named = "".join(f' --network "{text}"' for text in asked.network)
    named += " --other-styles" if asked.other_styles else ""
    named += f" --kind {asked.kind}" if asked.kind else ""
    numbers = f"--size {asked.size} --count {asked.count} --choose {asked.choose}"
    return f"python -m benchmarks.held_out --task {task}{named} {numbers}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", action="append", choices=TASKS)
    parser.add_argument("--network", action="append", default=[], metavar="NAME: FILE")
    parser.add_argument("--size", type=int, default=256, help="pixels of a panel, each way")
    parser.add_argument("--count", type=int, default=200, help="samples to measure on")
    parser.add_argument("--choose", type=int, default=200, help="samples to choose thresholds on")
    parser.add_argument("--other-styles", action="store_true", help="pictures of other styles")
    parser.add_argument("--kind", help="modality; default: what the task is asked about")
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="of one task; default: results/held_out_TASK.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    cv2.setNumThreads(asked.threads)
    for task in asked.task or list(TASKS):
        result = {
            "format": FORMAT,
            "metadata": {**metadata(SEED), "command": command(task, asked)},
            **measured(task, networks_of(task, asked.network), asked),
        }
        out = asked.out or RESULTS / f"held_out_{task}.json"
        out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        for name, scores in result["methods"].items():
            told = {k: round(v.get("value", v.get("share")), 3) for k, v in scores.items()}
            print(f"{task} {name}: {json.dumps(told)}", flush=True)
        print(out)


if __name__ == "__main__":
    main()
