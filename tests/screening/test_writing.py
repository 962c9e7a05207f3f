import cv2
import numpy as np
import pytest

from tamperscope.screening.writing import written_lines

CYAN, GROUND = (150, 220, 235), (70, 75, 110)


def gel() -> np.ndarray:
    pixels = np.full((120, 400, 3), GROUND, np.uint8)
    noise = np.random.default_rng(1).normal(0, 3, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def written(pixels: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(pixels, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, CYAN, 1, cv2.LINE_AA)


def test_small_blended_letters_of_any_colour_are_found():
    clean = gel()
    pixels = clean.copy()
    written(pixels, "PFG ladder", 30, 30)
    drawn = np.abs(pixels.astype(int) - clean).max(-1) > 60
    assert written_lines(pixels)[drawn].mean() > 0.7


def test_single_numbers_above_lanes_are_found_as_a_line():
    clean = gel()
    pixels = clean.copy()
    for lane, number in enumerate("5793"):
        written(pixels, number, 30 + 38 * lane, 30)
    drawn = np.abs(pixels.astype(int) - clean).max(-1) > 60
    assert written_lines(pixels)[drawn].mean() > 0.7


def test_what_stands_beside_letters_is_writing_too():
    """Dots, filled letters, and a number alone above others are no letters by themselves."""
    clean = gel()
    pixels = clean.copy()
    for lane in range(6):
        written(pixels, "147", 20 + 60 * lane, 44)
        cv2.circle(pixels, (50 + 60 * lane, 43), 1, CYAN, -1)  # a point
    written(pixels, "8", 207, 30)
    alone = clean.copy()
    written(alone, "8", 207, 30)
    cv2.circle(alone, (50, 43), 1, CYAN, -1)
    drawn = np.abs(pixels.astype(int) - clean).max(-1) > 60
    found = written_lines(pixels)
    assert found[drawn].mean() > 0.7
    assert found[42:45, 49:52].any()
    assert found[22:31, 205:217].any()
    assert not written_lines(alone).any()


def test_bands_below_letters_of_their_colour_stay():
    pixels = gel()
    for lane in range(6):
        written(pixels, "147", 20 + 60 * lane, 30)
    bands = pixels.copy()
    for lane in range(6):
        cv2.rectangle(bands, (18 + 60 * lane, 60), (46 + 60 * lane, 66), CYAN, -1)
    assert not written_lines(bands)[50:].any()
    assert np.array_equal(written_lines(bands)[:40], written_lines(pixels)[:40])


def test_grains_of_a_texture_gather_no_neighbours():
    """Some grains stand in lines by chance; what lies beside them is no writing."""
    rng = np.random.default_rng(3)
    pixels = gel()
    for x, y in zip(rng.integers(5, 395, 400), rng.integers(5, 115, 400), strict=True):
        length = int(rng.integers(1, 8))
        cv2.line(pixels, (x, y), (x + int(rng.integers(-3, 4)), y + length), CYAN, 1)
    assert written_lines(pixels).mean() < 0.02


@pytest.mark.parametrize("blurred", [0.0, 1.5])
def test_bands_and_cells_in_rows_are_not_writing(blurred):
    pixels = gel()
    for lane in range(8):
        cv2.rectangle(pixels, (20 + 45 * lane, 40), (44 + 45 * lane, 47), CYAN, -1)
        cv2.circle(pixels, (30 + 45 * lane, 80), 7, CYAN, -1)
    if blurred:
        pixels = cv2.GaussianBlur(pixels, (0, 0), blurred)
    assert not written_lines(pixels).any()


def test_a_lone_stroke_is_not_writing():
    pixels = gel()
    cv2.line(pixels, (100, 40), (100, 54), CYAN, 2)
    assert not written_lines(pixels).any()


def test_an_empty_panel_has_none():
    assert not written_lines(np.zeros((40, 40, 3), np.uint8)).any()
