import numpy as np

from tamperscope.matching import index
from tests.matching.pictures import panel, texture, turned, warped


def described(pictures: list[np.ndarray]) -> list[index.Descriptor]:
    return [index.describe(panel(pixels)) for pixels in pictures]


def test_the_reused_panel_is_on_the_short_list_among_many():
    pictures = [texture(seed, 120, 120) for seed in range(30, 54)]
    truth = turned(70.0, 1.2, mirrored=True, size=(120, 120))
    pictures.append(255 - warped(pictures[5], truth, 120, 120))
    pairs = index.shortlist(described(pictures), partners=2)
    assert (5, 24) in pairs
    assert len(pairs) <= 2 * 25
    assert all(i < j for i, j in pairs)
    assert pairs == sorted(set(pairs))


def test_panels_without_content_pair_with_nothing():
    flat = np.full((80, 80, 3), 90, np.uint8)
    pairs = index.shortlist(described([flat, texture(1, 120, 120), flat]))
    assert all(pair == (0, 1) for pair in pairs) is (len(pairs) == 0)
    assert index.shortlist([]) == []
    assert index.shortlist(described([flat])) == []
