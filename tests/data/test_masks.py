from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tamperscope.data import Boxes, MaskFiles, Sample, Unlocated, read_mask
from tamperscope.data.masks import nearest, read_plane
from tamperscope.data.samples import KINDS
from tamperscope.errors import DatasetLayoutError, UnreadableInputError
from tamperscope.records import PANEL_KINDS
from tests.data.drawn import SIZE, put_image, put_mask, region


def test_kinds_are_the_words_of_the_screening_records():
    assert set(KINDS) < set(PANEL_KINDS)


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        ("white", [0, 127, 128, 255], [0, 0, 1, 1]),
        ("black", [0, 127, 128, 255], [1, 1, 0, 0]),
        ("nonzero", [0, 1, 128, 255], [0, 1, 1, 1]),
        ("lit", [0, 32, 33, 255], [0, 0, 1, 1]),
    ],
)
def test_thresholds_of_grey_masks(tmp_path, rule, values, expected):
    path = tmp_path / "m.png"
    Image.fromarray(np.array([values], dtype=np.uint8)).save(path)
    assert read_plane(path, rule).tolist() == [[bool(v) for v in expected]]


def test_green_is_the_pasted_part_and_white_and_red_are_not(tmp_path):
    colours = [[0, 200, 0], [0, 255, 0], [200, 0, 0], [255, 255, 255], [0, 0, 0]]
    Image.fromarray(np.array([colours], dtype=np.uint8)).save(tmp_path / "m.png")
    assert read_plane(tmp_path / "m.png", "green").tolist() == [[True, True, False, False, False]]


@pytest.mark.parametrize("planes", [1, 3])
def test_array_masks_are_the_union_of_their_planes(tmp_path, planes):
    values = np.zeros((planes, *SIZE), dtype=np.uint8)
    values[-1] = region()
    values[0, 0, 0] = 1
    np.save(tmp_path / "m.npy", values[0] if planes == 1 else values)
    expected = region()
    expected[0, 0] = True
    assert (read_plane(tmp_path / "m.npy", "array") == expected).all()


def test_an_array_that_needs_unpickling_is_refused(tmp_path):
    np.save(tmp_path / "m.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UnreadableInputError, match=r"m\.npy"):
        read_plane(tmp_path / "m.npy", "array")


def test_another_size_is_an_error_unless_a_resize_is_asked_for(tmp_path):
    image = put_image(tmp_path / "a.png", size=(48, 64))
    sample = Sample(image, MaskFiles((put_mask(tmp_path / "m.png"),)), "s")
    with pytest.raises(DatasetLayoutError, match=r"m\.png is 32 x 24.*64 x 48"):
        read_mask(sample)
    expected = region().repeat(2, axis=0).repeat(2, axis=1)  # twice the size: exactly this
    assert (read_mask(sample, resize=True) == expected).all()


def test_nearest_keeps_the_share_of_a_mask():
    mask = region((100, 100))
    assert nearest(mask, (50, 25)).mean() == pytest.approx(mask.mean(), abs=0.003)


def test_boxes_exclude_their_ends_and_are_cut_at_the_border(tmp_path):
    image = put_image(tmp_path / "a.png")
    sample = Sample(image, Boxes(((6, 4, 20, 14), (30, 20, 40, 30))), "s")
    expected = region()
    expected[20:24, 30:32] = True
    assert (read_mask(sample) == expected).all()


def test_what_is_not_located_has_no_mask(tmp_path):
    image = put_image(tmp_path / "a.png")
    with pytest.raises(DatasetLayoutError, match="not where"):
        read_mask(Sample(image, Unlocated(), "s"))


@pytest.mark.parametrize("box", [(5, 0, 5, 9), (-1, 0, 5, 9), (0, 9, 5, 2), (0, 0, 1.5, 2)])
def test_boxes_that_are_none_are_refused(box):
    with pytest.raises(ValueError, match="box"):
        Boxes((box,))


def test_an_empty_truth_is_not_pristine():
    with pytest.raises(ValueError, match="pristine"):
        MaskFiles(())
    with pytest.raises(ValueError, match="pristine"):
        Boxes(())


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="purple"):
        read_plane(Path("m.png"), "purple")
