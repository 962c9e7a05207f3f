import cv2
import numpy as np
import pytest

from tamperscope.screening.annotations import annotation_mask
from tests.screening.drawn_figures import blot, texture

INKS = {"white": (255, 255, 255), "black": (0, 0, 0), "yellow": (255, 255, 0), "red": (255, 0, 0)}


def letters(panel, ink):
    cv2.putText(panel, "WT 24h", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.9, ink, 2, cv2.LINE_8)


def scale_bar(panel, ink):
    cv2.rectangle(panel, (200, 260), (279, 264), ink, -1)


def arrow(panel, ink):
    cv2.arrowedLine(panel, (60, 60), (90, 90), ink, 2, cv2.LINE_8, tipLength=0.4)


def box(panel, ink):
    cv2.rectangle(panel, (100, 100), (180, 160), ink, 2)


MARKS = {"letters": letters, "scale bar": scale_bar, "arrow": arrow, "box": box}


@pytest.mark.parametrize("ink", INKS)
@pytest.mark.parametrize("mark", MARKS)
def test_drawn_marks_are_masked_and_little_else(mark, ink):
    panel = texture(300, 320, 1, base=60 if ink == "white" else 150)
    panel = np.clip(panel, 40, 170)
    marked = panel.copy()
    MARKS[mark](marked, INKS[ink])
    drawn = (marked != panel).any(-1)
    mask = annotation_mask(marked)
    assert mask[drawn].mean() > 0.95
    assert not (mask & ~cv2.dilate(drawn.astype(np.uint8), np.ones((7, 7))).astype(bool)).any()


def test_letters_survive_jpeg():
    panel = texture(300, 320, 2, base=60)
    marked = panel.copy()
    letters(marked, INKS["white"])
    drawn = (marked != panel).any(-1)
    stored = cv2.imencode(".jpg", marked, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    assert annotation_mask(cv2.imdecode(stored, cv2.IMREAD_COLOR))[drawn].mean() > 0.9


def test_bands_are_not_masked():
    panel = blot(240, 420, 3)
    assert not annotation_mask(panel).any()
    assert not annotation_mask(255 - panel).any()


def test_thin_dark_bands_that_saturate_are_not_masked():
    y, x = np.mgrid[:120, :400].astype(float)
    plane = np.full((120, 400), 235.0)
    for lane in range(6):
        along = ((x - 40 - 62 * lane) / 24) ** 4
        plane -= 300 * np.exp(-(((y - 60) / 3) ** 2) - along)
    panel = np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    assert not annotation_mask(panel).any()


def test_saturated_puncta_are_not_masked():
    plane = np.random.default_rng(4).normal(20, 4, (300, 300))
    y, x = np.mgrid[:300, :300]
    for cy, cx in np.random.default_rng(5).uniform(10, 290, (40, 2)):
        plane += 400 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 8)
    panel = np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    assert annotation_mask(panel).mean() < 0.002


def test_a_frame_along_the_border_is_masked():
    panel = np.clip(texture(200, 240, 6), 40, 200)
    panel[:3], panel[-3:], panel[:, :3], panel[:, -3:] = 0, 0, 0, 0
    mask = annotation_mask(panel)
    assert mask[:3].all()
    assert mask[:, -3:].all()
    assert mask[10:-10, 10:-10].mean() < 0.01


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (40, 3), (7, 7)])
def test_any_size_will_do(shape):
    panel = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert annotation_mask(panel).shape == shape
