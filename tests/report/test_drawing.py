import math
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tamperscope.records import Box, Panel
from tamperscope.report.drawing import GAP, TALL, WIDE, Mark, correspondences, outline, pair_view
from tamperscope.report.evidence import places_of
from tamperscope.report.markup import render


@pytest.fixture
def pair(example):
    finding = example.screening.findings[0]
    first, second = places_of(finding, example.screening)
    return first, second, finding.transform


def in_panel(place):
    box = place.panel.box
    return np.array([(x - box.x0, y - box.y0) for x, y in place.region.polygon], np.float32)


def test_match_lines_join_points_inside_both_places(pair):
    first, second, matrix = pair
    starts, ends = correspondences(first, second, matrix)
    assert len(starts) == len(ends) == 6
    for start, end in zip(starts, ends, strict=True):
        assert cv2.pointPolygonTest(in_panel(first), start, True) > 1
        assert cv2.pointPolygonTest(in_panel(second), end, True) > 1
        assert end == pytest.approx(
            (start[1] + 10, 170 - start[0])
        )  # what TURN of the example does
    apart = [math.dist(p, q) for p in starts for q in starts if p != q]
    assert min(apart) > 30


def test_points_whose_partner_lies_outside_the_second_panel_get_no_line(pair):
    first, second, _ = pair
    away = ((1.0, 0.0, 150.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    starts, ends = correspondences(first, second, away)
    assert 0 < len(starts) < 6
    assert all(0 <= x < second.panel.box.width for x, _ in ends)


def lines(svg):
    found = re.findall(r'class="line" x1="(\S+)" y1="(\S+)" x2="(\S+)" y2="(\S+)"', svg)
    return [tuple(map(float, ends)) for ends in found]


def test_two_panels_stand_side_by_side_and_lines_cross_from_one_to_the_other(pair):
    first, second, matrix = pair
    svg = render(pair_view(first, second, matrix, [True, True], ["a", "b"]))
    scale_a, scale_b = TALL / 180, TALL / 200
    assert f'viewBox="0 0 {240 * scale_a + GAP + 220 * scale_b:.6g} {TALL}"' in svg
    starts, ends = correspondences(first, second, matrix)
    for drawn, start, end in zip(lines(svg), starts, ends, strict=True):
        beside = 240 * scale_a + GAP + end[0] * scale_b
        expected = (start[0] * scale_a, start[1] * scale_a, beside, end[1] * scale_b)
        assert drawn == pytest.approx(expected, abs=0.06)
    assert svg.count("<use") == 2


def test_long_strips_stand_one_above_the_other(pair):
    first, second, matrix = pair
    strip = Panel("s", Box(0, 0, 500, 60), "blot", 1.0)
    svg = render(
        pair_view(
            replace(first, panel=strip),
            replace(second, panel=replace(strip, id="t")),
            matrix, [True, True], ["", ""],
        )
    )  # fmt: skip
    assert f'viewBox="0 0 {WIDE} {2 * 60 * WIDE / 500 + GAP:.6g}"' in svg


def test_two_places_in_one_panel_are_drawn_in_one_picture(pair):
    first, _, _ = pair
    shift = ((1.0, 0.0, 20.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    svg = render(pair_view(first, replace(first, letter="B"), shift, [True, True], ["a", "b"]))
    assert svg.count("<use") == 1
    assert 'viewBox="0 0 240 180"' in svg
    assert all(x2 - x1 == pytest.approx(20, abs=0.11) for x1, _, x2, _ in lines(svg))


def test_a_figure_left_out_of_the_page_is_drawn_as_an_empty_frame(pair):
    first, second, matrix = pair
    svg = render(pair_view(first, second, matrix, [False, True], ["a", "b"]))
    assert svg.count("<use") == 1
    assert 'class="absent"' in svg


@pytest.mark.parametrize(("top", "tag_top"), [(50.0, 37.0), (4.0, 4.0)])
def test_the_letter_stands_above_its_outline_or_inside_at_the_upper_edge(top, tag_top):
    points = [(30.0, top), (80.0, top), (80.0, top + 40)]
    svg = render(outline(Mark("A", points), 10.0))
    assert f'<rect x="30.0" y="{tag_top}"' in svg
    assert ">A</text>" in svg
    assert 'points="30.0,' in svg
