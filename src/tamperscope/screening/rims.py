"""Where a panel begins: its own sides, and the rims of what is empty beside them.

A blot that was cut out of a figure with some of the page around it has four straight transitions
that nobody made: where the blot begins. A network that was taught to mark seams marks them too, and
now and then the sides of the panel itself; a join has picture on both sides.
"""

import cv2
import numpy as np

from tamperscope.matching.match import Mask, PreparedPanel

LEAST_SHARE = 0.005  # of the panel; an empty corner smaller than that has no rim worth the name
REACH = 8  # pixels on either side of a rim


def rims(panel: PreparedPanel) -> Mask:
    """Mark what lies within ``REACH`` pixels of the sides, or of empty places that touch them.

    Args:
        panel: Empty is what its ``usable`` leaves out: constant, saturated, or letters.

    Returns:
        (height, width); the empty places themselves are marked as well.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~panel.usable).astype(np.uint8))
    sides = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= LEAST_SHARE * labels.size)
    outside = np.isin(labels, np.intersect1d(large[large > 0], sides))
    size = 2 * REACH + 1
    marked = cv2.dilate(outside.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    marked[:REACH] = marked[-REACH:] = True
    marked[:, :REACH] = marked[:, -REACH:] = True
    return marked
