import numpy as np
import pytest

from tamperscope.data.samples import Sample
from tamperscope.errors import DatasetLayoutError
from tamperscope.evaluation import measure, selection
from tamperscope.evaluation.predictions import (
    DetectorPredictor,
    Prediction,
    PredictionError,
    marked,
)
from tamperscope.images import write_png
from tests.evaluation.drawn import texture
from tests.evaluation.drawn_biofors import write_biofors


class Nothing:
    """Marks nothing; a network that never answers."""

    def check(self, samples):
        pass

    def on_picture(self, sample: Sample, pixels) -> Prediction:
        return marked(np.zeros(pixels.shape[:2], bool))

    def on_pair(self, pair):
        raise AssertionError("not asked")


@pytest.fixture
def root(tmp_path):
    for name in ("Tp", "Gt", "Au"):
        (tmp_path / name).mkdir()
    mask = np.zeros((20, 30), np.uint8)
    mask[:5] = 255
    for number in range(7):
        write_png(tmp_path / "Tp" / f"{number}.png", texture(number, 20, 30))
        write_png(tmp_path / "Gt" / f"{number}.png", mask)
    write_png(tmp_path / "Au/0.png", texture(8, 20, 30))
    return tmp_path


def test_a_limit_is_spread_over_the_sorted_list_and_parts_are_parts(root):
    assert list(selection.collect("tpgt", root, "tampered", 3)) == [
        "Tp/0.png", "Tp/2.png", "Tp/4.png",
    ]  # fmt: skip
    assert list(selection.collect("tpgt", root, "pristine")) == ["Au/0.png"]
    assert len(selection.collect("tpgt", root)) == 8
    (root / "Au/0.png").unlink()
    with pytest.raises(DatasetLayoutError, match="holds no pristine samples"):
        selection.collect("tpgt", root, "pristine")


def test_other_pictures_are_another_measurement(root):
    before = selection.fingerprint(selection.collect("tpgt", root))
    assert selection.fingerprint(selection.collect("tpgt", root)) == before
    write_png(root / "Gt/3.png", np.zeros((20, 30), np.uint8))
    assert selection.fingerprint(selection.collect("tpgt", root)) != before


def test_boxes_are_part_of_the_fingerprint(tmp_path):
    write_biofors(tmp_path)
    before = selection.fingerprint(selection.collect("biofors_idd", tmp_path))
    notes = tmp_path / "annotation_files/idd_gt.json"
    notes.write_text(notes.read_text().replace("10, 8", "11, 8"))
    assert selection.fingerprint(selection.collect("biofors_idd", tmp_path)) != before


def test_a_picture_or_truth_that_is_broken_is_left_out_with_its_reason(root):
    (root / "Tp/1.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    write_png(root / "Gt/2.png", np.zeros((5, 5), np.uint8))
    setting = measure.Setting("tpgt")
    samples = selection.collect("tpgt", root)
    run = measure.Measurement(samples, Nothing(), setting)
    summary = measure.summarise(setting, [{"key": key, **run(key)} for key in samples], 0)
    assert [entry["key"] for entry in summary["skipped"]] == ["Tp/1.png", "Tp/2.png"]
    assert "5 x 5" in summary["skipped"][1]["why"]
    assert (summary["measured"], summary["sets"][0]["tampered"]) == (6, 5)


def test_a_set_that_does_not_say_where_is_refused(tmp_path):
    write_png(tmp_path / "a.png", texture(0, 20, 30))
    (tmp_path / "set.json").write_text('[{"path": "a.png", "label": 1}]')
    with pytest.raises(DatasetLayoutError, match="not where"):
        selection.collect("forensichub", tmp_path / "set.json")
    for name in "ab":
        (tmp_path / "binder/g").mkdir(parents=True, exist_ok=True)
        write_png(tmp_path / f"binder/g/{name}.png", texture(0, 20, 30))
    with pytest.raises(DatasetLayoutError, match="only biofors_edd has a protocol"):
        selection.collect("binder", tmp_path / "binder")


def test_a_detector_for_one_picture_is_refused_for_pairs(tmp_path):
    samples = selection.collect("biofors_edd", write_biofors(tmp_path / "root"))
    with pytest.raises(PredictionError, match="cannot compare two"):
        DetectorPredictor("seams").check(list(samples.values()))
    DetectorPredictor("keypoints").check(list(samples.values()))


def test_a_matcher_marks_what_two_pictures_share(tmp_path):
    root = write_biofors(tmp_path / "root")
    whole = texture(3, 160, 200)
    folder = root / "biofors_images/d1"
    write_png(folder / "1.png", whole)
    write_png(folder / "2.png", whole[:, 40:])
    samples = selection.collect("biofors_edd", root)
    pair = samples["biofors_images/d1/1.png 2.png"]
    first, second = DetectorPredictor("keypoints").on_pair(pair)
    assert first.heatmap.shape == (160, 200)
    assert second.heatmap.shape == (160, 160)
    assert first.heatmap[:, 60:].mean() > 0.6
    assert first.heatmap[:, :30].mean() < 0.1
    assert second.heatmap.mean() > 0.6
