import numpy as np

from tamperscope.matching import reuse
from tamperscope.matching.control import control
from tests.matching.pictures import panel, texture


def test_only_panels_that_hold_the_region_match_as_well():
    pixels = texture(70)
    a, b = panel(pixels), panel(np.ascontiguousarray(pixels[:, ::-1]))
    match = reuse.match_between(a, b, ("keypoints",))[0]
    others = [panel(texture(71)), panel(texture(72)), panel(np.ascontiguousarray(pixels[::-1]))]
    assert control(match, a, others) == (1, 3)
    assert control(match, a, []) == (0, 0)
