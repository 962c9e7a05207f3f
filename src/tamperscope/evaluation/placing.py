"""Where a copied region is taken from and where it lands: windows, shapes, and what they hold."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
Matrix = NDArray[np.float64]

BLOCK = 8  # pixels, side of the blocks of :func:`holds_content`
BLOCK_SPREAD = 5.0  # grey levels; a block that spreads less is background
CONTENT_SHARE = 0.2  # of the blocks of a region


@dataclass(frozen=True)
class Window:
    """A half-open rectangle with whole corners."""

    x: int
    y: int
    width: int
    height: int

    @property
    def corners(self) -> NDArray[np.float64]:
        """Centres of the four corner pixels, (4, 2), clockwise from the upper left."""
        x1, y1 = self.x + self.width - 1, self.y + self.height - 1
        return np.array([[self.x, self.y], [x1, self.y], [x1, y1], [self.x, y1]], dtype=np.float64)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of an array in (row, column) order."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


def shift(dx: float, dy: float) -> Matrix:
    """Return the (3, 3) map that adds (dx, dy)."""
    return np.array([[1.0, 0, dx], [0, 1.0, dy], [0, 0, 1.0]])


def map_points(transform: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points (n, 2) by an affine (3, 3)."""
    return points @ transform[:2, :2].T + transform[:2, 2]


def bounds(points: NDArray[np.float64]) -> Window:
    """Smallest window whose pixel centres span all points."""
    low, high = np.floor(points.min(axis=0) + 1e-6), np.ceil(points.max(axis=0) - 1e-6)
    size = high - low + 1
    return Window(int(low[0]), int(low[1]), int(size[0]), int(size[1]))


def inner_window(linear: Matrix, height: int, width: int) -> tuple[int, int, float, float]:
    """Largest upright window of the mapped plane that shows only a ``height`` x ``width`` source.

    Searched over nine aspect ratios with the window centred on the source; exact for maps that
    keep right angles upright.

    Returns:
        Width and height of the window in target pixels, and the source's centre (x, y).
    """
    inverse = np.abs(np.linalg.inv(linear))
    reach = np.abs(linear) @ np.array([width - 1.0, height - 1.0])
    best = (0.0, 1.0, 1.0)
    for bend in np.linspace(-1, 1, 9):
        w, h = reach[0] * 2**bend, reach[1] * 2**-bend
        need = inverse @ np.array([w, h])
        t = min((width - 1.0) / need[0], (height - 1.0) / need[1])
        best = max(best, (t * t * w * h, t * w, t * h))
    _, w, h = best
    return int(w + 1e-6) + 1, int(h + 1e-6) + 1, (width - 1) / 2, (height - 1) / 2


def draw_window(
    height: int, width: int, low: float, high: float, least: int, rng: np.random.Generator
) -> Window | None:
    """Draw a window whose sides are shares ``low``..``high`` of the panel's, at least ``least``."""
    sides = []
    for side in (width, height):
        if side < least:
            return None
        sides.append(int(np.clip(round(side * rng.uniform(low, high)), least, side)))
    w, h = sides
    return Window(int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1)), w, h)


def draw_shape(window: Window, height: int, width: int, rng: np.random.Generator) -> Mask:
    """Draw a rectangle, an ellipse or a blob that fills ``window``; mask of the whole panel."""
    shape = np.zeros((window.height, window.width), dtype=np.uint8)
    choice = int(rng.integers(3))
    if choice == 0:
        shape[:] = 1
    elif choice == 1:
        centre = ((window.width - 1) // 2, (window.height - 1) // 2)
        cv2.ellipse(shape, centre, centre, 0, 0, 360, 1, thickness=-1)
    else:
        angles = np.arange(12) * (2 * np.pi / 12)
        radius = rng.uniform(0.7, 1.0, size=12)
        half = np.array([(window.width - 1) / 2, (window.height - 1) / 2])
        outline = half + half * radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillPoly(shape, [np.round(outline).astype(np.int32)], 1)
    mask = np.zeros((height, width), dtype=bool)
    mask[window.slices] = shape.astype(bool)
    return mask


def warp_mask(mask: Mask, transform: Matrix, height: int, width: int) -> Mask:
    """Carry a mask to a canvas of another panel; nothing lies outside the source."""
    drawn = cv2.warpAffine(
        mask.astype(np.uint8), transform[:2], (width, height), flags=cv2.INTER_NEAREST
    )
    return drawn.astype(bool)


def holds_content(pixels: Pixels, mask: Mask, drawn: Mask | None = None) -> bool:
    """Whether enough of a region is more than background.

    A copy of empty background cannot be told from background, by anybody: such regions are not
    asked for. At least a fifth of the 8 x 8 blocks inside must spread by 5 grey levels and be free
    of ``drawn``: axes and numbers that a program put there, which matching sets aside on purpose.
    """
    gray = pixels.mean(axis=2, dtype=np.float32)
    rows, columns = (side // BLOCK * BLOCK for side in gray.shape)

    def blocks(values: NDArray) -> NDArray:
        cut = values[:rows, :columns].reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
        return cut.swapaxes(1, 2).reshape(-1, BLOCK * BLOCK)

    inside = blocks(mask).all(axis=1)
    if not inside.any():
        return False
    content = blocks(gray).std(axis=1) >= BLOCK_SPREAD
    if drawn is not None:
        content &= ~blocks(drawn).any(axis=1)
    return bool(np.mean(content[inside]) >= CONTENT_SHARE)
