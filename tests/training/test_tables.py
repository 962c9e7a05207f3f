from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest

from tamperscope.errors import RecipeError
from tamperscope.training.tables import read_table


@dataclass(frozen=True)
class Inner:
    depth: int = 1


@dataclass(frozen=True)
class Outer:
    name: str
    rate: float = 0.5
    on: bool = True
    kind: Literal["one", "two"] = "one"
    sides: tuple[int, int] | None = None
    words: tuple[str, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    inner: tuple[Inner, ...] = ()

    def __post_init__(self):
        if self.rate < 0:
            raise ValueError("rate is 0 or more")


def test_every_kind_of_value_is_read():
    table = {
        "name": "x", "rate": 2, "on": False, "kind": "two", "sides": [3, 4], "words": ["a"],
        "shares": {"blot": 1}, "inner": [{"depth": 3}, {}],
    }  # fmt: skip
    assert read_table(Outer, table, "t") == Outer(
        "x", 2.0, False, "two", (3, 4), ("a",), {"blot": 1.0}, (Inner(3), Inner(1))
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rat": 1}, "t: unknown key 'rat'; did you mean 'rate'"),
        ({"inner": [{"dept": 1}]}, "t: inner[0]: unknown key 'dept'; did you mean 'depth'"),
        ({"rate": "fast"}, "t: rate is a number, got 'fast'"),
        ({"rate": float("nan")}, "t: rate is a finite number"),
        ({"rate": True}, "t: rate is a number"),
        ({"on": 1}, "t: on is true or false"),
        ({"kind": "tow"}, "t: kind: 'tow' is none of it; did you mean 'two'"),
        ({"sides": [1]}, "t: sides is a list of 2"),
        ({"sides": [1.5, 2]}, "t: sides[0] is a whole number"),
        ({"shares": {"blot": "all"}}, "t: shares.blot is a number"),
        ({"inner": [3]}, "t: inner[0] is a table"),
        ({"rate": -1}, "t: rate is 0 or more"),
    ],
)
def test_what_does_not_fit_is_named(change, said):
    with pytest.raises(RecipeError) as error:
        read_table(Outer, {"name": "x", **change}, "t")
    assert said in str(error.value)


def test_a_missing_key_is_named():
    with pytest.raises(RecipeError, match="t needs the key 'name'"):
        read_table(Outer, {}, "t")
