import numpy as np
import pytest

from tamperscope.synth.drawn.noise import film_grain, hot_pixels, scratches, sensor, specks


@pytest.mark.parametrize("level", [0.02, 0.2, 0.8])
@pytest.mark.parametrize("photons", [50.0, 5000.0])
def test_shot_noise_has_the_mean_and_variance_of_a_poisson_count(level, photons):
    light = np.full((300, 300), level, np.float32)
    counts = sensor(np.random.default_rng(1), light, photons=photons) * photons
    expected = level * photons
    assert counts.min() > -1
    error = np.sqrt(expected) / 300  # of a mean over 300 x 300 pixels
    assert counts.mean() == pytest.approx(expected, abs=5 * error + 0.01)
    assert counts.var() == pytest.approx(expected, rel=0.06, abs=0.3)


def test_few_photons_come_in_whole_numbers():
    counts = sensor(np.random.default_rng(2), np.full((50, 50), 0.3, np.float32), photons=20) * 20
    assert np.abs(counts - np.rint(counts)).max() < 1e-3


def test_read_noise_and_row_noise_add_what_they_say():
    dark = np.zeros((400, 400), np.float32)
    read = sensor(np.random.default_rng(3), dark, photons=1e6, read=0.01)
    assert read.std() == pytest.approx(0.01, rel=0.03)
    row = sensor(np.random.default_rng(3), dark, photons=1e6, row=0.01)
    assert row.mean(axis=1).std() == pytest.approx(0.01, rel=0.12)
    assert row.mean(axis=0).std() < 0.002


def test_grain_is_strongest_in_the_middle_tones_and_clumps_with_its_size():
    def residual(level, size):
        flat = np.full((200, 200), level, np.float32)
        return film_grain(np.random.default_rng(4), flat, 0.05, size) - flat

    assert residual(0.5, 1.0).std() > 2 * residual(0.99, 1.0).std()
    coarse, fine = residual(0.5, 1.2), residual(0.5, 0.0)
    neighbours = [np.corrcoef(r[:, 1:].ravel(), r[:, :-1].ravel())[0, 1] for r in (coarse, fine)]
    assert neighbours[0] > 0.5
    assert abs(neighbours[1]) < 0.05


def test_hot_pixels_are_as_many_as_asked():
    light = hot_pixels(np.random.default_rng(5), np.zeros((500, 500), np.float32), 1e-3)
    assert 180 < (light > 0).sum() < 320


def test_dirt_stays_between_nothing_and_one():
    for draw in (lambda g: specks(g, (80, 90), 30, 2.0), lambda g: scratches(g, (80, 90), 5)):
        dirt = draw(np.random.default_rng(6))
        assert dirt.shape == (80, 90)
        assert dirt.min() >= 0
        assert 0.05 < dirt.max() <= 1.0001
    assert not specks(np.random.default_rng(6), (20, 20), 0, 2.0).any()
