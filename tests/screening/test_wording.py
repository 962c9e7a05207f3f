import numpy as np
import pytest

from tamperscope.screening.wording import describe_share, describe_transform, geometry


def turn(degrees: float, scale: float = 1.0, mirrored: bool = False) -> np.ndarray:
    """Counter-clockwise on the screen, where rows grow downwards; mirrored left-right first."""
    angle = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    if mirrored:
        linear = linear @ np.diag([-1, 1])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    return matrix


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [-170, -90, -33, 0, 12.5, 90, 179])
@pytest.mark.parametrize("scale", [0.5, 1, 1.7])
def test_a_transform_is_taken_apart_as_it_was_put_together(degrees, scale, mirrored):
    shape = geometry(turn(degrees, scale, mirrored))
    assert shape.mirrored == mirrored
    assert shape.degrees == pytest.approx(degrees, abs=1e-9)
    assert shape.scale == pytest.approx(scale)


def test_numpys_quarter_turn_is_called_counter_clockwise():
    """np.rot90 turns counter-clockwise as seen: (x, y) of a w-wide picture goes to (y, w-1-x)."""
    width = 40
    matrix = np.array([[0, 1, 0], [-1, 0, width - 1], [0, 0, 1.0]])
    pixels = np.arange(30 * width).reshape(30, width)
    x, y, _ = matrix @ [7, 3, 1]
    assert np.rot90(pixels)[int(y), int(x)] == pixels[3, 7]
    assert describe_transform(matrix) == "turned by 90 degrees counter-clockwise"


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.eye(3), "at the same size and orientation"),
        (turn(0, mirrored=True), "mirrored left to right"),
        (turn(180, mirrored=True), "mirrored top to bottom"),
        (turn(180), "turned by 180 degrees"),
        (turn(-180), "turned by 180 degrees"),
        (turn(-30, 2), "turned by 30 degrees clockwise, at 2.00 times the size"),
        (turn(90, mirrored=True), "mirrored, turned by 90 degrees counter-clockwise"),
    ],
)
def test_words_say_what_an_editor_would(matrix, words):
    assert describe_transform(matrix) == words


def test_inversion_is_named():
    assert describe_transform(np.eye(3), inverted=True) == "with dark and bright exchanged"


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.95, "nearly the whole"), (0.6, "most (60%)"), (0.2, "a part (20%)"), (0, "a part (1%)")],
)
def test_shares_are_rounded_for_reading(share, words):
    assert describe_share(share) == words
