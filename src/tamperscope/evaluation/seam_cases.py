"""Run the tests for seams, flat areas and pasted boxes on changed and pristine blots, and sum up.

A seam is found if a reported one runs the same way within 3 pixels of it, and at least half of the
reported length lies on it. Of the four sides of a patch one is enough; as a box it is found if a
reported box overlaps it with an IoU of at least 0.5, and so is an erased area by its mask. A false
alarm is any mark on a pristine blot.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamperscope.evaluation import metrics, seam_samples
from tamperscope.evaluation.duplicates import Annotate
from tamperscope.evaluation.intervals import bootstrap_by_source, clopper_pearson
from tamperscope.evaluation.journal import Record
from tamperscope.evaluation.seam_samples import SeamCase, SeamSample
from tamperscope.evaluation.sources import Source
from tamperscope.images import read_pixels
from tamperscope.matching.match import PreparedPanel
from tamperscope.matching.pasted import Pasted, find_pasted
from tamperscope.matching.prepare import prepare
from tamperscope.matching.seams import Seam, find_erased, find_seams

PLACE_PIXELS = 3.0
LENGTH_SHARE = 0.5
MASK_IOU = 0.5
FALSE_ALARMS = ("seam", "erased", "pasted", "any")
PICTURES = 8  # blots tried before a case is given up


def plan(sources: Sequence[Source], count: int) -> list[SeamCase]:
    """List the changed blots: ``count`` of every change, strength and storage.

    Blots take turns; every second join is horizontal.
    """
    cells: list[tuple[str, float | None, str | None]] = [
        (shape, jump, None) for shape in seam_samples.SHAPES for jump in seam_samples.JUMPS
    ]
    cells += [("erased", None, fill) for fill in seam_samples.FILLS]
    cases, turn = [], 0
    for change, jump, fill in cells:
        for storage in seam_samples.STORAGES:
            for i in range(count):
                # a step coprime to most numbers of blots, so that cells do not share their blots
                source = sources[(turn * 7919) % len(sources)].name
                horizontal = change == "join" and i % 2 == 1
                cases.append(SeamCase(source, change, storage, i, jump, horizontal, fill))
                turn += 1
    return cases


@dataclass(frozen=True)
class SeamMeasurement:
    """Everything a process needs to run a case by its key; picklable.

    A key that is no case is the name of a pristine blot.
    """

    cases: dict[str, SeamCase]
    sources: tuple[Source, ...]
    seed: int
    annotate: Annotate | None

    def __call__(self, key: str) -> Record:
        """Make the sample, look for marks, and score."""
        case = self.cases.get(key)
        if case is None:
            return self._pristine(next(s for s in self.sources if s.name == key))
        described = {
            "change": case.change,
            "jump": case.jump,
            "fill": case.fill,
            "storage": case.storage,
            "horizontal": case.horizontal,
        }
        names = [source.name for source in self.sources]
        first = names.index(case.source)
        for i in range(PICTURES):
            source = self.sources[(first + i) % len(names)]
            sample = seam_samples.make_seam_sample(case, read_pixels(source.path), self.seed)
            if sample is not None:
                return {**described, "origin": source.origin, **self._score(sample)}
        return {**described, "skipped": f"none of {PICTURES} blots had a place for the change"}

    def _pristine(self, source: Source) -> Record:
        panel = self._panel(read_pixels(source.path))
        start = time.perf_counter()
        seams, erased, pasted = find_seams(panel), find_erased(panel), find_pasted(panel)
        return {
            "change": None,
            "origin": source.origin,
            "seams": len(seams),
            "erased": len(erased),
            "pasted": len(pasted),
            "seconds": round(time.perf_counter() - start, 4),
            "megapixels": round(panel.gray.size / 1e6, 4),
        }

    def _score(self, sample: SeamSample) -> Record:
        panel = self._panel(sample.pixels)
        if sample.area is None:
            found = find_seams(panel)
            on = [any(_lies_on(seam, true) for true in sample.seams) for seam in found]
            boxed = any(_overlap(one, sample) >= MASK_IOU for one in find_pasted(panel))
            return {
                "hit": any(on), "boxed": boxed, "marks": len(found), "elsewhere": on.count(False),
            }  # fmt: skip
        overlaps = [metrics.count(mark.mask, sample.area).iou for mark in find_erased(panel)]
        return {
            "hit": any(iou >= MASK_IOU for iou in overlaps),
            "marks": len(overlaps),
            "elsewhere": sum(iou == 0 for iou in overlaps),
        }

    def _panel(self, pixels: seam_samples.Pixels) -> PreparedPanel:
        ignore = None if self.annotate is None else self.annotate(pixels)
        return prepare(pixels, "blot", ignore)


def _lies_on(seam: Seam, true: tuple[bool, float, float, float]) -> bool:
    horizontal, place, start, stop = true
    shared = min(seam.stop, stop) - max(seam.start, start)
    return (
        seam.horizontal == horizontal
        and abs(seam.place - place) <= PLACE_PIXELS
        and shared >= LENGTH_SHARE * (seam.stop - seam.start)
    )


def _overlap(found: Pasted, sample: SeamSample) -> float:
    """IoU of a box with a patch, whose sides are four of the sample's seams; 0 of a join."""
    box = found.box
    upright = sorted(place for lying, place, _, _ in sample.seams if not lying)
    across = sorted(place for lying, place, _, _ in sample.seams if lying)
    if len(upright) != 2 or len(across) != 2:
        return 0.0
    width = min(box.x1, upright[1]) - max(box.x0, upright[0])
    height = min(box.y1, across[1]) - max(box.y0, across[0])
    shared = max(width, 0.0) * max(height, 0.0)
    whole = (upright[1] - upright[0]) * (across[1] - across[0])
    return shared / (whole + box.width * box.height - shared)


def summarise(records: Sequence[Record], seed: int) -> dict[str, Any]:
    """Sum up what :class:`SeamMeasurement` recorded."""
    changed = [r for r in records if r["change"] is not None and "skipped" not in r]
    pristine = [r for r in records if r["change"] is None]
    recall: dict[str, Any] = {}

    def marks(record: Record) -> int:
        return int(record["seams"] + record["erased"] + record["pasted"])

    for change in (*seam_samples.SHAPES, "erased"):
        own = [r for r in changed if r["change"] == change]
        strength = "fill" if change == "erased" else "jump"
        recall[change] = {
            "all": _share([r["hit"] for r in own], own, seed),
            strength: _by(own, strength, seed),
            "storage": _by(own, "storage", seed),
        }
    patches = [{**r, "hit": r["boxed"]} for r in changed if r["change"] == "patch"]
    recall["patch, as a box"] = {
        "all": _share([r["hit"] for r in patches], patches, seed),
        "jump": _by(patches, "jump", seed),
        "storage": _by(patches, "storage", seed),
    }
    alarms = {
        "seam": _share([r["seams"] > 0 for r in pristine], pristine, seed),
        "erased": _share([r["erased"] > 0 for r in pristine], pristine, seed),
        "pasted": _share([r["pasted"] > 0 for r in pristine], pristine, seed),
        "any": _share([marks(r) > 0 for r in pristine], pristine, seed),
        "alarms": [r["key"] for r in pristine if marks(r)],
    }
    skips = Counter(
        (r["change"], str(r["fill"] or r["jump"]), r["skipped"]) for r in records if "skipped" in r
    )
    return {
        "recall": recall,
        "false_alarms": alarms,
        "seconds_per_panel_median": float(np.median([r["seconds"] for r in pristine]))
        if pristine
        else None,
        "skipped_cases": [
            {"change": change, "strength": strength, "why": why, "cases": n}
            for (change, strength, why), n in sorted(skips.items())
        ],
    }


def _by(records: list[Record], field: str, seed: int) -> dict[str, Any]:
    names = dict.fromkeys(record[field] for record in records)
    groups = {name: [r for r in records if r[field] == name] for name in names}
    return {str(name): _share([r["hit"] for r in own], own, seed) for name, own in groups.items()}


def _share(outcomes: list[bool], records: list[Record], seed: int) -> dict[str, Any]:
    successes, trials = sum(outcomes), len(outcomes)
    rng = np.random.default_rng([seed, trials])
    by_origin = bootstrap_by_source(outcomes, [r["origin"] for r in records], rng)
    return {
        "successes": successes,
        "trials": trials,
        "share": successes / trials if trials else None,
        "interval": list(clopper_pearson(successes, trials)) if trials else None,
        "interval_by_origin": None if by_origin is None else list(by_origin),
    }


def as_text(result: dict[str, Any]) -> str:
    """Lay the summary out for a terminal."""
    lines = ["Recall (95 % interval)"]
    for change, groups in result["recall"].items():
        lines.append(f"  {change:24} {_cell(groups['all'])}")
        for field, shares in groups.items():
            if field != "all":
                lines += [f"    {field} {name:17} {_cell(cell)}" for name, cell in shares.items()]
    lines.append("False alarms: share of pristine blots with a mark (95 % interval)")
    for name in FALSE_ALARMS:
        lines.append(f"  {name:24} {_cell(result['false_alarms'][name])}")
    skipped = sum(entry["cases"] for entry in result["skipped_cases"])
    lines.append(f"Cases that no blot had a place for: {skipped}")
    return "\n".join(lines)


def _cell(share: dict[str, Any]) -> str:
    if not share["trials"]:
        return "-"
    low, high = share["interval"]
    return f"{share['share']:.3f} ({low:.3f}-{high:.3f}) of {share['trials']}"
