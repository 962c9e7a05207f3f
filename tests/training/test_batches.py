from collections import Counter

import numpy as np
import pytest

from tamperscope.matching.match_maps import match_maps
from tamperscope.synth.recipe import read_recipe
from tamperscope.training.batches import Plan, rows_of
from tamperscope.training.loading import load
from tamperscope.training.recipe import Stream
from tamperscope.training.streams import Example, forged_streams
from tests.matching.pictures import texture
from tests.synth.panels import TexturedSource
from tests.training.small import FORGE, OPERATIONS


class Numbered:
    """Says the number it was asked for."""

    size = (2, 2)
    identity = "numbered"

    def __init__(self, form, share, name=0):
        self.form, self.share, self.name = form, share, name

    def example(self, number):
        panel = np.full((2, 2, 3), self.name, np.uint8)
        mask = np.zeros((2, 2), bool)
        targets = {"number": (np.array(number),) * self.form}
        return Example((panel,) * self.form, (mask,) * self.form, targets, replaced=number % 2)


class Textured(Numbered):
    """Panels in which something may be found."""

    size = (64, 96)

    def __init__(self):
        super().__init__(1, 1.0)

    def example(self, number):
        return Example((texture(number, *self.size),), (np.zeros(self.size, bool),))


def same(a, b):
    for one, two in zip((*a.panels, *a.masks), (*b.panels, *b.masks), strict=True):
        np.testing.assert_array_equal(one, two)
    assert a.targets.keys() == b.targets.keys()
    for name in a.targets:
        for one, two in zip(a.targets[name], b.targets[name], strict=True):
            np.testing.assert_array_equal(one, two)


def test_no_sample_comes_twice_and_none_is_left_out():
    plan = Plan((Numbered(1, 1.0),), seed=3, batch=4)
    numbers = [
        int(number)
        for rows in rows_of(0, 5, 4, rank=0, processes=1, accumulate=2)
        for number in plan.make(rows).targets["number"][0]
    ]
    assert numbers == list(range(20))


def test_matches_are_found_with_the_batch_where_a_network_reads_them():
    rows = (0, 0, 4)
    assert Plan((Textured(),), seed=3, batch=4).make(rows).matches is None
    batch = Plan((Textured(),), seed=3, batch=4, matches=True).make(rows)
    assert batch.matches.shape == (4, 5, 16, 24)
    for panel, maps in zip(batch.panels[0], batch.matches, strict=True):
        np.testing.assert_array_equal(maps, match_maps(panel))


def test_processes_and_parts_share_out_a_step():
    plan = Plan((Numbered(1, 1.0), Numbered(1, 2.0, 1)), seed=3, batch=8)
    whole = [plan.make(rows) for rows in rows_of(2, 4, 8, rank=0, processes=1, accumulate=1)]
    parts = [
        [plan.make(rows) for rows in rows_of(2, 4, 8, rank=rank, processes=2, accumulate=2)]
        for rank in (0, 1)
    ]
    for step, expected in enumerate(whole):
        made = [*parts[0][2 * step : 2 * step + 2], *parts[1][2 * step : 2 * step + 2]]
        for name in ("panels", "masks"):
            joined = np.concatenate([getattr(part, name)[0] for part in made])
            np.testing.assert_array_equal(joined, getattr(expected, name)[0])
        assert sum(part.replaced for part in made) == expected.replaced == 4


def test_streams_have_their_shares_in_every_step():
    plan = Plan((Numbered(1, 3.0, 0), Numbered(1, 1.0, 1)), seed=0, batch=8)
    for step in range(20):
        counts = Counter(stream.name for stream in plan.slots(step))
        assert counts == {0: 6, 1: 2}
    orders = {tuple(stream.name for stream in plan.slots(step)) for step in range(20)}
    assert len(orders) > 5


def test_all_samples_of_a_step_have_one_form_and_forms_have_their_shares():
    plan = Plan((Numbered(1, 1.0), Numbered(2, 3.0)), seed=0, batch=4)
    forms = []
    for step in range(400):
        own = {stream.form for stream in plan.slots(step)}
        assert len(own) == 1
        forms += own
    assert forms.count(2) / 400 == pytest.approx(0.75, abs=0.07)


def forged_plan():
    source, streams = TexturedSource(), []
    for name in ("pairs", "singles"):
        text = FORGE + OPERATIONS[name]
        stream = Stream(forge="unused", sources=("drawn",))
        streams += forged_streams(
            stream, read_recipe(text, name), source, seed=1, both=True,
            extra=("partners",), cell=8.0, held_out=False,
        )  # fmt: skip
    return Plan(tuple(streams), seed=1, batch=4)


def test_batches_are_the_same_for_any_number_of_workers():
    plan = forged_plan()
    rows = list(rows_of(0, 3, 4, rank=0, processes=1, accumulate=2))
    expected = [plan.make(row) for row in rows]
    for workers in (0, 2):
        made = list(load(plan, rows, workers))
        assert len(made) == len(expected)
        for one, two in zip(made, expected, strict=True):
            same(one, two)
