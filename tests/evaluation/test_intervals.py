import math

import numpy as np
import pytest
from scipy.stats import binomtest

from tamperscope.evaluation.intervals import bootstrap_by_source, clopper_pearson


@pytest.mark.parametrize(("successes", "trials"), [(0, 20), (20, 20), (3, 50), (97, 100), (1, 1)])
def test_exact_interval_is_scipys(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(0.95, method="exact")
    assert clopper_pearson(successes, trials) == pytest.approx((expected.low, expected.high))


def test_no_trials_have_no_interval():
    assert all(math.isnan(bound) for bound in clopper_pearson(0, 0))
    with pytest.raises(ValueError, match=r"0\.\.4"):
        clopper_pearson(5, 4)


def test_samples_of_one_source_widen_the_interval():
    outcomes = [1.0, 0.0] * 50
    alone = bootstrap_by_source(outcomes, range(100), np.random.default_rng(0))
    clustered = bootstrap_by_source(
        sorted(outcomes), [i // 20 for i in range(100)], np.random.default_rng(0)
    )
    assert alone[1] - alone[0] == pytest.approx(2 * 1.96 * 0.05, rel=0.1)  # closed form, n = 100
    assert clustered[1] - clustered[0] > 3 * (alone[1] - alone[0])


@pytest.mark.parametrize(("outcomes", "sources"), [([1, 0], "aa"), ([1, 1], "ab")])
def test_a_bootstrap_that_says_nothing_is_none(outcomes, sources):
    assert bootstrap_by_source(outcomes, sources, np.random.default_rng(0)) is None
