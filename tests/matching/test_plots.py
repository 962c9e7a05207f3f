import cv2
import numpy as np

from tamperscope.matching.plots import without_axes
from tests.matching.pictures import texture

NOTHING = np.zeros((200, 240), bool)


def plot() -> np.ndarray:
    gray = np.ones((200, 240), np.float32)
    gray[20:171, 40:42] = 0  # left axis
    gray[169:171, 40:220] = 0  # lower axis
    gray[90:110, 100:130] = 0.3  # a population
    return gray


def test_axes_and_ticks_are_marked_and_what_is_plotted_is_not():
    marked = without_axes(plot(), NOTHING)
    assert marked[20:169, 36:46].all()
    assert marked[164:175, 40:220].all()
    assert not marked[30:155, 60:200].any()


def test_what_was_taken_for_letters_inside_of_a_plot_is_given_back():
    taken = NOTHING.copy()
    taken[85:115, 95:135] = True  # the population
    taken[4:14, 100:140] = True  # a title
    marked = without_axes(plot(), taken)
    assert not marked[30:155, 60:200].any()
    assert marked[4:14, 100:140].all()


def test_numbers_and_titles_outside_are_marked_and_events_there_are_not():
    levels = (plot() * 255).astype(np.uint8)
    cv2.putText(levels, "100K", (4, 90), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 0, 1)
    gray = levels.astype(np.float32) / 255
    numbers = gray[75:95, 4:34] < 0.5
    gray[185, 60:200:5] = 0  # single events of something pasted below
    marked = without_axes(gray, NOTHING)
    assert marked[75:95, 4:34][numbers].all()
    assert not marked[183:188, 60:200].any()


def test_a_picture_without_axes_keeps_what_was_ignored():
    gray = texture(1)[..., 0].astype(np.float32) / 255
    ignore = np.zeros(gray.shape, bool)
    ignore[10:20, 10:30] = True
    marked = without_axes(gray, ignore)
    assert marked[ignore].all()
    assert marked.mean() < 0.02 + ignore.mean()


def test_axes_that_do_not_meet_mark_only_themselves():
    gray = plot()
    gray[20:171, 40:42] = 1
    gray[20:120, 200:202] = 0
    assert without_axes(gray, NOTHING).mean() < 0.1
