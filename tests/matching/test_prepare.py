import numpy as np
import pytest

from tamperscope.matching.prepare import prepare
from tests.matching.pictures import texture


def test_grey_is_the_mean_of_the_channels_in_unit_range():
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[..., 2] = 255
    assert prepare(pixels, "microscopy").gray == pytest.approx(1 / 3)


def test_empty_and_saturated_areas_are_not_usable_and_texture_is():
    pixels = texture(0)
    pixels[:60], pixels[160:] = 0, 255
    usable = prepare(pixels, "microscopy").usable
    assert not usable[:50].any()
    assert not usable[170:].any()
    assert usable[70:150].all()


def test_a_flat_area_in_the_middle_of_the_range_is_not_usable():
    pixels = texture(0)
    pixels[:60] = 128
    assert not prepare(pixels, "microscopy").usable[:50].any()


def test_what_is_to_be_ignored_is_not_usable():
    ignore = np.zeros((220, 240), bool)
    ignore[100:110, 50:90] = True
    usable = prepare(texture(0), "microscopy", ignore).usable
    assert not usable[ignore].any()
    assert usable[100:110, 120:].all()


def test_a_mask_of_another_size_and_float_pixels_are_refused():
    with pytest.raises(ValueError, match="shape"):
        prepare(texture(0), "microscopy", np.zeros((3, 3), bool))
    with pytest.raises(ValueError, match="uint8"):
        prepare(texture(0).astype(np.float32), "microscopy")


def test_what_surrounds_an_ignored_mark_is_continued_into_it_and_the_stored_values_are_kept():
    pixels = texture(0)
    pixels[100:110, 50:90] = 255
    ignore = np.zeros((220, 240), bool)
    ignore[100:110, 50:90] = True
    panel = prepare(pixels, "microscopy", ignore)
    around = panel.gray[90:97, 50:90].mean()
    assert abs(panel.gray[103:107, 55:85].mean() - around) < 0.15
    assert panel.seen[103:107, 55:85] == pytest.approx(1.0)
    assert np.array_equal(panel.gray[150:], panel.seen[150:])
