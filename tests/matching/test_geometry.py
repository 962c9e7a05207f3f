import numpy as np
import pytest

from tamperscope.matching import geometry
from tests.matching.pictures import turned

POINTS = np.random.default_rng(3).uniform(0, 200, (30, 2))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0.0, 33.0, 180.0, 271.0])
def test_a_similarity_is_recovered_exactly(angle, mirrored):
    truth = turned(angle, 1.7, mirrored=mirrored, size=(200, 100))
    target = geometry.apply(truth, POINTS)
    found = geometry.fit_similarity(POINTS, target, reflected=mirrored)
    np.testing.assert_allclose(found, truth, atol=1e-9)


def test_an_affine_map_agrees_with_a_plain_least_squares_solution():
    rng = np.random.default_rng(4)
    target = POINTS @ np.array([[1.1, 0.2], [-0.1, 0.8]]) + 5 + rng.normal(0, 1, POINTS.shape)
    design = np.column_stack([POINTS, np.ones(len(POINTS))])
    expected = np.linalg.lstsq(design, target, rcond=None)[0].T
    np.testing.assert_allclose(geometry.fit_affine(POINTS, target)[:2], expected, atol=1e-8)


def test_maps_that_squash_or_shrink_too_much_are_not_plausible():
    assert geometry.is_plausible(np.diag([2.0, 2.0, 1.0]))
    assert geometry.is_plausible(np.array([[1, 0.15, 0], [0, 1, 0], [0, 0, 1.0]]))
    assert not geometry.is_plausible(np.diag([2.0, 0.5, 1.0]))
    assert not geometry.is_plausible(np.diag([0.1, 0.1, 1.0]))
    assert not geometry.is_plausible(np.full((3, 3), np.nan))


def candidate_pairs(truths: list[np.ndarray], strays: int) -> geometry.Pairs:
    rng = np.random.default_rng(5)
    source, target, linear = [], [], []
    for truth in truths:
        points = rng.uniform(20, 180, (12, 2))
        source.append(points)
        target.append(geometry.apply(truth, points) + rng.normal(0, 0.4, points.shape))
        linear.append(np.repeat(truth[None, :2, :2], 12, axis=0))
    source.append(rng.uniform(0, 200, (strays, 2)))
    target.append(rng.uniform(0, 200, (strays, 2)))
    angles = rng.uniform(0, 2 * np.pi, strays)
    c, s = np.cos(angles), np.sin(angles)
    linear.append(np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2))
    pairs = [np.concatenate(part) for part in (source, target, linear)]
    return geometry.Pairs(*pairs, np.ones(len(pairs[0])))


def test_several_transforms_are_found_among_strays():
    truths = [
        turned(20.0, 1.0, mirrored=False, size=(200, 200)),
        turned(-70.0, 0.6, mirrored=False, size=(200, 260)),
    ]
    found = geometry.find_transforms(candidate_pairs(truths, 80), tolerance=3.0, least=4, limit=6)
    for truth in truths:
        errors = [np.abs(transform - truth)[:2].max() for transform, _ in found[:2]]
        assert min(errors) < 1.5
    assert [len(members) for _, members in found[:2]] == [12, 12]


def test_strays_alone_make_no_transform():
    assert geometry.find_transforms(candidate_pairs([], 90), tolerance=3.0, least=5, limit=6) == []
