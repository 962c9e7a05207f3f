import json

import numpy as np
import pytest

from tamperscope.matching.chance import Null
from tamperscope.screening.network_chance import (
    FORMAT,
    NetworkNull,
    evidence,
    null_of,
    strength,
)


def test_strength_is_the_mean_of_the_largest_hundredth():
    heat = np.zeros((100, 100), np.float32)
    heat[:10, :20] = np.linspace(0.5, 0.9, 200).reshape(10, 20)
    region = heat > 0
    assert strength(heat, region) == pytest.approx(np.sort(heat[region])[-100:].mean(), rel=1e-6)


def test_a_region_smaller_than_that_is_filled_up_with_zeros():
    heat = np.zeros((100, 100), np.float32)
    heat[0, :50] = 0.8
    assert strength(heat, heat > 0) == pytest.approx(0.4, rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_evidence_is_the_logit(value):
    held = min(max(value, 1e-6), 1 - 1e-6)
    assert 1 / (1 + np.exp(-evidence(value))) == pytest.approx(held)


def test_chance_counts_pristine_panels_marked_as_strongly():
    null = NetworkNull({"blot": Null(99, (3.0, 1.0)), "facs": Null(99, (1.5,))})
    share = 1 / (1 + np.exp(-2.0))  # between the two marks
    assert null.chance(share, "blot") == (
        pytest.approx(2 / 100),
        "blots and gels, 99 pristine panels",
    )
    assert null.chance(0.4, "blot")[0] == 1.0
    with pytest.raises(KeyError):
        null.chance(share, "photo")


def test_a_mark_is_as_common_as_among_panels_of_all_modalities():
    null = NetworkNull({"blot": Null(99, (3.0, 1.0)), "facs": Null(99, (6.0, 5.0, 4.0))})
    share = 1 / (1 + np.exp(-2.0))  # one blot is marked as strongly, and three plots
    assert null.chance(share, "blot") == (
        pytest.approx(5 / 199),
        "blots and gels, FACS plots, 198 pristine panels",
    )
    assert null.chance(share, "facs") == (pytest.approx(4 / 100), "FACS plots, 99 pristine panels")


def test_a_table_holds_for_its_own_weights_only(tmp_path):
    table = tmp_path / "null.json"
    marks = {"blot": {"cases": 4, "evidence": [1.5]}}
    tasks = {"seams": {"weights": "ef", "marks": {}}, "patches": {"weights": "ab", "marks": marks}}
    table.write_text(json.dumps({"format": FORMAT, "tasks": tasks}))
    assert null_of("cd", table) is None
    known = null_of("ab", table)
    assert known is not None
    assert known.cases["blot"] == Null(4, (1.5,))
    assert null_of("ab", tmp_path / "none.json") is None
    table.write_text(json.dumps({"format": "other/1"}))
    with pytest.raises(ValueError, match="must be of format"):
        null_of("ab", table)
