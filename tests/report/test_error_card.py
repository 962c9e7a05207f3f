import json
import math
import re
from dataclasses import replace
from functools import cache
from html import unescape

import pytest
from scipy.stats import binom

from tamperscope.errors import OutputError
from tamperscope.evaluation.intervals import clopper_pearson
from tamperscope.records import FINDING_KINDS, PANEL_KINDS, Screening
from tamperscope.report.error_card import (
    PREVALENCES,
    ErrorCard,
    Measurement,
    Rate,
    Row,
    error_card,
    missed,
    missed_between,
    right,
    right_between,
)
from tamperscope.report.error_section import errors
from tamperscope.report.error_table import percent
from tamperscope.report.markup import render
from tools import make_error_card


@cache
def rate(successes: int, trials: int) -> Rate:
    return Rate(successes, trials, clopper_pearson(successes, trials))


def measured(*false_alarms: Rate, sensitivity: Rate | None = None, **changes: object) -> ErrorCard:
    """A card with one line."""
    row = Row("blot", sensitivity or rate(90, 100), false_alarms)
    names = tuple((f"set {n}", f"{one.trials} plain ones") for n, one in enumerate(false_alarms))
    known = Measurement(
        "copy-move", "Repeats", "", "panel", ("keypoints", "dense-field-zm"), "100 made ones",
        names, (row,), ("A note.",), (("file", "some.json"), ("commit", "abc")),
    )  # fmt: skip
    return ErrorCard((replace(known, **changes),), ("Moonlight.",))


def with_parameters(screening: Screening, **parameters: object) -> Screening:
    return replace(screening, run=replace(screening.run, parameters=parameters))


def lines(screening: Screening, card: ErrorCard | None = None) -> list[str]:
    """Text of the section: a line for each row of a table, and for each block of text."""
    source = re.sub(r"</(tr|p|h3|li|dt|dd)>", "\n", render(*errors(screening, card)))
    source = re.sub(r"</(td|th)>", "|", source).replace('class="range">', "> ")
    return [line.rstrip("|") for line in unescape(re.sub(r"<[^>]*>", "", source)).split("\n")]


@pytest.mark.parametrize(
    ("sensitivity", "false_alarms", "prevalence", "expected"),
    [
        (0.9, 0.1, 0.5, 0.9),
        (0.9, 0.1, 0.1, 0.5),  # 9 right and 9 wrong of 100
        (0.8, 0.05, 0.04, 0.4),  # 32 right and 48 wrong of 1,000
        (0.3, 0.3, 0.07, 0.07),  # reporting at random says what was known before
        (0.5, 0.0, 0.001, 1.0),
        (0.0, 0.2, 0.5, 0.0),
    ],
)
def test_the_share_of_observations_that_are_right_is_counted_by_hand(
    sensitivity, false_alarms, prevalence, expected
):
    assert right(sensitivity, false_alarms, prevalence) == pytest.approx(expected, rel=1e-12)


def test_what_is_missed_is_counted_by_hand():
    # Of 1,000 with something in 40: 8 of them unreported, and 912 of the 960 others.
    assert missed(0.8, 0.05, 0.04) == pytest.approx(8 / (8 + 912), rel=1e-12)
    assert missed(1.0, 0.2, 0.3) == 0


def test_without_any_observation_there_is_no_share_of_them():
    assert math.isnan(right(0.0, 0.0, 0.1))
    assert math.isnan(missed(1.0, 1.0, 0.1))


@pytest.mark.parametrize(("function", "bounds"), [(right, right_between), (missed, missed_between)])
@pytest.mark.parametrize("truth", [(0.9, 0.02), (0.3, 0.3), (0.75, 0.1)], ids=str)
def test_bounds_hold_the_true_share_as_often_as_they_say(function, bounds, truth):
    """Summed over every outcome of 40 and 30 trials: each side is passed in at most 5 %."""
    prevalence = 0.04
    true = function(*truth, prevalence)
    passed = [0.0, 0.0]
    for found in range(41):
        for alarms in range(31):
            low, high = bounds(rate(found, 40), rate(alarms, 30), prevalence)
            weight = binom.pmf(found, 40, truth[0]) * binom.pmf(alarms, 30, truth[1])
            assert low <= high
            passed[0] += weight * (true < low)
            passed[1] += weight * (true > high)
    assert max(passed) <= 0.05
    assert max(passed) > 0  # the bounds say something


def test_a_rate_outside_of_its_interval_is_refused():
    with pytest.raises(ValueError, match="5 of 10"):
        Rate(5, 10, (0.6, 0.9))
    with pytest.raises(ValueError, match="0 of 0"):
        Rate(0, 0, (0.0, 1.0))


def test_shares_are_never_rounded_onto_none_or_all():
    shares = (0, 0.0004, 0.0149, 0.074, 0.266, 0.9, 0.993, 0.9996, 1)
    assert [percent(share) for share in shares] == [
        "0 %", "under 0.1 %", "1.5 %", "7.4 %", "27 %", "90 %", "99.3 %", "over 99.9 %", "100 %",
    ]  # fmt: skip
    assert percent(0.266, math.floor) == "26 %"
    assert percent(0.261, math.ceil) == "27 %"
    assert percent(0.07, math.floor) == "7 %"  # 100 * 0.07 is a little more than 7


def test_the_packaged_card_is_what_the_result_files_say():
    packaged = make_error_card.CARD.read_text(encoding="utf-8")
    assert packaged == make_error_card.text(), "run: python -m tools.make_error_card"


def test_every_kind_of_panel_is_measured_for_reuse():
    for kind in ("duplicate", "copy-move"):
        rows = [m.rows for m in error_card().measurements if m.kind == kind]
        assert rows
        for known in rows:
            assert {row.panels for row in known} == {*PANEL_KINDS, "all"} - {"chart"}
    assert all(m.kind in FINDING_KINDS for m in error_card().measurements)


def test_the_tool_takes_the_outer_ends_of_both_intervals(tmp_path):
    for name in {measure.file for measure in make_error_card.MEASURES}:
        data = json.loads((make_error_card.RESULTS / name).read_text())
        if name == "seams.json":
            data["recall"]["erased"]["all"] = {
                "successes": 5, "trials": 10, "interval": [0.2, 0.7],
                "interval_by_origin": [0.3, 0.8],
            }  # fmt: skip
            data["false_alarms"]["erased"] = {
                "successes": 0, "trials": 9, "interval": [0.0, 0.3], "interval_by_origin": None,
            }  # fmt: skip
        (tmp_path / name).write_text(json.dumps(data))
    card = ErrorCard.from_dict(make_error_card.build(tmp_path))
    (row,) = next(m for m in card.measurements if m.kind == "erased").rows
    assert row.sensitivity == Rate(5, 10, (0.2, 0.8))
    assert row.false_alarms == (Rate(0, 9, (0.0, 0.3)),)


def test_a_measurement_of_another_result_is_one_more_entry(tmp_path, monkeypatch):
    share = {"successes": 3, "trials": 4, "share": 0.75, "interval": [0.19, 0.99]}
    result = {
        "metadata": {"command": "measure", "commit": "abc"},
        "found": {"all": share, "kind": {"photo": share, "blot": share}},
        "alarms": {"all": share, "kind": {"photo": share, "blot": share}},
    }
    (tmp_path / "network.json").write_text(json.dumps(result))
    one = make_error_card.Measure(
        "splice", "Unlike its surroundings", "network.json", "panel", ("biotampernet",),
        make_error_card.Set(("found",), "blots", origin="of a published set"),
        (make_error_card.Set(("alarms",), "plain blots", origin="of the same set"),),
    )  # fmt: skip
    monkeypatch.setattr(make_error_card, "MEASURES", (one,))
    (made,) = ErrorCard.from_dict(make_error_card.build(tmp_path)).measurements
    assert made.changed == "4 blots; of a published set"
    assert made.unchanged == (("", "4 plain blots; of the same set"),)
    assert [row.panels for row in made.rows] == ["blot", "photo", "all"]
    assert made.rows[0].sensitivity == Rate(3, 4, (0.19, 0.99))


def test_the_tool_refuses_results_of_other_detectors(tmp_path):
    for name in {measure.file for measure in make_error_card.MEASURES}:
        data = json.loads((make_error_card.RESULTS / name).read_text())
        data["metadata"]["detectors"] = ["dense-field-fmt"]
        (tmp_path / name).write_text(json.dumps(data))
    with pytest.raises(ValueError, match="dense-field-fmt"):
        make_error_card.build(tmp_path)


def test_a_line_holds_counts_ranges_and_what_an_observation_is_worth(example):
    card = measured(rate(1, 100), rate(5, 100))
    said = lines(with_parameters(example.screening, prevalence=0.04), card)
    # Exact intervals: 0.8238 to 0.9510, and 0.01643 to 0.1128 for the worse of both sets.
    low, high = (s * 0.04 / (s * 0.04 + f * 0.96) for s, f in ((0.8238, 0.1128), (0.951, 0.01643)))
    left_low = 0.049 * 0.04 / (0.049 * 0.04 + 0.98357 * 0.96)
    left_high = 0.1762 * 0.04 / (0.1762 * 0.04 + 0.8872 * 0.96)
    assert (
        "Blots or gels|90 of 100 90 % (82–95.1 %)|1 of 100 1 % (under 0.1–5.4 %)|"
        f"5 of 100 5 % (1.6–11 %)|43 % {100 * low:.0f}–{100 * high:.0f} %|"
        f"0.4 % {100 * left_low:.1f}–{100 * left_high:.1f} %"
    ) in said
    assert "in 4 % of panels" in "".join(said)


def test_without_a_prevalence_several_stand_side_by_side(example):
    said = lines(example.screening, measured(rate(5, 100)))
    row = next(line for line in said if line.startswith("Blots or gels"))
    shares = [cell.split(" %")[0] for cell in row.split("|")[3:]]
    assert shares == ["1.8", "15", "67"]  # 0.9 p / (0.9 p + 0.05 (1 - p))
    assert PREVALENCES == (0.001, 0.01, 0.1)
    assert "0.1 %|1 %|10 %" in said


def test_without_a_false_alarm_only_a_lower_bound_is_told(example):
    said = lines(with_parameters(example.screening, prevalence=0.5), measured(rate(0, 10)))
    low, _ = right_between(rate(90, 100), rate(0, 10), 0.5)
    assert f"|at least {math.floor(100 * low)} %|" in "\n".join(said)
    rare = lines(with_parameters(example.screening, prevalence=1e-6), measured(rate(0, 10)))
    assert "|cannot be said|" in "\n".join(rare)


def test_with_nothing_missed_only_an_upper_bound_is_told(example):
    card = measured(rate(3, 10), sensitivity=rate(20, 20))
    said = lines(with_parameters(example.screening, prevalence=0.5), card)
    _, high = missed_between(rate(20, 20), rate(3, 10), 0.5)
    assert f"|at most {math.ceil(100 * high)} %" in "\n".join(said)


def test_methods_that_did_not_run_and_methods_never_measured_are_named(example):
    def told(*ran: str) -> str:
        return "\n".join(lines(with_parameters(example.screening, detectors=[*ran]), card))

    card = measured(rate(1, 10))
    assert "Not looked for in this run." in told("seams")
    assert "more methods than this run used (key points)" in told("keypoints")
    both = told("keypoints", "dense-field-zm", "biotampernet")
    assert "this run" not in both.replace("What this run reports", "")
    assert "What this run reports by network (BioTamperNet)" in both


def test_what_was_never_measured_is_listed(example):
    said = lines(example.screening, measured(rate(1, 10)))
    assert "Moonlight." in said
    assert "“Repeated inside one panel” in anything but blots or gels." in said
    for kind in ("Shown in two panels", "Abrupt transition", "Unlike its surroundings"):
        assert f"Observations of the kind “{kind}”: no rates at all." in said
    assert "The 3 panels of this screening make 3 pairs." in "\n".join(said)


def test_the_shipped_card_names_its_sets_and_where_they_come_from(example):
    said = "\n".join(lines(example.screening))
    for measurement in error_card().measurements:
        assert measurement.changed in said
        assert all(full in said for _, full in measurement.unchanged)
        assert all(value in said for _, value in measurement.made_by)


@pytest.mark.parametrize("value", [0, 1, -0.1, 4, "0.04", True, math.nan])
def test_a_prevalence_that_is_none_is_an_error(example, value):
    with pytest.raises(OutputError, match="between 0 and 1"):
        errors(with_parameters(example.screening, prevalence=value))
