import numpy as np
from sklearn.isotonic import IsotonicRegression

from tamperscope.matching.verify import tone_free_correlation


def test_the_tone_curve_is_the_isotonic_regression():
    rng = np.random.default_rng(9)
    a = np.repeat(rng.integers(0, 64, 300), 5).astype(np.float32) / 63
    b = (a**2 + rng.normal(0, 0.1, a.shape)).astype(np.float32)
    curve = IsotonicRegression().fit_transform(a, b)
    expected = np.corrcoef(curve, b)[0, 1]
    assert abs(tone_free_correlation(a, b) - expected) < 1e-3


def test_any_rising_curve_is_removed():
    a = np.random.default_rng(10).uniform(size=5000).astype(np.float32)
    assert tone_free_correlation(a, np.tanh(5 * a)) > 0.999
    assert tone_free_correlation(a, np.full_like(a, 0.3)) == 0
