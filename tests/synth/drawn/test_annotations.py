import numpy as np
import pytest

from tamperscope.synth.drawn.annotations import SEEN, annotate
from tamperscope.synth.drawn.lettering import lay, letters
from tamperscope.synth.drawn.scene import Scene


def blank(size=(160, 200), level=128):
    scene = Scene(np.zeros((*size, 3), np.float32), np.zeros(size, np.int32), "blank")
    return np.full((*size, 3), level, np.uint8), scene


@pytest.mark.parametrize("modality", ["blot", "microscopy", "facs", "macroscopy"])
def test_the_mask_holds_every_pixel_that_was_written_on_and_no_other(modality):
    written = 0
    for seed in range(120):
        before, scene = blank()
        after, mask, found = annotate(np.random.default_rng(seed), before, modality, scene)
        change = np.abs(after.astype(int) - before).max(axis=2)
        assert (change[mask] > 5).all()
        assert (change[~mask] <= SEEN * 128 + 1).all()
        assert bool(found["annotations"]) or not mask.any()
        written += bool(mask.any())
    assert written >= 2


def test_the_picture_handed_in_is_left_alone():
    before, scene = blank()
    for seed in range(20):
        annotate(np.random.default_rng(seed), before, "microscopy", scene)
    assert (before == 128).all()


def test_small_panels_carry_no_annotations():
    for seed in range(40):
        pixels, scene = blank((47, 200))
        after, mask, found = annotate(np.random.default_rng(seed), pixels, "blot", scene)
        assert not mask.any()
        assert np.array_equal(after, pixels)
        assert found == {"annotations": []}


def test_marks_of_the_style_itself_stay_in_the_mask():
    pixels, scene = blank()
    scene.marks = np.zeros((160, 200), bool)
    scene.marks[3, 5] = True
    _, mask, _ = annotate(np.random.default_rng(1), pixels, "facs", scene)
    assert mask[3, 5]


@pytest.mark.parametrize("face", range(4))
def test_letters_are_about_as_tall_as_asked(face):
    for height in (8, 20, 40):
        rows = np.flatnonzero(letters("H8", height, face).max(axis=1) > 0.3)
        assert 0.5 * height <= rows[-1] - rows[0] + 1 <= 1.2 * height + 2


def test_what_leaves_the_page_is_cut_off():
    ink = np.zeros((10, 10), np.float32)
    stencil = np.ones((4, 4), np.float32)
    assert lay(ink, stencil, -2, 8)
    assert ink.sum() == 4
    assert not lay(ink, stencil, 20, 0)
