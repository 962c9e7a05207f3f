"""Finds the objects of a panel by segmentation: cells, colonies, bands.

Grey levels against their wide surroundings, Otsu's threshold, connected parts. What covers much of
the panel, or touches its border, is no object to be copied.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.sample import Pixels
from tamperscope.synth.tone import mean_level

LARGEST_SHARE = 0.08  # of the panel's area
LEAST_FILL = 0.35  # of an object's box: less is a thread, an axis or a frame
CONTRAST = 8  # grey levels between an object and what is around it
MOST = 200  # objects that are looked at; more is texture


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects of one panel, the largest first."""

    labels: NDArray[np.int32]  # (H, W), 0 is background
    numbers: tuple[int, ...]  # label of each object
    boxes: tuple[tuple[int, int, int, int], ...]  # x, y, width, height
    centres: NDArray[np.float64]  # (n, 2)

    def nearest(self, index: int) -> list[int]:
        """Indices of all objects, the nearest to object ``index`` first, itself leading."""
        x, y = (self.centres - self.centres[index]).T
        return [int(i) for i in np.argsort(x * x + y * y, kind="stable")]


def find_objects(pixels: Pixels, *, least: int = 8) -> Objects:
    """Find objects whose longer side has at least ``least`` pixels; there may be none."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    side = max(pixels.shape[:2])
    wide = cv2.blur(gray, (side // 3 | 1, side // 3 | 1))
    above, below = cv2.subtract(gray, wide), cv2.subtract(wide, gray)
    # bright on dark or dark on bright: the side that stands out further
    lifted = above if int(above.astype(np.int64).max()) >= int(below.max()) else below
    _, drawn = cv2.threshold(lifted, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    there = drawn.astype(bool)
    apart = mean_level(lifted[there]) - mean_level(lifted[~there])
    if not apart >= CONTRAST:  # NaN where there is nothing on one side
        return Objects(np.zeros(gray.shape, np.int32), (), (), np.zeros((0, 2)))
    drawn = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels, stats, centres = cv2.connectedComponentsWithStats(drawn, connectivity=4)
    height, width = gray.shape
    chosen = [
        number
        for number in range(1, min(len(stats), MOST))
        if _is_object(stats[number], least, height, width)
    ]
    chosen.sort(key=lambda number: (-int(stats[number, cv2.CC_STAT_AREA]), number))
    boxes = tuple((int(s[0]), int(s[1]), int(s[2]), int(s[3])) for s in stats[chosen])
    return Objects(labels, tuple(chosen), boxes, centres[chosen].reshape(-1, 2))


def _is_object(stat: NDArray[np.int32], least: int, height: int, width: int) -> bool:
    x, y, w, h, area = (int(value) for value in stat)
    inside = x > 0 and y > 0 and x + w < width and y + h < height
    return (
        inside
        and max(w, h) >= least
        and area <= LARGEST_SHARE * height * width
        and area >= LEAST_FILL * w * h
    )
