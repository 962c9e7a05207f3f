"""How good the patches of the shipped generators are, and whether they are copies.

    python -m benchmarks.generators --corpus ../shared/corpus --work DIR

writes ``benchmarks/results/generators.json`` and ``docs/generators.jpg``, and the numbers of each
generator into its card. ``--work`` is the folder that ``tools/train_generators.py`` kept its panels
in; they are cut anew where it is empty. Real patches that are asked about come from the validation
side of the forge's split: laboratories that no generator has seen. What each measure is stands in
``benchmarks/generator_measures.py``.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.generator_measures import (
    LAYERS,
    Features,
    Patches,
    copying,
    described,
    frechet,
    grid_peaks,
    small_grey,
    spectrum,
    told_apart,
)
from tamperscope import runtime
from tamperscope.images import encode_jpeg
from tamperscope.synth.drawn import draw_panel
from tamperscope.synth.generators import NetworkGenerator, find_generator, generator_names
from tamperscope.synth.sources import PictureSource
from tools.generator_patches import (
    MODALITIES,
    Stock,
    draw_patches,
    gather_panels,
    stated_licences,
    stocked,
    training_stock,
)
from tools.train_generators import PANELS

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "generators.json"
SHEET = ROOT / "docs" / "generators.jpg"
CARDS = ROOT / "src" / "tamperscope" / "synth" / "weights"
PANELS_HELD_OUT = 120  # of each modality
FREE = "CC0-1.0"  # licence of the pictures on the sheet
TIMED = 8  # patches of each round
ROUNDS = 3


def main(arguments: list[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", type=int, default=240, help="patches of 64 pixels in each set")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--sheet", type=Path, default=SHEET)
    parser.add_argument("--cards", type=Path, default=CARDS)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    generators = [find_generator(name) for name in generator_names()]
    trained = training_stock(asked.corpus, PANELS, 0, asked.work)
    held_out = held_out_stock(asked.corpus)
    result: dict[str, Any] = {
        "format": "tamperscope-benchmark/1",
        "benchmark": "generators",
        "run": runtime.metadata(0),
        "generators": {g.name: g.identity for g in generators},
        "features": {"statistics": 21, "convolutions": 2 * sum(LAYERS)},
        "patches": asked.count,
        "speed": speed(generators),
        "sizes": {},
    }
    for side in (64, 128):
        count = asked.count * 64 // side
        found = {}
        pooled: list[dict[str, Features]] = []
        for modality in MODALITIES:
            sets = patches_of(trained, held_out, generators, modality, side, count)
            found[modality], features = measured(sets, [g.name for g in generators])
            pooled.append(features)
            print(side, modality, json.dumps(found[modality]["frechet"]), flush=True)
        found["told apart, all modalities"] = asked_across(pooled, [g.name for g in generators])
        print(json.dumps(found["told apart, all modalities"]), flush=True)
        result["sizes"][str(side)] = found
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    write_cards(result, generators, asked.cards)
    asked.sheet.write_bytes(encode_jpeg(sheet(asked.corpus, generators), quality=68))


def held_out_stock(corpus: Path) -> Stock:
    """Panels of the laboratories that validate."""
    source = PictureSource.from_folder(corpus, split="valid")
    found, labels = [], []
    for label, modality in enumerate(MODALITIES):
        own = gather_panels(source, modality, PANELS_HELD_OUT, 7)
        found += own
        labels += [label] * len(own)
    return stocked(found, labels)


def patches_of(
    trained: Stock,
    held_out: Stock,
    generators: list[NetworkGenerator],
    modality: str,
    side: int,
    count: int,
) -> dict[str, Patches]:
    """Draw every set of patches of a modality that is compared."""
    drawn = np.array([group.startswith("drawn/") for group in trained.groups])
    originals = sorted({group for group in trained.groups if not group.startswith("drawn/")})
    # every second original, in the order of their names
    first = np.array([g in set(originals[::2]) for g in trained.groups])

    def cut(stock: Stock, keep: NDArray[np.bool_], number: int, times: int = 1) -> Patches:
        part = Stock(
            stock.panels[keep], stock.labels[keep], tuple(np.array(stock.groups)[keep].tolist())
        )
        rng = np.random.default_rng([11, side, number])
        return draw_patches(part, count * times, side, rng, modality)[0]

    own = trained.labels == MODALITIES.index(modality)
    everywhere = held_out.labels == MODALITIES.index(modality)
    sets = {
        "training": cut(trained, own, 0, 3),
        "training again": cut(trained, own, 1),
        "pictures": cut(trained, own & ~drawn, 2),
        "drawn": cut(trained, own & drawn, 3),
        "first half": cut(trained, own & ~drawn & first, 4, 3),
        "first half again": cut(trained, own & ~drawn & first, 5),
        "second half": cut(trained, own & ~drawn & ~first, 6),
        "held out": cut(held_out, everywhere, 7),
    }
    for number, generator in enumerate(generators):
        rng = np.random.default_rng([13, side, number, MODALITIES.index(modality)])
        sets[generator.name] = np.stack(
            [generator.generate(rng, (side, side), modality) for _ in range(count)]
        )
    return sets


def measured(
    sets: dict[str, Patches], names: list[str]
) -> tuple[dict[str, Any], dict[str, Features]]:
    """All measures of one modality and size; features for what is asked of all together."""
    features = {name: described(patches) for name, patches in sets.items()}
    pairs = [
        ("training again", "training"),
        ("second half", "first half"),
        ("held out", "pictures"),
        ("drawn", "pictures"),
        *((name, other) for name in names for other in ("training", "pictures", "held out")),
    ]
    scale = features["training"]
    distances = {
        f"{a} - {b}": {
            kind: round(frechet(features[a][kind], features[b][kind], scale[kind]), 2)
            for kind in scale
        }
        for a, b in pairs
    }
    spread = features["training"]["convolutions"].std(axis=0) + 1e-9
    looks = {
        "pixels": {name: small_grey(patches) for name, patches in sets.items()},
        "convolutions": {name: f["convolutions"] / spread for name, f in features.items()},
    }
    reference = spectrum(sets["training"])
    shown = ["pictures", "held out", "drawn", *names]
    found = {
        "frechet": distances,
        "nearest of the first half": {
            kind: copying(
                {name: rows[name] for name in names},
                rows["second half"], rows["first half again"], rows["first half"],
            )
            for kind, rows in looks.items()
        },
        "spectrum over training, dB": {
            name: (spectrum(sets[name]) - reference).round(2).tolist() for name in shown
        },
        "grid, dB": {name: grid_peaks(sets[name]) for name in shown},
        "mean level": {name: round(float(sets[name].mean()), 1) for name in shown},
        "deviation between patches": {
            name: round(float(sets[name].mean(axis=(1, 2, 3)).std()), 1) for name in shown
        },
    }  # fmt: skip
    both = {name: np.hstack([f["statistics"], f["convolutions"]]) for name, f in features.items()}
    return found, both


def asked_across(pooled: list[dict[str, Features]], names: list[str]) -> dict[str, Any]:
    """Trees that learn on half of the originals and patches, asked about the other half."""
    every = {name: [part[name] for part in pooled] for name in pooled[0]}
    made = {
        name: (
            np.concatenate([rows[::2] for rows in every[name]]),
            np.concatenate([rows[1::2] for rows in every[name]]),
        )
        for name in names
    }
    real = (np.concatenate(every["first half again"]), np.concatenate(every["second half"]))
    found = told_apart(real, made)
    held_out = (real[0], np.concatenate(every["held out"]))
    for lesson, shares in told_apart(held_out, made).items():
        found[lesson]["held out"] = shares["real"]
    return found


def speed(generators: list[NetworkGenerator]) -> dict[str, Any]:
    """Patches a second in one thread, in turns with panels of the same size that are drawn."""
    found: dict[str, Any] = {}
    for side in (64, 128):
        rates: dict[str, list[float]] = {}
        for number in range(ROUNDS):
            for generator in (None, *generators):
                rng = np.random.default_rng([17, number])
                began = time.perf_counter()
                for place in range(TIMED):
                    modality = MODALITIES[place % len(MODALITIES)]
                    if generator is None:
                        draw_panel(modality, rng, (side, side))
                    else:
                        generator.generate(rng, (side, side), modality)
                spent = time.perf_counter() - began
                name = "drawn panels" if generator is None else generator.name
                rates.setdefault(name, []).append(TIMED / spent)
        found[str(side)] = {
            name: {"patches per second": round(float(np.median(v)), 1),
                   "lowest": round(min(v), 1), "highest": round(max(v), 1)}
            for name, v in rates.items()
        }  # fmt: skip
    return found


def write_cards(result: dict[str, Any], generators: list[NetworkGenerator], folder: Path) -> None:
    """Write what was measured of each generator into its card."""
    for generator in generators:
        path = folder / f"{generator.name}.json"
        card = json.loads(path.read_text(encoding="utf-8"))
        card["measured"] = {
            "by": "python -m benchmarks.generators", "commit": result["run"]["commit"],
            "frechet": {
                side: {
                    modality: {
                        pair.partition(" - ")[2]: values
                        for pair, values in found[modality]["frechet"].items()
                        if pair.startswith(f"{generator.name} - ")
                    }
                    for modality in MODALITIES
                }
                for side, found in result["sizes"].items()
            },
        }  # fmt: skip
        path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def sheet(corpus: Path, generators: list[NetworkGenerator]) -> NDArray[np.uint8]:
    """Show patches: for each modality a row of panels' windows, and one of each generator.

    Windows are of CC0 pictures, of cytometry of drawn panels. Eight of 64 x 64 pixels, then four
    of 128 x 128 at half their size.
    """
    source, licence = PictureSource.from_folder(corpus, split="train"), stated_licences(corpus)
    free = PictureSource([p for p in source.pictures if licence[p.name] == FREE])
    rows = []
    for number, modality in enumerate(MODALITIES):
        rng = np.random.default_rng([19, number])
        rows.append(_row([_window(free, modality, side, rng) for side in [64] * 8 + [128] * 4]))
        for generator in generators:
            patches = [generator.generate(rng, (s, s), modality) for s in [64] * 8 + [128] * 4]
            rows.append(_row(patches))
        rows.append(np.full((8, rows[-1].shape[1], 3), 255, np.uint8))
    return np.concatenate(rows[:-1])


def _window(source: PictureSource, modality: str, side: int, rng: np.random.Generator) -> Patches:
    if modality in source.modalities:
        panels = gather_panels(source, modality, 1, int(rng.integers(2**31)))
    else:
        panels = [(draw_panel(modality, rng, (256, 256)).pixels, "")]
    stock = stocked(panels, [MODALITIES.index(modality)])
    return draw_patches(stock, 1, side, rng, modality)[0][0]


def _row(patches: list[Patches]) -> Patches:
    cells = [cv2.resize(p, (64, 64), interpolation=cv2.INTER_AREA) for p in patches]
    gap = np.full((64, 4, 3), 255, np.uint8)
    row = np.concatenate([part for cell in cells for part in (cell, gap)][:-1], axis=1)
    return np.pad(row, ((0, 4), (0, 0), (0, 0)), constant_values=255)


if __name__ == "__main__":
    main()
