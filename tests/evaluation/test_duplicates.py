from collections import Counter

import numpy as np
import pytest

from tamperscope.evaluation import duplicates, placing, sources, transforms
from tamperscope.evaluation.duplicates import Case
from tests.evaluation.drawn import write_pictures


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    listed = sources.index_sources(write_pictures(tmp_path_factory.mktemp("pristine")))
    return sources.check_sources(listed)[0]


def positive(group, mode, alteration, number):
    return Case(group, "microscopy", number, alteration, mode)


@pytest.mark.parametrize("mode", [*duplicates.MODES, "copy-move"])
@pytest.mark.parametrize("alteration", transforms.CLASSES)
def test_the_truth_says_where_the_pixels_went(pictures, mode, alteration):
    """Carried by the true transform, the source region resembles the target region."""
    group = "within" if mode == "copy-move" else "pair"
    sample = duplicates.make_sample(positive(group, mode, alteration, 1), pictures, 4)
    assert not isinstance(sample, str), sample
    target = sample.first if sample.second is None else sample.second
    truth = sample.truth
    assert truth.target_mask.shape == target.shape[:2]
    drawn = transforms.warp(sample.first, truth.transform, *target.shape[:2])
    inner = truth.target_mask & ~placing.warp_mask(
        ~truth.source_mask, truth.transform, *target.shape[:2]
    )
    a, b = drawn[inner][:, 0].astype(float), target[inner][:, 0].astype(float)
    correlation = np.corrcoef(a, b)[0, 1]
    assert abs(correlation) > 0.75, correlation
    assert (correlation < 0) == (alteration == "inversion")
    if group == "within":
        assert not (truth.source_mask & truth.target_mask).any()
    back = placing.warp_mask(
        truth.target_mask, np.linalg.inv(truth.transform), *sample.first.shape[:2]
    )
    overlap = (back & truth.source_mask).sum() / (back | truth.source_mask).sum()
    assert overlap > 0.93


def test_a_sample_depends_on_its_name_and_the_seed_only(pictures):
    case = positive("pair", "paste", "combined", 3)
    first, again = (duplicates.make_sample(case, pictures, 7) for _ in range(2))
    np.testing.assert_array_equal(first.second, again.second)
    other = duplicates.make_sample(case, pictures, 8)
    assert other.second.shape != first.second.shape or (other.second != first.second).any()


def test_pristine_pairs_have_the_origins_that_were_asked_for(pictures):
    origin = {source.name: source.origin for source in pictures}
    for number in range(10):
        for group in ("unrelated", "same-origin"):
            sample = duplicates.make_sample(Case(group, "blot", number), pictures, 0)
            first, second = sample.sources
            assert first != second
            assert (origin[first] == origin[second]) == (group == "same-origin")


def test_the_plan_shows_every_modality_in_every_mode(pictures):
    cases = duplicates.plan(pictures, 8, 10, None)
    assert len({case.key for case in cases}) == len(cases)
    cells = Counter((c.alteration, c.kind, c.mode) for c in cases if c.group == "pair")
    assert set(cells.values()) == {1}
    assert len(cells) == len(transforms.CLASSES) * 2 * len(duplicates.MODES)
    assert Counter(c.group for c in cases)["panel"] == len(pictures)
    short = duplicates.plan(pictures, 2, 0, 0)
    assert set(Counter(c.mode for c in short if c.group == "pair").values()) == {10}
    few = duplicates.plan(pictures, 0, 0, 3)
    assert Counter(c.kind for c in few) == {"blot": 2, "microscopy": 1}


def test_what_no_picture_can_show_is_said(pictures):
    alone = [source for source in pictures if source.origin == "a"]
    why = duplicates.make_sample(Case("unrelated", "blot", 0), alone, 0)
    assert isinstance(why, str)
    assert "another origin" in why
