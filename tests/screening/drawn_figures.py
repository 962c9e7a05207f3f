"""Small figures with known boxes, drawn from seeds: textures that stand for micrographs, blots."""

import cv2
import numpy as np

from tamperscope.records import Box, Figure


def figure_of(pixels: np.ndarray) -> Figure:
    return Figure("f003", "drawn.png", None, pixels.shape[1], pixels.shape[0])


def texture(height: int, width: int, seed: int, base: int = 120) -> np.ndarray:
    """A picture as an optic makes it: blurred noise, bright spots, grain."""
    rng = np.random.default_rng([5, seed])
    plane = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 4) * 220 + base
    for y, x in rng.uniform(0, 1, (12, 2)) * [height, width]:
        spot = np.exp(-((np.arange(height)[:, None] - y) ** 2 + (np.arange(width) - x) ** 2) / 40)
        plane += 70 * spot
    plane += rng.normal(0, 4, plane.shape)
    tint = rng.uniform(0.7, 1, 3)
    return np.clip(plane[..., None] * tint, 0, 250).astype(np.uint8)


def blot(height: int, width: int, seed: int, lanes: int = 8) -> np.ndarray:
    """Soft dark bands in lanes on a light, grained ground; the gaps between lanes are empty."""
    rng = np.random.default_rng([6, seed])
    y, x = np.mgrid[:height, :width].astype(float)
    plane = np.full((height, width), 0.86)
    for lane in range(lanes):
        for row in (0.25, 0.55, 0.8):
            across = ((y - row * height) / (0.03 * height + 2)) ** 2
            along = ((x - (lane + 0.5) * width / lanes) / (0.33 * width / lanes)) ** 4
            plane -= rng.uniform(0.2, 0.75) * np.exp(-across - along)
    plane += rng.normal(0, 0.008, plane.shape)
    return np.repeat((np.clip(plane, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)


def grid(
    rows: int, columns: int, gutter: int, colour: int, margin: int = 0, size=(120, 150)
) -> tuple[np.ndarray, list[Box]]:
    """Textures in rows and columns, and their boxes."""
    height, width = size
    page = np.full(
        (2 * margin + rows * height + (rows - 1) * gutter,
         2 * margin + columns * width + (columns - 1) * gutter, 3),
        colour, np.uint8,
    )  # fmt: skip
    boxes = []
    for i in range(rows):
        for j in range(columns):
            x, y = margin + j * (width + gutter), margin + i * (height + gutter)
            box = Box(x, y, x + width, y + height)
            page[box.slices] = texture(height, width, seed=10 * i + j, base=90 + 30 * ((i + j) % 3))
            boxes.append(box)
    return page, boxes


def overlap(a: Box, b: Box) -> float:
    shared = a.intersection(b)
    return shared / (a.area + b.area - shared)
