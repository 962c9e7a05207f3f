import json
import pickle

import numpy as np
import pytest

from tamperscope.data import Boxes, read_dataset, read_pair_masks
from tamperscope.data.biofors import strings_in_pickle
from tamperscope.errors import DatasetLayoutError
from tests.data.drawn import put_image, region

BOX = [6, 4, 20, 14]  # drawn.REGION


@pytest.fixture
def root(tmp_path):
    """Two test documents and a training one; d1 has three blots and a FACS plot."""
    categories = {
        "d1": {"1.png": "Blot/Gel", "2.png": "Blot/Gel", "3.png": "Blot/Gel", "4.png": "FACS"},
        "d2": {"1.png": "Microscopy", "2.png": "Macroscopy"},
        "d3": {"1.png": "Blot/Gel"},
    }
    for number, (document, panels) in enumerate(categories.items()):
        for panel in panels:
            put_image(tmp_path / "biofors_images" / document / panel, 10 * number + int(panel[0]))
    put(tmp_path, "classification.json", categories)
    put(tmp_path, "edd_gt.json", {"d1": {"2.png 1.png": [[BOX], [BOX, [0, 0, 2, 2]]]}})
    put(tmp_path, "idd_gt.json", {"d2": {"1.png": [BOX]}})
    put(tmp_path, "cstd_gt.json", {"d1": {"3.png": [BOX]}})
    parts = {"train": ["d3"], "edd": ["d1"], "idd": ["d1", "d2"], "cstd": ["d1"]}
    for part, documents in parts.items():
        (tmp_path / "annotation_files" / f"{part}_pdfs.pkl").write_bytes(
            pickle.dumps(documents, protocol=2)
        )
    return tmp_path


def put(root, name, data):
    path = root / "annotation_files" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")


def test_idd_leaves_facs_out_and_keeps_pristine_panels(root):
    samples = read_dataset("biofors_idd", root)
    assert [(s.group, s.image.name) for s in samples] == [
        ("d1", "1.png"), ("d1", "2.png"), ("d1", "3.png"), ("d2", "1.png"), ("d2", "2.png"),
    ]  # fmt: skip
    assert [s.truth for s in samples] == [None, None, None, Boxes((tuple(BOX),)), None]
    assert {s.kind for s in samples} == {"blot", "microscopy", "macroscopy"}


def test_cstd_has_blots_only(root):
    samples = read_dataset("biofors_cstd", root)
    assert [s.image.name for s in samples if s.truth] == ["3.png"]
    assert {s.kind for s in samples} == {"blot"}


def test_training_documents_are_pristine(root):
    (sample,) = read_dataset("biofors_train", root)
    assert (sample.truth, sample.split, sample.group) == (None, "train", "d3")


def test_edd_without_a_list_pairs_panels_of_one_category_and_says_so(root):
    pairs = read_dataset("biofors_edd", root)
    names = {frozenset((p.a.image.name, p.b.image.name)) for p in pairs}
    assert names == {frozenset(two) for two in (("1.png", "2.png"), ("1.png", "3.png"), ("2.png", "3.png"))}  # fmt: skip  # noqa: E501
    assert not any(p.listed for p in pairs)
    (related,) = [p for p in pairs if p.related]
    first, second = read_pair_masks(related)  # the annotation has them as 2.png, 1.png
    assert (related.a.image.name, related.b.image.name) == ("1.png", "2.png")
    assert (second == region()).all()
    corner = region()
    corner[:2, :2] = True
    assert (first == corner).all()


def test_edd_keeps_the_order_of_the_list_and_pairs_that_stand_in_it_twice(root):
    listed = ["2.png 1.png", "1.png 2.png", "2.png 1.png", "1.png 3.png"]
    put(root, "edd_test_pairs.json", {"d1": {"Blot/Gel": listed}})
    pairs = read_dataset("biofors_edd", root)
    found = sorted(f"{pair.a.image.name} {pair.b.image.name}" for pair in pairs)
    assert found == sorted(listed)
    assert sum(pair.related for pair in pairs) == 3
    for pair in pairs:
        if pair.related:
            sides = dict(
                zip((pair.a.image.name, pair.b.image.name), read_pair_masks(pair), strict=True)
            )
            assert (sides["2.png"] == region()).all()


def test_edd_keeps_to_the_list_of_pairs_where_there_is_one(root):
    put(root, "edd_test_pairs.json", {"d1": {"Blot/Gel": ["1.png 2.png"]}})
    (pair,) = read_dataset("biofors_edd", root)
    assert pair.listed
    assert pair.related
    put(root, "edd_test_pairs.json", {"d1": {"Blot/Gel": ["1.png 3.png"]}})
    with pytest.raises(DatasetLayoutError, match=r"2\.png 1\.png"):  # a truth must not get lost
        read_dataset("biofors_edd", root)
    put(root, "edd_test_pairs.json", {"d1": {"Blot/Gel": ["1.png 9.png"]}})
    with pytest.raises(DatasetLayoutError, match=r"1\.png 9\.png"):
        read_dataset("biofors_edd", root)


def test_a_truth_for_an_unknown_panel_is_an_error(root):
    put(root, "cstd_gt.json", {"d1": {"8.png": [BOX]}})
    with pytest.raises(DatasetLayoutError, match=r"8\.png"):
        read_dataset("biofors_cstd", root)


@pytest.mark.parametrize("boxes", [[], [[1, 2, 3]], [[5, 5, 5, 9]], [["a", 0, 1, 1]], 7])
def test_broken_boxes_are_an_error(root, boxes):
    put(root, "idd_gt.json", {"d2": {"1.png": boxes}})
    with pytest.raises(DatasetLayoutError, match=r"d2/1\.png"):
        read_dataset("biofors_idd", root)


def test_a_missing_panel_is_named(root):
    (root / "biofors_images/d1/2.png").unlink()
    with pytest.raises(DatasetLayoutError, match=r"d1/2\.png"):
        read_dataset("biofors_idd", root)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("names", [[], ["1"], [f"{n:06d}" for n in range(3000)]], ids=len)
def test_a_pickled_list_of_strings_is_read_as_data(tmp_path, protocol, names):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(names, protocol=protocol))
    assert strings_in_pickle(path) == names


@pytest.mark.parametrize("value", [["a", 1], {"a": "b"}, np.float64(1), [["a"], print]], ids=str)
def test_any_other_pickle_is_refused(tmp_path, value):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(DatasetLayoutError, match="more than a list of strings"):
        strings_in_pickle(path)


def test_a_document_list_may_be_json(root):
    (root / "annotation_files/train_pdfs.pkl").unlink()
    with pytest.raises(DatasetLayoutError, match="train_pdfs"):
        read_dataset("biofors_train", root)
    put(root, "train_pdfs.json", ["d3"])
    assert len(read_dataset("biofors_train", root)) == 1
