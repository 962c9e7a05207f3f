import numpy as np
import pytest

from tamperscope.matching import chance
from tamperscope.records import PANEL_KINDS


@pytest.mark.parametrize("kind", PANEL_KINDS)
@pytest.mark.parametrize("within", [False, True])
def test_the_chance_falls_with_the_evidence_and_is_a_share(kind, within):
    evidence = np.linspace(-10, 2000, 400)
    chances = [chance.chance_of(e, kind, within=within)[0] for e in evidence]
    assert all(0 < c <= 1 for c in chances)
    assert (np.diff(chances) <= 0).all()
    assert chances[0] == 1
    assert chances[-1] < chance.ALPHA


def test_inside_the_table_the_chance_is_the_counted_share():
    null = chance.Null(99, (30.0, 20.0, 10.0))
    assert null.chance(10.0) == pytest.approx(4 / 100)
    assert null.chance(15.0) == pytest.approx(3 / 100)
    assert null.chance(1.0) == pytest.approx(4 / 100)
    assert null.chance(0.0) == 1


def test_beyond_the_table_it_falls_at_the_rate_of_the_tail():
    null = chance.Null(99, (30.0, 20.0, 10.0))
    drop = null.chance(31.0) / null.chance(46.0)
    assert drop == pytest.approx(np.exp(15 / 15))  # mean excess of 30 and 20 over 10
    assert null.chance(1e6) == chance.FLOOR


def test_the_larger_chance_of_the_modality_and_of_all_counts(monkeypatch):
    few, many = chance.Null(99, (5.0,)), chance.Null(999, (90.0, 80.0, 70.0, 60.0, 50.0))
    monkeypatch.setattr(chance, "nulls", lambda kind, within: many if kind == "chart" else few)
    assert chance.chance_of(55.0, "blot", within=False)[0] == pytest.approx(5 / 1000)
    found, words = chance.chance_of(4.0, "blot", within=False)
    assert found == pytest.approx(2 / 100)
    assert words == "blots and gels, 99 unrelated pairs"
    assert "panels of all kinds, 999 unrelated pairs" in chance.chance_of(
        55.0, "blot", within=False
    )


def test_the_words_name_the_number_of_cases():
    words = chance.chance_of(5.0, "blot", within=False)[1]
    assert "unrelated pairs" in words
    assert "pristine panels" in chance.chance_of(5.0, "facs", within=True)[1]
