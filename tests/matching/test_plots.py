import numpy as np

from tamperscope.matching.plots import axes_mask
from tests.matching.pictures import texture


def plot() -> np.ndarray:
    gray = np.ones((200, 240), np.float32)
    gray[20:171, 40:42] = 0  # left axis
    gray[169:171, 40:220] = 0  # lower axis
    gray[90:110, 100:130] = 0.3  # a population
    return gray


def test_axes_and_ticks_are_marked_and_what_is_plotted_is_not():
    marked = axes_mask(plot())
    assert marked[20:169, 36:46].all()
    assert marked[164:175, 40:220].all()
    assert not marked[30:155, 60:200].any()


def test_a_picture_without_axes_stays_as_it_is():
    gray = texture(1)[..., 0].astype(np.float32) / 255
    assert axes_mask(gray).mean() < 0.02


def test_axes_that_do_not_meet_mark_only_themselves():
    gray = plot()
    gray[20:171, 40:42] = 1
    gray[20:120, 200:202] = 0
    assert axes_mask(gray).mean() < 0.1
