import cv2
import numpy as np
import pytest

from tamperscope.matching.match import PreparedPanel
from tamperscope.matching.pasted import find_pasted, sharp_boxes
from tamperscope.matching.seams import find_seams
from tamperscope.records import Box


def ground(seed, height=240, width=320, level=0.7, noise=0.02):
    """Soft bands on an uneven ground with the noise of a camera, in [0, 1]."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 0.05, (height // 16 + 2, width // 16 + 2)).astype(np.float32)
    picture = level + cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for lane in range(5):
        bar = np.zeros((height, width), np.float32)
        y, x = int(rng.integers(30, height - 40)), 20 + lane * width // 5
        bar[y : y + 12, x : x + width // 8] = 0.4
        picture -= cv2.GaussianBlur(bar, (0, 0), 4)
    return np.clip(picture + rng.normal(0, noise, picture.shape), 0, 1).astype(np.float32)


def blot(gray, kind="blot"):
    return PreparedPanel(gray, np.ones(gray.shape, bool), kind)


BOX = Box(121, 62, 193, 131)


def pasted(box=BOX, level=0.55, soft=0.0):
    host, donor = ground(0), ground(9, level=level)
    mask = np.zeros(host.shape, np.float32)
    mask[box.slices] = 1
    if soft:
        mask = cv2.GaussianBlur(mask, (0, 0), soft)
    return np.where(mask > 0, mask * donor + (1 - mask) * host, host).astype(np.float32)


def test_a_pasted_box_is_found_to_the_pixel_and_its_sides_are_no_seams():
    panel = blot(pasted())
    (found,) = find_pasted(panel)
    assert found.box == BOX
    assert found.mask.sum() == BOX.width * BOX.height
    assert found.mask[BOX.slices].all()
    assert found.measure("sides") == 4
    assert found.chance <= 0.011
    assert all(found.has_side(seam.box) for seam in find_seams(panel))
    assert not found.has_side(Box(10, 62, 16, 131))
    assert "72 x 69 pixels" in found.sentence("panel 1")


@pytest.mark.parametrize("box", [Box(0, 62, 80, 131), Box(200, 100, 320, 190)])
def test_the_border_of_the_panel_may_be_one_side(box):
    (found,) = find_pasted(blot(pasted(box)))
    assert found.box == box
    assert found.measure("sides") == 3


@pytest.mark.parametrize("seed", range(6))
def test_a_blot_has_none(seed):
    assert find_pasted(blot(ground(seed))) == []


@pytest.mark.parametrize("soft", [0.6, 0.8, 1.0, 2.0])
def test_a_soft_rim_is_not_sharp(soft):
    assert sharp_boxes(pasted(soft=soft)) == []


def test_a_box_between_drawn_lines_is_not_pasted():
    ruled = pasted(level=0.45)
    for top in (BOX.y0 - 2, BOX.y1):
        ruled[top : top + 2, BOX.x0 : BOX.x1] = 0
    assert sharp_boxes(ruled) == []


def test_sides_that_go_on_count_against_a_box():
    def strength(gray):
        (own,) = (one.strength for one in sharp_boxes(gray) if one.box == BOX)
        return own

    alone = pasted(level=0.45)
    going_on = alone.copy()
    below = slice(BOX.y1, BOX.y1 + 30), slice(BOX.x0, None)
    going_on[below] = np.clip(going_on[below] - 0.2, 0, 1)  # its left rim is the box's, longer
    assert strength(going_on) < strength(alone) - 20


def test_a_drawn_frame_and_a_label_are_not_pasted():
    framed = ground(0)
    framed[60:130, 120:190] = np.where(
        np.pad(np.zeros((66, 66), bool), 2, constant_values=True), 0.0, framed[60:130, 120:190]
    )
    assert find_pasted(blot(framed)) == []
    labelled = ground(0)
    labelled[BOX.slices] = 1.0
    assert find_pasted(blot(labelled)) == []


def test_where_sharp_sides_are_usual_a_box_says_nothing():
    drawn = ground(0)
    for left in range(20, 300, 28):
        drawn[20:220, left : left + 14] = ground(9, level=0.4)[20:220, left : left + 14]
    assert find_pasted(blot(drawn)) == []
    alone = ground(0)
    alone[20:220, 76:90] = 0.7 * alone[20:220, 76:90]
    assert find_pasted(blot(alone)) == []  # narrower than a box can be


def test_a_box_among_wider_lines_is_not_one_by_itself():
    """Columns that go on beyond the corners belong to something larger."""
    lanes = ground(0)
    lanes[:, 121:193] = ground(9, level=0.5)[:, 121:193]
    assert all(one.box.height == 240 for one in sharp_boxes(lanes))
    assert find_pasted(blot(lanes)) == []


def test_only_blots_are_looked_at_and_tiny_ones_have_no_room():
    assert find_pasted(blot(pasted(), "microscopy")) == []
    assert find_pasted(blot(ground(0)[:40, :40])) == []
