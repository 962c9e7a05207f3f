import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import matthews_corrcoef

from tamperscope.evaluation.metrics import Counts, count, mcc_or_zero


def test_counts_of_a_case_worked_by_hand():
    predicted = np.array([[1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]], dtype=bool)
    truth = np.array([[1, 0, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]], dtype=bool)
    counts = count(predicted, truth)
    assert counts == Counts(hits=1, false_alarms=4, misses=3, rejections=4)
    assert counts.precision == pytest.approx(1 / 5)
    assert counts.recall == pytest.approx(1 / 4)
    assert counts.f1 == pytest.approx(2 / 9)
    assert counts.iou == pytest.approx(1 / 8)
    assert counts.mcc == pytest.approx((1 * 4 - 4 * 3) / math.sqrt(5 * 7 * 4 * 8))


masks = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(masks)
def test_identities_hold_for_any_masks(pairs):
    predicted, truth = np.array(pairs, dtype=bool).T[:, None]
    counts, turned = count(predicted, truth), count(truth, predicted)
    assert counts.f1 == pytest.approx(2 * counts.iou / (1 + counts.iou), nan_ok=True)
    assert counts.precision == pytest.approx(turned.recall, nan_ok=True)
    half = len(pairs) // 2
    halves = count(predicted[:, :half], truth[:, :half]) + count(
        predicted[:, half:], truth[:, half:]
    )
    assert halves == counts
    if math.isnan(counts.mcc):
        assert predicted.all() or truth.all() or not predicted.any() or not truth.any()
    else:
        assert counts.mcc == pytest.approx(matthews_corrcoef(truth[0], predicted[0]))


def test_scores_that_do_not_exist_are_nan():
    pristine_unmarked = Counts(rejections=9)
    for name in ("precision", "recall", "f1", "iou", "mcc"):
        assert math.isnan(getattr(pristine_unmarked, name)), name
    unmarked = Counts(misses=2, rejections=7)
    assert math.isnan(unmarked.mcc)
    assert mcc_or_zero(unmarked) == 0
    assert math.isnan(mcc_or_zero(pristine_unmarked))


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        count(np.zeros((2, 3), dtype=bool), np.zeros((3, 2), dtype=bool))
