"""Pixel scores of the dense field on natural copy-moves: CASIA v1 and COVERAGE.

    python -m benchmarks.copy_move --bench ../shared/bench [--features zm pct fmt]

The pictures are only measured on; no parameter was chosen on them. The mask of a copy-move detector
marks source and target alike. CASIA's truth holds the pasted part only, so that a perfect mask has
an F1 of about 2/3 there; COVERAGE has both, and is scored against both and against the pasted part.
Picture 048 of COVERAGE has a mask of another size and is left out. A picture where nothing is
marked counts with F1 = 0 and MCC = 0. Results: ``benchmarks/results/copy_move.json``.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tamperscope.evaluation.metrics import count, mcc_or_zero
from tamperscope.matching.dense_field import MASKING, detect_mask
from tamperscope.matching.match import Mask
from tamperscope.matching.polar_features import FEATURES
from tamperscope.matching.prepare import prepare
from tamperscope.runtime import metadata

RESULT = Path(__file__).parent / "results" / "copy_move.json"
WRONG_SIZE = {"048"}


@dataclass(frozen=True)
class Picture:
    """One picture and the names of its truths; none for a pristine one."""

    path: Path
    truths: dict[str, tuple[Path, ...]]  # name of the truth -> masks whose union it is


def index_casia(root: Path) -> list[Picture]:
    """root/tampered/Sp_S_NAME.jpg with root/masks/Sp_S_NAME.png; root/authentic/NAME.jpg."""
    tampered = [
        Picture(path, {"pasted": (root / "masks" / f"{path.stem}.png",)})
        for path in sorted(root.glob("tampered/Sp_S_*.jpg"))
    ]
    return tampered + [Picture(path, {}) for path in sorted(root.glob("authentic/*.jpg"))]


def index_coverage(root: Path) -> list[Picture]:
    """root/tampered/NNN.*, root/original/NNN.*, root/mask_copy and root/mask_forged/NNN.png."""
    pictures = []
    for path in sorted(root.glob("tampered/*")):
        if path.stem in WRONG_SIZE:
            continue
        pasted, copied = (root / folder / f"{path.stem}.png" for folder in FOLDERS)
        pictures.append(Picture(path, {"pasted": (pasted,), "both": (pasted, copied)}))
    return pictures + [Picture(path, {}) for path in sorted(root.glob("original/*"))]


FOLDERS = ("mask_forged", "mask_copy")
SETS: dict[str, Callable[[Path], list[Picture]]] = {
    "casia_v1": index_casia,
    "coverage": index_coverage,
}


def read(path: Path, flag: int) -> np.ndarray:
    pixels = cv2.imread(str(path), flag)
    if pixels is None:
        raise FileNotFoundError(path)
    return pixels


def truth_of(masks: Iterable[Path]) -> Mask:
    """Union of mask files; white is true."""
    return np.any([read(path, cv2.IMREAD_GRAYSCALE) > 127 for path in masks], axis=0)


def score(pictures: list[Picture], predict: Callable[[np.ndarray], Mask]) -> dict[str, Any]:
    """Score a mask-making function on pictures, each counting alike.

    Args:
        pictures: Tampered and pristine ones.
        predict: From RGB pixels (height, width, 3) to a bool mask (height, width).
    """
    f1: dict[str, list[float]] = {}
    mcc: dict[str, list[float]] = {}
    marked: dict[str, list[bool]] = {"tampered": [], "pristine": []}
    area = []
    started = time.process_time()
    for picture in pictures:
        mask = predict(np.ascontiguousarray(read(picture.path, cv2.IMREAD_COLOR)[..., ::-1]))
        marked["tampered" if picture.truths else "pristine"].append(bool(mask.any()))
        if not picture.truths:
            area.append(float(mask.mean()))
        for name, masks in picture.truths.items():
            counts = count(mask, truth_of(masks))
            f1.setdefault(name, []).append(counts.f1)
            mcc.setdefault(name, []).append(mcc_or_zero(counts))
    return {
        "pictures": {kind: len(values) for kind, values in marked.items()},
        "f1": {name: float(np.mean(values)) for name, values in f1.items()},
        "mcc": {name: float(np.mean(values)) for name, values in mcc.items()},
        "marked": {kind: float(np.mean(values)) for kind, values in marked.items() if values},
        "pristine_marked_area": float(np.mean(area)) if area else None,
        "processor_seconds_per_picture": (time.process_time() - started) / len(pictures),
    }


def masker(features: str) -> Callable[[np.ndarray], Mask]:
    """The dense field as a function from RGB pixels to a mask."""
    return lambda pixels: detect_mask(prepare(pixels, "photo"), features)


def main(arguments: list[str] | None = None) -> None:
    """Score every set with every kind of features, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", type=Path, default=Path("../shared/bench"))
    parser.add_argument("--features", nargs="+", choices=FEATURES, default=list(FEATURES))
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    results: dict[str, Any] = {}
    for name, index in SETS.items():
        pictures = index(options.bench / name)
        if not pictures:
            raise SystemExit(f"{options.bench / name} holds no pictures; give --bench")
        for features in options.features:
            found = score(pictures, masker(features))
            results.setdefault(name, {})[f"dense-field-{features}"] = found
            print(f"{name} {features}: {json.dumps(found)}", flush=True)
    document = {
        "format": "tamperscope-benchmark/1",
        "benchmark": "copy_move",
        "metadata": metadata(MASKING.search.seed),
        "results": results,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
