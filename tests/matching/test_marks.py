import pytest

from tamperscope.matching.marks import Null, blot_null


def test_chance_counts_panels_at_least_as_strong():
    null = Null(panels=9, strengths=(1.0, 2.0, 2.0, 5.0))
    assert null.chance(2.0) == pytest.approx((1 + 3) / 10)
    assert null.chance(2.1) == pytest.approx((1 + 1) / 10)
    assert null.chance(99) == pytest.approx(1 / 10)  # never 0
    assert null.chance(0.5) == pytest.approx((1 + 4) / 10)


@pytest.mark.parametrize("kind", ["seam", "erased"])
def test_the_shipped_null_is_sorted_and_says_its_size(kind):
    null = blot_null(kind)
    assert list(null.strengths) == sorted(null.strengths)
    assert len(null.strengths) <= null.panels
    assert str(null.panels) in null.words
