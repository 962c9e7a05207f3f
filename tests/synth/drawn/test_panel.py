import json

import numpy as np
import pytest

from tamperscope.synth.drawn import MODALITIES, draw_panel
from tamperscope.synth.drawn.panel import STYLES, draw_style

EVERY_STYLE = [(modality, style) for modality in MODALITIES for style in STYLES[modality]]


def rng(*seed):
    return np.random.default_rng(seed)


def test_modalities_are_those_of_the_corpus():
    assert MODALITIES == ("blot", "microscopy", "facs", "macroscopy")


@pytest.mark.parametrize(("modality", "style"), EVERY_STYLE)
def test_every_style_keeps_the_contract_at_every_size(modality, style):
    for seed, size in enumerate([(16, 16), (16, 75), (131, 48)]):
        panel = draw_style(modality, style, rng(seed), size)
        assert panel.pixels.shape == (*size, 3)
        assert panel.pixels.dtype == np.uint8
        assert panel.annotations.shape == panel.objects.shape == size
        assert panel.annotations.dtype == bool
        assert panel.objects.dtype == np.int32
        assert panel.objects.min() >= 0
        assert panel.modality == modality
        assert panel.parameters["style"] == style
        assert json.loads(json.dumps(panel.parameters)) == panel.parameters


@pytest.mark.parametrize(("modality", "style"), EVERY_STYLE)
def test_the_same_seed_gives_the_same_panel(modality, style):
    first, second = (draw_style(modality, style, rng(4), (72, 64)) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.annotations, second.annotations)
    assert np.array_equal(first.objects, second.objects)
    assert first.parameters == second.parameters


@pytest.mark.parametrize("modality", MODALITIES)
def test_no_two_seeds_are_alike(modality):
    small = [draw_panel(modality, rng(7, k), (48, 48)).pixels.mean(axis=2) for k in range(20)]
    for k, one in enumerate(small):
        for other in small[:k]:
            assert np.abs(one - other).mean() > 0.5  # grey levels


@pytest.mark.parametrize("modality", MODALITIES)
def test_most_styles_turn_up(modality):
    seen = {draw_panel(modality, rng(3, k), (16, 16)).parameters["style"] for k in range(80)}
    assert len(seen) >= len(STYLES[modality]) - 1


@pytest.mark.parametrize("modality", MODALITIES)
def test_panels_show_something(modality):
    spread = [draw_panel(modality, rng(11, k), (64, 64)).pixels.std() for k in range(20)]
    assert np.median(spread) > 15  # grey levels
    assert np.mean(np.array(spread) < 2) < 0.15


@pytest.mark.parametrize("size", [(15, 64), (64, 15), (2049, 64), (64, 2049), (0, 0)])
def test_sizes_out_of_range_are_refused(size):
    with pytest.raises(ValueError, match="16 to 2048"):
        draw_panel("blot", rng(0), size)


def test_an_unknown_modality_is_refused_with_the_list():
    with pytest.raises(ValueError, match="macroscopy"):
        draw_panel("photo", rng(0), (64, 64))


@pytest.mark.slow
@pytest.mark.parametrize(("modality", "style"), EVERY_STYLE)
def test_every_style_draws_large_panels(modality, style):
    assert draw_style(modality, style, rng(1), (2048, 1024)).pixels.shape == (2048, 1024, 3)
