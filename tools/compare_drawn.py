"""Compare drawn panels with real ones by numbers: benchmarks/results/drawn.json.

    python tools/compare_drawn.py ../shared/corpus

Real panels are windows of the corpus's pictures, drawn ones have the same sizes. For every modality
the result holds quantiles of each statistic on both sides, the overlap of the two distributions,
and how well a forest of decision trees tells real from drawn by all of them together. Whole
repositories are held out in turn (``source_repo``), so the trees never see the laboratory they are
asked about; drawn panels are dealt to the folds at random. 0.5 means that nothing tells them apart,
but a laboratory unlike all others also reads as "drawn". So there is a second figure, with the real
windows dealt at random too, which flatters the trees: they know every laboratory.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold

from tamperscope.evaluation.sources import Source, check_sources, index_sources
from tamperscope.images import read_pixels, write_png
from tamperscope.runtime import metadata
from tamperscope.synth.drawn import MODALITIES, draw_panel

RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "drawn.json"
SIDE = 256  # pixels of a window
FOLDS = 5
QUANTILES = (5, 25, 50, 75, 95)
SHEET = (6, 6)  # rows and columns of a contact sheet
TIMED = 60  # panels of each modality

Panel = NDArray[np.uint8]


def main() -> None:
    """Measure and write."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--windows", type=int, default=2, help="windows of each real picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--modality", choices=MODALITIES, help="this one only")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets, real | drawn")
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    listed = [source for source in index_sources(asked.corpus) if source.kind in MODALITIES]
    sources, _ = check_sources(listed)
    result: dict[str, object] = {"run": metadata(asked.seed), "side": SIDE, "folds": FOLDS}
    for number, modality in enumerate(MODALITIES):
        if asked.modality not in (None, modality):
            continue
        own = [source for source in sources if source.kind == modality]
        rng = np.random.default_rng([asked.seed, number])
        real, groups = zip(*windows(own, asked.windows, rng), strict=True)
        drawn = [
            draw_panel(modality, np.random.default_rng([asked.seed, number, k]), window.shape[:2])
            for k, window in enumerate(real)
        ]
        if asked.sheets:
            order = rng.permutation(len(real))[: SHEET[0] * SHEET[1]]
            shown = [[real[k] for k in order], [drawn[k].pixels for k in order]]
            asked.sheets.mkdir(parents=True, exist_ok=True)
            write_png(asked.sheets / f"{modality}.png", np.hstack([sheet(s) for s in shown]))
        found = compare(
            np.array([statistics(window) for window in real]),
            np.array([statistics(panel.pixels) for panel in drawn]),
            np.array(groups),
        )
        found["panels_per_second_256"] = speed(modality, asked.seed)
        result[modality] = found
        print(modality, found["balanced_accuracy"], found["balanced_accuracy_random_folds"])
        print("   ", found["accuracy_by_repository"])
        print("   ", found["most_telling"], found["panels_per_second_256"], flush=True)
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def windows(
    sources: list[Source], count: int, rng: np.random.Generator
) -> Iterator[tuple[Panel, str]]:
    """Cut up to ``count`` windows of every picture: half of them as they are, half zoomed out."""
    for source in sources:
        pixels = read_pixels(source.path)
        for k in range(count):
            shown = pixels
            if k % 2 and min(pixels.shape[:2]) > 1.3 * SIDE:
                share = rng.uniform(SIDE, min(pixels.shape[:2])) / min(pixels.shape[:2])
                size = (round(pixels.shape[1] * share), round(pixels.shape[0] * share))
                shown = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
            tall, wide = (min(SIDE, side) for side in shown.shape[:2])
            top = int(rng.integers(shown.shape[0] - tall + 1))
            left = int(rng.integers(shown.shape[1] - wide + 1))
            window = shown[top : top + tall, left : left + wide]
            if min(tall, wide) >= 48 and window.std() > 1:  # an empty corner shows no modality
                yield window, source.origin


def sheet(panels: list[Panel]) -> Panel:
    """Lay panels out on a grid, with a red line at the right."""
    cell = SIDE + 4
    page = np.full((SHEET[0] * cell, SHEET[1] * cell, 3), (90, 90, 140), np.uint8)
    for k, panel in enumerate(panels):
        top, left = (cell * place for place in divmod(k, SHEET[1]))
        page[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
    page[:, -4:] = (255, 60, 60)
    return page


def statistics(pixels: Panel) -> list[float]:
    """Numbers in the order of ``NAMES``; see there."""
    grey = pixels.astype(np.float32).mean(axis=2)
    residual = grey - cv2.medianBlur(grey, 3)
    down, right = np.diff(grey, axis=0), np.diff(grey, axis=1)
    slopes = np.concatenate([down.ravel(), right.ravel()])
    power = float(np.mean(slopes**2)) + 1e-6
    blocks = grey[: grey.shape[0] // 8 * 8, : grey.shape[1] // 8 * 8]
    tiles = blocks.reshape(blocks.shape[0] // 8, 8, -1, 8)
    spread = np.sort(tiles.std(axis=(1, 3)).ravel())
    low, high = spectrum(grey)
    colour = pixels.astype(np.float32) - grey[:, :, None]
    return [
        low,
        high,
        float(np.log(np.median(np.abs(residual)) + 0.02)),
        float(np.log(residual.std() + 0.02)),
        float(np.log(spread[len(spread) // 10] + 0.02)),
        float(np.log(spread[-(len(spread) // 10) - 1] + 0.02)),
        float(np.log(np.mean(slopes**4) / power**2)),
        float(np.log(power)),
        *(float(v) for v in np.percentile(grey, [1, 10, 50, 90, 99])),
        float(np.log(grey.std() + 0.02)),
        float((grey < 2).mean()),
        float((grey > 253).mean()),
        float(np.log(np.abs(colour).mean() + 0.02)),
        float(np.log(colour.std(axis=(0, 1)).mean() + 0.02)),
        float(np.mean(np.unique(pixels[:, :, 1]).size)),
        float(np.log((down**2).mean() + 0.02) - np.log((right**2).mean() + 0.02)),
        blockiness(down, 0) + blockiness(right, 1),
    ]


NAMES = (
    "spectrum slope, low half", "spectrum slope, high half", "median |residual|, log",
    "residual deviation, log", "flattest tenth of blocks, log", "busiest tenth of blocks, log",
    "gradient kurtosis, log", "gradient power, log", "tone 1 %", "tone 10 %", "tone 50 %",
    "tone 90 %", "tone 99 %", "contrast, log", "share of black", "share of white", "colour, log",
    "colour spread, log", "levels used", "upright over level gradients, log", "blockiness",
)  # fmt: skip


def spectrum(grey: NDArray[np.float32]) -> tuple[float, float]:
    """Slopes of log power over log frequency, below and above a quarter of Nyquist."""
    centred = grey - grey.mean()
    taper = np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])[None, :]
    power = np.abs(np.fft.rfft2(centred * taper)) ** 2
    away = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.rfftfreq(grey.shape[1])[None, :])
    edges = np.geomspace(0.015, 0.5, 17)
    ring = np.digitize(away.ravel(), edges)
    sums = np.bincount(ring, power.ravel(), minlength=len(edges) + 1)[1:-1]
    count = np.maximum(np.bincount(ring, minlength=len(edges) + 1)[1:-1], 1)
    x = np.log(np.sqrt(edges[1:] * edges[:-1]))
    y = np.log(sums / count + 1.0)
    low = edges[1:] <= 0.14
    return float(np.polyfit(x[low], y[low], 1)[0]), float(np.polyfit(x[~low], y[~low], 1)[0])


def blockiness(steps: NDArray[np.float32], axis: int) -> float:
    """Largest over mean step among the eight phases of a grid of 8 pixels; logarithm."""
    along = np.abs(steps).mean(axis=1 - axis)
    phases = [along[k::8].mean() for k in range(8)]
    return float(np.log((max(phases) + 0.02) / (np.mean(phases) + 0.02)))


def compare(
    real: NDArray[np.float64], drawn: NDArray[np.float64], groups: NDArray[np.str_]
) -> dict[str, object]:
    """Quantiles and overlap of each statistic; accuracy of the forest on what it has not seen."""
    parts = {}
    for k, name in enumerate(NAMES):
        cuts = np.unique(np.percentile(np.concatenate([real[:, k], drawn[:, k]]), range(0, 101, 5)))
        shares = [np.histogram(side[:, k], cuts)[0] / len(side) for side in (real, drawn)]
        parts[name] = {
            "real": np.percentile(real[:, k], QUANTILES).round(3).tolist(),
            "drawn": np.percentile(drawn[:, k], QUANTILES).round(3).tolist(),
            "overlap": round(float(np.minimum(*shares).sum()), 3),
        }
    right_real, right_drawn, weights = told_apart(real, drawn, groups)
    mixed = np.random.default_rng(1).permutation(len(real)).astype(str)
    easy_real, easy_drawn, _ = told_apart(real, drawn, mixed)
    return {
        "real_windows": len(real),
        "repositories": len(set(groups)),
        "balanced_accuracy": round(float(right_real.mean() + right_drawn.mean()) / 2, 3),
        "real_called_real": round(float(right_real.mean()), 3),
        "drawn_called_drawn": round(float(right_drawn.mean()), 3),
        "balanced_accuracy_random_folds": round(float(easy_real.mean() + easy_drawn.mean()) / 2, 3),
        "accuracy_by_repository": {
            str(g): round(float(right_real[groups == g].mean()), 3) for g in sorted(set(groups))
        },
        "most_telling": [NAMES[k] for k in np.argsort(-weights)[:4]],
        "statistics": parts,
    }


def told_apart(
    real: NDArray[np.float64], drawn: NDArray[np.float64], groups: NDArray[np.str_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
    """Which real and which drawn panels the trees name rightly, and what they went by."""
    folds = GroupKFold(min(FOLDS, len(set(groups))))
    deal = np.random.default_rng(0).permutation(len(drawn)) % folds.n_splits
    right_real, right_drawn = np.zeros(len(real), bool), np.zeros(len(drawn), bool)
    weights = np.zeros(len(NAMES))
    for fold, (train, test) in enumerate(folds.split(real, groups=groups)):
        here = deal == fold
        trees = RandomForestClassifier(
            200, min_samples_leaf=2, class_weight="balanced", random_state=0, n_jobs=1
        )
        truth = np.repeat([1, 0], [len(train), int((~here).sum())])
        trees.fit(np.concatenate([real[train], drawn[~here]]), truth)
        right_real[test] = trees.predict(real[test]) == 1
        right_drawn[here] = trees.predict(drawn[here]) == 0
        weights += trees.feature_importances_ / folds.n_splits
    return right_real, right_drawn, weights


def speed(modality: str, seed: int) -> float:
    """Panels of 256 x 256 per second of processor time, on one core."""
    draw_panel(modality, np.random.default_rng(seed), (SIDE, SIDE))  # fonts are loaded once
    start = time.process_time()
    for k in range(TIMED):
        draw_panel(modality, np.random.default_rng([seed, k]), (SIDE, SIDE))
    return round(TIMED / (time.process_time() - start), 1)


if __name__ == "__main__":
    main()
