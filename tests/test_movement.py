import math

import numpy as np
import pytest

from tamperscope.movement import in_words, movement

RIGHT_ANGLES = [  # (x, y) -> matrix row by row, for a picture of W columns and H rows
    ("same size and orientation", lambda a: a, "+x +y"),
    ("turned by 90° counter-clockwise", lambda a: np.rot90(a, 1), "+y -x"),
    ("turned by 180°", lambda a: np.rot90(a, 2), "-x -y"),
    ("turned by 90° clockwise", lambda a: np.rot90(a, 3), "-y +x"),
    ("mirrored left to right", np.fliplr, "-x +y"),
    ("mirrored top to bottom", np.flipud, "+x -y"),
    (
        "mirrored left to right, turned by 90° counter-clockwise",
        lambda a: np.rot90(np.fliplr(a), 1),
        "+y +x",
    ),
    (
        "mirrored left to right, turned by 90° clockwise",
        lambda a: np.rot90(np.fliplr(a), 3),
        "-y -x",
    ),
]
AXES = {"x": (1.0, 0.0), "y": (0.0, 1.0)}


@pytest.mark.parametrize(("words", "change", "spelled"), RIGHT_ANGLES, ids=lambda v: str(v)[:30])
def test_words_say_what_numpy_does(words, change, spelled):
    height, width = 5, 8
    picture = np.arange(height * width).reshape(height, width)
    changed = change(picture)
    rows = []
    for sign, axis in spelled.split():
        size = width if axis == "x" else height
        factor = 1.0 if sign == "+" else -1.0
        rows.append((*(factor * v for v in AXES[axis]), 0.0 if sign == "+" else size - 1.0))
    matrix = (*rows, (0.0, 0.0, 1.0))
    for y, x in np.ndindex(height, width):  # the matrix is the one that the operation means
        to_x, to_y, _ = np.array(matrix) @ (x, y, 1)
        assert changed[int(to_y), int(to_x)] == picture[y, x]
    assert ", ".join(in_words(movement(matrix, (3.0, 2.0)), same_panel=False)) == words


def test_free_turn_scale_and_shift_are_told():
    angle, scale = math.radians(24), 1.3
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    matrix = ((c, s, 7.0), (-s, c, -4.0), (0.0, 0.0, 1.0))  # counter-clockwise on the screen
    words = in_words(movement(matrix, (0.0, 0.0)), same_panel=True)
    assert words == [
        "turned by 24° counter-clockwise",
        "scaled 1.30×",
        "moved 7 px to the right and 4 px up",
    ]


def test_a_stretch_in_one_direction_is_told():
    matrix = ((1.2, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert "stretched 1.20× in one direction" in in_words(
        movement(matrix, (0.0, 0.0)), same_panel=False
    )


def test_a_projective_map_is_described_near_the_point():
    matrix = np.array([[1.1, 0.2, 3.0], [-0.1, 0.9, 5.0], [1e-3, 2e-3, 1.0]])
    at, step = np.array([40.0, 60.0]), 1e-5

    def mapped(point):
        x, y, w = matrix @ (*point, 1.0)
        return np.array([x / w, y / w])

    jacobian = np.stack(
        [(mapped(at + step * axis) - mapped(at - step * axis)) / (2 * step) for axis in np.eye(2)],
        axis=1,
    )
    move = movement(tuple(map(tuple, matrix)), (40.0, 60.0))
    assert move.scale == pytest.approx(math.sqrt(np.linalg.det(jacobian)), rel=1e-6)
    assert move.shift == pytest.approx(tuple(mapped(at) - at))
    long, short = np.linalg.svd(jacobian, compute_uv=False)
    assert move.stretch == pytest.approx(long / short, rel=1e-6)
