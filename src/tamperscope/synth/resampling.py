"""Cubic interpolation in whole numbers: the same bytes on every processor.

The kernel is Keys' with a = -0.75, as OpenCV's (Keys, "Cubic convolution interpolation for digital
image processing", 1981, eq. 4 with another a). OpenCV's own remap differs by a level in a few of a
million values between processors with and without AVX2; its nearest-neighbour remap does not, and
fetches the pixels here.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.sample import Pixels

SUBPIXELS = 32  # steps of one pixel
BITS = 10  # of a weight; two of them and a level fit into 32 bits
SHARPNESS = -0.75
BAND = 48  # rows worked on at a time: what belongs to them stays in the processor's cache
Places = NDArray[np.int32]


def _weights() -> NDArray[np.int32]:
    """Weights of four neighbours for each step of a pixel, (4, 32); four sum to 2**BITS."""
    a, rows = SHARPNESS, []
    for step in range(SUBPIXELS):
        t = step / SUBPIXELS
        near = [(a + 2) * d**3 - (a + 3) * d**2 + 1 for d in (t, 1 - t)]
        far = [a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a for d in (1 + t, 2 - t)]
        row = [round(w * 2**BITS) for w in (far[0], near[0], near[1], far[1])]
        row[1 if t < 0.5 else 2] += 2**BITS - sum(row)
        rows.append(row)
    return np.ascontiguousarray(np.array(rows, dtype=np.int32).T)


WEIGHTS = _weights()


def cubic(pixels: Pixels, columns: Places, rows: Places) -> Pixels:
    """Interpolate ``pixels`` (H, W, 3) at places given in 1/32 pixel.

    Args:
        pixels: uint8; outside, the border pixel is repeated.
        columns: (h, w), or (1, w) where the rows do not depend on them.
        rows: (h, w), or (h, 1).

    Returns:
        uint8 (h, w, 3).
    """
    grey = bool(
        (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all()
    )
    planes = np.ascontiguousarray(pixels[..., : 1 if grey else 3].transpose(2, 0, 1))
    upright = columns.shape[0] == 1 and rows.shape[1] == 1
    total = _upright(planes, columns[0], rows[:, 0]) if upright else _any(planes, columns, rows)
    total = (total + (1 << (2 * BITS - 1))) >> (2 * BITS)
    levels = np.clip(total, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(levels, (3, *levels.shape[1:])).transpose(1, 2, 0))


def _upright(planes: Pixels, columns: Places, rows: Places) -> NDArray[np.int32]:
    """One axis after the other; (channels, h, w) in units of 2 ** (-2 * BITS) levels."""
    height, width = planes.shape[1:]
    y = np.clip((rows >> 5) + np.arange(-1, 3)[:, None], 0, height - 1)
    x = np.clip((columns >> 5) + np.arange(-1, 3)[:, None], 0, width - 1)
    wx, wy = WEIGHTS[:, columns & (SUBPIXELS - 1)], WEIGHTS[:, rows & (SUBPIXELS - 1)]
    first, last = int(y.min()), int(y.max()) + 1  # rows that are needed
    wide = np.zeros((len(planes), last - first, len(columns)), dtype=np.int32)
    for i in range(4):
        wide += planes[:, first:last, x[i]] * wx[i]
    total = np.zeros((len(planes), len(rows), len(columns)), dtype=np.int32)
    for j in range(4):
        total += wide[:, y[j] - first] * wy[j][:, None]
    return total


def _any(planes: Pixels, columns: Places, rows: Places) -> NDArray[np.int32]:
    """As :func:`_upright`, for places anywhere: sixteen neighbours each."""
    total = np.zeros((len(planes), *columns.shape), dtype=np.int32)
    for top in range(0, len(columns), BAND):
        band = slice(top, top + BAND)
        _add_band(planes, columns[band], rows[band], total[:, band])
    return total


def _add_band(planes: Pixels, columns: Places, rows: Places, total: NDArray[np.int32]) -> None:
    reach = 2**15 - 4  # OpenCV's maps are 16 bit
    place = np.stack([columns >> 5, rows >> 5], axis=2).clip(-reach, reach).astype(np.int16)
    wx, wy = WEIGHTS[:, columns & (SUBPIXELS - 1)], WEIGHTS[:, rows & (SUBPIXELS - 1)]
    row, part = np.empty_like(total), np.empty(columns.shape, dtype=np.int32)
    for j in range(4):
        row[:] = 0
        for i in range(4):
            near = place + np.array([i - 1, j - 1], dtype=np.int16)
            for channel, plane in enumerate(planes):
                found = cv2.remap(
                    plane, near, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
                )
                row[channel] += np.multiply(found, wx[i], out=part)
        row *= wy[j]
        total += row
