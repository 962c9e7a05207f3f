import cv2
import numpy as np
import pytest

from tamperscope.matching.seams import find_seams
from tests.matching.drawn_blots import blot, panel, stored


def joined(jump: float, seed: int = 0) -> np.ndarray:
    """A blot without its columns 120..169: the seam is at column 120."""
    gray = blot(seed)
    return np.concatenate([gray[:, :120], gray[:, 170:] + jump], axis=1)


@pytest.mark.parametrize("quality", [None, 90])
@pytest.mark.parametrize("jump", [8.0, -14.0])
def test_a_join_is_found_where_it_is(jump, quality):
    gray = joined(jump)
    seam = find_seams(panel(gray if quality is None else stored(gray, quality)))[0]
    assert not seam.horizontal
    assert abs(seam.place - 120) <= 1
    assert seam.measure("length_share") > 0.6
    assert seam.mask[:, 119:121].mean() == pytest.approx(seam.measure("length_share"), abs=0.01)
    assert seam.mask[:, :110].sum() == 0
    assert 0 < seam.chance < 0.05
    assert "vertical" in seam.sentence("panel f001p01")


def test_a_turned_blot_has_the_same_seams_turned():
    upright, turned = (find_seams(panel(gray)) for gray in (joined(9.0), joined(9.0).T))
    assert upright
    assert [(s.place, s.start, s.stop, s.measures) for s in upright] == [
        (s.place, s.start, s.stop, s.measures) for s in turned
    ]
    assert turned[0].horizontal
    assert "horizontal" in turned[0].sentence("panel f001p01")


def test_a_pasted_rectangle_leaves_partial_seams():
    gray = blot(3)
    gray[50:150, 90:170] = blot(4)[20:120, 10:90] + 25
    found = find_seams(panel(gray))
    vertical = {s.place for s in found if not s.horizontal}
    assert any(abs(place - 90) <= 1 for place in vertical)
    assert any(abs(place - 170) <= 1 for place in vertical)
    for seam in found:
        assert seam.start >= 40
        assert seam.stop <= 180


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("quality", [None, 60, 30])
def test_an_untouched_blot_has_no_seams(seed, quality):
    gray = blot(seed)
    assert find_seams(panel(gray if quality is None else stored(gray, quality))) == []


def test_a_drawn_dividing_line_is_honest():
    gray = joined(9.0)
    assert find_seams(panel(gray))
    gray[:, 119:121] = 20
    assert find_seams(panel(gray)) == []


def test_a_faint_dividing_line_is_honest_too():
    gray = joined(14.0, seed=1)
    assert find_seams(panel(gray))
    gray[:, 119] -= 4.5
    assert find_seams(panel(gray)) == []


def test_a_gap_or_a_frame_is_no_seam():
    gray = blot(1)
    gray[:, 100:112] = 255  # a gutter
    gray[:, 200:] = 0  # beyond the film
    assert find_seams(panel(gray)) == []


def test_an_edge_that_a_lens_took_is_no_seam():
    step = np.where(np.arange(260) < 130, 0.0, 25.0)
    blurred = cv2.GaussianBlur(step[None], (0, 0), 1.5)
    assert find_seams(panel(blot(2) + step))
    assert find_seams(panel(blot(2) + blurred)) == []


def test_only_blots_have_seams():
    assert find_seams(panel(joined(9.0)))
    assert find_seams(panel(joined(9.0), "microscopy")) == []


@pytest.mark.parametrize("shape", [(8, 8), (5, 300), (300, 7)])
def test_tiny_blots_are_no_trouble(shape):
    assert find_seams(panel(blot(0)[: shape[0], : shape[1]])) == []
