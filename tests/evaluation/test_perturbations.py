import io

import cv2
import numpy as np
import pytest
from PIL import Image

from tamperscope.evaluation.perturbations import (
    CHAIN,
    CURVES,
    FAMILIES,
    SETS,
    SIX,
    brightness,
    chain,
    contrast,
    fewer_colours,
    noise,
    twice,
)
from tests.evaluation.drawn import texture


def rng(seed=0):
    return np.random.default_rng(seed)


PIXELS = texture(4, 60, 80)


def test_the_six_have_the_levels_of_comofod():
    assert {family.name: set(family.levels) for family in SIX} == {
        "jpeg": set(range(20, 101, 10)),
        "average-blur": {3, 5, 7},
        "noise": {0.009, 0.005, 0.0005},
        "brightness": {0.95, 0.9, 0.8},
        "contrast": {0.95, 0.9, 0.8},
        "colours": {32, 64, 128},
    }
    assert set(SETS["all"]) == set(FAMILIES)
    assert set().union(*SETS.values()) == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_every_change_is_deterministic_leaves_its_input_alone_and_grows(family):
    before = PIXELS.copy()
    distances = []
    for level in family.levels:
        changed = family.change(PIXELS, level, rng())
        assert changed.dtype == np.uint8
        assert changed.ndim == 3
        np.testing.assert_array_equal(changed, family.change(PIXELS, level, rng()))
        back = cv2.resize(changed, (80, 60), interpolation=cv2.INTER_CUBIC)
        distances.append(float(np.abs(back.astype(int) - PIXELS).mean()))
    np.testing.assert_array_equal(PIXELS, before)
    assert min(distances) > 0
    if family.name != "enlarge":  # undone by shrinking, it leaves next to nothing
        assert distances == sorted(distances)


def test_brightness_and_contrast_move_the_ends_as_worked_by_hand():
    ends = np.array([[[0, 128, 255]]], np.uint8)
    assert brightness(ends, 0.8, rng()).ravel().tolist() == [3, 104, 204]  # 2.55 + 0.79 p
    assert contrast(ends, 0.8, rng()).ravel().tolist() == [0, 159, 255]  # (128 - 2.55) / 0.79
    back = contrast(brightness(PIXELS, 0.8, rng()), 0.8, rng())
    assert np.abs(back.astype(int) - PIXELS).max() <= 1


def test_noise_has_the_variance_it_says():
    grey = np.full((300, 300, 3), 128, np.uint8)
    drawn = noise(grey, 0.005, rng()).astype(float) / 255
    assert drawn.var() == pytest.approx(0.005, rel=0.02)
    assert drawn.mean() == pytest.approx(128 / 255, abs=0.001)
    assert abs(np.corrcoef(drawn[..., 0].ravel(), drawn[..., 1].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("levels", [32, 64, 128])
def test_fewer_colours_are_as_many_as_said_and_keep_black_and_white(levels):
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2)
    kept = np.unique(fewer_colours(ramp, levels, rng()))
    assert (len(kept), kept[0], kept[-1]) == (levels, 0, 255)


def test_a_chain_fits_and_stores_at_its_quality():
    wide = np.repeat(np.repeat(PIXELS, 30, axis=1), 2, axis=0)  # 120 x 2400
    for level, (side, quality) in CHAIN.items():
        changed = chain(wide, level, rng())
        assert changed.shape == (round(120 * side / 2400), side, 3)
        small = chain(PIXELS, level, rng())
        stored = io.BytesIO()
        Image.fromarray(PIXELS).save(stored, "JPEG", quality=quality)
        by_pillow = np.asarray(Image.open(stored)).astype(int)
        assert np.abs(small.astype(int) - by_pillow).mean() < 0.5
        np.testing.assert_array_equal(
            twice(PIXELS, level, rng()), chain(chain(PIXELS, level, rng()), level, rng())
        )


def test_sizes_change_by_the_factor():
    for family in CURVES:
        if family.name in ("shrink", "enlarge"):
            for level in family.levels:
                changed = family.change(PIXELS, level, rng())
                assert changed.shape == (round(60 * level), round(80 * level), 3)
