from dataclasses import replace

import numpy as np
import pytest

from tamperscope.evaluation import hits, placing
from tamperscope.evaluation.duplicates import Truth
from tamperscope.evaluation.metrics import Counts
from tamperscope.matching.match import Match

SHIFT = placing.shift(60, 20)


@pytest.fixture
def truth():
    source, target = np.zeros((2, 100, 160), dtype=bool)
    source[10:50, 10:60] = True
    target[30:70, 70:120] = True
    return Truth(SHIFT, source, target)


def match(transform, source, target):
    return Match("keypoints", transform, source, target, 9, 0.9, 0.9, 0.0, "none", 0.9)


def nowhere(truth):
    return np.zeros_like(truth.source_mask)


@pytest.mark.parametrize(("off", "hit"), [(0, True), (3.1, True), (3.3, False)])
def test_the_transform_may_be_off_by_a_twentieth_of_the_diagonal(truth, off, hit):
    diagonal = np.hypot(39, 49)
    assert 3.1 < 0.05 * diagonal < 3.3
    found = match(placing.shift(60 + off, 20), nowhere(truth), nowhere(truth))
    assert hits.corner_error(found.transform, truth) == pytest.approx(off)
    assert hits.is_hit(found, truth, within=False) == hit


def test_masks_alone_make_a_hit_only_if_both_overlap(truth):
    wrong = np.eye(3)
    assert hits.is_hit(match(wrong, truth.source_mask, truth.target_mask), truth, within=False)
    assert not hits.is_hit(match(wrong, truth.source_mask, nowhere(truth)), truth, within=False)
    assert not hits.is_hit(match(wrong, nowhere(truth), truth.target_mask), truth, within=False)


def test_source_and_target_trade_places_within_a_panel_only(truth):
    turned = match(np.linalg.inv(SHIFT), nowhere(truth), nowhere(truth))
    assert hits.is_hit(turned, truth, within=True)
    assert not hits.is_hit(turned, truth, within=False)
    masks = match(np.eye(3), truth.target_mask, truth.source_mask)
    assert hits.is_hit(masks, truth, within=True)
    assert not hits.is_hit(masks, truth, within=False)


def test_a_transform_to_infinity_is_no_hit(truth):
    flat = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert not hits.is_hit(match(flat, nowhere(truth), nowhere(truth)), truth, within=True)


def test_pixels_of_both_panels_count(truth):
    found = match(SHIFT, truth.source_mask, nowhere(truth))
    size, area = truth.source_mask.size, 2000
    assert hits.pixel_counts([found], truth, within=False) == Counts(
        area, 0, area, 2 * size - 2 * area
    )
    both = replace(found, target_mask=truth.target_mask)
    assert hits.pixel_counts([found, both], truth, within=True) == Counts(
        2 * area, 0, 0, size - 2 * area
    )
