"""Keeps the figures of a run on disk, so that memory stays bounded however many there are.

Under the output folder each figure lies once, as evidence: the untouched bytes that the document
held where they alone give the pixels, and a lossless PNG otherwise.

    OUT/evidence/figures/f001.jpg    bytes as stored in the document
    OUT/evidence/figures/f002.png    rendered, clipped or composed: pixels as screened
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tamperscope.errors import UnreadableInputError
from tamperscope.images import read_pixels, write_png
from tamperscope.screening.documents import LoadedFigure

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB

CACHED_BYTES = 256 << 20  # decoded figures kept in memory by one process


@dataclass
class FigureStore:
    """Writes figures once and decodes them again on demand, most recent ones from memory."""

    out: Path
    paths: dict[str, Path] = field(default_factory=dict)
    _recent: OrderedDict[str, Pixels] = field(default_factory=OrderedDict)

    def keep(self, loaded: LoadedFigure) -> None:
        """Write one figure: stored bytes as evidence, and pixels wherever the bytes give others."""
        folder = self.out / "evidence" / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        id = loaded.figure.id
        if loaded.stored is not None:
            stored = folder / f"{id}{loaded.suffix}"
            stored.write_bytes(loaded.stored)
            if decodes_to(stored, loaded.pixels):
                self.paths[id] = stored
                return
        self.paths[id] = folder / f"{id}.pixels.png"
        write_png(self.paths[id], loaded.pixels)

    def pixels(self, id: str) -> Pixels:
        """Pixels of figure ``id``, uint8 (height, width, 3)."""
        if id in self._recent:
            self._recent.move_to_end(id)
            return self._recent[id]
        pixels = read_pixels(self.paths[id])
        self._recent[id] = pixels
        while sum(p.nbytes for p in self._recent.values()) > CACHED_BYTES and len(self._recent) > 1:
            self._recent.popitem(last=False)
        return pixels


def decodes_to(path: Path, pixels: Pixels) -> bool:
    """Whether the file alone gives these pixels: no mask, inversion or page is involved."""
    try:
        return np.array_equal(read_pixels(path), pixels)
    except UnreadableInputError:
        return False
