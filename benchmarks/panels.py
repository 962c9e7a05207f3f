"""How well figures are split into panels, panels named, and drawn marks masked.

    python -m benchmarks.panels --corpus ../shared/corpus

Figures are built from corpus panels with known boxes (:mod:`benchmarks.compound_figures`); the
thresholds of the split were chosen on other seeds of the same kind of figure. A panel counts as
found where its box overlaps the true one with IoU >= 0.8. Intervals come from a bootstrap over
figures, since the panels of one figure succeed or fail together.
"""

import argparse
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.compound_figures import Builder, Source, read_panel, single_panels
from tamperscope import runtime
from tamperscope.records import Box, Figure, Panel
from tamperscope.screening.annotations import annotation_mask
from tamperscope.screening.panels import find_panels
from tools.drawn_charts import draw_chart

RESULTS = Path(__file__).parent / "results" / "panels.json"
LEAST_OVERLAP = 0.8
SINGLE_OVERLAP = 0.5  # a picture may lose its plain margins and still be one panel
RESAMPLES = 1000


@dataclass
class Tally:
    """One row (found, true, reported, kind right) for each figure."""

    rows: list[tuple[int, int, int, int]] = field(default_factory=list)

    def shares(self, rng: np.random.Generator) -> dict[str, Any]:
        """Recall, precision and share of kinds named rightly, each with a 95 % interval."""
        rows = np.array(self.rows)
        draws = rows[rng.integers(len(rows), size=(RESAMPLES, len(rows)))].sum(1)
        sums = rows.sum(0)
        block: dict[str, Any] = {"figures": len(rows), "panels": int(sums[1])}
        for name, top, bottom in (("recall", 0, 1), ("precision", 0, 2), ("kind_right", 3, 0)):
            value = sums[top] / max(sums[bottom], 1)
            spread = np.quantile(draws[:, top] / np.maximum(draws[:, bottom], 1), (0.025, 0.975))
            block[name] = {"value": round(float(value), 4),
                           "interval_95": [round(float(v), 4) for v in spread]}  # fmt: skip
        return block


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    shared = a.intersection(b)
    return shared / (a.area + b.area - shared)


def matched(true: tuple[Box, ...], found: list[Box]) -> dict[int, int]:
    """Pair true and found boxes one to one, the best overlaps first."""
    pairs = sorted(
        ((overlap(t, f), i, j) for i, t in enumerate(true) for j, f in enumerate(found)),
        reverse=True,
    )
    taken: dict[int, int] = {}
    for share, i, j in pairs:
        if share >= LEAST_OVERLAP and i not in taken and j not in taken.values():
            taken[i] = j
    return taken


def split(pixels: NDArray[np.uint8]) -> tuple[Panel, ...]:
    """Split a figure that has no name."""
    height, width = pixels.shape[:2]
    return find_panels(Figure("f001", "built", None, width, height), pixels)


def measure_figures(pools: dict[str, list[Source]], count: int, seed: int) -> dict[str, Any]:
    """Split built figures and compare with their truth."""
    styles: defaultdict[str, Tally] = defaultdict(Tally)
    kinds: defaultdict[str, list[bool]] = defaultdict(list)
    seconds, area = 0.0, 0
    for index in range(count):
        built = Builder(np.random.default_rng([seed, index]), pools, draw_chart).build()
        started = time.process_time()
        panels = split(built.pixels)
        seconds += time.process_time() - started
        area += built.pixels.shape[0] * built.pixels.shape[1]
        pairs = matched(built.boxes, [panel.box for panel in panels])
        named = sum(panels[j].kind == built.kinds[i] for i, j in pairs.items())
        row = (len(pairs), len(built.boxes), len(panels), named)
        styles[built.style].rows.append(row)
        styles["all"].rows.append(row)
        for i, kind in enumerate(built.kinds):
            kinds[kind].append(i in pairs)
    rng = np.random.default_rng([seed, count])
    return {
        "iou": LEAST_OVERLAP,
        "by_style": {name: tally.shares(rng) for name, tally in sorted(styles.items())},
        "recall_by_kind": {
            kind: {"panels": len(hits), "recall": round(float(np.mean(hits)), 4)}
            for kind, hits in sorted(kinds.items())
        },
        "processor_seconds_per_2_megapixels": round(seconds / area * 2e6, 3),
    }


def measure_singles(pools: dict[str, list[Source]], count: int, seed: int) -> dict[str, Any]:
    """Split pictures that are one panel; they should stay one."""
    rng, found = np.random.default_rng([seed, 1, count]), {}
    for kind, pool in sorted(pools.items()):
        picked = rng.permutation(len(pool))[:count]
        kept = 0
        for index in picked:
            pixels = read_panel(pool[index])
            whole = Box(0, 0, pixels.shape[1], pixels.shape[0])
            panels = split(pixels)
            kept += len(panels) == 1 and overlap(panels[0].box, whole) >= SINGLE_OVERLAP
        found[kind] = {"pictures": len(picked), "stay_one_panel": kept}
    return found


def measure_marks(pools: dict[str, list[Source]], count: int, seed: int) -> dict[str, Any]:
    """Draw a word, a scale bar and an arrow on panels; count what of them is masked."""
    found = {}
    for kind in ("blot", "microscopy", "macroscopy", "photo"):
        hits: defaultdict[str, list[float]] = defaultdict(list)
        wrong, seconds, area = [], 0.0, 0
        for index in range(count):
            rng = np.random.default_rng([seed, 2, index])
            pixels = read_panel(pools[kind][int(rng.integers(len(pools[kind])))])
            scale = 500 / max(pixels.shape[:2])
            pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            started = time.process_time()
            plain = annotation_mask(pixels)
            seconds += time.process_time() - started
            area += plain.size
            wrong.append(float(plain.mean()))
            for name, drawn in draw_marks(pixels, rng).items():
                changed = (drawn != pixels).any(-1)
                hits[name].append(float(annotation_mask(drawn)[changed].mean()))
        found[kind] = {
            "panels": count,
            "masked_of_mark": {name: round(float(np.mean(v)), 4) for name, v in hits.items()},
            "masked_of_unmarked_panel": {
                "mean": round(float(np.mean(wrong)), 5),
                "quantile_95": round(float(np.quantile(wrong, 0.95)), 5),
            },
            "processor_seconds_per_megapixel": round(seconds / area * 1e6, 3),
        }
    return found


def draw_marks(pixels: NDArray[np.uint8], rng: np.random.Generator) -> dict[str, NDArray[np.uint8]]:
    """Return copies of a panel with one mark each, in an ink that can be seen on it."""
    height, width = pixels.shape[:2]
    x, y = int(width * rng.uniform(0.1, 0.5)), int(height * rng.uniform(0.3, 0.8))
    ground = float(pixels[max(y - 25, 0) : y + 10, x : x + 100].mean())
    ink = (255, 255, 255) if ground < 120 else (0, 0, 0)
    word, bar, arrow = pixels.copy(), pixels.copy(), pixels.copy()
    cv2.putText(word, "WT 24h", (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.8, ink, 2, cv2.LINE_AA)
    cv2.rectangle(bar, (x, y - 4), (x + width // 6, y), ink, -1)
    cv2.arrowedLine(arrow, (x, y), (x + 30, y - 20), ink, 2, cv2.LINE_AA, tipLength=0.4)
    return {"word": word, "scale bar": bar, "arrow": arrow}


def main(arguments: list[str] | None = None) -> None:
    """Measure the split into panels and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--figures", type=int, default=150, help="figures to build")
    parser.add_argument("--pictures", type=int, default=40, help="single pictures of each kind")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    pools: defaultdict[str, list[Source]] = defaultdict(list)
    for source in single_panels(given.corpus):
        pools[source.kind].append(source)
    block: dict[str, Any] = {
        "format": "tamperscope-result/1",
        "what": "figures built from corpus panels, split into panels again",
        "compound_figures": measure_figures(pools, given.figures, given.seed),
        "single_pictures": measure_singles(pools, given.pictures, given.seed),
        "marks": measure_marks(pools, given.pictures, given.seed),
        "metadata": runtime.metadata(given.seed, corpus=str(given.corpus)),
    }
    given.results.write_text(json.dumps(block, indent=1) + "\n", encoding="utf-8")
    for name, row in block["compound_figures"]["by_style"].items():
        recall, precision = row["recall"], row["precision"]
        print(
            f"{name:11s} {row['panels']:4d} panels  recall {recall['value']:.3f} "
            f"{recall['interval_95']}  precision {precision['value']:.3f} "
            f"{precision['interval_95']}"
        )
    print(f"single pictures: {block['single_pictures']}")
    print(f"marks: {block['marks']}")


if __name__ == "__main__":
    main()
