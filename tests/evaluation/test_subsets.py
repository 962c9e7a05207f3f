from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from tamperscope.data.samples import Sample
from tamperscope.evaluation.metrics import count
from tamperscope.evaluation.subsets import POOLED, subset_of, summarise


@pytest.mark.parametrize(
    ("path", "source", "subset"),
    [
        ("w/automatic/images/a.png", "western_blots/automatic", "western_blots/automatic"),
        ("r/testset/simple/forgery/cleaning/x/7/f.png", "rsiid", "rsiid/simple/cleaning"),
        ("r/testset/compound/forgery/7/figure.png", "rsiid", "rsiid/compound/7"),
        ("r/testset/simple/pristine/7/figure.png", "rsiid", "rsiid/simple/pristine"),
        ("r/7/figure.png", "rsiid", "rsiid"),
    ],
)
def test_the_subset_is_read_off_the_source_or_the_folders(path, source, subset):
    assert subset_of(Sample(Path(path), None, source)) == subset


def test_pooled_scores_are_those_of_all_pixels_in_one_row():
    rng = np.random.default_rng(1)
    records, pixels = [], {"big": [], "small": []}
    for number in range(12):
        name = "big" if number < 9 else "small"
        truth = rng.random((9, 11)) < 0.3
        predicted = truth ^ (rng.random((9, 11)) < (0.1 if name == "big" else 0.4))
        pixels[name].append((truth.ravel(), predicted.ravel()))
        records.append({
            "key": str(number), "set": name, "group": str(number // 2), "labelled": True,
            "counts": asdict(count(predicted, truth)),
        })  # fmt: skip
    result = summarise(records, seed=0)
    scores = {entry["set"]: entry for entry in result["sets"]}
    for name, drawn in {**pixels, POOLED: pixels["big"] + pixels["small"]}.items():
        truth, predicted = (np.concatenate(part) for part in zip(*drawn, strict=True))
        expected = matthews_corrcoef(truth, predicted)
        assert scores[name]["mcc"] == pytest.approx(expected)
        low, high = scores[name]["mcc_interval"]
        assert low < expected < high
    plain = (scores["big"]["mcc"] + scores["small"]["mcc"]) / 2
    assert result["plain_mcc"] == pytest.approx(plain)
    assert scores[POOLED]["images"] == 12
