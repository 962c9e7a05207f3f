import numpy as np

from tamperscope.matching.prepare import prepare
from tamperscope.screening.rims import REACH, rims


def blot_on_a_page(left: int, *, hole: bool = False):
    """A noisy grey field whose first ``left`` columns are white paper; perhaps a white patch."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(90, 160, (120, 160, 1), dtype=np.uint8).repeat(3, axis=2)
    pixels[:, :left] = 255
    if hole:
        pixels[40:80, 80:120] = 255
    return prepare(pixels, "blot")


INNER = (slice(REACH, -REACH), slice(REACH, -REACH))


def test_the_page_beside_a_blot_has_a_rim_of_a_few_pixels():
    marked = rims(blot_on_a_page(60))
    assert marked[:, : 60 + REACH - 5].all()  # emptiness is decided in windows of nine pixels
    assert not marked[INNER][:, 60 + 1 :].any()


def test_a_blot_that_fills_its_panel_has_its_sides_alone():
    marked = rims(blot_on_a_page(0))
    assert not marked[INNER].any()
    marked[INNER] = True
    assert marked.all()


def test_a_saturated_band_inside_a_blot_has_none():
    assert not rims(blot_on_a_page(0, hole=True))[INNER].any()


def test_a_corner_too_small_to_matter_has_none():
    rng = np.random.default_rng(0)
    pixels = rng.integers(90, 160, (240, 240, 3), dtype=np.uint8)
    pixels[:15, :15] = 255
    assert not rims(prepare(pixels, "blot"))[INNER].any()
