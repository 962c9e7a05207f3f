import numpy as np
import pytest

from tamperscope.matching.erased import find_erased
from tamperscope.matching.prepare import prepare
from tests.matching.drawn_blots import blot, panel, stored

AREA = (slice(60, 110), slice(90, 150))


def erased(seed: int = 0) -> np.ndarray:
    gray = blot(seed)
    gray[AREA] = 165
    return gray


def iou(mask: np.ndarray) -> float:
    truth = np.zeros_like(mask)
    truth[AREA] = True
    return float((mask & truth).sum() / (mask | truth).sum())


@pytest.mark.parametrize("quality", [None, 85])
def test_a_painted_area_is_found_where_it_is(quality):
    gray = erased()
    (area,) = find_erased(panel(gray if quality is None else stored(gray, quality)))
    assert iou(area.mask) > 0.7
    assert area.measure("noise_ratio") < 0.05
    assert area.measure("level") == pytest.approx(165, abs=2)
    assert area.measure("area_share") == pytest.approx(50 * 60 / (200 * 260), rel=0.3)
    assert 0 < area.chance < 0.05
    assert "unnaturally flat" in area.sentence("panel f001p01")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("quality", [None, 85])
def test_an_untouched_blot_has_none(seed, quality):
    gray = blot(seed)
    assert find_erased(panel(gray if quality is None else stored(gray, quality))) == []


def test_a_panel_without_noise_cannot_miss_any():
    gray = blot(0, noise=1e-9)
    gray[AREA] = 165
    assert find_erased(panel(gray)) == []


@pytest.mark.parametrize("level", [0, 255])
def test_saturated_places_are_flat_by_nature(level):
    gray = blot(0)
    gray[AREA] = level
    assert find_erased(panel(gray)) == []


def test_a_line_is_no_area():
    gray = blot(0)
    gray[98:102, 20:240] = 165
    assert find_erased(panel(gray)) == []


def test_noise_that_fades_away_is_no_erasure():
    clean, noisy = blot(0, noise=1e-9), blot(0)
    y, x = np.mgrid[:200, :260]
    distance = np.hypot(y - 100, x - 130)

    def panel_with_noise(share: np.ndarray):
        return panel(clean + share * (noisy - clean))

    assert find_erased(panel_with_noise(distance > 55))
    assert find_erased(panel_with_noise(np.clip((distance - 40) / 50, 0, 1))) == []


def test_a_panel_with_drawn_lanes_is_drawn():
    gray = blot(0)
    gray[40:160, 30:220] = np.linspace(145, 195, 120)[:, None]
    assert find_erased(panel(gray)) == []


def test_only_blots_are_looked_at():
    assert find_erased(panel(erased(), "microscopy")) == []


def test_a_turned_blot_has_the_same_areas():
    upright, turned = find_erased(panel(erased())), find_erased(panel(erased().T))
    np.testing.assert_array_equal(upright[0].mask.T, turned[0].mask)


def test_an_ignored_mark_is_not_an_erased_area():
    gray = blot(3)
    gray[60:84, 90:150:4] = 20  # strokes of a word
    ignore = np.zeros(gray.shape, bool)
    ignore[58:86, 88:152] = True
    pixels = np.repeat(np.clip(gray, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    assert find_erased(prepare(pixels, "blot", ignore)) == []
