import cv2
import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from tamperscope.matching.match import PreparedPanel, Proposal
from tamperscope.matching.verify import crowded, measure, tone_free_correlation
from tests.matching.pictures import texture


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


def copied(transform: np.ndarray, box: tuple[int, int, int, int], seed: int) -> PreparedPanel:
    """A texture in which a box (x0, y0, x1, y1) was copied by a whole-pixel transform."""
    gray = texture(seed, 260, 300)[..., 0].astype(np.float32) / 255
    x0, y0, x1, y1 = box
    x, y = np.meshgrid(np.arange(x0, x1), np.arange(y0, y1))
    to = np.rint(transform @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])).astype(int)
    gray[to[1], to[0]] = gray[y.ravel(), x.ravel()]
    return PreparedPanel(gray, np.ones(gray.shape, np.bool_), "microscopy")


def grid(box: tuple[int, int, int, int], step: int = 4) -> np.ndarray:
    x, y = np.meshgrid(np.arange(box[0], box[2], step), np.arange(box[1], box[3], step))
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(float)


@pytest.mark.parametrize("glide", [0, 9, -9])
@pytest.mark.parametrize("way", ["down", "up"])
def test_a_mirrored_copy_a_few_pixels_aside_is_measured(glide, way):
    """Mirrored twice, it lies almost where it was: it agrees in one half of the panel only."""
    transform = np.array([[1.0, 0, glide], [0, -1, 255], [0, 0, 1]])
    box = (100, 30, 190, 110) if way == "down" else (100, 150, 190, 230)
    panel = copied(transform, box, 91)
    points = grid(box)
    target = points @ transform[:2, :2].T + transform[:2, 2]
    found = measure(panel, None, Proposal("dense-field-zm", transform, points, target))
    assert found is not None
    assert found.evidence > 500


def test_places_that_follow_by_chance_do_not_speak_for_a_small_copy():
    transform = np.array([[1.0, 0, 130], [0, 1, 20], [0, 0, 1]])
    box = (20, 40, 70, 90)
    panel = copied(transform, box, 92)
    stray = np.random.default_rng(4).uniform((0, 0), (160, 230), (12, 2))
    points = np.concatenate([grid(box, 2), stray])
    assert len(crowded(points)) == pytest.approx(len(grid(box, 2)), abs=12)
    assert np.ptp(crowded(points), axis=0).max() <= 60
    target = points + np.array([130.0, 20])
    found = measure(panel, None, Proposal("dense-field-zm", transform, points, target))
    assert found is not None
    assert found.evidence > 100


def test_few_places_far_apart_are_all_kept():
    points = np.array([[0.0, 0], [90, 10], [40, 200], [150, 150], [20, 90]])
    assert np.array_equal(crowded(points), points)
