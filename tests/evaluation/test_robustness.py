import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
import pytest

from tamperscope.data.samples import MaskFiles, PairSample, Sample
from tamperscope.evaluation import measure, robustness
from tamperscope.evaluation.perturbations import FAMILIES
from tamperscope.evaluation.plots import Line, PlotError, curves_svg, scale_of
from tamperscope.evaluation.predictions import Prediction, PredictionError
from tamperscope.evaluation.table_parts import ROBUSTNESS
from tamperscope.evaluation.tables import tables_of
from tamperscope.images import read_pixels, write_png

BRIGHT = 200


@dataclass(frozen=True)
class MarksWhatIsBright:
    """Marks pixels above a grey level: right until the picture gets darker."""

    level: int = BRIGHT

    def check(self, samples):
        pass

    def on_picture(self, sample, pixels):
        return Prediction((pixels[..., 0] > self.level).astype(np.float32), graded=False)

    def on_pair(self, pair):
        raise AssertionError("not asked")


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    found = {}
    for number in range(4):
        mask = np.zeros((24, 32), np.uint8)
        mask[4:12, 4 + number : 16 + number] = 255
        picture = np.full((24, 32, 3), 90, np.uint8)
        picture[mask > 0] = 230
        write_png(root / f"{number}.png", picture)
        write_png(root / f"{number}_gt.png", mask)
        truth = MaskFiles((root / f"{number}_gt.png",))
        found[f"{number}.png"] = Sample(root / f"{number}.png", truth, "drawn", group=str(number))
    return found


def summary(samples, families, predictor=None):
    setting = measure.Setting("tpgt")
    run = robustness.RobustnessMeasurement(samples, predictor or MarksWhatIsBright(), setting, 0)
    records = [{"key": key, **run(key)} for key in run.keys(families)]
    return {
        "format": ROBUSTNESS,
        "method": {"name": "bright <&> dark"},
        "metadata": {"commit": None},
        "setting": measure.setting_as_json(setting),
        "part": "all",
        "limit": None,
        **robustness.summarise(setting, records, 0),
    }


def test_scores_fall_where_the_change_hurts_and_nowhere_else(samples):
    result = summary(samples, ["brightness", "shrink"])
    f1 = {(p["family"], p["level"]): p["scores"]["F1"]["value"] for p in result["points"]}
    assert f1["unchanged", None] == 1.0
    assert f1["brightness", 0.95] == 1.0  # 230 becomes 219
    assert f1["brightness", 0.8] == 0.0  # 184
    assert 0.8 < f1["shrink", 0.5] <= 1.0
    assert [p["level"] for p in result["points"] if p["family"] == "shrink"] == [
        0.9, 0.75, 0.5, 0.25,
    ]  # fmt: skip


def test_what_is_seen_is_changed_and_the_answer_keeps_the_size_of_the_picture(samples):
    (sample, *_) = samples.values()
    pixels = read_pixels(sample.image)
    changed = robustness.ChangedPredictor(MarksWhatIsBright(), "enlarge", 2.0, seed=0)
    assert changed.on_picture(sample, pixels).heatmap.shape == (24, 32)
    noisy = robustness.ChangedPredictor(MarksWhatIsBright(100), "noise", 0.009, seed=0)
    once, again = (noisy.on_picture(sample, pixels).heatmap for _ in range(2))
    np.testing.assert_array_equal(once, again)
    other = robustness.ChangedPredictor(MarksWhatIsBright(100), "noise", 0.009, seed=1)
    assert (other.on_picture(sample, pixels).heatmap != once).any()


def test_pairs_are_refused(samples):
    a, b, *_ = samples.values()
    pair = PairSample(a, b, related=True, source="drawn")
    run = robustness.RobustnessMeasurement(
        {"pair": pair}, MarksWhatIsBright(), measure.Setting("biofors_edd"), 0
    )
    with pytest.raises(PredictionError, match="not on pairs"):
        run.check()


def test_the_axis_of_scores_holds_every_score_and_interval():
    def line(*values, intervals=(None,), unchanged=0.05):
        return Line("m", (1.0,), values, intervals, unchanged)

    assert scale_of([line(0.02)]) == (0.0, 0.1)
    assert scale_of([line(0.02, unchanged=0.3)]) == (0.0, 0.4)
    assert scale_of([line(0.02, intervals=((0.0, 0.15),))]) == (0.0, 0.2)
    assert scale_of([line(-0.01), line(0.9)]) == (-1.0, 1.0)
    assert scale_of([line(None, unchanged=None)]) == (0.0, 1.0)


def test_the_curves_are_drawn_and_tabled(samples):
    result = summary(samples, ["brightness", "jpeg"])
    drawing = curves_svg([result, {**result, "method": {"name": "other"}}])
    root = ET.fromstring(drawing)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"brightness", "jpeg", "upper bound", "JPEG quality", "bright <&> dark"} <= set(texts)
    panels = root.findall("{http://www.w3.org/2000/svg}g")
    assert len(panels) == 2
    circles = panels[0].findall("{http://www.w3.org/2000/svg}circle")
    heights = [float(circle.get("cy")) for circle in circles]
    assert len(heights) == len(FAMILIES["brightness"].levels)
    assert heights == sorted(heights)  # lower score, lower on the page
    assert heights[0] < heights[-1]
    with pytest.raises(PlotError, match="F1, IoU, pixel MCC"):
        curves_svg([result], "speed")
    with pytest.raises(PlotError, match="only the unchanged"):
        curves_svg([summary(samples, [])])
    (table,) = tables_of([result])
    assert table.rows[0][:2] == ("unchanged", "-")
    assert table.rows[0][2].startswith("1.000")
    assert len(table.rows) == 1 + 3 + 9
