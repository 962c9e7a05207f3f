import cv2
import numpy as np

from tamperscope.matching import reuse
from tamperscope.matching.stability import stability, support_of
from tests.matching.pictures import panel, texture


def test_a_true_match_holds_under_every_disturbance():
    pixels = texture(60)
    a, b = panel(pixels), panel(np.ascontiguousarray(pixels[20:200, ::-1][:, 10:]))
    match = reuse.match_between(a, b, ("keypoints",))[0]
    held = stability(a, b, match)
    assert [name for name, _ in held] == ["JPEG 70", "rescale 0.75", "contrast", "crop"]
    assert all(well for _, well in held)


def test_a_match_inside_a_panel_holds():
    pixels = texture(61)
    pixels[120:210, 130:230] = pixels[10:100, 10:110]
    a = panel(pixels)
    match = reuse.match_within(a, ("keypoints",))[0]
    assert all(well for _, well in stability(a, None, match))


def test_a_match_with_something_else_holds_under_nothing():
    pixels = texture(62)
    match = reuse.match_between(panel(pixels), panel(pixels[:, ::-1].copy()), ("keypoints",))[0]
    held = stability(panel(pixels), panel(texture(63)), match)
    assert not any(well for _, well in held)


def test_support_lies_in_the_mask():
    mask = np.zeros((60, 80), np.uint8)
    cv2.circle(mask, (40, 30), 15, 1, -1)
    x, y = support_of(mask.astype(bool)).astype(int).T
    assert mask[y, x].all()
    assert len(x) == 60
