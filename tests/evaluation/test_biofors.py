import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from tamperscope.evaluation import biofors, measure, selection
from tamperscope.evaluation.mask_folder import MaskFolder
from tamperscope.evaluation.metrics import Counts
from tamperscope.evaluation.predictions import PredictionError
from tests.evaluation.drawn_biofors import (
    BOX,
    box_mask,
    put,
    write_biofors,
    write_edd,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_biofors(tmp_path_factory.mktemp("biofors") / "root")


def entries(root, folder, task, *, legacy=False):
    """Summary of a folder of masks, by (area_th, category)."""
    setting = measure.Setting(f"biofors_{task}", legacy=legacy)
    samples = selection.collect(setting.dataset, root)
    masks = MaskFolder(folder, root, measure.may_lack(setting))
    masks.check(list(samples.values()))
    run = measure.Measurement(samples, masks, setting)
    summary = measure.summarise(setting, [{"key": key, **run(key)} for key in samples], seed=0)
    assert summary["skipped"] == []
    return {(e["area_th"], e["category"]): e for e in summary["entries"]}


def counts(entry, level):
    return Counts(**entry[level]["counts"])


def test_edd_worked_by_hand(root, tmp_path):
    found = entries(root, write_edd(tmp_path), "edd")
    # With the filter: d1's pair is found in one panel (40 of its 41 true pixels), missed in the
    # other (19 of 200 pixels are fewer than a tenth: erased). d2's mask of exactly a tenth stays.
    blots, cells, both = (found[0.1, name] for name in ("Blot/Gel", "Microscopy", biofors.COMBINED))
    assert counts(blots, "pixel") == Counts(40, 0, 41, 719)
    assert counts(cells, "pixel") == Counts(0, 20, 0, 380)
    assert counts(both, "pixel") == Counts(40, 20, 41, 1099)
    assert counts(both, "image") == Counts(1, 1, 0, 1)
    # Without it the 19 pixels count; none of them is true.
    assert counts(found[0.0, "Blot/Gel"], "pixel") == Counts(40, 19, 41, 700)
    assert both["units"] == 3
    assert both["pixel"]["corrected"]["ts"] == pytest.approx(40 / 101)


def test_idd_counts_every_panel_but_facs_and_flags_by_any_pixel(root, tmp_path):
    for document, panels in {"d1": "123", "d2": "12"}.items():
        for number in panels:
            put(tmp_path / document / f"{number}.png", box_mask())
    put(tmp_path / "d2/1.png", box_mask([19, 9, 20, 10]))  # one pixel, in the wrong place
    found = entries(root, tmp_path, "idd")
    assert counts(found[None, "Microscopy"], "image") == Counts(1, 0, 0, 1)
    assert counts(found[None, "Microscopy"], "pixel") == Counts(0, 1, 40, 359)
    assert found[None, biofors.COMBINED]["units"] == 5
    assert counts(found[None, "Blot/Gel"], "image") == Counts(0, 0, 0, 3)
    blots = found[None, "Blot/Gel"]["image"]
    assert blots["corrected"]["mcc"] is None
    assert blots["legacy"]["stops"] == "ZeroDivisionError at the image-level precision"
    cells = found[None, "Microscopy"]["pixel"]
    assert cells["legacy"]["mcc"] == "nan"  # negative: the logarithm has none
    assert cells["corrected"]["mcc"] < 0


def test_missing_predictions_are_errors_and_what_the_scripts_make_of_them_only_in_legacy(
    root, tmp_path
):
    put(tmp_path / "d1/3.png", box_mask(BOX))
    put(tmp_path / "d2/1.png", box_mask(BOX))
    for task in ("idd", "cstd"):
        with pytest.raises(PredictionError, match=r"lacks .*1\.png"):
            entries(root, tmp_path, task)
    idd = entries(root, tmp_path, "idd", legacy=True)[None, biofors.COMBINED]
    assert (idd["units"], idd["missing"]) == (5, 3)  # counted as empty
    assert counts(idd, "image") == Counts(1, 1, 0, 3)
    assert idd["pixel"]["corrected"] is None  # there is no correct score without the rest
    cstd = entries(root, tmp_path, "cstd", legacy=True)[None, biofors.COMBINED]
    assert (cstd["units"], cstd["missing"]) == (3, 2)  # left out
    assert counts(cstd, "image") == Counts(1, 0, 0, 0)
    assert counts(cstd, "pixel") == Counts(40, 0, 0, 160)
    write_edd(tmp_path)
    (tmp_path / "d2/2.png__1.png/1.png").unlink()
    with pytest.raises(PredictionError, match=r"2\.png__1\.png"):
        entries(root, tmp_path, "edd", legacy=True)  # the script stops there too


def test_grey_is_cut_off_by_the_script_for_edd_only():
    grey = np.array([[255, 254, 1, 0]], np.uint8)

    def read(values, **options):
        return biofors.read_binary_mask(
            cv2.imencode(".png", values)[1].tobytes(), "a.png", **options
        )

    assert read(grey, grey=True).tolist() == [[True, False, False, False]]
    with pytest.raises(PredictionError, match=r"a\.png holds the value 254"):
        read(grey)
    dark = np.array([[1, 0, 2]], np.uint8)  # without 255 even EDD's script refuses
    with pytest.raises(PredictionError, match="value 2"):
        read(dark, grey=True)
    assert read(dark[:, :2]).tolist() == [[True, False]]
    assert read(np.array([[255, 0]], np.uint8)).tolist() == [[True, False]]
    with pytest.raises(PredictionError, match="not an image"):
        biofors.read_binary_mask(b"no", "a.png")


def test_a_mask_of_another_size_is_never_scaled(root, tmp_path):
    write_edd(tmp_path)
    put(tmp_path / "d1/1.png__2.png/2.png", np.zeros((20, 10), np.uint8))
    with pytest.raises(PredictionError, match=r"2\.png is 10 x 20, its panel 20 x 10"):
        entries(root, tmp_path, "edd")


@pytest.mark.parametrize(("marked", "kept"), [(29, False), (30, True)])
def test_the_area_filter_keeps_exactly_the_threshold_as_floats_have_it(marked, kept):
    mask = np.zeros((20, 15), bool)
    mask.ravel()[:marked] = True
    assert biofors.area_filter(mask, 0.1).any() == kept
    assert biofors.area_filter(mask, 0.0).any()
    third = np.zeros((3, 10), bool)  # 0.1 * 30 is a little more than 3 in floats
    third.ravel()[:3] = True
    assert biofors.area_filter(third, 0.1).any() == (3 >= 0.1 * 30)


four = st.integers(0, 40)


@settings(max_examples=40, deadline=None)
@given(four, four, four, four)
def test_corrected_scores_agree_with_scikit_learn(hits, alarms, misses, rejections):
    counted = Counts(hits, alarms, misses, rejections)
    truth = [1] * hits + [0] * alarms + [1] * misses + [0] * rejections
    predicted = [1] * (hits + alarms) + [0] * (misses + rejections)
    scores = biofors.corrected(counted)
    if not truth:
        assert set(scores.values()) == {None}
        return
    assert scores["accuracy"] == pytest.approx(reference.accuracy_score(truth, predicted))
    if len(set(truth)) == 2:  # scikit-learn, too, writes 0 for a constant prediction
        assert scores["mcc"] == pytest.approx(reference.matthews_corrcoef(truth, predicted))
    else:
        assert scores["mcc"] is None
    for name, function in {
        "precision": reference.precision_score,
        "recall": reference.recall_score,
        "f1": reference.f1_score,
    }.items():
        value = function(truth, predicted, zero_division=np.nan)
        assert (scores[name] is None and math.isnan(value)) or scores[name] == pytest.approx(value)
    if scores["ts"] is not None:
        assert scores["ts"] == pytest.approx(reference.jaccard_score(truth, predicted))


@given(four, four, four, four)
def test_official_scores_are_the_correct_ones_where_both_exist(hits, alarms, misses, rejections):
    counted = Counts(hits, alarms, misses, rejections)
    right = biofors.corrected(counted)
    for level in ("image", "pixel"):
        printed = biofors.official(counted, level)
        for name, value in printed.items():
            if name == "stops" or value is None or math.isnan(value):
                continue
            assert value == pytest.approx(right[name], abs=1e-12), (level, name)
        if level == "pixel":  # no logarithm of what is negative, and none of an empty margin
            margins = (hits + alarms, misses + rejections, hits + misses, alarms + rejections)
            missing = 0 in margins or right["mcc"] < 0
            assert math.isnan(printed["mcc"]) == missing


def test_the_scripts_64_bit_products_wrap_around():
    """3e9 true hits and 4e9 rejections multiply to more than 2**63."""
    counted = Counts(3 * 10**9, 10**9, 10**9, 4 * 10**9)
    assert biofors.corrected(counted)["mcc"] == pytest.approx(11 / 20)
    assert math.isnan(biofors.official(counted, "pixel")["mcc"])
