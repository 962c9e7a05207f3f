from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from tamperscope.evaluation import measure, selection
from tamperscope.evaluation.mask_folder import MaskFolder
from tamperscope.evaluation.recodai import Region, of1, parts_of, region_of, regions_of
from tamperscope.images import write_png

SHAPE = (6, 8)


def plane(*places):
    mask = np.zeros(SHAPE, bool)
    for y0, y1, x0, x1 in places:
        mask[y0:y1, x0:x1] = True
    return mask


def test_worked_by_hand():
    left, right = plane((0, 4, 0, 2)), plane((0, 4, 5, 7))  # 8 pixels each
    half = plane((0, 2, 0, 2))  # F1 with left: 2 * 4 / (4 + 8) = 2/3
    truth = regions_of([left, right])
    assert of1([], []) == 1
    assert of1(truth, []) == 0
    assert of1([], truth) == 0
    assert of1(truth, truth) == 1
    assert of1(regions_of([half]), truth) == pytest.approx((2 / 3) / 2)  # one of two missed
    # Three predictions for two regions: the mean 1 is cut to 2/3.
    assert of1([*truth, region_of(half)], truth) == pytest.approx(2 / 3)


masks = st.lists(
    st.tuples(*[st.integers(0, 4)] * 2, *[st.integers(1, 2)] * 2), min_size=1, max_size=3
)


@settings(max_examples=60, deadline=None)
@given(masks, masks)
def test_agrees_with_every_assignment_tried(predicted, truth):
    """The definition, with scikit-learn's F1 and all permutations instead of an algorithm."""
    first, second = (
        [plane((y, y + h, x, x + w)) for y, x, h, w in boxes] for boxes in (predicted, truth)
    )
    table = np.zeros((max(len(first), len(second)),) * 2)
    for i, p in enumerate(first):
        for j, t in enumerate(second):
            table[i, j] = f1_score(t.ravel(), p.ravel())
    best = max(
        sum(table[i, order[i]] for i in range(len(table)))
        for order in permutations(range(len(table)))
    )
    expected = best / len(second) * len(second) / max(len(first), len(second))
    assert of1(regions_of(first), regions_of(second)) == pytest.approx(expected)


def test_parts_are_the_connected_ones_and_put_together_are_the_mask():
    mask = plane((0, 2, 0, 2), (2, 3, 2, 3), (5, 6, 5, 8))  # the first two touch at a corner
    parts = parts_of(mask)
    assert sorted(part.area for part in parts) == [3, 5]
    drawn = np.zeros(SHAPE, bool)
    for part in parts:
        height, width = part.mask.shape
        drawn[part.top : part.top + height, part.left : part.left + width] |= part.mask
    np.testing.assert_array_equal(drawn, mask)
    with pytest.raises(ValueError, match="marks something"):
        region_of(np.zeros(SHAPE, bool))
    assert Region(0, 0, np.ones((2, 3), bool)).area == 6


def test_a_folder_is_scored_with_the_floor_beside_it(tmp_path):
    root = tmp_path / "root"
    for kind, numbers in {"authentic": "123", "forged": "12"}.items():
        (root / "train_images" / kind).mkdir(parents=True)
        for number in numbers:
            write_png(
                root / "train_images" / kind / f"{number}.png", np.zeros((*SHAPE, 3), np.uint8)
            )
    (root / "train_masks").mkdir()
    both = np.stack([plane((0, 4, 0, 2)), plane((0, 4, 5, 7))])
    np.save(root / "train_masks/1.npy", both.astype(np.uint8))
    np.save(root / "train_masks/2.npy", np.zeros(SHAPE, np.uint8))  # marks nothing: left out
    answers = tmp_path / "answers"
    for kind, number in [("authentic", 1), ("authentic", 2), ("authentic", 3), ("forged", 2)]:
        (answers / kind).mkdir(parents=True, exist_ok=True)
        write_png(answers / kind / f"{number}.png", plane())
    write_png(answers / "authentic/3.png", plane((0, 1, 0, 1)))  # a false alarm
    np.save(answers / "forged/1.npy", both[:1])
    setting = measure.Setting("recodai")
    samples = selection.collect("recodai", root)
    run = measure.Measurement(samples, MaskFolder(answers, root), setting)
    records = [{"key": key, **run(key)} for key in samples]
    summary = measure.summarise(setting, records, 0)
    assert [s["key"] for s in summary["skipped"]] == ["train_images/forged/2.png"]
    assert summary["of1"] == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert summary["floor"] == pytest.approx(3 / 4)
    assert (summary["of1_forged"], summary["of1_authentic"]) == (0.5, pytest.approx(2 / 3))
