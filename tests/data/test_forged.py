import json

import numpy as np
import pytest

from tamperscope.data.catalog import find_dataset
from tamperscope.data.check import check_dataset
from tamperscope.data.forged import FORMAT, index_forged
from tamperscope.data.masks import read_mask, read_pair_masks
from tamperscope.data.samples import MissingPartnersError, PairSample
from tamperscope.errors import DatasetLayoutError
from tamperscope.images import read_pixels, write_png
from tests.data.drawn import put_image, put_mask

SINGLE = {
    "index": 0, "kind": "copy-move", "operation": "copy-move", "modality": "blot",
    "panels": ["images/0.png"], "sources": ["masks/0_source.png"],
    "targets": ["masks/0_target.png"], "groups": ["g"],
}  # fmt: skip
PAIR = {
    "index": 1, "kind": "duplicate", "operation": "whole", "modality": "facs",
    "panels": ["images/1_a.png", "images/1_b.png"], "sources": ["masks/1_a_source.png", None],
    "targets": [None, "masks/1_b_target.png"], "groups": ["g", "h"],
}  # fmt: skip
PRISTINE = {
    "index": 2, "kind": "pristine", "operation": "pristine", "modality": "photo",
    "panels": ["images/2.png"], "sources": [None], "targets": [None], "groups": ["k"],
}  # fmt: skip
SKIPPED = {"index": 3, "skipped": "no picture is large enough"}


def put(root, *lines, split="train"):
    for number, line in enumerate(lines):
        for name in line.get("panels", ()):
            put_image(root / name, 10 * number + len(name))
        for name in (*line.get("sources", ()), *line.get("targets", ())):
            if name is not None:
                put_mask(root / name)
    header = {"format": FORMAT, "recipe": "edd", "split": split}
    text = "\n".join(json.dumps(line) for line in (header, *lines)) + "\n"
    (root / "manifest.jsonl").write_text(text, encoding="utf-8")
    return root


def test_singles_and_pairs_are_read_with_their_truth(tmp_path):
    single, pristine, pair = index_forged(put(tmp_path, SINGLE, PAIR, PRISTINE, SKIPPED))
    assert (single.kind, single.split, single.group) == ("blot", "train", "g")
    assert single.copied_from.paths == (tmp_path / "masks/0_source.png",)
    assert read_mask(single).any()
    assert pristine.truth is None
    assert isinstance(pair, PairSample)
    assert pair.related
    assert all(mask.any() for mask in read_pair_masks(pair))
    assert (pair.a.group, pair.b.group, pair.group) == ("g", "h", None)


def test_a_pair_may_share_all_of_a_panel(tmp_path):
    put(tmp_path, PAIR)
    for name in (PAIR["sources"][0], PAIR["targets"][1]):
        write_png(tmp_path / name, np.ones(read_pixels(tmp_path / name).shape[:2], dtype=bool))
    assert check_dataset(find_dataset("forged"), tmp_path).problems == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({**SINGLE, "targets": [None]}, "is copy-move and has masks"),
        ({**PRISTINE, "targets": ["masks/x.png"]}, "is pristine and has masks"),
        ({**SINGLE, "modality": "cells"}, "kind must be one of"),
        ({"index": 0}, "KeyError"),
        ([1, 2], "is no object"),
        (SKIPPED, "holds no samples"),
    ],
)
def test_a_line_that_is_no_sample_is_named(tmp_path, line, message):
    header = json.dumps({"format": FORMAT})
    (tmp_path / "manifest.jsonl").write_text(f"{header}\n{json.dumps(line)}\n")
    with pytest.raises(DatasetLayoutError, match=message):
        index_forged(tmp_path)


def test_a_folder_that_is_none_or_lacks_a_file_is_refused(tmp_path):
    with pytest.raises(DatasetLayoutError, match="has no manifest"):
        index_forged(tmp_path)
    (tmp_path / "manifest.jsonl").write_text('{"format": "other"}\n')
    with pytest.raises(DatasetLayoutError, match="line 1 must hold"):
        index_forged(tmp_path)
    put(tmp_path, SINGLE)
    (tmp_path / "masks" / "0_target.png").unlink()
    with pytest.raises(MissingPartnersError, match="0_target"):
        index_forged(tmp_path)
