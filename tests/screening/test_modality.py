import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tamperscope.records import PANEL_KINDS
from tamperscope.screening.appearance import describe_appearance
from tamperscope.screening.modality import (
    SET_ASIDE,
    Table,
    classify,
    kind_probabilities,
    shipped_table,
)
from tests.screening.drawn_figures import blot
from tools.drawn_charts import draw_chart


def fluorescence(seed):
    plane = np.random.default_rng([seed, 1]).normal(8, 2, (300, 360))
    y, x = np.mgrid[:300, :360]
    for cy, cx in np.random.default_rng([seed, 2]).uniform(0, 1, (14, 2)) * [300, 360]:
        plane += 170 * np.exp(-(((y - cy) / 14) ** 2) - ((x - cx) / 19) ** 2)
    return np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def flow_plot(seed):
    rng = np.random.default_rng(seed)
    page = np.full((240, 240, 3), 255, np.uint8)
    cv2.rectangle(page, (40, 15), (225, 200), (0, 0, 0), 1)
    for x, y in rng.normal([110, 120], [28, 22], (4000, 2)).astype(int):
        if 40 < x < 225 and 15 < y < 200:
            page[y, x] = (30, 60, 200)
    cv2.putText(page, "FSC-A", (100, 230), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return page


DRAWN = {
    "blot": lambda seed: blot(160, 420, seed),
    "microscopy": fluorescence,
    "facs": flow_plot,
    "chart": lambda seed: draw_chart(np.random.default_rng([123, seed])),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_plain_cases_are_named(kind):
    named = [classify(DRAWN[kind](seed))[0] for seed in range(10)]
    assert named.count(kind) >= 8, named


def test_probabilities_are_of_all_kinds_and_add_up():
    shares = kind_probabilities(blot(100, 200, 1))
    assert tuple(shares) == PANEL_KINDS
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)


def test_doubt_keeps_a_panel_in_the_screening(monkeypatch):
    for chart, expected in ((SET_ASIDE - 0.05, "blot"), (SET_ASIDE + 0.05, "chart")):
        rest = 1 - chart
        shares = np.array([0.9 * rest, 0.1 * rest, 0, 0, 0, chart])
        monkeypatch.setattr(Table, "probabilities", lambda *_, shares=shares: shares)
        assert classify(blot(60, 60, 1)) == (expected, pytest.approx(shares.max() if
                                             expected == "chart" else 0.9 * rest))  # fmt: skip


def test_the_table_computes_what_scikit_learn_computes():
    rng = np.random.default_rng(8)
    inputs, truth = rng.normal(size=(300, 5)), rng.integers(0, 6, 300)
    model = LogisticRegression().fit(inputs, truth)
    table = Table(np.zeros(5), np.ones(5), model.coef_.T, model.intercept_)
    few = np.clip(inputs[:20], -4, 4)
    np.testing.assert_allclose(table.probabilities(few), model.predict_proba(few), atol=1e-6)


def test_the_shipped_table_fits_the_features():
    table = shipped_table()
    count = describe_appearance(blot(50, 50, 1)).size
    assert table.mean.shape == table.scale.shape == (count,)
    assert table.weights.shape == (count, len(PANEL_KINDS))
    assert table.bias.shape == (len(PANEL_KINDS),)


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (3, 9), (2000, 5)])
@pytest.mark.parametrize("level", [0, 255])
def test_features_of_degenerate_panels_are_finite(shape, level):
    assert np.isfinite(describe_appearance(np.full((*shape, 3), level, np.uint8))).all()
