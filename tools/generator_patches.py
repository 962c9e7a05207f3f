"""Patches that generators learn from: windows of panels as the forge shows them.

Panels of 256 x 256 pixels are cut out of pictures that may ship (``use == redistribute``, the
training side of the forge's split) or drawn, and shown as the forge shows them (grey, dark or
bright bands). Patches are windows of them with content, as regions are that the forge replaces.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tamperscope.errors import UnreadableInputError
from tamperscope.synth.drawn_source import DrawnSource
from tamperscope.synth.forge import draw_look
from tamperscope.synth.sample import UnfitError
from tamperscope.synth.settings import Look, Settings
from tamperscope.synth.shapes import CONTENT_SHARE
from tamperscope.synth.sources import PictureSource
from tamperscope.synth.tone import content
from tamperscope.synth.work import PanelSource, Work

SIDE = 256  # pixels of a panel
CONTENT = 4.0  # grey levels that a block of a patch must spread to count as more than background
ALIKE = 4  # patches of one modality in a batch
WINDOWS = 6  # draws of a window before the last one is taken as it is
MODALITIES = ("blot", "microscopy", "facs", "macroscopy")
SHARES = {"blot": 0.35, "microscopy": 0.3, "facs": 0.15, "macroscopy": 0.2}  # of a batch
REAL = {"blot": 0.5, "microscopy": 0.8, "facs": 0.7, "macroscopy": 0.8}
"""Share of the panels that are pictures. All blots that may ship and train are one laboratory's
gels, so half of the blots are drawn."""
UPRIGHT = ("facs",)  # never flipped: axes have a side
LEVEL = ("facs", "blot")  # never upside down

Panels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Stock:
    """Panels of several modalities."""

    panels: Panels  # (count, 256, 256, 3)
    labels: NDArray[np.int64]  # (count,), places in MODALITIES
    groups: tuple[str, ...]  # original of each panel

    def of(self, modality: str) -> NDArray[np.int64]:
        """Numbers of the panels of a modality."""
        return np.flatnonzero(self.labels == MODALITIES.index(modality))


def gather_panels(
    source: PanelSource, modality: str, count: int, seed: int
) -> list[tuple[Panels, str]]:
    """Draw panels of a source, as they are shown, with the originals they are of."""
    found = []
    for number in range(count):
        rng = np.random.default_rng([seed, MODALITIES.index(modality), number])
        look = draw_look(Look(), modality, rng)
        work = Work(rng, (SIDE, SIDE), modality, Settings(), source, (), look)
        try:
            panel = work.panel()
        except UnfitError:
            continue  # this draw met pictures too small for a panel; others are drawn
        found.append((panel.pixels, panel.group))
    if not found:
        raise UnreadableInputError(f"no {modality} panel of {SIDE} x {SIDE} pixels was found")
    return found


def training_stock(corpus: Path, counts: Mapping[str, int], seed: int, folder: Path) -> Stock:
    """Gather the panels that generators are trained on; kept in ``folder`` for the next run."""
    pictures = PictureSource.from_folder(corpus, split="train")
    said = json.dumps([pictures.identity, dict(counts), REAL, seed, SIDE], sort_keys=True)
    kept = folder / f"panels-{hashlib.sha256(said.encode()).hexdigest()[:12]}.npz"
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as data:
            return Stock(data["panels"], data["labels"], tuple(map(str, data["groups"])))
    found: list[tuple[Panels, str]] = []
    labels: list[int] = []
    for modality, count in counts.items():
        real = round(count * REAL[modality])
        own = [
            *gather_panels(pictures, modality, real, seed),
            *gather_panels(DrawnSource(), modality, count - real, seed + 1),
        ]
        found += own
        labels += [MODALITIES.index(modality)] * len(own)
    stock = stocked(found, labels)
    folder.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part.npz")
    np.savez(part, panels=stock.panels, labels=stock.labels, groups=np.array(stock.groups))
    part.replace(kept)
    return stock


def stocked(found: list[tuple[Panels, str]], labels: list[int]) -> Stock:
    """Put panels into one array."""
    return Stock(
        np.stack([panel for panel, _ in found]),
        np.array(labels, dtype=np.int64),
        tuple(group for _, group in found),
    )


def draw_patches(
    stock: Stock, count: int, side: int, rng: np.random.Generator, modality: str | None = None
) -> tuple[Panels, NDArray[np.int64], NDArray[np.int64]]:
    """Draw patches (count, side, side, 3), their labels, and the numbers of their panels.

    Modalities come in fours at the same distance, as the discriminator compares patches.
    """
    shares = [SHARES[name] for name in MODALITIES]
    kinds = rng.choice(MODALITIES, size=max(count // ALIKE, 1), p=shares)
    patches = np.empty((count, side, side, 3), dtype=np.uint8)
    labels, numbers = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    for place in range(count):
        kind = modality or str(kinds[place % len(kinds)])
        own = stock.of(kind)
        number = int(own[rng.integers(len(own))])
        patches[place] = _window(stock.panels[number], side, kind, rng)
        labels[place], numbers[place] = stock.labels[number], number
    return patches, labels, numbers


def _window(panel: Panels, side: int, modality: str, rng: np.random.Generator) -> Panels:
    for _ in range(WINDOWS):
        top, left = (int(v) for v in rng.integers(SIDE - side + 1, size=2))
        patch = panel[top : top + side, left : left + side]
        if content(patch, CONTENT) >= CONTENT_SHARE:
            break
    if modality not in UPRIGHT and rng.random() < 0.5:
        patch = patch[:, ::-1]
    if modality not in LEVEL and rng.random() < 0.5:
        patch = patch[::-1]
    return patch


def stated_licences(corpus: Path) -> dict[str, str]:
    """Licence of each picture of a corpus, by its name."""
    with (corpus / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return {row["file"]: row["licence"] for row in csv.DictReader(file)}


def licences(corpus: Path) -> dict[str, int]:
    """Count the licences of the pictures that generators are trained on."""
    stated = stated_licences(corpus)
    pictures = PictureSource.from_folder(corpus, split="train").pictures
    used = (p.name for p in pictures if p.modality in MODALITIES)
    return dict(Counter(stated[name] for name in used).most_common())
