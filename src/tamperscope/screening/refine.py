"""Put box edges that were found on a reduced copy right on the pixels themselves."""

import numpy as np
from numpy.typing import NDArray

from tamperscope.records import Box

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB


def refine(box: Box, pixels: Pixels, reduced: tuple[int, ...]) -> Box:
    """Return ``box``, found on a copy of shape ``reduced``, in the pixels of the full picture.

    Each edge goes to the strongest step, along its whole length, within the two reduced pixels on
    either side of where it was found.
    """
    height, width = pixels.shape[:2]
    fx, fy = width / reduced[1], height / reduced[0]
    x0, x1 = round(box.x0 * fx), max(round(box.x1 * fx), round(box.x0 * fx) + 1)
    y0, y1 = round(box.y0 * fy), max(round(box.y1 * fy), round(box.y0 * fy) + 1)
    rows, columns = pixels[y0:y1], pixels[:, x0:x1].swapaxes(0, 1)
    x0, x1 = (_snap(rows, x, fx) for x in (x0, x1))
    y0, y1 = (_snap(columns, y, fy) for y in (y0, y1))
    return Box(x0, y0, max(min(x1, width), x0 + 1), max(min(y1, height), y0 + 1))


def _snap(strip: Pixels, edge: int, factor: float) -> int:
    """The column boundary near ``edge`` across which the strip changes most; borders stay."""
    length = strip.shape[1]
    if edge <= 0 or edge >= length:
        return min(max(edge, 0), length)
    reach = int(np.ceil(2 * factor))
    low, high = max(edge - reach, 1), min(edge + reach, length - 1)
    every = max(1, strip.shape[0] // 400)
    near = strip[::every, low - 1 : high + 1].astype(np.int16)
    step = np.abs(np.diff(near, axis=1)).max(-1).mean(0)  # step[k]: between low-1+k and low+k
    if step.max() < 2:
        return edge
    return low + int(step.argmax())
