import cv2
import numpy as np
import pytest

from tamperscope.matching import agreement
from tamperscope.matching.agreement import Band
from tests.matching.pictures import texture


def gray(seed: int) -> np.ndarray:
    return texture(seed)[..., 0].astype(np.float32) / 255


EVERYWHERE = np.ones((220, 240), bool)


def measured(a: np.ndarray, b: np.ndarray, *, within: bool = False) -> agreement.Agreement:
    return agreement.measure(a, b, EVERYWHERE, within=within)


def test_evidence_is_the_sum_worked_out_by_hand():
    bands = (Band(0.9, 100, 1.0), Band(0.5, 50, 1.0), Band(0.98, 30, 1.0), Band(0.2, 40, 0.8))
    gained = 50 * np.log((1 - 0.65**2) / 0.19) + 15 * np.log((1 - 0.97**2) / (1 - 0.98**2))
    assert agreement.gain_of(bands) == pytest.approx(gained)
    lattice = (Band(0.95, 100, 1.0, elsewhere=0.9),)
    assert agreement.gain_of(lattice) == 0
    lost = 0.5 * 10 * (50 * 0.1**2 + 40 * 0.28**2)
    assert agreement.penalty_of(bands) == pytest.approx(lost)


def test_a_picture_shares_everything_with_itself_and_nothing_with_another():
    assert measured(gray(80), gray(80)).evidence > 1000
    assert measured(gray(80), gray(81)).evidence == 0


def test_white_noise_has_about_as_many_samples_as_pixels_in_its_finest_band():
    rng = np.random.default_rng(6)
    a, b = (rng.normal(0.5, 0.1, (200, 200)).astype(np.float32) for _ in range(2))
    band = agreement.measure(a, b, np.ones((200, 200), bool), within=False).bands[0]
    assert 0.4 * 40_000 < band.samples < 40_000


def test_the_number_of_samples_predicts_the_scatter_of_chance_correlations():
    rng = np.random.default_rng(7)
    found = []
    for _ in range(40):
        a, b = (
            cv2.GaussianBlur(rng.normal(size=(96, 96)), (0, 0), 2.0).astype(np.float32) + 0.5
            for _ in range(2)
        )
        found.append(agreement.measure(a, b, np.ones((96, 96), bool), within=False).bands[1])
    scatter = np.sqrt(np.mean([band.correlation**2 for band in found]))
    expected = np.mean([band.samples for band in found]) ** -0.5
    assert 0.6 < scatter / expected < 1.4


def test_a_lattice_has_few_samples():
    x = np.arange(200)
    lattice = np.float32(0.5) + 0.2 * np.sin(x / 2)[None] * np.sin(x / 2)[:, None]
    lattice = lattice.astype(np.float32)
    shared = agreement.measure(lattice, lattice, np.ones((200, 200), bool), within=False)
    assert max(band.samples for band in shared.bands) < 100


def test_one_blob_on_empty_ground_has_few_samples():
    blob = np.full((160, 160), 0.2, np.float32)
    cv2.ellipse(blob, (80, 80), (24, 9), 0, 0, 360, 0.8, -1)
    blob = cv2.GaussianBlur(blob, (0, 0), 3)
    shared = agreement.measure(blob, blob, np.ones((160, 160), bool), within=False)
    assert sum(band.samples for band in shared.bands) < 200


def test_local_likeness_tells_where_two_pictures_agree():
    a, b = gray(82), gray(83)
    b[:, :120] = a[:, :120]
    likeness, counts = agreement.local_likeness(a, b, EVERYWHERE, EVERYWHERE)
    assert counts.mean() > 0.98
    assert np.quantile(likeness[:, :100], 0.02) > 0.9
    assert likeness[:, 140:].mean() < 0.3


def test_noise_is_estimated_within_a_tenth():
    noise = np.random.default_rng(8).normal(0.5, 0.04, (200, 200)).astype(np.float32)
    assert agreement.noise_level(noise) == pytest.approx(0.04, rel=0.1)


def ring(seed: int) -> np.ndarray:
    """Rim of a dish, the same at every angle but for some noise."""
    y, x = np.mgrid[:200, :200].astype(np.float64) - 99.5
    radius = np.hypot(x, y)
    rng = np.random.default_rng(seed)
    gray = 0.5 + 0.4 * np.tanh((radius - 80) / 2) + rng.normal(0, 0.004, radius.shape)
    return gray.astype(np.float32)


def test_rims_that_go_with_themselves_at_every_angle_say_little():
    y, x = np.mgrid[:200, :200].astype(np.float64) - 99.5
    rim = np.abs(np.hypot(x, y) - 80) < 15
    rims = agreement.measure(ring(1), ring(2), rim, within=False)
    spots = gray(80)[:200, :200]
    noise = np.random.default_rng(4).normal(0, 0.004, spots.shape).astype(np.float32)
    shared = agreement.measure(spots, spots + noise, rim, within=False)
    assert rims.correlation > 0.99
    assert rims.evidence < 0.1 * shared.evidence


def test_gradients_of_noise_take_all_directions_and_those_of_an_edge_one():
    noise = np.random.default_rng(5).normal(size=(100, 100)).astype(np.float32)
    edge = np.repeat(np.linspace(-1, 1, 100, dtype=np.float32)[None], 100, axis=0)
    assert agreement.evenness_of(noise, noise).mean() > 0.8
    assert agreement.evenness_of(edge, edge)[20:80, 20:80].max() < 1e-6


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_a_blurred_copy_is_told_as_well_from_either_side(sigma):
    """Where one side was blurred, the other is blurred alike before they are compared."""
    sharp = gray(82)
    noise = np.random.default_rng(5).normal(0, 0.004, sharp.shape).astype(np.float32)
    blurred = cv2.GaussianBlur(sharp, (0, 0), sigma) + noise
    other = cv2.GaussianBlur(gray(83), (0, 0), sigma) + noise
    there, back = measured(sharp, blurred), measured(blurred, sharp)
    assert there.evidence == pytest.approx(back.evidence, rel=1e-3)
    assert there.evidence > 1.2 * agreement.gain_of(there.bands)
    assert measured(sharp, other).evidence == 0
