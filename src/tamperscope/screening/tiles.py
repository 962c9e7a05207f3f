"""Puts together pictures that a PDF stores in strips or tiles.

Pieces of one picture are drawn at one resolution, edge to edge. So are, now and then, two panels
without a gutter; those stay apart unless the rows on both sides of the edge continue each other.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tamperscope.screening.pdf_page import Placed
from tamperscope.screening.picture import Place

GAP = 2.0  # stored pixels by which edges of neighbouring pieces may miss or overlap each other
SAME_RESOLUTION = 0.02  # relative difference
STRIP_SIDE = 128  # stored pixels: a piece with a shorter side is joined without a look at it
STRIP_ASPECT = 4.0
MAX_PIECES = 3_000  # on one page
FLAT = 3.0  # grey levels (deviation) of an edge that says nothing
ALIKE = 0.7  # correlation of the rows on both sides of an edge
JUMP = 2.0  # their difference, over that of neighbouring rows inside the pieces

Edge = tuple[np.ndarray, np.ndarray]  # outermost row of pixels and the one before it


def find_tilings(
    pictures: Sequence[Placed], edges: Callable[[Placed], dict[str, Edge] | None]
) -> list[tuple[Placed, ...]]:
    """Group the pieces of tiled pictures; pictures that stand alone are not mentioned.

    Args:
        pictures: Everything drawn on one page.
        edges: Decodes a picture for its edges "left", "right", "top", "bottom"; None where it
            cannot be decoded. Asked only where geometry alone does not decide.
    """
    pieces = list(pictures)
    if not 2 <= len(pieces) <= MAX_PIECES:
        return []
    owner = list(range(len(pieces)))

    def root(i: int) -> int:
        while owner[i] != i:
            owner[i] = owner[owner[i]]
            i = owner[i]
        return i

    for i, j, side, other in _neighbours(pieces):
        if root(i) != root(j) and _one_picture(pieces[i], pieces[j], side, other, edges):
            owner[root(j)] = root(i)
    groups: dict[int, list[Placed]] = {}
    for i, piece in enumerate(pieces):
        groups.setdefault(root(i), []).append(piece)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def is_upright(piece: Placed) -> bool:
    """Whether the picture is drawn neither turned nor mirrored."""
    m = piece.matrix
    return bool(m[0, 0] > 0 and m[1, 1] > 0 and abs(m[0, 1]) + abs(m[1, 0]) < 1e-3 * m[0, 0])


def around(pieces: Sequence[Placed]) -> Place:
    """The box on the page around all pieces."""
    boxes = np.array([piece.box for piece in pieces])
    x0, y0 = boxes[:, :2].min(axis=0)
    x1, y1 = boxes[:, 2:].max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def resolution(piece: Placed) -> tuple[float, float]:
    """Stored pixels per point, along the page's x and y, for a picture at right angles."""
    x0, y0, x1, y1 = piece.box
    turned = abs(piece.matrix[0, 1]) > abs(piece.matrix[0, 0])
    across, down = (piece.height, piece.width) if turned else (piece.width, piece.height)
    return across / max(x1 - x0, 1e-6), down / max(y1 - y0, 1e-6)


def composed(pieces: Sequence[Placed], pixels: Callable[[Placed], np.ndarray]) -> np.ndarray:
    """Lay upright pieces side by side at their stored resolution; gaps stay white."""
    x0, _, x1, y1 = around(pieces)
    y0 = around(pieces)[1]
    across, down = resolution(pieces[0])
    width, height = round((x1 - x0) * across), round((y1 - y0) * down)
    canvas = np.full((height, width, 3), 255, np.uint8)
    for piece in pieces:
        left, top = round((piece.box[0] - x0) * across), round((y1 - piece.box[3]) * down)
        part = pixels(piece)[: height - top, : width - left]
        canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    return canvas


def _neighbours(pieces: Sequence[Placed]) -> list[tuple[int, int, str, str]]:
    """Pairs (i, j, edge of i, edge of j) that touch along a whole edge at one resolution."""
    boxes = np.array([piece.box for piece in pieces])
    rates = np.array([resolution(piece) for piece in pieces])
    same = (np.abs(rates[:, None] / rates[None] - 1) < SAME_RESOLUTION).all(axis=2)
    gap_x, gap_y = GAP / rates[:, 0, None], GAP / rates[:, 1, None]

    def close(a: int, b: int, gap: np.ndarray) -> np.ndarray:
        near: np.ndarray = np.abs(boxes[:, a, None] - boxes[None, :, b]) < gap
        return near

    below = same & close(1, 3, gap_y) & close(0, 0, gap_x) & close(2, 2, gap_x)
    beside = same & close(2, 0, gap_x) & close(1, 1, gap_y) & close(3, 3, gap_y)
    found = [(int(i), int(j), "bottom", "top") for i, j in np.argwhere(below) if i != j]
    found += [(int(i), int(j), "right", "left") for i, j in np.argwhere(beside) if i != j]
    return found


def _one_picture(
    a: Placed,
    b: Placed,
    side: str,
    other: str,
    edges: Callable[[Placed], dict[str, Edge] | None],
) -> bool:
    if _is_strip(a) or _is_strip(b):
        return True
    if not (is_upright(a) and is_upright(b)):
        return False
    of_a, of_b = edges(a), edges(b)
    return of_a is not None and of_b is not None and continues(of_a[side], of_b[other])


def _is_strip(piece: Placed) -> bool:
    short, long = sorted((piece.width, piece.height))
    return short < STRIP_SIDE or long > STRIP_ASPECT * short


def edges_of(pixels: np.ndarray) -> dict[str, Edge]:
    """The outermost rows and columns of pixels (H, W, 3), as grey floats."""
    grey = pixels.mean(axis=2)
    return {
        "top": (grey[0], grey[min(1, len(grey) - 1)]),
        "bottom": (grey[-1], grey[max(-2, -len(grey))]),
        "left": (grey[:, 0], grey[:, min(1, grey.shape[1] - 1)]),
        "right": (grey[:, -1], grey[:, max(-2, -grey.shape[1])]),
    }


def continues(a: Edge, b: Edge) -> bool:
    """Whether the content of one piece goes on in the other across their common edge."""
    size = min(len(a[0]), len(b[0]))
    (a1, a0), (b1, b0) = ((e[0][:size], e[1][:size]) for e in (a, b))
    if a1.std() < FLAT or b1.std() < FLAT:
        return False
    inside = (np.abs(a1 - a0).mean() + np.abs(b1 - b0).mean()) / 2
    alike = np.corrcoef(a1, b1)[0, 1]
    return bool(alike > ALIKE and np.abs(a1 - b1).mean() <= JUMP * inside + 2)
