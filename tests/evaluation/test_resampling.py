import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, matthews_corrcoef

from tamperscope.evaluation import resampling
from tamperscope.evaluation.intervals import bootstrap_by_source
from tamperscope.evaluation.metrics import Counts, mcc_or_zero


def rng():
    return np.random.default_rng(3)


def test_scores_of_sums_agree_with_scikit_learn():
    truth = [1] * 7 + [0] * 11
    predicted = [1] * 5 + [0] * 2 + [1] * 3 + [0] * 8
    sums = np.array([[5.0, 3.0, 2.0, 8.0]])
    assert resampling.pooled_mcc(sums)[0] == pytest.approx(matthews_corrcoef(truth, predicted))
    assert resampling.pooled_f1(sums)[0] == pytest.approx(f1_score(truth, predicted))


def test_a_correlation_is_0_where_nothing_was_marked_and_none_where_all_is_of_one_kind():
    sums = np.array([[0, 0, 7, 11], [7, 11, 0, 0], [0, 3, 0, 11], [5, 0, 2, 0.0]])
    found = resampling.pooled_mcc(sums)
    assert found[:2].tolist() == [0, 0]
    assert np.isnan(found[2:]).all()
    for row, score in zip(sums, found, strict=True):
        np.testing.assert_equal(score, mcc_or_zero(Counts(*map(int, row))))


def test_the_interval_of_a_mean_is_that_of_the_bootstrap_by_source():
    """Same statistic, other code and other draws: they agree within the noise of the draws."""
    values = np.random.default_rng(0).random(200)
    groups = [str(i // 5) for i in range(200)]
    rows = np.column_stack([values, np.ones(200)])
    ours = resampling.interval(rows, groups, resampling.mean_score, rng(), draws=6000)
    theirs = bootstrap_by_source(list(values), groups, rng(), draws=6000)
    np.testing.assert_allclose(ours, theirs, atol=0.005)


def test_samples_of_one_group_give_no_narrower_interval_for_being_many():
    values = np.repeat(np.random.default_rng(1).random(20), 50)
    rows = np.column_stack([values, np.ones(1000)])
    groups = np.repeat(np.arange(20), 50).tolist()
    by_group = resampling.interval(rows, groups, resampling.mean_score, rng())
    alone = resampling.interval(rows, range(1000), resampling.mean_score, rng())
    assert np.ptp(by_group) > 4 * np.ptp(alone)


def test_an_interval_that_says_nothing_is_none():
    rows = np.array([[1.0, 1.0], [1.0, 1.0]])
    assert resampling.interval(rows, ["a", "b"], resampling.mean_score, rng()) is None
    assert resampling.interval(rows, ["a", "a"], resampling.mean_score, rng()) is None


def test_two_equal_methods_differ_by_nothing_and_a_clear_difference_is_found():
    scores = np.random.default_rng(2).random(40)
    groups = list(range(40))
    first = np.column_stack([scores, np.ones(40)])
    same = resampling.compare(first, first, groups, resampling.mean_score, rng())
    assert (same.difference, same.interval, same.p) == (0.0, None, 1.0)
    better = first + np.array([0.2, 0.0]) + np.column_stack([0.02 * scores, np.zeros(40)])
    found = resampling.compare(first, better, groups, resampling.mean_score, rng())
    assert found.difference == pytest.approx(0.2 + 0.02 * scores.mean())
    assert found.interval[0] > 0.19
    assert found.p == pytest.approx(1 / (resampling.DRAWS + 1))
    back = resampling.compare(better, first, groups, resampling.mean_score, rng())
    assert back.difference == pytest.approx(-found.difference)
    assert back.p == found.p


def test_under_the_null_p_is_spread_evenly():
    """Two methods of one quality: p below 0.2 in about a fifth of 200 experiments."""
    draw = np.random.default_rng(5)
    small = 0
    for _ in range(200):
        a, b = (np.column_stack([draw.random(12), np.ones(12)]) for _ in range(2))
        found = resampling.compare(a, b, range(12), resampling.mean_score, draw, draws=200)
        small += found.p < 0.2
    assert 20 <= small <= 62  # 40 +- 4 deviations of a binomial


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_sums_by_group_lose_nothing(groups):
    rows = np.arange(2.0 * len(groups)).reshape(-1, 2)
    summed = resampling.sum_by_group(rows, groups)
    assert len(summed) == len(set(groups))
    np.testing.assert_allclose(summed.sum(axis=0), rows.sum(axis=0))
