from collections import OrderedDict

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tamperscope.data import read_dataset  # noqa: E402
from tamperscope.evaluation.pair_predictor import (  # noqa: E402
    PairNetworkPredictor,
    answered,
    recent,
)
from tamperscope.evaluation.predictions import KEPT_PANELS, PredictionError  # noqa: E402
from tamperscope.images import read_pixels  # noqa: E402
from tamperscope.models import create_model  # noqa: E402
from tamperscope.models.pair_reading import PairReader  # noqa: E402
from tests.evaluation.drawn_biofors import SIZE, write_biofors  # noqa: E402


def test_pairs_and_panels_are_answered_at_their_size(tmp_path):
    pair, *_ = read_dataset("biofors_edd", write_biofors(tmp_path / "root"))
    predictor = PairNetworkPredictor(PairReader(create_model("biotampernet_test")))
    first, second = predictor.on_pair(pair)
    assert first.heatmap.shape == second.heatmap.shape == SIZE
    assert first.graded
    again, _ = predictor.on_pair(pair)
    np.testing.assert_array_equal(again.heatmap, first.heatmap)
    assert set(predictor.kept) == {pair.a.image, pair.b.image}
    alone = predictor.on_picture(pair.a, read_pixels(pair.a.image))
    assert alone.heatmap.shape == SIZE
    with pytest.raises(PredictionError, match=r"a\.png.*NaN"):
        answered(np.array([[np.nan]]), "a.png")


def test_what_was_used_longest_ago_is_let_go():
    kept, asked = OrderedDict(), []

    def read(name):
        return recent(kept, name, lambda: asked.append(name) or name)

    for number in range(KEPT_PANELS):
        read(number)
    read(0)
    read("new")  # lets 1 go, not 0
    assert (0 in kept, 1 in kept, len(kept)) == (True, False, KEPT_PANELS)
    read(1)
    assert asked.count(1) == 2
    assert asked.count(0) == 1
