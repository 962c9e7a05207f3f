from dataclasses import replace

import numpy as np
import pytest

from tamperscope.data.catalog import DATASETS
from tamperscope.data.check import check_dataset
from tests.data.drawn import put_image, put_mask, region


@pytest.fixture
def root(tmp_path):
    """A sound folder of three tampered images and a pristine one."""
    for number in range(3):
        put_image(tmp_path / "Tp" / f"{number}.png", number)
        put_mask(tmp_path / "Gt" / f"{number}.png")
    put_image(tmp_path / "Au" / "9.png", 9)
    return tmp_path


def problems(root, name="tpgt", **more):
    return check_dataset(DATASETS[name], root, **more).problems


def test_a_sound_set_has_no_problems(root):
    checked = check_dataset(DATASETS["tpgt"], root)
    assert checked == type(checked)(tampered=3, pristine=1, problems=(), notes=())


def test_every_problem_is_listed_at_once(root):
    (root / "Gt" / "0.png").unlink()
    put_mask(root / "Gt" / "1.png", region((48, 64)))
    put_mask(root / "Gt" / "2.png", np.zeros((24, 32), dtype=bool))
    put_mask(root / "Gt" / "stray.png")
    found = "\n".join(problems(root))
    assert "Gt/0.png is missing" in found
    assert "1.png is 64 x 48, its image 1.png 32 x 24 pixels" in found
    assert "2.png marks nothing" in found
    assert "stray.png is a mask without an image" in found
    assert len(problems(root)) == 4


def test_broken_files_are_problems_and_the_rest_is_read(root):
    (root / "Tp" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (root / "Gt" / "1.png").write_bytes(b"")
    found = problems(root)
    assert len(found) == 2
    assert "0.png" in found[0]
    assert "1.png" in found[1]


def test_inverted_and_grey_and_full_masks_are_noticed(root):
    for number in range(3):
        put_mask(root / "Gt" / f"{number}.png", colours=(255, 0))
    assert any("inverted" in text for text in problems(root))
    put_mask(root / "Gt" / "0.png", colours=(0, 128))
    put_mask(root / "Gt" / "1.png", np.ones((24, 32), dtype=bool))
    found = "\n".join(problems(root))
    assert "0.png: 18% of the mask is grey" in found  # 140 of 768 pixels
    assert "1.png marks all" in found


def test_duplicates_are_problems_where_they_spoil_a_measurement(root):
    data = (root / "Tp" / "0.png").read_bytes()
    (root / "Tp" / "1.png").write_bytes(data)
    checked = check_dataset(DATASETS["tpgt"], root)
    assert not checked.problems
    assert "same bytes twice" in checked.notes[0]
    (root / "Au" / "9.png").write_bytes(data)
    assert "as tampered and as pristine" in problems(root)[0]


def test_what_lies_on_both_sides_of_a_split_is_a_problem(root):
    put_image(root / "Tp" / "copy.png", 0)  # the bytes of 0.png
    lines = [
        '{"format": "tamperscope-samples/1"}',
        '{"image": "Tp/0.png", "source": "s", "group": "g", "split": "train"}',
        '{"image": "Tp/copy.png", "source": "s", "group": "h", "split": "test"}',
        '{"image": "Tp/1.png", "source": "s", "group": "g", "split": "test"}',
    ]
    (root / "s.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = "\n".join(problems(root / "s.jsonl", "jsonl"))
    assert "both sides of a split" in found
    assert "copy.png" in found
    assert "group g lies in test and train" in found


def test_counts_are_compared_with_the_published_ones_unless_partial(root):
    dataset = replace(DATASETS["tpgt"], tampered=(3, 4), pristine=(800,))
    assert len(check_dataset(dataset, root).problems) == 1
    assert "1 pristine, expected 800" in check_dataset(dataset, root).problems[0]
    assert not check_dataset(dataset, root, partial=True).problems


def test_boxes_beyond_the_border_are_a_problem(root):
    lines = [
        '{"format": "tamperscope-samples/1"}',
        '{"image": "Tp/0.png", "source": "s", "boxes": [[0, 0, 32, 24], [0, 0, 33, 24]]}',
    ]
    (root / "s.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (text,) = problems(root / "s.jsonl", "jsonl")
    assert "[0, 0, 33, 24] reaches beyond 32 x 24" in text
