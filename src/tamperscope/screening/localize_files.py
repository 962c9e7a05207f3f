"""The files of one localized image: heatmap, mask and overlay, under a name nobody else has."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from tamperscope.images import write_png

KINDS = ("heatmap", "mask", "overlay")
OVERLAY_SIDE = 1600  # pixels: an overlay is to be looked at, the mask is there to be measured
TINT = np.array([255, 32, 32], dtype=np.float32)  # red, as much of it as the heatmap says
OUTLINE = (255, 224, 0)  # yellow, around the mask
MOST_TINT = 0.6  # what is under it stays visible
LONGEST_STEM = 100


@dataclass
class Stems:
    """Hands out file name stems, each only once, also where upper and lower case are one."""

    taken: set[str] = field(default_factory=set)

    def fresh(self, source: str, page: int | None) -> str:
        """Stem for a page of ``source``: "scan", "scan-p03", and "scan-2" if that is taken."""
        stem = re.sub(r"[^\w.\- ]", "_", PurePosixPath(source.replace("\\", "/")).stem)
        stem = stem.strip(". ")[:LONGEST_STEM] or "image"
        if page is not None:
            stem = f"{stem}-p{page:02d}"
        for candidate in numbered(stem):
            if candidate.casefold() not in self.taken:
                self.taken.add(candidate.casefold())
                return candidate
        raise AssertionError("numbers do not end")


def numbered(stem: str) -> Iterator[str]:
    """Yield stem, stem-2, stem-3, ..."""
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def write_pictures(
    out: Path, stem: str, pixels: np.ndarray, heatmap: np.ndarray, mask: np.ndarray
) -> dict[str, str]:
    """Write the three pictures to ``out``; names by kind.

    Args:
        out: An existing folder.
        stem: What the names begin with.
        pixels: uint8 (H, W, 3), RGB.
        heatmap: float32 (H, W), probability in [0, 1]; written as 255 times that.
        mask: bool (H, W).
    """
    heat = np.rint(heatmap * 255).astype(np.uint8)
    pictures = {"heatmap": heat, "mask": mask, "overlay": draw_overlay(pixels, heat, mask)}
    names = {kind: f"{stem}.{kind}.png" for kind in KINDS}
    for kind, picture in pictures.items():
        write_png(out / names[kind], picture)
    return names


def draw_overlay(pixels: np.ndarray, heat: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture tinted red by the heatmap, the mask outlined; its longer side at most 1600."""
    height, width = mask.shape
    shrink = min(OVERLAY_SIDE / max(height, width), 1.0)
    size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
    small, warm, inside = (
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        for picture in (pixels, heat, mask.astype(np.uint8) * 255)
    )
    amount = (warm.astype(np.float32) * (MOST_TINT / 255))[..., None]
    overlay = np.rint(small * (1 - amount) + TINT * amount).astype(np.uint8)
    marked = (inside >= 128).astype(np.uint8)
    around = cv2.dilate(marked, np.ones((3, 3), np.uint8)) > marked
    overlay[around] = OUTLINE
    return overlay
