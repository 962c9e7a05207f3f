import pytest

from tamperscope.records import FINDING_KINDS, PANEL_KINDS, Box, Evidence, Finding, Region
from tamperscope.report.titles import KIND_PLURALS, KIND_TITLES, PANEL_TITLES, count
from tamperscope.report.words import chance_in_short, chance_in_words, measures, statistics


@pytest.mark.parametrize(
    ("chance", "words", "short"),
    [
        (0.0, "none of the unrelated pairs of the comparison aligns this well", "none seen"),
        (1 / 4950, "about 1 in 5,000 unrelated pairs aligns this well", "1 in 5,000"),
        (0.00123, "about 1 in 810 unrelated pairs aligns this well", "1 in 810"),
        (1 / 83, "about 1 in 83 unrelated pairs aligns this well", "1 in 83"),
        (0.1, "about 10 in 100 unrelated pairs align this well", "10 in 100"),
        (1.0, "about 100 in 100 unrelated pairs align this well", "100 in 100"),
    ],
)
def test_chance_is_said_as_a_count(chance, words, short):
    assert chance_in_words(chance, pair=True) == words
    assert chance_in_short(chance) == short


def test_every_kind_has_its_words():
    assert set(KIND_TITLES) == set(KIND_PLURALS) == set(FINDING_KINDS)
    assert set(PANEL_TITLES) == set(PANEL_KINDS)


def test_no_word_of_the_report_is_a_verdict():
    finding = Finding(
        "F1", "duplicate", "keypoints", 1.0, (place(), place()), None,
        Evidence(3, 0.9, 0.95, 0.0, "null", (("crop", True),), (0, 3)), "seen",
    )  # fmt: skip
    said = " ".join(f"{s.title} {s.value} {s.meaning} {s.remark}" for s in statistics(finding))
    said += " ".join([*KIND_TITLES.values(), *sum(KIND_PLURALS.values(), ())])
    for word in ("fraud", "fake", "manipulat", "suspicious", "guilty", "misconduct", "tamper"):
        assert word not in said.lower()


def test_only_statistics_that_apply_are_told():
    seam = Finding("F1", "seam", "seams", 0.5, (place(),), None, Evidence(chance=0.02), "seen")
    assert [(s.title, s.value) for s in statistics(seam)] == [
        ("Chance", "About 1 in 50 unaltered panels shows one as strong")
    ]
    full = Evidence(
        1200, 0.914, -0.987, 0.001, "blot", (("a", True), ("b", False), ("c", True)), (2, 37)
    )
    pair = Finding("F2", "duplicate", "keypoints", 0.5, (place(), place()), None, full, "seen")
    assert [s.value for s in statistics(pair)] == [
        "1,200 follow one common movement",
        "correlation 0.91",
        "correlation -0.99",
        "About 1 in 1,000 unrelated pairs aligns this well",
        "held in 2 of 3",
        "2 of 37 other panels match as well",
    ]


def place() -> Region:
    return Region("f1", "f1p1", Box(0, 0, 2, 2), ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))


def test_measures_and_counts_are_readable():
    assert measures(Evidence(measures=(("step_in_grey_levels", 17.6543), ("same_field", 0.0)))) == [
        ("Step in grey levels", "17.65")
    ]
    ((_, told),) = measures(Evidence(measures=(("same_field", 1.0),)))
    assert told.startswith("yes")
    assert count(1, "panel", "panels") == "1 panel"
    assert count(1200, "panel", "panels") == "1,200 panels"
