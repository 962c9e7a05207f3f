import numpy as np
import pytest

from tamperscope.evaluation import seam_samples
from tamperscope.evaluation.seam_samples import SeamCase, make_seam_sample, noise_deviation
from tests.matching.drawn_blots import blot


def pixels(seed=0):
    levels = np.clip(np.round(blot(seed)), 0, 255).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)


def case(change, jump=4.0, storage="as is", horizontal=False, fill=None):
    return SeamCase("x", change, storage, 0, jump, horizontal, fill)


@pytest.mark.parametrize("horizontal", [False, True])
def test_a_join_cuts_a_strip_out(horizontal):
    before = pixels()
    made = make_seam_sample(case("join", horizontal=horizontal), before, 1)
    ((across, place, start, end),) = made.seams
    assert across == horizontal
    after = made.pixels.swapaxes(0, 1) if horizontal else made.pixels
    whole = before.swapaxes(0, 1) if horizontal else before
    place = int(place)
    np.testing.assert_array_equal(after[:, :place], whole[:, :place])
    assert after.shape[1] < whole.shape[1]
    assert (start, end) == (0, after.shape[0])


@pytest.mark.parametrize("jump", seam_samples.JUMPS)
def test_the_background_jumps_as_asked(jump):
    noise = noise_deviation(pixels().mean(axis=2))
    made = make_seam_sample(case("join", jump), pixels(), 2)
    place = int(made.seams[0][1])
    gray = made.pixels.mean(axis=2)
    step = np.median(gray[:, place : place + 12]) - np.median(gray[:, place - 12 : place])
    assert abs(step) == pytest.approx(jump * noise, abs=1.0)


@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_noise_is_measured_in_its_own_units(sigma):
    gray = np.random.default_rng(0).normal(128, sigma, (200, 200))
    assert noise_deviation(gray) == pytest.approx(sigma, rel=0.1)


def test_a_patch_changes_nothing_outside_its_four_seams():
    before = pixels()
    made = make_seam_sample(case("patch"), before, 1)
    (_, x0, y0, y1), (_, x1, _, _), *_ = made.seams
    changed = (made.pixels != before).any(axis=2)
    inside = np.zeros_like(changed)
    inside[int(y0) : int(y1), int(x0) : int(x1)] = True
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.8


@pytest.mark.parametrize("fill", seam_samples.FILLS)
def test_an_erasure_takes_the_noise_and_nothing_else(fill):
    before = pixels()
    made = make_seam_sample(case("erased", None, fill=fill), before, 1)
    changed = (made.pixels != before).any(axis=2)
    assert not changed[~made.area].any()
    rows, columns = np.nonzero(made.area)
    inner = made.pixels[rows.min() : rows.max(), columns.min() : columns.max()].mean(axis=2)
    assert np.abs(np.diff(inner, 2, axis=0)).mean() < 0.5


def test_a_smaller_storage_moves_the_truth_along():
    full = make_seam_sample(case("patch"), pixels(), 1)
    small = make_seam_sample(case("patch", storage="0.75 and JPEG 85"), pixels(), 1)
    assert small.pixels.shape[:2] == (150, 195)
    assert full.pixels.shape[:2] == (200, 260)
    for _, place, start, end in small.seams:
        assert 0 < place < 195
        assert 0 <= start < end <= 195


def test_a_blot_without_noise_cannot_serve():
    flat = np.full((200, 260, 3), 150, dtype=np.uint8)
    assert make_seam_sample(case("join"), flat, 0) is None
    assert make_seam_sample(case("erased", None, fill="constant"), flat, 0) is None
