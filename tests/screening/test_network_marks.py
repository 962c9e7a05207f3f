import numpy as np
import pytest

from tamperscope.matching.marks import Mark
from tamperscope.records import Box, Figure, Panel
from tamperscope.screening.findings import places
from tamperscope.screening.network_marks import Spliced, finding_of_splice, untold
from tamperscope.screening.tasks import Marked


@pytest.mark.parametrize(
    ("panel", "column", "left"), [("f1p1", 103, 0), ("f1p2", 103, 1), ("f1p1", 140, 1)]
)
def test_a_seam_that_another_detector_tells_is_not_told_twice(panel, column, left):
    mask = np.zeros((100, 200), bool)
    mask[:, 100:106] = True
    own = np.zeros((100, 200), bool)
    own[:, column : column + 2] = True
    known = Mark(Box(column, 0, column + 2, 100), own, 1.0, 0.99, 0.01, "blots", ())
    assert len(untold([Spliced("f1p1", mask, 0.9)], [Marked(panel, "seam", known)])) == left


def test_what_one_network_has_marked_another_does_not_tell_again():
    mask, apart = np.zeros((2, 100, 200), bool)
    mask[20:60, 100:140] = True
    apart[20:60, 10:50] = True
    known = [Spliced("f1p1", mask, 0.9)]
    assert untold([Spliced("f1p1", mask, 0.8)], known) == []
    assert len(untold([Spliced("f1p2", mask, 0.8)], known)) == 1
    assert len(untold([Spliced("f1p1", apart, 0.8)], known)) == 1


def test_a_narrow_straight_mark_is_a_seam_and_any_other_a_splice():
    panel = Panel("f1p1", Box(0, 0, 200, 100), "blot", 1.0)
    figure = Figure("f1", "a.png", None, 200, 100, (panel,))
    where = places([figure])["f1p1"]
    for box, kind in (((60, 0, 66, 100), "seam"), ((0, 40, 200, 48), "seam"),
                      ((20, 20, 60, 60), "splice"), ((20, 20, 28, 40), "splice")):  # fmt: skip
        mask = np.zeros((100, 200), bool)
        mask[box[1] : box[3], box[0] : box[2]] = True
        finding, (shown,) = finding_of_splice(Spliced("f1p1", mask, 0.9, 0.004, "blots"), where)
        assert finding.kind == kind
        assert finding.evidence.chance == 0.004
        assert ("narrow straight band" in finding.reason) == (kind == "seam")
        assert ("laid in, from elsewhere" in finding.reason) == (kind == "splice")
        other, _ = finding_of_splice(Spliced("f1p1", mask, 0.9), where)  # weights we know not
        assert ("no second place" in other.reason) == (kind == "splice")
        assert shown is mask
