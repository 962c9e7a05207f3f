"""The small parts: tone, outlines, objects, labels, periodic texture, the contact sheet."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tamperscope.synth.forge import draw_look, make_sample
from tamperscope.synth.geometry import box_of
from tamperscope.synth.marks import annotate, draw_mark, lay_mark
from tamperscope.synth.negatives import bent
from tamperscope.synth.objects import find_objects
from tamperscope.synth.preview import CHANGED, TAKEN, contact_sheet
from tamperscope.synth.recipe import read_recipe
from tamperscope.synth.sample import UnfitError
from tamperscope.synth.settings import Look, Settings
from tamperscope.synth.shapes import Shapes, contour, draw_region, outline
from tamperscope.synth.tone import Tone, apply_tone, content, matched, mean_level, spread
from tests.synth.panels import PLAIN, TexturedSource, made, textured, work


def panel(seed=0, size=(96, 112)):
    return textured(np.random.default_rng(seed), size)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (("brightness", 20.0), lambda v: v + 20),
        (("invert", 1.0), lambda v: 255 - v),
        (("gamma", 1.5), lambda v: 255 * (v / 255) ** 1.5),
        (("contrast", 1.3), lambda v: (v - v.mean()) * 1.3 + v.mean()),
    ],
)
def test_steps_of_tone_are_what_they_say(step, expected):
    pixels = panel() // 2 + 40
    made_, done = apply_tone(pixels, (step,), np.random.default_rng(0))
    assert done == (step,)
    exact = np.clip(expected(pixels.astype(float)), 0, 255)
    assert np.abs(made_ - exact).max() <= 0.5 + 1e-9


def test_noise_has_the_deviation_asked_for_and_blur_lowers_it():
    flat = np.full((128, 128, 3), 120, np.uint8)
    noisy, _ = apply_tone(flat, (("noise", 6.0),), np.random.default_rng(0))
    assert spread(noisy) == pytest.approx(6, rel=0.05)
    assert (noisy[..., 0] == noisy[..., 2]).all()
    smooth, _ = apply_tone(noisy, (("blur", 1.0),), np.random.default_rng(0))
    assert spread(smooth) < 3


def test_brightness_turns_away_from_the_end_it_would_drive_pixels_into():
    bright = np.full((20, 20, 3), 250, np.uint8)
    made_, done = apply_tone(bright, (("brightness", 30.0),), np.random.default_rng(0))
    assert done == (("brightness", -30.0),)
    assert (made_ == 220).all()


def test_tone_is_drawn_by_its_chances():
    always = Tone(brightness=1, contrast=1, gamma=1, invert=1, noise=1, blur=1)
    names = [name for name, _ in always.draw(np.random.default_rng(0))]
    assert names == ["blur", "contrast", "gamma", "brightness", "invert", "noise"]
    never = Tone(brightness=0, contrast=0, gamma=0, invert=0, noise=0, blur=0)
    assert never.draw(np.random.default_rng(0)) == ()


def test_a_matched_patch_has_the_mean_and_contrast_of_its_place():
    patch, under = panel(0), panel(1) // 2 + 90
    inside = np.ones(patch.shape[:2], dtype=bool)
    made_ = matched(patch, inside, under)
    for channel in range(3):
        assert mean_level(made_[..., channel]) == pytest.approx(
            mean_level(under[..., channel]), abs=1.5
        )
        assert spread(made_[..., channel]) == pytest.approx(spread(under[..., channel]), rel=0.15)


def test_content_counts_blocks_that_are_more_than_shading():
    ramp = np.repeat(np.linspace(0, 255, 128).astype(np.uint8)[None, :, None], 64, axis=0)
    ramp = np.repeat(ramp, 3, axis=2)
    assert spread(ramp) > 70
    assert content(ramp, 6) == 0
    ramp[:, :32] = np.random.default_rng(0).integers(0, 256, (64, 32, 1))
    assert content(ramp, 6) == 0.25


@pytest.mark.parametrize("name", ["box", "ellipse", "free"])
@pytest.mark.parametrize("seed", range(5))
def test_an_outline_fills_its_box_in_one_piece(name, seed):
    mask = outline(name, 33, 47, np.random.default_rng(seed))
    assert mask.any(axis=0).all()
    assert mask.any(axis=1).all()
    assert cv2.connectedComponents(mask.astype(np.uint8))[0] == 2
    if name == "ellipse":
        assert mask.mean() == pytest.approx(np.pi / 4, abs=0.02)


@pytest.mark.parametrize("polarity", [1, -1])
def test_objects_are_found_on_dark_and_on_bright(polarity):
    pixels = np.full((120, 140, 3), 128 - 60 * polarity, np.uint8)
    places = [(30, 30), (90, 40), (60, 90)]
    for x, y in places:
        cv2.circle(pixels, (x, y), 9, [128 + 60 * polarity] * 3, -1)
    found = find_objects(pixels)
    assert len(found.boxes) == 3
    centres = sorted((round(x), round(y)) for x, y in found.centres)
    assert centres == sorted(places)
    assert found.nearest(0)[0] == 0
    assert not find_objects(np.full_like(pixels, 80)).boxes


def test_a_region_of_objects_holds_them_with_a_rim():
    pixels = np.full((120, 140, 3), 40, np.uint8)
    cv2.circle(pixels, (60, 60), 10, (200, 200, 200), -1)
    shapes = Shapes(box=0, ellipse=0, free=0, objects=1)
    mask, name = draw_region(pixels, shapes, np.random.default_rng(0))
    assert name == "objects"
    assert mask[pixels[..., 0] > 100].all()
    assert 1.3 < mask.sum() / (pixels[..., 0] > 100).sum() < 3.5
    with pytest.raises(UnfitError, match="no region with content"):
        draw_region(np.full_like(pixels, 40), Shapes(), np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(10))
def test_a_contour_runs_along_the_edges_of_what_is_in_the_middle(seed):
    """A disc is cut out as a disc, up to the width of a hand's mistake, wherever its grain is."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 80, (120, 140, 3), dtype=np.uint8)
    thing = np.zeros((120, 140), np.uint8)
    cv2.circle(thing, (70, 60), 42, 1, -1)
    pixels[thing > 0] += 100
    cut_out = contour(pixels, rng)
    kernel = np.ones((9, 9), np.uint8)
    assert cut_out[cv2.erode(thing, kernel) > 0].all()
    assert not cut_out[cv2.dilate(thing, kernel) == 0].any()


def test_a_contour_around_next_to_nothing_is_drawn_elsewhere():
    """Grain has edges everywhere: what is cut out of it may be smoothed away."""
    shapes = Shapes(box=0, ellipse=0, free=0, objects=0, contour=1, side=(0.1, 0.3))
    for seed in range(100):
        rng = np.random.default_rng(seed)
        mask, _ = draw_region(rng.integers(0, 256, (90, 110, 3), dtype=np.uint8), shapes, rng)
        assert mask.any()


@pytest.mark.parametrize("seed", range(10))
def test_one_mark_looks_the_same_on_two_panels(seed):
    """A label on two panels of one tone changes both in the same way."""
    mark = draw_mark(200, "microscopy", np.random.default_rng(seed))
    assert mark.opacity.max() > 200
    flat = np.full((200, 240, 3), 60, np.uint8)
    first = lay_mark(flat, mark, (0.2, 0.3))
    second = lay_mark(flat, mark, (0.8, 0.6))
    parts = [p[box_of((p != flat).any(axis=2)).slices] for p in (first, second)]
    np.testing.assert_array_equal(*parts)


def test_labels_go_on_all_panels():
    panels = (panel(0), panel(1))
    for seed in range(6):
        marked, names = annotate(panels, "blot", np.random.default_rng(seed))
        assert names
        assert "scale bar" not in names  # a blot has none
        assert all((a != b).any() for a, b in zip(marked, panels, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_a_periodic_panel_repeats_and_its_noise_does_not(seed):
    first, second = made("periodic-pair", seed, PLAIN, size=(128, 128)).panels
    assert (first != second).mean() > 0.5
    gray = first[..., 1].astype(float) - first[..., 1].mean()
    power = np.abs(np.fft.rfft2(gray)) ** 2
    strongest = np.sort(power.ravel())[::-1]
    assert strongest[:60].sum() > 0.4 * strongest.sum()  # white noise would have under 0.02


def test_a_serial_section_is_alike_in_the_large_and_not_in_the_small():
    first, second = made("serial", 3, PLAIN, source=TexturedSource(detail=1.0)).panels
    a, b = (p[..., 1].astype(float) for p in (first, second))
    wide = [cv2.GaussianBlur(p, (0, 0), 8) for p in (a, b)]
    fine = [p - cv2.GaussianBlur(p, (0, 0), 2) for p in (a, b)]
    assert np.corrcoef(wide[0].ravel(), wide[1].ravel())[0, 1] > 0.6
    assert abs(np.corrcoef(fine[0].ravel(), fine[1].ravel())[0, 1]) < 0.3


def test_bending_moves_pixels_and_keeps_their_levels():
    pixels = panel()
    moved = bent(pixels, np.random.default_rng(0))
    assert (moved != pixels).mean() > 0.3
    assert mean_level(moved) == pytest.approx(mean_level(pixels), abs=4)


def test_the_panels_of_a_sample_are_shown_alike():
    rng = np.random.default_rng(0)
    assert draw_look(Look(grey=0, grey_blot=0), "blot", rng) == ()
    assert draw_look(Look(grey_blot=1, dark_bands=1), "blot", rng) == ("grey", "dark bands")
    assert draw_look(Look(grey=1), "facs", rng) == ("grey",)
    task = replace(work(0, settings=Settings()), look=("grey", "dark bands"))
    for _ in range(3):
        shown = task.panel().pixels
        assert (shown[..., 0] == shown[..., 1]).all()
        assert mean_level(shown) >= 127  # the texture's own mean is about 115


def test_the_contact_sheet_shows_every_panel_and_its_outlines():
    recipe = read_recipe(
        'format = "tamperscope-recipe/1"\nsize = [96, 96]\n[operations.paste]\n', "pairs"
    )
    samples = [make_sample(recipe, TexturedSource(), 0, 0, i) for i in range(5)]
    sheet = contact_sheet(samples, columns=4)
    cell = contact_sheet(samples[:1])
    assert sheet.shape == (3 * cell.shape[0], 2 * cell.shape[1], 3)
    for colour in (TAKEN, CHANGED):
        assert (cell == colour).all(axis=2).sum() > 40
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
