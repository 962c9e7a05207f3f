import numpy as np
import pytest

from tamperscope.synth.forge import make_sample
from tamperscope.synth.geometry import map_points
from tamperscope.synth.recipe import read_recipe
from tamperscope.training.symmetries import (
    draw_symmetry,
    exchanged,
    symmetry_matrix,
    turned,
    turned_sample,
)
from tests.synth.panels import TexturedSource

RECIPE = """
format = "tamperscope-recipe/1"
size = [96, 96]
[operations.OPERATION]
[geometry]
flip = 0.5
rotate = 1.0
"""


@pytest.mark.parametrize("symmetry", range(8))
def test_the_matrix_says_where_a_pixel_goes(symmetry):
    numbers = np.arange(6 * 6).reshape(6, 6)
    seen = turned(numbers, symmetry)
    ys, xs = np.mgrid[:6, :6]
    places = map_points(symmetry_matrix(symmetry, (6, 6)), np.stack([xs, ys], -1).reshape(-1, 2))
    x, y = places.astype(int).T
    np.testing.assert_array_equal(seen[y, x], numbers.ravel())


def test_the_eight_symmetries_differ():
    numbers = np.arange(9).reshape(3, 3)
    assert len({turned(numbers, symmetry).tobytes() for symmetry in range(8)}) == 8


def test_panels_that_are_not_square_keep_their_sides():
    drawn = {draw_symmetry(np.random.default_rng(seed), (20, 30)) for seed in range(60)}
    assert drawn == {0, 1, 2, 3}


@pytest.mark.parametrize("operation", ["copy-move", "overlap"])
@pytest.mark.parametrize("symmetry", range(8))
def test_links_still_lead_from_source_to_target(operation, symmetry):
    recipe = read_recipe(RECIPE.replace("OPERATION", operation), "test")
    sample = make_sample(recipe, TexturedSource(), 0, 0, 1)
    seen = turned_sample(sample, symmetry)
    if len(seen.panels) == 2:
        seen = exchanged(seen)
        np.testing.assert_array_equal(seen.panels[1], turned(sample.panels[0], symmetry))
        assert seen.links[0].source_panel == 1
    assert seen.links
    for link in seen.links:
        y, x = np.nonzero(link.source)
        places = np.rint(map_points(link.matrix, np.stack([x, y], -1).astype(float))).astype(int)
        inside = ((places >= 0) & (places < 96)).all(axis=1)
        landed = link.target[places[inside, 1], places[inside, 0]]
        assert landed.mean() > 0.97  # rounding costs pixels at the edge of a mask
        np.testing.assert_array_equal(seen.sources[link.source_panel] & link.source, link.source)
