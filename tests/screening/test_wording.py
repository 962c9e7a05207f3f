import numpy as np
import pytest

from tamperscope.matching.match import Match
from tamperscope.screening.wording import describe_share, sentence_between, sentence_within


def match(transform: np.ndarray, inverted: bool = False) -> Match:
    mask = np.zeros((40, 100), dtype=bool)
    mask[10:20, 30:50] = True
    return Match("keypoints", transform, mask, mask, 9, 0.9, 0.95, 0.01, "null", 0.9, inverted)


def test_a_duplicate_is_told_with_places_shares_and_movement():
    mirrored = np.array([[-1, 0, 99], [0, 1, 0], [0, 0, 1.0]])
    text = sentence_between(match(mirrored), "figure 1", "panel 2 of figure 3", same_field=False)
    assert text == (
        "A part (5%) of figure 1 appears again in panel 2 of figure 3 (a part (5%) of it): "
        "mirrored left to right."
    )


def test_colour_channels_are_named_as_an_explanation():
    text = sentence_between(match(np.eye(3)), "figure 1", "figure 2", same_field=True)
    assert text.endswith("as colour channels and merged views do.")


def test_inversion_is_told():
    text = sentence_within(match(np.eye(3), inverted=True), "figure 1")
    assert text == (
        "Two places inside figure 1 show the same content (5.0% of the panel each): same size and "
        "orientation, dark and bright exchanged."
    )


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.95, "nearly the whole"), (0.6, "most (60%)"), (0.2, "a part (20%)"), (0, "a part (1%)")],
)
def test_shares_are_rounded_for_reading(share, words):
    assert describe_share(share) == words
