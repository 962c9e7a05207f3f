import numpy as np
import pytest

from tamperscope.matching.chance import Null
from tamperscope.screening import localize_chance
from tamperscope.screening.localize import Localization, LocalizedImage, how_rare
from tamperscope.screening.localize_chance import chance_of_marks
from tamperscope.screening.network_chance import NetworkNull

NULL = NetworkNull({"photo": Null(99, (4.0, 1.0)), "microscopy": Null(99, (2.5,))})


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(3).integers(60, 200, (100, 120, 3), dtype=np.uint8)


def with_mark(top, probability):
    heatmap = np.full((100, 120), 0.1, np.float32)
    heatmap[top : top + 20, 40:70] = probability
    return heatmap


def test_the_strongest_mark_is_held_against_unaltered_panels(pixels):
    probability = 1 / (1 + np.exp(-3.0))  # evidence 3: one photograph of 99 has more, no micrograph
    found = chance_of_marks(pixels, "photo", with_mark(40, probability), NULL)
    assert found == (pytest.approx(2 / 100), "photographs, 99 pristine panels")
    stronger, _ = chance_of_marks(pixels, "photo", with_mark(40, 0.9999), NULL)
    assert stronger < 2 / 100


@pytest.mark.parametrize(
    "heatmap",
    [
        with_mark(40, 0.1),
        with_mark(40, 0.49),
        with_mark(0, 0.9)[:100] * (np.arange(100) < 8)[:, None],
    ],
)
def test_nothing_marked_or_only_the_rim_is_what_every_panel_has(pixels, heatmap):
    assert chance_of_marks(pixels, "photo", heatmap.astype(np.float32), NULL)[0] == 1.0


def test_other_weights_and_other_modalities_have_no_chance(pixels):
    heatmap = with_mark(40, 0.9)
    assert chance_of_marks(pixels, "photo", heatmap, None) == (None, None)
    assert chance_of_marks(pixels, "blot", heatmap, NULL) == (None, None)


def test_pictures_that_are_no_panels_have_no_chance(pixels, monkeypatch):
    monkeypatch.setattr(localize_chance, "MOST_PIXELS", 100 * 120 - 1)
    assert chance_of_marks(pixels, "photo", with_mark(40, 0.9), NULL) == (None, None)


def image(name, chance):
    return LocalizedImage(
        f"{name}.png", None, 8, 8, None, "w.safetensors", 0.9, "photo", 0.1, chance,
        None if chance is None else "photographs", 1, 0.1, {"overlay": f"{name}.overlay.png"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("chances", "told"),
    [
        ([0.5, 0.02], "No mark in 2 pictures is stronger than those of all but 1% of unaltered "
         "panels; the overlays show all marks."),
        ([0.008, 0.5, 0.002], "2 of 3 pictures hold a mark that at most 1% of unaltered panels "
         "show as strongly: c.overlay.png, a.overlay.png."),
        ([0.01, None], "1 of 1 picture holds a mark that at most 1% of unaltered panels show as "
         "strongly: a.overlay.png. How strongly unaltered pictures are marked is not known for 1 "
         "more."),
        ([None, None], "How strongly unaltered pictures are marked is not known for these."),
    ],
)  # fmt: skip
def test_a_sentence_names_the_rarest_first(chances, told):
    done = Localization([image(name, chance) for name, chance in zip("abc", chances, strict=False)])
    assert how_rare(done) == told


def test_long_lists_are_cut():
    done = Localization([image(f"p{number:02}", 0.001) for number in range(12)])
    assert how_rare(done).endswith("p09.overlay.png and 2 more.")
