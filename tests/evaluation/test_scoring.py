from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve, roc_auc_score

from tamperscope.evaluation.metrics import Counts
from tamperscope.evaluation.photographs import paper_f1, paper_iou
from tamperscope.evaluation.scoring import (
    GRID,
    counts_of,
    curve,
    heatmap_at,
    score_picture,
    truth_at,
)

GOLDEN = Path(__file__).parents[1] / "models" / "golden" / "loss_metric.npz"
NEAR = 3e-8  # theirs is float32; the wrong small constant would be 2e-7 off


def test_curve_of_a_case_worked_by_hand():
    heat = np.array([[0.9, 0.8, 0.8], [0.3, 0.3, 0.0]])
    truth = np.array([[1, 1, 0], [0, 1, 0]], dtype=bool)
    # Pairs (tampered, pristine): 0.9 beats all 3; 0.8 ties one, beats 2; 0.3 ties one, beats one.
    assert curve(heat, truth).auc == pytest.approx((3 + 2.5 + 1.5) / 9)
    # At >= 0.3: 3 hits, 2 alarms: 6/8. At >= 0.8: 2 hits, 1 alarm, 1 miss: 4/6. At 0.9: 2/4.
    assert curve(heat, truth).best_f1 == pytest.approx(6 / 8)
    assert curve(heat, truth).best_threshold == 0.3


drawn = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=40)


@settings(max_examples=60, deadline=None)
@given(drawn)
def test_curve_agrees_with_scikit_learn(pairs):
    heat = np.array([[level / 8 for level, _ in pairs]], dtype=np.float32)
    truth = np.array([[marked for _, marked in pairs]])
    found = curve(heat, truth)
    if not truth.any():
        assert np.isnan([found.auc, found.best_f1, found.best_threshold]).all()
        return
    precision, recall, _ = precision_recall_curve(truth[0], heat[0])
    with np.errstate(invalid="ignore"):
        f1 = 2 * precision * recall / (precision + recall)
    assert found.best_f1 == pytest.approx(np.nanmax(f1))
    if truth.all():
        assert np.isnan(found.auc)
    else:
        assert found.auc == pytest.approx(roc_auc_score(truth[0], heat[0]))


def test_a_tie_with_the_threshold_is_authentic_and_only_heatmaps_have_a_grid():
    truth = np.array([[True, True, False]])
    record = score_picture(np.array([[0.5, 0.6, 0.2]]), truth)
    assert counts_of(record) == Counts(1, 0, 1, 1)
    assert record["graded"]
    assert record["grid"][GRID.index(0.5)] == [1, 0]
    assert record["grid"][GRID.index(0.15)] == [2, 1]
    plain = score_picture(truth.astype(np.float32), truth)
    assert not plain["graded"]
    assert "grid" not in plain
    empty = score_picture(np.array([[0.0, 0.1, 1.0]]), np.zeros((1, 3), bool))
    assert (empty["auc"], empty["best_f1"], empty["heat"]) == (None, None, 1.0)


@pytest.mark.parametrize("case", ["up4", "same", "odd"])
def test_the_papers_f1_and_iou_are_those_recorded_from_their_code(case):
    with np.load(GOLDEN) as golden:
        labels, masks = golden[f"{case}.labels"], golden[f"{case}.mask"][:, 0]
        f1, iou = golden[f"{case}.f1"], golden[f"{case}.iou"]
        saved = golden[f"{case}.cal_f1_iou"]
    for i, (predicted, truth) in enumerate(zip(labels, masks, strict=True)):
        counts = counts_of(score_picture(predicted.astype(np.float32), truth > 0))
        assert paper_f1(counts) == pytest.approx(f1[i], abs=NEAR)
        assert paper_iou(counts) == pytest.approx(iou[i], abs=NEAR)
        assert paper_f1(counts, 1e-8) == pytest.approx(saved[i, 0], abs=NEAR)
        assert paper_iou(counts, 1e-8) == pytest.approx(saved[i, 1], abs=NEAR)


def test_the_papers_write_zero_where_the_truth_is_empty():
    with np.load(GOLDEN) as golden:
        rows = golden["degenerate_pred_mask_f1_iou"]
    for predicted, truth, f1, iou in rows[:4]:  # a full or an empty mask against either truth
        size = 10_000
        counts = Counts(
            size * int(predicted and truth),
            size * int(predicted and not truth),
            size * int(truth and not predicted),
            size * int(not truth and not predicted),
        )
        assert paper_f1(counts) == pytest.approx(f1, abs=1e-6)
        assert paper_iou(counts) == pytest.approx(iou, abs=1e-6)
    assert np.isnan(Counts(0, 0, 0, 9).f1)


def test_sizes_change_by_the_rule_that_is_said():
    truth = np.zeros((4, 4), bool)
    truth[:, 2:] = True
    assert truth_at(truth, (4, 4)) is truth
    np.testing.assert_array_equal(truth_at(truth, (2, 2)), [[False, True], [False, True]])
    wide = truth_at(truth, (4, 8))
    np.testing.assert_array_equal(wide[0], [False] * 4 + [True] * 4)
    mask = truth.astype(np.float32)
    assert set(np.unique(heatmap_at(mask, (7, 9), graded=False))) == {0.0, 1.0}
    smooth = heatmap_at(mask, (7, 9), graded=True)
    assert ((smooth > 0) & (smooth < 1)).any()
    assert smooth.shape == (7, 9)
