"""The label map must say where things are: compare pixels inside labels with those around them."""

import cv2
import numpy as np
import pytest

from tamperscope.synth.drawn.panel import draw_style

DARKER, BRIGHTER = -1, 1
SIGNS = [
    ("blot", "strip", DARKER),
    ("blot", "membrane", DARKER),
    ("blot", "dots", DARKER),
    ("blot", "protein gel", DARKER),
    ("blot", "agarose", BRIGHTER),
    ("microscopy", "nuclei", BRIGHTER),
    ("microscopy", "bacteria", BRIGHTER),
    ("microscopy", "blood", DARKER),
    ("microscopy", "cellular", DARKER),
    ("facs", "dots", DARKER),
    ("facs", "density", DARKER),
]


def contrast(panel):
    """Grey level of objects less that of the ring around them, annotations left out."""
    grey = panel.pixels.astype(float).mean(axis=2)
    inside = panel.objects > 0
    near = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    touched = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    around = near & ~touched & ~panel.annotations
    inside &= ~panel.annotations
    if inside.sum() < 30 or around.sum() < 30:
        return None
    return float(np.median(grey[inside]) - np.median(grey[around]))


@pytest.mark.parametrize(("modality", "style", "sign"), SIGNS)
def test_objects_stand_out_from_what_is_around_them(modality, style, sign):
    panels = (
        draw_style(modality, style, np.random.default_rng([5, k]), (112, 112)) for k in range(10)
    )
    found = [c for c in map(contrast, panels) if c is not None]
    assert len(found) >= 5
    right = np.array(found) * sign
    assert np.median(right) > 12  # grey levels
    assert np.mean(right > 0) >= 0.85


@pytest.mark.parametrize("style", ["stack", "chemiluminescence", "two colours", "spots"])
def test_labels_of_other_blots_lie_on_structure(style):
    """Bright or dark by polarity: the labels hold stronger pixels than a shifted copy."""
    gains = []
    for k in range(12):
        panel = draw_style("blot", style, np.random.default_rng([6, k]), (112, 112))
        grey = panel.pixels.astype(float).mean(axis=2)
        away = np.abs(grey - np.median(grey))
        inside = panel.objects > 0
        if inside.sum() > 30:
            gains.append(away[inside].mean() - away[np.roll(inside, (53, 0), (0, 1))].mean())
    assert len(gains) >= 6
    assert np.mean(np.array(gains) > 0) >= 0.8


def test_nuclei_are_labelled_one_by_one():
    panel = draw_style("microscopy", "nuclei", np.random.default_rng(2), (256, 256))
    labels = np.unique(panel.objects[panel.objects > 0])
    assert len(labels) >= 3
    for label in labels:
        pieces, _ = cv2.connectedComponents((panel.objects == label).astype(np.uint8))
        assert pieces <= 4  # a nucleus under another may show in two or three parts


def test_colonies_of_a_close_up_differ_from_agar_in_colour():
    differences = []
    for k in range(12):
        panel = draw_style("macroscopy", "agar", np.random.default_rng([8, k]), (112, 112))
        inside = panel.objects > 0
        if 50 < inside.sum() < 0.8 * inside.size:
            outside = ~inside & ~panel.annotations
            step = panel.pixels[inside].mean(axis=0) - panel.pixels[outside].mean(axis=0)
            differences.append(np.abs(step).max())
    assert len(differences) >= 6
    assert np.median(differences) > 12


def test_populations_are_labelled_where_events_are_and_not_on_axes():
    for k in range(6):
        panel = draw_style("facs", "dots", np.random.default_rng([9, k]), (200, 200))
        assert not (panel.objects[panel.annotations] > 0).any()
        seen = panel.objects > 0
        assert seen.sum() > 50
        white = panel.pixels[~seen & ~panel.annotations].mean()
        assert white > panel.pixels[seen].mean() + 30
