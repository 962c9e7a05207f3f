"""Fit the modality classifier that ships, and measure it.

    python -m tools.fit_modality --corpus ../shared/corpus

writes ``src/tamperscope/screening/modality.npz`` and ``benchmarks/results/modality.json``. Only
pictures with ``use == redistribute`` and drawn charts and blots enter the table that ships; the
others validate it. Cross-validation never has one source repository (or, in the second table, one
original picture) on both sides.
"""

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from tamperscope import runtime
from tamperscope.records import PANEL_KINDS
from tamperscope.screening.appearance import describe_appearance
from tamperscope.screening.modality import CLIP, Table
from tools.drawn_charts import draw_blot, draw_chart

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "src" / "tamperscope" / "screening" / "modality.npz"
RESULTS = ROOT / "benchmarks" / "results" / "modality.json"
KINDS = {"natural": "photo"}
VIEWS = 6  # of each picture of the corpus: itself, and five varied crops
CHARTS, BLOTS = 900, 800
RIDGE = 0.05  # inverse strength of the penalty, in scikit-learn's terms


@dataclass(frozen=True, eq=False)
class Views:
    """Features of every view, and where it comes from."""

    features: NDArray[np.float32]  # (views, features)
    kinds: NDArray[np.str_]
    repositories: NDArray[np.str_]
    pictures: NDArray[np.str_]
    uses: NDArray[np.str_]
    whole: NDArray[np.bool_]  # the picture itself, not a varied crop

    def __getitem__(self, rows: NDArray) -> "Views":
        return Views(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def gather(corpus: Path, seed: int) -> Views:
    """Describe the pictures of the corpus and the drawn ones, each in several views."""
    rows: list[tuple] = []
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for number, entry in enumerate(csv.DictReader(file)):
            pixels = read(corpus / entry["file"])
            folder = entry["file"].split("/")[0]
            kind, repository = KINDS.get(folder, folder), entry["source_repo"]
            picture = f"{repository} {entry['source_path'].split('#')[0]}"
            for view in range(VIEWS):
                rng = np.random.default_rng([seed, 0, number, view])
                seen = vary(pixels, kind, rng) if view else pixels
                told = describe_appearance(seen)
                rows.append((told, kind, repository, picture, entry["use"], view == 0))
    for number in range(CHARTS + BLOTS):
        kind, draw = ("chart", draw_chart) if number < CHARTS else ("blot", draw_blot)
        drawn = draw(np.random.default_rng([seed, 1, number]))
        for view in range(2):
            rng = np.random.default_rng([seed, 2, number, view])
            seen = vary(drawn, kind, rng) if view else drawn
            name = f"drawn {number % 10}"
            told = describe_appearance(seen)
            rows.append((told, kind, name, f"drawn {number}", "drawn", view == 0))
    return Views(*(np.array(column) for column in zip(*rows, strict=True)))


def read(path: Path) -> NDArray[np.uint8]:
    """Read a picture as RGB, at most 900 pixels a side."""
    stored = cv2.imread(str(path), cv2.IMREAD_COLOR)
    scale = 900 / max(stored.shape[:2])
    if scale < 1:
        stored = cv2.resize(stored, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)


def vary(pixels: NDArray[np.uint8], kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture as a figure might show it: cropped, turned, resized, toned, as JPEG."""
    drawn = kind in ("chart", "facs")
    seen = crop(pixels, kind, rng)
    if not drawn and rng.random() < 0.5:
        seen = seen[:, ::-1]
    if not drawn and kind != "blot" and rng.random() < 0.5:
        seen = np.rot90(seen, int(rng.integers(4)))
    scale = max(np.exp(rng.uniform(np.log(0.35), np.log(1.2))), 40 / min(seen.shape[:2]))
    size = (max(16, round(seen.shape[1] * scale)), max(16, round(seen.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    seen = cv2.resize(np.ascontiguousarray(seen), size, interpolation=how)
    if rng.random() < {"blot": 0.7, "microscopy": 0.3}.get(kind, 0.1):
        seen = np.repeat(cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if rng.random() < {"blot": 0.5, "microscopy": 0.08}.get(kind, 0):
        seen = 255 - seen
        if kind == "blot":  # as on film, whose ground is nearly white
            lift = 255 - np.quantile(seen, 0.7) - rng.uniform(0, 60)
            seen = np.clip(seen + lift, 0, 255).astype(np.uint8)
    if not drawn and rng.random() < 0.4:
        curve = np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.3)) * 255
        seen = curve.astype(np.uint8)[seen]
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))]
        seen = cv2.imdecode(cv2.imencode(".jpg", seen, quality)[1], cv2.IMREAD_COLOR)
    return seen


def crop(pixels: NDArray[np.uint8], kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut out a part; blots are often cut to strips."""
    height, width = pixels.shape[:2]
    least = 0.75 if kind in ("chart", "facs") else 0.35
    tall, wide = (int(side * rng.uniform(least, 1)) for side in (height, width))
    if kind == "blot" and rng.random() < 0.5:
        tall = int(height * rng.uniform(0.12, 0.5))
    tall, wide = min(max(24, tall), height), min(max(24, wide), width)
    y, x = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    return pixels[y : y + tall, x : x + wide]


def weights_of(views: Views) -> NDArray[np.float64]:
    """Kinds weigh the same; within a kind, large repositories weigh less than their number."""
    weights = np.ones(len(views.kinds))
    for kind in PANEL_KINDS:
        here = views.kinds == kind
        names, counts = np.unique(views.repositories[here], return_counts=True)
        share = dict(zip(names, counts**-0.5, strict=True))
        weights[here] = [share[name] for name in views.repositories[here]]
        weights[here] /= weights[here].sum()
    return weights / weights.mean()


def fit(views: Views, temperature: float = 1.0) -> Table:
    """Fit the logistic regression; a temperature divides its logits (Guo et al., ICML 2017)."""
    mean, scale = views.features.mean(0), views.features.std(0) + 1e-3
    inputs = np.clip((views.features - mean) / scale, -CLIP, CLIP)
    model = LogisticRegression(C=RIDGE, max_iter=400)
    model.fit(inputs, views.kinds, sample_weight=weights_of(views))
    order = [list(model.classes_).index(kind) for kind in PANEL_KINDS]
    arrays = (
        mean,
        scale,
        model.coef_[order].T / temperature,
        model.intercept_[order] / temperature,
    )
    return Table(*(array.astype(np.float32) for array in arrays))


def held_out(views: Views, groups: NDArray[np.str_], seed: int) -> NDArray[np.float64]:
    """Probabilities of every view from a fit that saw none of its group, (views, kinds)."""
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    found = np.zeros((len(views.kinds), len(PANEL_KINDS)))
    for train, test in folds.split(views.features, views.kinds, groups):
        found[test] = fit(views[train]).probabilities(views.features[test])
    return found


def best_temperature(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The temperature with the least log loss on held-out predictions."""
    logits = np.log(np.maximum(probabilities, 1e-12))

    def loss(log_temperature: float) -> float:
        return -float(np.log(softened(logits, np.exp(log_temperature))[
            np.arange(len(truth)), truth] + 1e-12).mean())  # fmt: skip

    return float(np.exp(minimize_scalar(loss, bounds=(-1, 2), method="bounded").x))


def softened(logits: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Softmax of logits / temperature."""
    value = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    return value / value.sum(-1, keepdims=True)


def measures(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> dict[str, Any]:
    """Accuracy with its 95 % interval, confusion, and how far probabilities can be believed."""
    guess, sure = probabilities.argmax(1), probabilities.max(1)
    right = guess == truth
    confusion = np.zeros((len(PANEL_KINDS),) * 2, int)
    np.add.at(confusion, (truth, guess), 1)
    per_kind = confusion.diagonal() / np.maximum(confusion.sum(1), 1)
    present = confusion.sum(1) > 0
    hit = np.eye(len(PANEL_KINDS))[truth]
    edges = np.linspace(0, 1, 11)
    bins = np.clip(np.digitize(sure, edges) - 1, 0, 9)
    reliability = [
        {"from": round(edges[b], 1), "count": int((bins == b).sum()),
         "mean_probability": round(float(sure[bins == b].mean()), 4),
         "share_right": round(float(right[bins == b].mean()), 4)}
        for b in range(10) if (bins == b).any()
    ]  # fmt: skip
    gap = sum(r["count"] * abs(r["mean_probability"] - r["share_right"]) for r in reliability)
    return {
        "count": len(truth),
        "accuracy": round(float(right.mean()), 4),
        "accuracy_interval_95": [round(v, 4) for v in wilson(int(right.sum()), len(right))],
        "balanced_accuracy": round(float(per_kind[present].mean()), 4),
        "brier": round(float(((probabilities - hit) ** 2).sum(1).mean()), 4),
        "expected_calibration_error": round(gap / len(truth), 4),
        "recall": {k: round(float(v), 4) for k, v, p in
                   zip(PANEL_KINDS, per_kind, present, strict=True) if p},
        "confusion": {k: row.tolist() for k, row in zip(PANEL_KINDS, confusion, strict=True)},
        "reliability": reliability,
    }  # fmt: skip


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927)."""
    interval = binomtest(hits, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def report(views: Views, seed: int) -> tuple[dict[str, Any], float]:
    """Cross-validate by repository and by picture; return the tables and the temperature."""
    truth = np.array([PANEL_KINDS.index(kind) for kind in views.kinds])
    real = views.uses != "drawn"
    found, temperature = {}, 1.0
    for name, groups in (("repository", views.repositories), ("picture", views.pictures)):
        raw = held_out(views, groups, seed)
        if name == "repository":  # the harder test, so that probabilities are not too sure
            temperature = best_temperature(raw[real], truth[real])
        cool = softened(np.log(np.maximum(raw, 1e-12)), temperature)
        found[f"grouped_by_{name}"] = {
            "pictures": measures(cool[real & views.whole], truth[real & views.whole]),
            "varied": measures(cool[real & ~views.whole], truth[real & ~views.whole]),
            "drawn": measures(cool[~real], truth[~real]),
        }
    return found, temperature


@click.command()
@click.option("--corpus", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--table", type=click.Path(path_type=Path), default=TABLE, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
@click.option("--views", "kept", type=click.Path(path_type=Path), help="Keep the features here.")
@click.option("--seed", default=7, show_default=True)
def main(corpus: Path, table: Path, results: Path, kept: Path | None, seed: int) -> None:
    """Fit the table, measure it, and write both; ``--views`` is read where it exists."""
    cv2.setNumThreads(1)
    if kept is not None and kept.exists():
        with np.load(kept, allow_pickle=False) as stored:
            views = Views(**{name: stored[name] for name in stored.files})
    else:
        views = gather(corpus, seed)
        if kept is not None:
            np.savez_compressed(kept, **asdict(views))
    tables, temperature = report(views, seed)
    free = np.isin(views.uses, ("redistribute", "drawn"))
    shipped = fit(views[free], temperature)
    np.savez_compressed(table, **asdict(shipped))
    others = views[~free & views.whole]
    truth = np.array([PANEL_KINDS.index(kind) for kind in others.kinds])
    tables["shipped_on_unverified_and_internal"] = measures(
        shipped.probabilities(others.features).astype(np.float64), truth
    )
    block = {
        "format": "tamperscope-result/1",
        "what": "modality classifier; confusion rows are true kinds, columns in the order of kinds",
        "kinds": list(PANEL_KINDS),
        "temperature": round(temperature, 4),
        "fitted_on": {k: int(((views.kinds == k) & free).sum()) for k in PANEL_KINDS},
        "results": tables,
        "metadata": runtime.metadata(seed, corpus=str(corpus)),
    }
    results.write_text(json.dumps(block, indent=1) + "\n", encoding="utf-8")
    for name, value in tables.items():
        for part, row in (value if "grouped" in name else {"pictures": value}).items():
            click.echo(f"{name:36s} {part:9s} accuracy {row['accuracy']:.3f} brier {row['brier']}")


if __name__ == "__main__":
    main()
