"""What tells patches of generators from real ones, in numbers: distances, copies, spectra, trees.

There is no network here that was trained on photographs, so the usual Fréchet inception distance
cannot be had. Two descriptions of a patch stand in for it, and are named with every number:

- ``statistics``: the 21 numbers of ``tools/compare_drawn.py`` (spectral slopes, residual, spread of
  blocks, gradients, tones, colour, blockiness);
- ``convolutions``: mean and deviation of each of 8, 16 and 16 channels of three layers of random
  5 x 5 convolutions of stride 2 with rectifiers, whose weights come from a seed.
"""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from tools.compare_drawn import statistics

Patches = NDArray[np.uint8]  # (count, side, side, 3)
Features = NDArray[np.float64]  # (count, features)
LAYERS = (8, 16, 16)
SMALL = 16  # pixels, side of the grey pictures in which copies are looked for
RINGS = 16
PERIODS = (2, 4, 8)  # pixels, of the grids that the generators paint on
TREES = 200


def described(patches: Patches) -> dict[str, Features]:
    """Both descriptions of every patch."""
    with np.errstate(divide="ignore"):
        numbers = np.array([statistics(patch) for patch in patches])
    return {
        "statistics": np.where(np.isfinite(numbers), numbers, 0.0),  # slopes of a flat patch: none
        "convolutions": convolved(patches),
    }


@torch.inference_mode()
def convolved(patches: Patches, batch: int = 64) -> Features:
    """Pooled answers of the random convolutions, (count, 80)."""
    rng = np.random.default_rng(20_26)
    weights, inputs = [], 3
    for outputs in LAYERS:
        drawn = rng.standard_normal((outputs, inputs, 5, 5)) / np.sqrt(inputs * 25)
        weights.append(torch.from_numpy(drawn).float())
        inputs = outputs
    rows = []
    for start in range(0, len(patches), batch):
        part = np.ascontiguousarray(patches[start : start + batch].transpose(0, 3, 1, 2))
        x = torch.from_numpy(part).float() / 127.5 - 1
        pooled = []
        for weight in weights:
            x = F.relu(F.conv2d(x, weight, stride=2, padding=2)) * 2**0.5
            pooled += [x.mean(dim=(2, 3)), x.std(dim=(2, 3))]
        rows.append(torch.cat(pooled, dim=1).double().numpy())
    return np.concatenate(rows)


def frechet(first: Features, second: Features, scale: Features) -> float:
    """Fréchet distance of two sets of features as if they were normal.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Dowson and Landau, 1982), after each feature is
    divided by its deviation in ``scale``; features that do not vary there are left out.
    """
    spread = scale.std(axis=0)
    used = spread > 1e-9
    first, second = (features[:, used] / spread[used] for features in (first, second))
    apart = first.mean(axis=0) - second.mean(axis=0)
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    # the trace of a root is the sum of the roots of the eigenvalues, here real and not below 0
    roots = np.sqrt(np.maximum(np.linalg.eigvals(c1 @ c2).real, 0))
    return float(apart @ apart + np.trace(c1 + c2) - 2 * roots.sum())


def small_grey(patches: Patches) -> Features:
    """Grey patches of 16 x 16 pixels as rows."""
    grey = patches.astype(np.float32).mean(axis=3)
    small = [cv2.resize(g, (SMALL, SMALL), interpolation=cv2.INTER_AREA) for g in grey]
    return np.stack(small).reshape(len(patches), -1).astype(np.float64)


def nearest(queries: Features, among: Features) -> Features:
    """Root mean square difference of each query to the nearest row of ``among``."""
    squares = (queries**2).sum(axis=1)[:, None] + (among**2).sum(axis=1) - 2 * queries @ among.T
    return np.sqrt(np.maximum(squares.min(axis=1), 0) / queries.shape[1])


def copying(
    made: Mapping[str, Features], apart: Features, same: Features, among: Features
) -> dict[str, Any]:
    """Distances to the nearest training patch: of made ones, of real ones that were not there.

    Args:
        made: Patches of each generator.
        apart: Real patches of originals that are not in ``among``: what no copy looks like.
        same: Other windows of the panels in ``among``: what a copy looks like.
        among: Patches that were trained on.
    """
    distances = {"other originals": nearest(apart, among), "same panels": nearest(same, among)}
    distances |= {name: nearest(features, among) for name, features in made.items()}
    bound = float(np.percentile(distances["other originals"], 5))
    return {
        name: {
            "5 %": round(float(np.percentile(values, 5)), 3),
            "median": round(float(np.median(values)), 3),
            "nearer than 5 % of other originals": round(float((values < bound).mean()), 3),
        }
        for name, values in distances.items()
    }


def spectrum(patches: Patches) -> NDArray[np.float64]:
    """Mean power of each ring of frequencies, in dB, up to half a cycle a pixel."""
    power = mean_power(patches.astype(np.float64).mean(axis=3))
    side = patches.shape[1]
    away = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    ring = np.minimum((away * 2 * RINGS).astype(int), RINGS)
    sums = np.bincount(ring.ravel(), power.ravel(), minlength=RINGS + 1)[:RINGS]
    count = np.bincount(ring.ravel(), minlength=RINGS + 1)[:RINGS]
    return 10 * np.log10(sums / count + 1e-3)


def mean_power(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean squared spectrum of (count, side, side), each without its mean and tapered."""
    side = grey.shape[1]
    taper = np.outer(np.hanning(side), np.hanning(side))
    centred = grey - grey.mean(axis=(1, 2), keepdims=True)
    return (np.abs(np.fft.fft2(centred * taper)) ** 2).mean(axis=0)


def grid_peaks(patches: Patches) -> dict[str, float]:
    """How far the spectrum stands out, in dB, at the frequencies of grids of 2, 4 and 8 pixels.

    At (f, 0), (0, f) and (f, f), f = 1 / period: the power there over the median of the places two
    to four steps away. 0 dB: no grid.
    """
    grey = patches.astype(np.float64).mean(axis=3)
    residual = np.stack([g - cv2.GaussianBlur(g, (0, 0), 1.0) for g in grey])
    power = mean_power(residual)
    side = patches.shape[1]
    found = {}
    for period in PERIODS:
        f = side // period
        peaks = [_stands_out(power, y, x) for y, x in ((f, 0), (0, f), (f, f))]
        found[f"period {period}"] = round(float(np.mean(peaks)), 2)
    return found


def _stands_out(power: NDArray[np.float64], y: int, x: int) -> float:
    side = len(power)
    reach = np.arange(-4, 5)
    around = power[np.ix_((y + reach) % side, (x + reach) % side)]
    away = np.maximum(np.abs(reach)[:, None], np.abs(reach))
    return float(10 * np.log10(power[y % side, x % side] / np.median(around[away >= 2])))


def told_apart(
    real: tuple[Features, Features], made: Mapping[str, tuple[Features, Features]]
) -> dict[str, Any]:
    """Whether trees that know the patches of one generator know those of another.

    Args:
        real: Features of real patches to learn from and to be asked about, of other originals.
        made: The same of each generator.

    Returns:
        By what was learned: the share of patches called made, of each generator and of real ones.
    """
    lessons = {name: [name] for name in made} | {"all": list(made)}
    found: dict[str, Any] = {}
    for lesson, names in lessons.items():
        parts = [real[0], *(made[name][0][:: len(names)] for name in names)]
        truth = np.repeat([0, 1], [len(real[0]), sum(len(p) for p in parts[1:])])
        trees = RandomForestClassifier(
            TREES, min_samples_leaf=2, class_weight="balanced", random_state=0, n_jobs=1
        )
        trees.fit(np.concatenate(parts), truth)
        asked = {"real": real[1], **{name: pair[1] for name, pair in made.items()}}
        found[f"learned from {lesson}"] = {
            name: round(float(trees.predict(features).mean()), 3)
            for name, features in asked.items()
        }
    return found
