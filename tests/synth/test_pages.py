import numpy as np
import pytest
from scipy import ndimage

from tamperscope.synth.forge import make_sample
from tamperscope.synth.pages import PAPER, on_page
from tamperscope.synth.recipe import read_recipe
from tamperscope.synth.sample import UnfitError
from tests.synth.panels import PLAIN, TexturedSource, error_of, made, work

HEAD = 'format = "tamperscope-recipe/1"\nsize = [96, 112]\n'


def shown(operation, seed):
    """A forgery, the same on a page, and the windows in which its panels are seen."""
    for number in range(seed, seed + 2000, 100):
        forgery = made(operation, number, PLAIN)
        try:
            paged = on_page(forgery, work(number))
        except UnfitError:
            continue
        windows = []
        for panel, (x, y, width, height) in zip(
            paged.panels, paged.parameters["page"], strict=True
        ):
            window = np.zeros(panel.shape[:2], bool)
            window[y : y + height, x : x + width] = True
            windows.append(window)
        return forgery, paged, windows
    raise AssertionError(f"{operation} never fits on a page")


@pytest.mark.parametrize("operation", ["pristine", "copy-move", "lane-inserted", "overlap"])
@pytest.mark.parametrize("seed", range(4))
def test_the_panel_is_as_it_was_in_its_window_and_nothing_is_marked_under_paper(operation, seed):
    forgery, paged, windows = shown(operation, seed)
    for before, after, target, kept, window in zip(
        forgery.panels, paged.panels, forgery.targets, paged.targets, windows, strict=True
    ):
        inner = ndimage.binary_erosion(window, np.ones((3, 3)), iterations=2)  # a frame's width
        assert not window.all()
        assert inner.mean() > 0.1
        np.testing.assert_array_equal(after[inner], before[inner])
        np.testing.assert_array_equal(kept, target & window)
    assert paged.kind == forgery.kind


@pytest.mark.parametrize("seed", range(6))
def test_what_is_linked_is_there_twice(seed):
    _, paged, windows = shown("copy-move", seed)
    for link in paged.links:
        for mask in (link.source, link.target):
            assert mask.any()
            assert not (mask & ~windows[0]).any()
        assert error_of(link, paged.panels) < 1.2  # as without a page


def test_a_copy_whose_original_lies_under_paper_is_no_longer_linked():
    lost = 0
    for seed in range(40):
        try:
            paged = on_page(made("copy-move", seed, PLAIN), work(seed))
        except UnfitError:
            continue
        lost += len(paged.links) < len(made("copy-move", seed, PLAIN).links)
    assert lost > 0


def test_paper_lies_beside_the_panel():
    found = set()
    for seed in range(40):
        _, paged, (window,) = shown("pristine", seed)
        levels, counts = np.unique(paged.panels[0][~window], return_counts=True)
        found.add(int(levels[counts.argmax()]))
    assert found == set(PAPER)


def test_a_recipe_draws_pages_as_often_as_it_says():
    source = TexturedSource()
    text = HEAD + "page = 0.4\n[operations.pristine]\n"
    recipe = read_recipe(text, "paged")
    paged = ["page" in make_sample(recipe, source, 0, 0, i).parameters for i in range(200)]
    assert 60 <= sum(paged) <= 100  # four standard deviations around 80: 52 to 108
    without = read_recipe(text.replace("0.4", "0"), "plain")
    plain = read_recipe(HEAD + "[operations.pristine]\n", "plain")
    for index in range(4):  # a chance of 0 draws nothing: old samples stay what they were
        one, same = (make_sample(r, source, 0, 0, index).panels[0] for r in (without, plain))
        np.testing.assert_array_equal(one, same)


def test_shading_is_soft_and_nothing_is_marked():
    steep = []
    for seed in range(20):
        forgery = made("shaded", seed, PLAIN, source=Flat())
        assert not forgery.targets[0].any()
        gray = forgery.panels[0][..., 0].astype(int)
        rise = np.ptp(gray)
        assert 10 <= rise <= 71
        steep.append(max(abs(np.diff(gray, axis=axis)).max() for axis in (0, 1)) / rise)
    assert max(steep) < 0.35  # of the step from one pixel to the next; a join has 1


def test_a_marker_has_straight_sides_and_many_bands():
    for seed in range(12):
        forgery = made("laddered", seed, PLAIN, source=Flat())
        assert not forgery.targets[0].any()
        changed = forgery.panels[0][..., 0] != 128
        columns = np.flatnonzero(changed.any(axis=0))
        assert 4 <= np.ptp(columns) + 1 <= 0.14 * changed.shape[1] + 12  # and a blur's reach
        along = forgery.panels[0][:, columns.mean().round().astype(int), 0].astype(float)
        assert (np.diff(np.sign(np.diff(along))) != 0).sum() >= 6  # goes up and down again


def test_lines_cross_the_whole_panel_and_are_thin():
    for seed in range(12):
        forgery = made("ruled", seed, PLAIN, source=Flat())
        assert not forgery.targets[0].any()
        changed = (forgery.panels[0] != 128).any(axis=2)
        lines = changed.all(axis=1), changed.all(axis=0)
        assert changed.any()
        assert all(line.sum() <= 8 for line in lines)
        np.testing.assert_array_equal(changed, lines[0][:, None] | lines[1][None])


class Flat(TexturedSource):
    """Panels of one grey level."""

    def draw(self, rng, size, modality, *, sharp=False):
        panel = super().draw(rng, size, modality)
        panel.pixels[:] = 128
        return panel
