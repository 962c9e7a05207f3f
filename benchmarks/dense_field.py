"""The dense field against plain NumPy: exactness first, then megapixels per second.

    python -m benchmarks.dense_field            about two minutes on two cores
    python -m benchmarks.dense_field --quick    smaller pictures; half a minute

Compared are: features with the same filters applied patch by patch in NumPy; the field with a
brute-force nearest neighbour in NumPy on a small picture with a copy in it; every number of threads
with one thread, bit by bit. On disagreement there are no numbers. Then one and several threads run
in turns, and medians are reported. Results: ``benchmarks/results/dense_field.json``.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tamperscope.kernels import native
from tamperscope.kernels.dense_field import (
    IMAGE_ONE,
    NOTHING,
    Description,
    FilterBank,
    NearestField,
    Search,
    Target,
    describe,
    magnitudes,
    nearest_field,
)
from tamperscope.matching.dense_field import (
    MASKING,
    PROPOSING,
    detect_mask,
    propose_between,
    propose_within,
)
from tamperscope.matching.match import PreparedPanel
from tamperscope.matching.polar_features import FEATURES, filter_bank
from tamperscope.runtime import cpu_count, metadata

RESULT = Path(__file__).parent / "results" / "dense_field.json"
SEED = 20151
SMALL = 96  # side of the picture that brute force can do
EXCLUSION = 16
FEATURE_TOLERANCE = 1e-5  # brightness
COPY_EXACT = 0.98  # share of nodes in a copy that must reach the brute-force distance


def picture(side: int) -> np.ndarray:
    """Blobs of several sizes with a square copied inside; uint16 (side, side)."""
    rng = np.random.default_rng([SEED, side])
    total = np.zeros((side, side))
    for blur, weight in ((1.0, 0.6), (3.0, 1.0), (9.0, 1.5)):
        layer = cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), blur)
        total += weight * layer / layer.std()
    image = np.rint((total - total.min()) / np.ptp(total) * IMAGE_ONE).astype(np.uint16)
    third = side // 3
    image[-third - 4 : -4, -third - 4 : -4] = image[4 : 4 + third, 4 : 4 + third]
    return image


def features_by_numpy(image: np.ndarray, bank: FilterBank) -> np.ndarray:
    """The features of :func:`magnitudes`, filter by filter in floating point."""
    side = 2 * bank.radius + 1
    patches = np.lib.stride_tricks.sliding_window_view(image / IMAGE_ONE, (side, side))
    responses = np.einsum("ijyx,fyx->ijf", patches, bank.taps, optimize=True)
    result = np.zeros((*image.shape, bank.features))
    inner = result[bank.radius : -bank.radius, bank.radius : -bank.radius]
    for index in range(bank.features):
        inner[..., index] = np.sqrt((responses[..., bank.feature == index] ** 2).sum(-1))
    return result


def field_by_numpy(description: Description, usable: np.ndarray) -> np.ndarray:
    """Squared distance of every usable pixel to its nearest one outside the excluded zone."""
    y, x = np.nonzero(usable)
    points = description.descriptors[y, x].astype(np.int32)
    best = np.full(usable.shape, NOTHING, np.int64)
    for index in range(len(points)):
        distance = ((points - points[index]) ** 2).sum(1)
        away = (x - x[index]) ** 2 + (y - y[index]) ** 2
        best[y[index], x[index]] = distance[away >= EXCLUSION**2].min()
    return best


def inside(side: int, radius: int) -> np.ndarray:
    mask = np.zeros((side, side), np.bool_)
    mask[radius:-radius, radius:-radius] = True
    return mask


def field_of(
    description: Description, usable: np.ndarray, search: Search, threads: int
) -> NearestField:
    target = [Target(description.descriptors, usable)]
    return nearest_field(
        description.descriptors, usable, target, search, exclusion=EXCLUSION, threads=threads
    )


def check(features: str, threads: list[int]) -> dict[str, Any]:
    """Compare with NumPy; exit where it does not agree."""
    bank, image = filter_bank(features), picture(SMALL)
    started = time.perf_counter()
    expected = features_by_numpy(image, bank)
    numpy_features = time.perf_counter() - started
    worst = float(np.abs(magnitudes(image, bank) - expected).max())
    if worst > FEATURE_TOLERANCE:
        sys.exit(f"{features}: features differ from NumPy by {worst:.2e}; nothing is reported")
    description, usable = describe(image, bank), inside(SMALL, bank.radius)
    started = time.perf_counter()
    exact = field_by_numpy(description, usable)
    numpy_field = time.perf_counter() - started
    found = field_of(description, usable, MASKING.search, 1)
    if (found.distance < exact).any():
        sys.exit(f"{features}: the field claims less than the least distance; nothing is reported")
    third, rim = SMALL // 3, bank.radius
    copied = np.zeros_like(usable)
    copied[4 + rim : 4 + third - rim, 4 + rim : 4 + third - rim] = True
    in_copy = float((found.distance == exact)[copied].mean())
    if in_copy < COPY_EXACT:
        sys.exit(f"{features}: only {in_copy:.1%} of a copy reach brute force; nothing is reported")
    for count in threads:
        other = field_of(describe(image, bank, threads=count), usable, MASKING.search, count)
        if any(
            (getattr(found, name) != getattr(other, name)).any()
            for name in ("x", "y", "layer", "distance")
        ):
            sys.exit(f"{features}: {count} threads change the result; nothing is reported")
    return {
        "features_worst_difference": worst,
        "field_exact_in_copy": in_copy,
        "field_exact_everywhere": float((found.distance == exact)[usable].mean()),
        "field_mean_distance_ratio": float(found.distance[usable].mean() / exact[usable].mean()),
        "threads_bit_identical": threads,
        "numpy_features_seconds": numpy_features,
        "numpy_field_seconds": numpy_field,
    }


def timed_in_turns(work: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each, alternating, so that a busy machine disturbs all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(repeats + 1):
        for name, call in work.items():
            started = time.perf_counter()
            call()
            if repeat:  # the first round warms up
                seconds[name].append(time.perf_counter() - started)
    return seconds


def summary(seconds: list[float], pixels: int) -> dict[str, float]:
    middle = statistics.median(seconds)
    return {
        "seconds": middle,
        "spread": max(seconds) - min(seconds),
        "megapixels_per_second": pixels / middle / 1e6,
    }


def measure(features: str, side: int, threads: int, repeats: int) -> dict[str, Any]:
    """Time features and field on a large picture, and both on the small one NumPy did."""
    bank, image, small = filter_bank(features), picture(side), picture(SMALL)
    description, usable = describe(image, bank), inside(side, bank.radius)
    little, little_usable = describe(small, bank), inside(SMALL, bank.radius)
    search = MASKING.search
    work: dict[str, Callable[[], object]] = {}
    for count in sorted({1, threads}):
        work[f"features {count}"] = partial(describe, image, bank, threads=count)
        work[f"field {count}"] = partial(field_of, description, usable, search, count)
    work["features small"] = lambda: describe(small, bank)
    work["field small"] = lambda: field_of(little, little_usable, search, 1)
    seconds = timed_in_turns(work, repeats)
    pixels = {name: SMALL**2 if "small" in name else side**2 for name in work}
    return {name: summary(values, pixels[name]) for name, values in seconds.items()}


def measure_detectors(features: str, side: int, repeats: int) -> dict[str, Any]:
    """Time what screening calls, at its default settings, on one thread."""
    gray = picture(side).astype(np.float32) / np.float32(IMAGE_ONE)
    panel = PreparedPanel(gray, np.ones(gray.shape, np.bool_), "microscopy")
    seconds = timed_in_turns(
        {
            "propose_within": lambda: propose_within(panel, features),
            "propose_between": lambda: propose_between(panel, panel, features),
            "detect_mask": lambda: detect_mask(panel, features),
        },
        repeats,
    )
    return {name: summary(values, side**2) for name, values in seconds.items()}


def main(arguments: list[str] | None = None) -> None:
    """Check, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args(arguments).quick
    cv2.setNumThreads(1)
    threads, side, repeats = cpu_count(), 256 if quick else 512, 2 if quick else 5
    results = {}
    for features in FEATURES:
        checked = check(features, sorted({2, 3, threads}))
        timing = measure(features, side, threads, repeats)
        results[features] = {
            "exactness": checked,
            "timing": timing,
            "ratios": {
                "features_threads_over_one": timing["features 1"]["seconds"]
                / timing[f"features {threads}"]["seconds"],
                "field_threads_over_one": timing["field 1"]["seconds"]
                / timing[f"field {threads}"]["seconds"],
                "features_over_numpy": checked["numpy_features_seconds"]
                / timing["features small"]["seconds"],
                "field_over_numpy": checked["numpy_field_seconds"]
                / timing["field small"]["seconds"],
            },
            "detectors": measure_detectors(features, side, max(1, repeats // 2)),
        }
        print_one(features, results[features], threads, side)
    built = native.library_path("dense_field")
    assert built is not None  # it has run
    document = {
        "format": "tamperscope-benchmark/1",
        "benchmark": "dense_field",
        "metadata": metadata(
            SEED,
            threads=threads,
            side=side,
            small_side=SMALL,
            library=built.name,
            search=vars(MASKING.search),
            proposing=vars(PROPOSING.search),
        ),
        "results": results,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def print_one(features: str, result: dict[str, Any], threads: int, side: int) -> None:
    exactness, timing, ratios = result["exactness"], result["timing"], result["ratios"]
    print(
        f"{features}: features within {exactness['features_worst_difference']:.1e} of NumPy; field "
        f"exact for {exactness['field_exact_in_copy']:.1%} of a copy, "
        f"{exactness['field_exact_everywhere']:.1%} of all"
    )
    for name in ("features", "field"):
        one = timing[f"{name} 1"]
        print(
            f"  {name:9s} {side} x {side}: {one['megapixels_per_second']:.2f} MP/s on one thread, "
            f"x {ratios[f'{name}_threads_over_one']:.2f} with {threads}, "
            f"x {ratios[f'{name}_over_numpy']:.0f} of NumPy at {SMALL} x {SMALL}"
        )
    for name, value in result["detectors"].items():
        print(f"  {name}: {value['seconds']:.2f} s")


if __name__ == "__main__":
    main()
