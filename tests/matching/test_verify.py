import cv2
import numpy as np
from sklearn.isotonic import IsotonicRegression

from tamperscope.matching.match import PreparedPanel, Proposal
from tamperscope.matching.verify import measure, tone_free_correlation


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


def test_a_copy_is_measured_without_the_ground_that_only_looks_alike():
    """Two halves of one coarse structure and own noise; a box of one was copied to the other."""
    rng = np.random.default_rng(12)
    coarse = cv2.GaussianBlur(rng.normal(size=(220, 160)).astype(np.float32), (0, 0), 7)
    whole = np.hstack([coarse, coarse]) * (0.12 / coarse.std()) + 0.5
    noise = cv2.GaussianBlur(rng.normal(size=whole.shape).astype(np.float32), (0, 0), 0.8)
    gray = (whole + noise * (0.05 / noise.std())).astype(np.float32)
    panel = PreparedPanel(gray, np.ones(gray.shape, np.bool_), "microscopy")
    transform = np.array([[1, 0, 160], [0, 1, 0], [0, 0, 1.0]])
    points = np.stack(np.meshgrid(np.arange(50, 120, 10), np.arange(60, 150, 10)), -1).reshape(
        -1, 2
    )
    proposal = Proposal("keypoints", transform, points.astype(float), points + np.array([160.0, 0]))
    alike = measure(panel, None, proposal)
    assert alike is None or alike.evidence < 0
    gray[50:160, 200:290] = gray[50:160, 40:130]
    copied = measure(panel, None, proposal)
    assert copied is not None
    assert copied.evidence > 300
    truth = np.zeros(gray.shape, bool)
    truth[50:160, 40:130] = True
    overlap = (copied.source_mask & truth).sum() / (copied.source_mask | truth).sum()
    assert overlap > 0.6
