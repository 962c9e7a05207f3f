import json

import numpy as np
import pytest

from tamperscope.errors import OutputError, WeightsError
from tamperscope.images import read_pixels
from tamperscope.models.pair_reading import PairReader
from tamperscope.screening.explain import TINT, explain, peaks, tinted
from tests.screening.drawn_network import linking_network, one_thread, scene  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def reader():
    return PairReader(linking_network())


def test_a_pair_and_a_point_are_explained(reader, tmp_path):
    wide = scene(192, 272)
    first, second = wide[:, :224].copy(), wide[:, 48:].copy()
    told = explain(reader, [first, second], tmp_path, (140.0, 96.0))
    assert sorted(told.files) == [
        "a_cross_affinity.png",
        "a_linked.png",
        "a_self_affinity.png",
        "affinity.json",
        "b_cross_affinity.png",
        "b_linked.png",
        "b_self_affinity.png",
    ]
    for name in told.files[:-1]:
        assert read_pixels(tmp_path / name).shape == (192, 224, 3)
    data = json.loads((tmp_path / "affinity.json").read_text())
    assert data["links"]["from"] == "a"
    assert data["links"]["to"] == "b"
    moved = [np.subtract(link["target"], link["source"]) for link in data["links"]["strongest"]]
    assert np.mean(np.linalg.norm(np.array(moved) - [-48, 0], axis=1) < 4) > 0.3
    assert data["point"]["at"] == [140.0, 96.0]
    in_b = next(row for row in data["point"]["partners"] if row["panel"] == "b")
    assert np.abs(np.subtract(in_b["at"], [92, 96])).max() <= 8
    assert in_b["share_of_strongest"] == pytest.approx(1.0, abs=0.05)
    assert {panel for panel, *_ in told.partners} == {"a", "b"}


def test_one_panel_is_explained_with_itself(reader, tmp_path):
    told = explain(reader, [scene(64, 96)], tmp_path)
    assert sorted(told.files) == ["a_cross_affinity.png", "a_self_affinity.png", "affinity.json"]
    data = json.loads((tmp_path / "affinity.json").read_text())
    assert data["links"]["to"] == "a"
    assert data["point"] is None
    assert told.partners == ()


def test_points_outside_and_networks_without_affinity_are_refused(reader, tmp_path):
    with pytest.raises(OutputError, match="has 96 x 64 pixels"):
        explain(reader, [scene(64, 96)], tmp_path, (96.0, 3.0))
    blind = PairReader(linking_network(affinity=False))
    with pytest.raises(WeightsError, match="without affinity"):
        explain(blind, [scene(64, 96)], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_tint_is_as_red_as_the_heatmap_says():
    pixels = np.full((1, 2, 3), 100, np.uint8)
    heat = np.array([[0.0, 1.0]], np.float32)
    assert tinted(pixels, heat).tolist() == [
        [[100, 100, 100], np.rint(100 * 0.3 + TINT * 0.7).astype(int).tolist()]
    ]


def test_peaks_are_apart_and_ordered():
    heat = np.zeros((40, 40), np.float32)
    heat[5, 5], heat[6, 6], heat[30, 20] = 1.0, 0.9, 0.5
    assert peaks(heat, 4.0) == [(5.0, 5.0, 1.0), (20.0, 30.0, 0.5)]
