"""Outlines of regions: boxes, ellipses, free forms, and the outlines of objects that are there."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from tamperscope.synth.geometry import Box, blurred
from tamperscope.synth.objects import find_objects
from tamperscope.synth.sample import Mask, Pixels, UnfitError
from tamperscope.synth.tone import content

PLACES = 12  # draws of a place before a panel is given up
POINTS = 48  # of a free outline
CORE = (0.2, 0.6)  # of a box's side, in the middle of it: what belongs to a thing for certain
SOFTENED = (0.8, 2.0)  # pixels, blur before edges are looked for
CONTENT_SHARE = 0.15  # of a region's blocks that must be more than background


@dataclass(frozen=True)
class Shapes:
    """Weights of the outlines, and the size of a region."""

    box: float = 0.35
    ellipse: float = 0.15
    free: float = 0.25
    objects: float = 0.25  # of cells or bands, where the panel has any
    contour: float = 0.0  # along edges that are there, as somebody cuts out a thing by hand
    side: tuple[float, float] = (0.12, 0.4)  # share of the panel's side
    least: int = 12  # pixels, shorter side of a region
    content: float = 4.0  # grey levels that an 8 x 8 block must spread to be more than background


def draw_region(pixels: Pixels, shapes: Shapes, rng: np.random.Generator) -> tuple[Mask, str]:
    """Draw a region with content: a mask of the panel, and the name of its outline.

    Raises:
        UnfitError: None was found in PLACES draws.
    """
    names = ("box", "ellipse", "free", "objects", "contour")
    weights = np.array([getattr(shapes, name) for name in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    if name == "objects":
        mask = _object_region(pixels, shapes, rng)
        if mask is not None:
            return mask, name
        name = "free"
    for _ in range(PLACES):
        box = draw_box(pixels.shape[0], pixels.shape[1], shapes.side, shapes.least, rng)
        if content(pixels[box.slices], shapes.content) < CONTENT_SHARE:
            continue
        mask = np.zeros(pixels.shape[:2], dtype=bool)
        if name == "contour":
            mask[box.slices] = contour(pixels[box.slices], rng)
        else:
            mask[box.slices] = outline(name, box.height, box.width, rng)
        if mask.any():
            return mask, name
    raise UnfitError(f"no region with content in {PLACES} places")


def draw_box(
    height: int, width: int, side: tuple[float, float], least: int, rng: np.random.Generator
) -> Box:
    """Draw a box whose sides are shares of the panel's; UnfitError where none of ``least`` fits."""
    if min(height, width) < least:
        raise UnfitError(f"{width} x {height} pixels are too small for a region of {least}")
    w, h = (
        min(max(round(length * rng.uniform(*side)), least), length) for length in (width, height)
    )
    return Box(int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1)), w, h)


def outline(name: str, height: int, width: int, rng: np.random.Generator) -> Mask:
    """Return an outline that fills (height, width), as a mask."""
    if name == "box":
        return np.ones((height, width), dtype=bool)
    if name == "ellipse":
        # whole numbers: (2x - w + 1)^2 / w^2 + (2y - h + 1)^2 / h^2 <= 1
        x = 2 * np.arange(width, dtype=np.int64)[None, :] - width + 1
        y = 2 * np.arange(height, dtype=np.int64)[:, None] - height + 1
        return x * x * height**2 + y * y * width**2 <= height**2 * width**2
    if name == "free":
        return _free(height, width, rng)
    raise ValueError(f"no outline is called {name!r}")


def contour(pixels: Pixels, rng: np.random.Generator) -> Mask:
    """Cut out what is in the middle of (H, W, 3), along the edges around it; may end up empty.

    A watershed between a blob in the middle and the frame: the rim comes to lie where the picture
    changes most between them. Then it is smoothed, and a little too wide or too narrow, as a hand
    draws it.
    """
    height, width = pixels.shape[:2]
    markers = np.zeros((height, width), dtype=np.int32)
    markers[1:-1, 1:-1] = 1  # the outermost pixels are never any region's
    markers[2:-2, 2:-2] = 0
    h, w = (max(round(side * rng.uniform(*CORE)), 2) for side in (height, width))
    y, x = (height - h) // 2, (width - w) // 2
    markers[y : y + h, x : x + w][outline("ellipse", h, w, rng)] = 2
    cv2.watershed(np.ascontiguousarray(blurred(pixels, rng.uniform(*SOFTENED))), markers)
    mask = (markers == 2).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    mask = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), cv2.MORPH_OPEN, kernel)
    wider = int(rng.integers(-1, 4))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(wider) + 1,) * 2)
    return (cv2.dilate if wider > 0 else cv2.erode)(mask, kernel).astype(bool)


def _free(height: int, width: int, rng: np.random.Generator) -> Mask:
    """A smooth blob: a circle with four harmonics on its radius, as a lasso would be drawn."""
    waves = [(k, rng.uniform(0, 0.35 / k), rng.uniform(0, 2 * math.pi)) for k in (1, 2, 3, 5)]
    points = []
    for step in range(POINTS):
        angle = 2 * math.pi * step / POINTS
        radius = 1 + sum(size * math.cos(k * angle + phase) for k, size, phase in waves)
        points.append((radius * math.cos(angle), radius * math.sin(angle)))
    around = np.array(points)
    low, high = around.min(axis=0), around.max(axis=0)
    scaled = (around - low) / (high - low) * [width - 1, height - 1]
    drawn = np.zeros((height, width), dtype=np.uint8)
    cv2.fillPoly(drawn, [np.round(scaled).astype(np.int32)], 1)
    return drawn.astype(bool)


def _object_region(pixels: Pixels, shapes: Shapes, rng: np.random.Generator) -> Mask | None:
    """One object, or it and its nearest neighbours, with a rim; None where there is none."""
    found = find_objects(pixels, least=shapes.least)
    if not found.boxes:
        return None
    first = int(rng.integers(len(found.boxes)))
    count = int(rng.integers(1, 4))
    mask = np.zeros(pixels.shape[:2], dtype=bool)
    limit = max(pixels.shape[:2]) * max(shapes.side)
    for index in found.nearest(first)[:count]:
        grown = mask | (found.labels == found.numbers[index])
        rows, columns = np.flatnonzero(grown.any(axis=1)), np.flatnonzero(grown.any(axis=0))
        if max(rows[-1] - rows[0], columns[-1] - columns[0]) > limit:
            break
        mask = grown
    if not mask.any():
        return None
    rim = int(rng.integers(2, 6))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
    # closed first: several objects are copied as one piece
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return cv2.dilate(closed, kernel).astype(bool)
