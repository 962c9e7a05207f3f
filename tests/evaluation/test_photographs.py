from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tamperscope.evaluation.metrics import Counts
from tamperscope.evaluation.photographs import averages, image_auc, summarise
from tamperscope.evaluation.scoring import GRID, score_picture


def record(
    name, counts, *, labelled=True, group=None, operation=None, graded=False, heat=1.0, auc=None
):
    return {
        "key": f"{name}-{counts}",
        "set": name,
        "group": group,
        "operation": operation,
        "labelled": labelled,
        "tampered": counts.hits + counts.misses > 0,
        "counts": asdict(counts),
        "graded": graded,
        "heat": heat,
        "auc": auc,
        "best_f1": None,
    }


def test_empty_truths_and_pristine_pictures_stay_out_of_the_means():
    records = [
        record("a", Counts(10, 0, 10, 80)),  # F1 2/3, IoU 1/2
        record("a", Counts(0, 0, 20, 80)),  # nothing marked: 0
        record("a", Counts(0, 5, 0, 95)),  # labelled tampered, empty truth: no F1
        record("a", Counts(0, 10, 0, 90), labelled=False),
        record("a", Counts(0, 0, 0, 100), labelled=False),
    ]
    (scores,) = summarise(records, seed=0)["sets"]
    assert scores["f1"] == pytest.approx(1 / 3)
    assert scores["iou"] == pytest.approx(1 / 4)
    assert (scores["tampered"], scores["empty_truths"]) == (2, 1)
    assert scores["marked_images"] == 1
    assert scores["pristine"] == {
        "images": 2, "false_alarm_area": 0.05, "worst_area": 0.1, "marked_images": 1,
    }  # fmt: skip
    # The papers' zero for the empty truth, over the three that the set calls tampered.
    assert scores["legacy"]["f1"] == pytest.approx(2 / 9, abs=1e-5)
    assert scores["legacy"]["images"] == 3
    assert scores["graded"] is None  # masks have no AUC


def test_operations_are_told_apart_where_the_set_names_them():
    records = [
        record("a", Counts(10, 0, 10, 80), operation="copy-move", group="x", auc=0.9),  # F1 2/3
        record("a", Counts(5, 0, 0, 95), operation="copy-move", group="y", auc=None),  # F1 1
        record("a", Counts(0, 0, 20, 80), operation="splicing", auc=0.5),
        record("a", Counts(0, 10, 0, 90), operation="splicing"),  # empty truth: no F1
        record("a", Counts(7, 0, 0, 93)),  # not told
    ]
    (scores,) = summarise(records, seed=0)["sets"]
    assert set(scores["operations"]) == {"copy-move", "splicing"}
    copied, spliced = scores["operations"]["copy-move"], scores["operations"]["splicing"]
    assert copied["f1"] == pytest.approx(5 / 6)
    assert copied["iou"] == pytest.approx(3 / 4)
    assert (copied["images"], copied["auc"]) == (2, 0.9)
    assert copied["f1_interval"] == pytest.approx((2 / 3, 1.0))
    assert (spliced["images"], spliced["f1"], spliced["auc"]) == (1, 0.0, 0.5)


def test_means_over_sets_are_weighted_by_pictures_or_plain():
    perfect, none = Counts(5, 0, 0, 5), Counts(0, 0, 5, 5)
    records = [record("big", perfect)] * 3 + [record("small", none)]
    result = summarise(records, seed=0)["average"]
    assert result["weighted"]["f1"] == pytest.approx(3 / 4)
    assert result["plain"]["f1"] == pytest.approx(1 / 2)
    assert result["sets"] == 2
    unscored = averages(summarise([record("p", Counts(0, 1, 0, 9), labelled=False)], 0)["sets"])
    assert unscored["weighted"] == {"f1": None, "iou": None}


def test_the_best_fixed_threshold_is_one_for_the_set_and_the_oracle_one_for_each_picture():
    truth = np.array([[True, True, False, False]])
    records = []
    for number, heat in enumerate(([0.9, 0.8, 0.3, 0.2], [0.4, 0.3, 0.2, 0.1])):
        scored = score_picture(np.array([heat]), truth)
        records.append({"key": str(number), "set": "s", "group": None, "operation": None,
                        "labelled": True, "tampered": True, **scored})  # fmt: skip
    (scores,) = summarise(records, seed=0)["sets"]
    assert scores["f1"] == pytest.approx(1 / 2)  # at 0.5 the second has nothing
    assert scores["graded"]["best_f1"] == 1.0
    assert scores["graded"]["auc"] == 1.0
    # 0.25 marks 3 of the first (F1 4/5) and both of the second; from 0.3 on that loses a hit.
    best = scores["graded"]["best_fixed"]
    by_hand = {level: np.mean([_f1(r, level) for r in ([0.9, 0.8, 0.3, 0.2], [0.4, 0.3, 0.2, 0.1])])
               for level in GRID}  # fmt: skip
    assert best["f1"] == pytest.approx(max(by_hand.values()))
    assert by_hand[best["threshold"]] == pytest.approx(best["f1"])


def _f1(heat, level):
    marked = [h > level for h in heat]
    hits = sum(marked[:2])
    return 2 * hits / (sum(marked) + 2)


def test_pictures_are_ordered_by_their_largest_heat():
    rng = np.random.default_rng(0)
    truth, heat = rng.random(60) < 0.4, np.round(rng.random(60), 1)
    records = [
        record("s", Counts(), labelled=bool(t), heat=float(h))
        for t, h in zip(truth, heat, strict=True)
    ]
    assert image_auc(records) == pytest.approx(roc_auc_score(truth, heat))
    assert np.isnan(image_auc(records[:1]))
