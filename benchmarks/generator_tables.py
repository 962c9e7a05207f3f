"""The tables of docs/generators.md, out of benchmarks/results/generators.json.

python -m benchmarks.generator_tables            # prints them
python -m benchmarks.generator_tables --write    # puts them into the page
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "generators.json"
PAGE = ROOT / "docs" / "generators.md"
BEGIN, END = "<!-- tables: python -m benchmarks.generator_tables --write -->", "<!-- end -->"
MODALITIES = ("blot", "microscopy", "facs", "macroscopy")


def tables(result: dict[str, Any]) -> str:
    """All tables as Markdown."""
    names = list(result["generators"])
    parts = []
    for side, found in result["sizes"].items():
        parts.append(f"**Fréchet distances, {side} x {side}** (statistics / convolutions)")
        parts.append(distances(found, names))
    for side, found in result["sizes"].items():
        parts.append(
            f"**Nearest patch of the first half of the originals, {side} x {side}** (median "
            "distance in grey levels of 16 x 16 pixels; in brackets the share that is nearer than "
            "5 % of the patches of other originals, by pixels / by convolutions)"
        )
        parts.append(neighbours(found, names))
    for side, found in result["sizes"].items():
        parts.append(f"**Share called made by trees, {side} x {side}**")
        parts.append(trees(found["told apart, all modalities"], names))
    parts.append(
        "**Spectra at 64 x 64**: mean and largest difference to the training patches over 16 rings "
        "of frequencies in dB, and what stands out at the frequencies of a grid of 2 / 4 pixels"
    )
    parts.append(spectra(result["sizes"]["64"], names))
    parts.append("**Patches a second in one thread**")
    parts.append(speeds(result["speed"]))
    return "\n\n".join(parts)


def distances(found: dict[str, Any], names: list[str]) -> str:
    """One row for each modality; what is compared in columns."""
    pairs = {
        "training, drawn twice": "training again - training",
        "half of the originals, other half": "second half - first half",
        "held-out pictures, pictures": "held out - pictures",
        "drawn, pictures": "drawn - pictures",
        **{f"{name}, training": f"{name} - training" for name in names},
        **{f"{name}, pictures": f"{name} - pictures" for name in names},
        **{f"{name}, held-out": f"{name} - held out" for name in names},
    }
    rows = []
    for title, pair in pairs.items():
        cells = []
        for modality in MODALITIES:
            values = found[modality]["frechet"][pair]
            cells.append(f"{values['statistics']:.1f} / {values['convolutions']:.1f}")
        rows.append([title, *cells])
    return grid(["", *MODALITIES], rows)


def neighbours(found: dict[str, Any], names: list[str]) -> str:
    """Distances to the nearest patch, and how many are as near as copies."""
    rows = []
    for name in ("same panels", "other originals", *names):
        cells = []
        for modality in MODALITIES:
            kinds = found[modality]["nearest of the first half"]
            near = [
                100 * kinds[kind][name]["nearer than 5 % of other originals"]
                for kind in ("pixels", "convolutions")
            ]
            median = kinds["pixels"][name]["median"]
            cells.append(f"{median:.1f} ({near[0]:.0f} % / {near[1]:.0f} %)")
        rows.append([name, *cells])
    return grid(["", *MODALITIES], rows)


def trees(found: dict[str, Any], names: list[str]) -> str:
    """What trees that learned from one generator say of the others."""
    asked = [*names, "real", "held out"]
    rows = [[lesson, *(f"{shares[a]:.2f}" for a in asked)] for lesson, shares in found.items()]
    return grid(["", *names, "real, other originals", "real, other laboratories"], rows)


def spectra(found: dict[str, Any], names: list[str]) -> str:
    """How far spectra lie from those of the training patches."""
    rows = []
    for name in ("pictures", "held out", "drawn", *names):
        cells = []
        for modality in MODALITIES:
            apart = [abs(v) for v in found[modality]["spectrum over training, dB"][name]]
            peaks = found[modality]["grid, dB"][name]
            cells.append(
                f"{sum(apart) / len(apart):.1f}, {max(apart):.1f}; "
                f"{peaks['period 2']:.1f} / {peaks['period 4']:.1f}"
            )
        rows.append([name, *cells])
    return grid(["", *MODALITIES], rows)


def speeds(found: dict[str, Any]) -> str:
    """Median rates beside those of drawn panels of the same size."""
    rows = [
        [name, *(f"{found[side][name]['patches per second']:.1f}" for side in found)]
        for name in found["64"]
    ]
    return grid(["", *(f"{side} x {side}" for side in found)], rows)


def grid(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def placed(page: str, text: str) -> str:
    """Put the tables between their marks in the page."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.S)
    if not pattern.search(page):
        raise SystemExit(f"{PAGE} has no place for the tables: {BEGIN} ... {END}")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page)


def main(arguments: list[str] | None = None) -> None:
    """Print or write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args(arguments)
    text = tables(json.loads(RESULTS.read_text(encoding="utf-8")))
    if asked.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(placed(page, text), encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
