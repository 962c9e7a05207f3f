import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tamperscope.evaluation import transforms
from tamperscope.evaluation.transforms import Alteration
from tests.evaluation.drawn import texture

NUMPY = {  # the same eight maps, as NumPy turns arrays
    "identity": lambda a: a,
    "rotate-90": lambda a: np.rot90(a, -1),
    "rotate-180": lambda a: np.rot90(a, 2),
    "rotate-270": lambda a: np.rot90(a, 1),
    "flip-horizontal": lambda a: a[:, ::-1],
    "flip-vertical": lambda a: a[::-1],
    "transpose": lambda a: a.swapaxes(0, 1),
    "transverse": lambda a: np.rot90(a, 2).swapaxes(0, 1),
}


@pytest.mark.parametrize("name", transforms.DIHEDRAL)
def test_right_angle_maps_are_exact(name):
    pixels = texture(1, 61, 84)
    linear = np.array(transforms.DIHEDRAL[name], dtype=np.float64)
    wanted = NUMPY[name](pixels)
    height, width = wanted.shape[:2]
    onto = transforms.around(linear, (41.5, 30.0), ((width - 1) / 2, (height - 1) / 2))
    np.testing.assert_array_equal(transforms.warp(pixels, onto, height, width), wanted)


@pytest.mark.parametrize("name", transforms.CLASSES)
def test_draws_stay_in_the_stated_ranges(name):
    for seed in range(40):
        drawn = transforms.draw(name, np.random.default_rng(seed))
        assert drawn.name == name
        assert drawn == transforms.draw(name, np.random.default_rng(seed))
        scale = np.sqrt(abs(np.linalg.det(drawn.matrix)))
        if name == "scale-down":
            assert 0.5 <= scale <= 0.9
        elif name == "scale-up":
            assert 1.1 <= scale <= 2
        elif name == "combined":
            assert 0.7 <= scale <= 1.4
            assert drawn.jpeg == 60
            assert len(drawn.tone) == 2
        else:
            assert scale == pytest.approx(1)
        if name == "rotation":
            degrees = np.degrees(np.arctan2(drawn.matrix[1, 0], drawn.matrix[0, 0])) % 90
            assert 5 <= degrees <= 85


TONE = {
    ("inversion", 1.0): lambda v: 255 - v,
    ("gamma", 2.0): lambda v: 255 * (v / 255) ** 2,
    ("contrast", 0.5): lambda v: v.mean() + 0.5 * (v - v.mean()),
    ("blur", 1.5): lambda v: gaussian_filter(v, (1.5, 1.5, 0), mode="nearest"),
}


@pytest.mark.parametrize("step", TONE, ids=lambda step: step[0])
def test_tone_steps_do_what_their_formula_says(step):
    pixels = texture(2, 60, 80)
    done = transforms.apply_tone(
        pixels, Alteration("x", transforms.DIHEDRAL["identity"], (step,)), np.random.default_rng(0)
    )
    wanted = np.clip(TONE[step](pixels.astype(np.float64)), 0, 255)
    np.testing.assert_allclose(done[8:-8, 8:-8], wanted[8:-8, 8:-8], atol=0.8)


def test_noise_has_its_strength_and_no_colour():
    pixels = np.full((200, 200, 3), 128, dtype=np.uint8)
    alteration = Alteration("x", transforms.DIHEDRAL["identity"], (("noise", 6.0),))
    done = transforms.apply_tone(pixels, alteration, np.random.default_rng(3)).astype(float)
    assert done.std() == pytest.approx(6, rel=0.03)
    assert np.ptp(done, axis=2).max() == 0


def test_brightness_turns_away_from_saturation():
    bright = np.full((10, 10, 3), 240, dtype=np.uint8)
    alteration = Alteration("x", transforms.DIHEDRAL["identity"], (("brightness", 50.0),))
    assert transforms.apply_tone(bright, alteration, np.random.default_rng(0)).max() == 190


def test_shrinking_does_not_alias():
    """Stripes finer than the smaller grid can hold must become grey, not coarser stripes."""
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (80, 40))[..., None].repeat(3, axis=2)
    drawn = transforms.warp(stripes, np.diag([0.55, 0.55, 1.0]), 40, 40)
    assert drawn[4:-4, 4:-4].std() < 0.25 * stripes.std()


def test_an_unknown_class_is_refused():
    with pytest.raises(ValueError, match="wobble"):
        transforms.draw("wobble", np.random.default_rng(0))
