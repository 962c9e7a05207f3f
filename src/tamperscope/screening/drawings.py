"""Finds the drawings of a PDF page: where lines and areas crowd that are neither tables nor rules.

Works on boxes alone. Strokes are entered into a coarse grid, near ones are joined, and a joined
group counts as a drawing when it is large enough, has enough strokes of a drawing's kind, and is
not mostly words (as tables and boxed text are).
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from tamperscope.screening.pdf_page import Stroke
from tamperscope.screening.picture import Place

CELL = 3.0  # points
REACH = 3  # cells between strokes of one drawing
SHORT_SIDE = 60.0  # points; a smaller drawing is an icon
MIN_STROKES = 10
MIN_DRAWN = 4  # of them, neither upright lines nor rectangles
MAX_WORDS = 0.35  # share of the group's box that words may cover
BACKGROUND = 0.6  # a stroke covering more of the page than this is the paper, not a drawing
LABEL_REACH = 16.0  # points from a drawing within which short words are its labels


def find_drawings(strokes: Sequence[Stroke], words: Sequence[Place], page: Place) -> list[Place]:
    """Return the boxes of the drawings on a page, labels included, from top to bottom."""
    area = (page[2] - page[0]) * (page[3] - page[1])
    boxes = [(clipped, s.drawn) for s in strokes if (clipped := clip_to(s.box, page)) is not None]
    boxes = [(box, drawn) for box, drawn in boxes if _area(box) < BACKGROUND * area]
    if len(boxes) < MIN_STROKES:
        return []
    labels, owner = _group([box for box, _ in boxes], page)
    found = []
    for group in range(1, labels + 1):
        members = [boxes[i] for i in np.flatnonzero(owner == group)]
        if len(members) < MIN_STROKES or sum(drawn for _, drawn in members) < MIN_DRAWN:
            continue
        box = _around([box for box, _ in members])
        if min(box[2] - box[0], box[3] - box[1]) < SHORT_SIDE:
            continue
        if _covered(box, words) <= MAX_WORDS:
            found.append(_with_labels(box, words, page))
    return sorted(_merged(found), key=lambda b: (-b[3], b[0]))


def clip_to(box: Place, page: Place) -> Place | None:
    """The part of a box on the page; None where there is none. Lines have no width, and stay."""
    x0, y0 = max(box[0], page[0]), max(box[1], page[1])
    x1, y1 = min(box[2], page[2]), min(box[3], page[3])
    return (x0, y0, x1, y1) if x0 <= x1 and y0 <= y1 else None


def _area(box: Place) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _around(boxes: Sequence[Place]) -> Place:
    a = np.array(boxes)
    return float(a[:, 0].min()), float(a[:, 1].min()), float(a[:, 2].max()), float(a[:, 3].max())


def _group(boxes: Sequence[Place], page: Place) -> tuple[int, np.ndarray]:
    """Number the groups of near boxes: (how many, the group of each box)."""
    columns, rows = (int((page[2 + i] - page[i]) / CELL) + 1 for i in (0, 1))
    grid = np.zeros((rows, columns), bool)
    cells = ((np.array(boxes) - np.array([page[0], page[1]] * 2)) / CELL).astype(int)
    for x0, y0, x1, y1 in cells:
        grid[y0 : y1 + 1, x0 : x1 + 1] = True
    near = ndimage.binary_dilation(grid, np.ones((2 * REACH + 1, 2 * REACH + 1)))
    labels, count = ndimage.label(near)
    return int(count), labels[cells[:, 1], cells[:, 0]]


def _covered(box: Place, words: Sequence[Place]) -> float:
    inside = (clipped for word in words if (clipped := clip_to(word, box)) is not None)
    return sum(map(_area, inside)) / _area(box)


def _with_labels(box: Place, words: Sequence[Place], page: Place) -> Place:
    reach = (box[0] - LABEL_REACH, box[1] - LABEL_REACH, box[2] + LABEL_REACH, box[3] + LABEL_REACH)
    long = 0.6 * (box[2] - box[0])
    near = [w for w in words if w[2] - w[0] < long and clip_to(w, reach) == w]
    whole = clip_to(_around([box, *near]), page)
    assert whole is not None  # it holds ``box``, which lies on the page
    return whole


def _merged(boxes: list[Place]) -> list[Place]:
    """Join boxes that overlap, until none do."""
    merged: list[Place] = []
    for box in boxes:
        while (i := next((i for i, m in enumerate(merged) if _overlap(m, box)), None)) is not None:
            box = _around([merged.pop(i), box])
        merged.append(box)
    return merged


def _overlap(a: Place, b: Place) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
