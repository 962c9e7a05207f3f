"""Finds the drawings of a PDF page: where lines and areas crowd that are neither tables nor rules.

Works on boxes alone. Strokes are entered into a coarse grid, near ones are joined, and a joined
group counts as a drawing when it is large enough, has enough strokes of a drawing's kind, and is
not mostly words (as tables and boxed text are).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from tamperscope.screening.pdf_page import Stroke
from tamperscope.screening.picture import Place

CELL = 3.0  # points, on pages of up to CELLS of them to a side; more on larger ones
CELLS = 600
REACH = 4  # cells between strokes of one drawing
SHORT_SIDE = 60.0  # points; a smaller drawing is an icon
MIN_STROKES = 10
MIN_DRAWN = 4  # of them, neither upright lines nor rectangles
MAX_WORDS = 0.35  # share of the group's box that words may cover
BACKGROUND = 0.6  # a stroke covering more of the page than this is the paper, not a drawing
FRAME = 0.2  # so is a plain outline covering more than this: a frame or a tinted box
RULE = 0.5  # of the page's width; a longer straight line is a rule or the side of a frame
THIN = 2.0  # points
MASTHEAD = 0.2  # upper part of the first page that the journal's name takes
FIELDS = 8  # to a side
MIN_SPREAD = 0.25  # share of fields with something drawn; boxed text with a logo has less
LABEL_REACH = 16.0  # points from a drawing within which short words are its labels


def find_drawings(
    strokes: Sequence[Stroke],
    words: Sequence[Place],
    pictures: Sequence[Place],
    page: Place,
    *,
    first: bool = False,
) -> list[Place]:
    """Return the boxes of the drawings on a page, labels included, from top to bottom.

    Args:
        strokes: Paths and shadings of the page.
        words: Boxes of its text.
        pictures: Boxes of its embedded pictures; strokes on them are their labels and arrows.
        page: The page's own box.
        first: Whether it is the first page of the document, which has a masthead.
    """
    boxes = [s for s in _on_page(strokes, page) if not _on_any(s.box, pictures)]
    if len(boxes) < MIN_STROKES:
        return []
    count, owner = _group([s.box for s in boxes], page)
    found = []
    for group in range(1, count + 1):
        members = [boxes[i] for i in np.flatnonzero(owner == group)]
        box = _around([s.box for s in members])
        if _is_drawing(box, members, words) and not (first and _is_masthead(box, page)):
            found.append(_with_labels(box, words, page))
    return sorted(_merged(found), key=lambda b: (-b[3], b[0]))


def _on_page(strokes: Sequence[Stroke], page: Place) -> list[Stroke]:
    """Cut strokes to the page, and leave out its background, frames and rules."""
    area, rule = _area(page), RULE * (page[2] - page[0])
    kept = []
    for stroke in strokes:
        box = clip_to(stroke.box, page)
        if box is None or _area(box) > area * (BACKGROUND if stroke.rich else FRAME):
            continue
        sides = sorted((box[2] - box[0], box[3] - box[1]))
        if stroke.drawn or sides[0] > THIN or sides[1] < rule:
            kept.append(replace(stroke, box=box))
    return kept


def _on_any(box: Place, pictures: Sequence[Place]) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return any(p[0] <= x <= p[2] and p[1] <= y <= p[3] for p in pictures)


def _is_drawing(box: Place, members: Sequence[Stroke], words: Sequence[Place]) -> bool:
    drawn = [s.box for s in members if s.drawn and (s.rich or _area(s.box) < _area(box) / 2)]
    if len(members) < MIN_STROKES or len(drawn) < MIN_DRAWN:
        return False
    if min(box[2] - box[0], box[3] - box[1]) < SHORT_SIDE or _covered(box, words) > MAX_WORDS:
        return False
    return _spread(box, drawn) >= MIN_SPREAD


def _spread(box: Place, drawn: Sequence[Place]) -> float:
    """The share of a box's fields, ``FIELDS`` to a side, in which something is drawn."""
    fields = np.zeros((FIELDS, FIELDS), bool)
    corner, size = np.array(box[:2]), np.array(box[2:]) - np.array(box[:2])
    for x0, y0, x1, y1 in drawn:
        low = np.clip((np.array([x0, y0]) - corner) / size * FIELDS, 0, FIELDS - 1).astype(int)
        high = np.clip((np.array([x1, y1]) - corner) / size * FIELDS, 0, FIELDS - 1).astype(int)
        fields[low[1] : high[1] + 1, low[0] : high[0] + 1] = True
    return float(fields.mean())


def _is_masthead(box: Place, page: Place) -> bool:
    return box[1] > page[3] - MASTHEAD * (page[3] - page[1])


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
    cell = max(CELL, max(page[2] - page[0], page[3] - page[1]) / CELLS)
    columns, rows = (int((page[2 + i] - page[i]) / cell) + 1 for i in (0, 1))
    grid = np.zeros((rows, columns), bool)
    cells = ((np.array(boxes) - np.array([page[0], page[1]] * 2)) / cell).astype(int)
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
