"""Joins matches that are pieces of one: the same transform, interrupted by a label or a plain area.

A reader wants one finding for one act of copying. A match is a piece of a better one if the better
one's transform puts its region where its own does.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tamperscope.matching.match import Mask, Match, Transform

TOLERANCE = 4.0
"""Pixels of the target by which two transforms may differ at the corners of the piece."""


def join_pieces(matches: Sequence[Match]) -> list[Match]:
    """Return matches with the pieces of one joined, in the order of their best pieces.

    A joined match keeps transform, numbers and chance of its best piece, the union of the masks and
    the sum of the inliers. Masks are of one size on each side; the best match comes first.
    """
    joined: list[Match] = []
    for match in sorted(matches, key=lambda m: (-m.score, -m.inliers)):
        for index, whole in enumerate(joined):
            if whole.inverted == match.inverted and _is_piece(match, whole):
                names = {*whole.also, *match.also, match.detector} - {whole.detector}
                joined[index] = replace(
                    whole,
                    source_mask=whole.source_mask | match.source_mask,
                    target_mask=whole.target_mask | match.target_mask,
                    inliers=whole.inliers + match.inliers,
                    also=tuple(sorted(names)),
                )
                break
        else:
            joined.append(match)
    return joined


def _is_piece(match: Match, whole: Match) -> bool:
    # Only at the piece: a small region's own transform is poor far away from it.
    corners = _corners(match.source_mask)
    off = np.linalg.norm(
        _moved(whole.transform, corners) - _moved(match.transform, corners), axis=1
    )
    return bool(off.max() <= TOLERANCE)


def _corners(mask: Mask) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x0, x1, y0, y1 = columns[0], columns[-1], rows[0], rows[-1]
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=float)


def _moved(transform: Transform, points: np.ndarray) -> np.ndarray:
    moved = np.column_stack([points, np.ones(len(points))]) @ np.asarray(transform).T
    return moved[:, :2] / moved[:, 2:]
