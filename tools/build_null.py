"""Build the null of the chance statistic from pristine panels: src/tamperscope/matching/null.json.

    python tools/build_null.py ../shared/corpus --split tune --pairs 120 --panels 200

The half of the origins named ``check`` stays out, so that false alarms can be measured on it.

Pairs are drawn of different origin (``source_repo``) within one modality, and go the way that every
pair goes: all detectors' proposals, verification, best evidence. Pristine panels go the way of one
panel. Pictures listed in KNOWN share content by their nature and are left out.
"""

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from tamperscope.evaluation.sources import (
    SPLITS,
    Source,
    check_sources,
    choose_split,
    index_sources,
)
from tamperscope.images import read_pixels
from tamperscope.matching.chance import FORMAT, TABLE
from tamperscope.matching.match import PreparedPanel
from tamperscope.matching.prepare import prepare
from tamperscope.matching.reuse import DEFAULT, best_evidence
from tamperscope.runtime import metadata
from tamperscope.screening.annotations import annotation_mask

KNOWN = {
    "microscopy/ContentMine_fulltext.pdf-10.1016_j.pain.2014.08.023_120.jpg": (
        "a compound figure: the channels of one field, side by side and merged"
    ),
    "microscopy/ContentMine_fulltext.pdf-10.1016_j.pain.2014.08.023_77.jpg": (
        "a compound figure: the channels of one field, side by side and merged"
    ),
    "microscopy/ContentMine_fulltext.pdf-10.1016_j.pain.2014.08.023_127.jpg": (
        "a compound figure: the channels of one field, side by side and merged"
    ),
    "microscopy/u_source-data_s44319-025-00438_mic07.webp": "one field three times, enlarged",
    "microscopy/u_source-data_s44321-025-00219_mic02.webp": "three channels of one field",
    "natural/mdn_blueberries.jpg": "a patch of one berry is repeated on another, by retouching",
    "natural/scikit-image_grass.webp": "a patch is repeated below itself",
    "natural/scikit-image_gravel.webp": "a patch at the right edge is repeated at the upper one",
}
"""Name of a picture -> why it cannot stand for "nothing is shared"."""

LOOKED_AT = 8  # cases of each modality that are printed

Task = tuple[Source, Source | None]


def main() -> None:
    """Measure and write the table."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--split", choices=SPLITS, default="tune", help="origins to take")
    parser.add_argument("--pairs", type=int, default=200, help="unrelated pairs of each modality")
    parser.add_argument("--panels", type=int, default=120, help="panels of each modality")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TABLE)
    asked = parser.parse_args()
    chosen = choose_split(index_sources(asked.corpus), asked.split)
    sources, _ = check_sources([s for s in chosen if s.name not in KNOWN])
    by_kind = {
        kind: list(group)
        for kind, group in groupby(
            sorted(sources, key=lambda s: (s.kind, s.name)), lambda s: s.kind
        )
    }
    table: dict[str, object] = {"format": FORMAT, "run": metadata(asked.seed)}
    for way in ("between", "within"):
        part = {}
        for number, (kind, own) in enumerate(by_kind.items()):
            rng = np.random.default_rng([asked.seed, number, way == "within"])
            tasks = pairs(own, asked.pairs, rng) if way == "between" else singles(own, asked.panels)
            part[kind], highest = measured(list(tasks), asked.jobs)
            print(way, kind, part[kind]["cases"], flush=True)
            for value, names in highest:  # look at these: what does repeat belongs to KNOWN
                print(f"  {value:8.1f} nats  {names}", flush=True)
        table[way] = part
    asked.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def pairs(own: list[Source], count: int, rng: np.random.Generator) -> Iterator[Task]:
    """Draw different pairs of different origin, up to ``count``."""
    seen: set[tuple[int, int]] = set()
    for _ in range(50 * count):
        i, j = sorted(int(v) for v in rng.choice(len(own), size=2, replace=False))
        if own[i].origin != own[j].origin and (i, j) not in seen:
            seen.add((i, j))
            yield own[i], own[j]
        if len(seen) == count:
            return


def singles(own: list[Source], count: int) -> Iterator[Task]:
    """Take up to ``count`` panels, evenly over the list."""
    for i in np.linspace(0, len(own) - 1, min(count, len(own))).astype(int):
        yield own[i], None


def measured(tasks: list[Task], jobs: int) -> tuple[dict[str, object], list[tuple[float, str]]]:
    """Evidence of every task: (their number and what is above 0, falling; the highest by name)."""
    if jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            found = list(pool.map(evidence, tasks, chunksize=4))
    else:
        found = [evidence(task) for task in tasks]
    named = [
        (float(value), " and ".join(source.name for source in task if source))
        for value, task in zip(found, tasks, strict=True)
    ]
    named.sort(reverse=True)
    values = [round(value, 3) for value, _ in named if value > 0]
    return {"cases": len(found), "evidence": values}, named[:LOOKED_AT]


def evidence(task: Task) -> float:
    """Best evidence of one pair, or inside one panel."""
    first, second = task
    return best_evidence(panel(first), None if second is None else panel(second), DEFAULT)


def panel(source: Source) -> PreparedPanel:
    """Read and prepare one picture."""
    pixels = read_pixels(source.path)
    return prepare(pixels, source.kind, annotation_mask(pixels), name=source.name)


if __name__ == "__main__":
    main()
