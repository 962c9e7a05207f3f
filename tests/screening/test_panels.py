import cv2
import numpy as np
import pytest

from tamperscope.records import Box
from tamperscope.screening.panels import find_panels
from tests.screening.drawn_figures import blot, figure_of, grid, overlap, texture

SIDES = [(1, 3), (2, 2), (3, 2)]


def boxes_of(pixels, visible=None):
    return [panel.box for panel in find_panels(figure_of(pixels), pixels, visible)]


def assert_same(found, expected, least=0.93):
    assert len(found) == len(expected), found
    for one, true in zip(found, expected, strict=True):
        assert overlap(one, true) > least, (one, true)


@pytest.mark.parametrize("gutter", [1, 2, 3, 8, 20])
@pytest.mark.parametrize("colour", [255, 0, 190])
def test_grids_are_split_at_gutters_and_lines(gutter, colour):
    pixels, boxes = grid(2, 3, gutter, colour)
    assert_same(boxes_of(pixels), boxes)


@pytest.mark.parametrize(("rows", "columns"), SIDES)
def test_panels_that_touch_are_told_apart(rows, columns):
    pixels, boxes = grid(rows, columns, 0, 0)
    for k, box in enumerate(boxes):  # neighbours differ in tone, as two exposures do
        level = (60, 130, 200)[(k // columns + k % columns) % 3]
        shifted = pixels[box.slices].astype(int) - int(pixels[box.slices].mean()) + level
        pixels[box.slices] = np.clip(shifted, 0, 255)
    assert_same(boxes_of(pixels), boxes)


@pytest.mark.parametrize("margin", [0, 25])
def test_a_jpeg_is_split_as_its_original(margin):
    pixels, boxes = grid(2, 3, 6, 255, margin)
    stored = cv2.imdecode(
        cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], cv2.IMREAD_COLOR
    )
    assert_same(boxes_of(stored), boxes)


def test_nested_panels_come_in_reading_order():
    page = np.full((420, 640, 3), 255, np.uint8)
    boxes = [Box(10, 10, 300, 410), Box(320, 10, 630, 200), Box(320, 215, 470, 410),
             Box(485, 215, 630, 410)]  # fmt: skip
    for seed, box in enumerate(boxes):
        page[box.slices] = texture(box.height, box.width, seed)
    panels = find_panels(figure_of(page), page)
    assert [panel.id for panel in panels] == ["f003p01", "f003p02", "f003p03", "f003p04"]
    assert_same([panel.box for panel in panels], boxes)


def test_text_beside_and_between_panels_is_dropped():
    pixels, boxes = grid(2, 2, 40, 255, margin=60, size=(150, 180))
    for k, box in enumerate(boxes):
        for text, at in ((chr(65 + k), (box.x0 - 30, box.y0 + 14)),
                         ("treated 24 h", (box.x0 + 20, box.y1 + 24))):  # fmt: skip
            cv2.putText(pixels, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 2, cv2.LINE_AA)
    assert_same(boxes_of(pixels), boxes)


def test_stacked_framed_blots_are_panels_and_their_labels_are_not():
    page, boxes = np.full((300, 520, 3), 255, np.uint8), []
    for k in range(4):
        box = Box(140, 30 + 60 * k, 440, 72 + 60 * k)
        page[box.slices] = blot(box.height, box.width, k)
        cv2.rectangle(page, (box.x0, box.y0), (box.x1 - 1, box.y1 - 1), (0, 0, 0), 1)
        at = (20, box.y0 + 26)
        cv2.putText(page, "p-Akt", at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
        boxes.append(box)
    assert_same(boxes_of(page), boxes, least=0.85)


def dark_cells():
    plane = np.zeros((400, 500))
    for y, x in np.random.default_rng(3).uniform(0, 1, (9, 2)) * [400, 230]:
        near = (np.arange(400)[:, None] - y) ** 2 + (np.arange(500) - x) ** 2
        plane += 200 * np.exp(-near / 300)
    return np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def colonies():
    plane = np.full((400, 600, 3), 225, np.uint8)
    for y in range(14, 400, 24):
        for x in range(14, 600, 24):
            cv2.circle(plane, (x, y), 8, (90, 90, 90), -1, cv2.LINE_AA)
    return plane


SINGLES = {
    "micrograph": lambda: texture(400, 500, 1),
    "blot with empty gaps": lambda: blot(260, 500, 2, lanes=5),
    "cells on one side, black on the other": dark_cells,
    "plate of colonies": colonies,
    "plain": lambda: np.full((100, 120, 3), 77, np.uint8),
    "tiny": lambda: np.full((1, 1, 3), 255, np.uint8),
}


@pytest.mark.parametrize("name", SINGLES)
def test_a_single_picture_stays_one_panel(name):
    pixels = SINGLES[name]()
    whole = Box(0, 0, pixels.shape[1], pixels.shape[0])
    assert_same(boxes_of(pixels), [whole], least=0.9)


def test_the_transposed_figure_has_the_transposed_panels():
    pixels, _ = grid(2, 3, 7, 255, margin=12, size=(110, 170))
    upright = {tuple(box.as_list()) for box in boxes_of(pixels)}
    turned = boxes_of(np.ascontiguousarray(pixels.swapaxes(0, 1)))
    assert {(b.y0, b.x0, b.y1, b.x1) for b in turned} == upright


@pytest.mark.parametrize("factor", [2, 5])
def test_a_larger_scan_has_the_same_panels_to_the_pixel(factor):
    pixels, boxes = grid(2, 3, 6, 255, margin=10)
    larger = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    found = boxes_of(larger)
    assert len(found) == len(boxes)
    for one, true in zip(found, boxes, strict=True):
        error = np.abs(np.array(one.as_list()) - factor * np.array(true.as_list()))
        assert error.max() <= 1, (one, true)


def test_hidden_pixels_are_page():
    pixels, boxes = grid(1, 2, 10, 255, margin=20)
    garbage = pixels.copy()
    visible = np.zeros(pixels.shape[:2], bool)
    for box in boxes:
        visible[box.slices] = True
    garbage[~visible] = 0
    assert_same(boxes_of(garbage, visible), boxes)


def test_every_panel_has_a_kind_and_a_probability():
    pixels, _ = grid(2, 2, 10, 255)
    for panel in find_panels(figure_of(pixels), pixels):
        assert 1 / 6 <= panel.probability <= 1
