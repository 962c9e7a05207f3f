import json
from dataclasses import replace

import pytest

from tamperscope.data import (
    Boxes,
    MaskFiles,
    PairSample,
    Sample,
    Unlocated,
    read_dataset,
    read_mask,
)
from tamperscope.data.export import FORMS, export_samples
from tamperscope.errors import DatasetLayoutError, OutputError
from tests.data.drawn import put_image, put_mask, region

HEAD = '{"format": "tamperscope-samples/1"}\n'


@pytest.fixture
def samples(tmp_path):
    """A white mask, an inverted one, boxes, and a pristine image."""
    a, b, c, d = (put_image(tmp_path / "in" / f"{name}.png", ord(name)) for name in "abcd")
    white = MaskFiles((put_mask(tmp_path / "in" / "white.png"),))
    black = MaskFiles((put_mask(tmp_path / "in" / "black.png", colours=(255, 0)),), "black")
    return [
        Sample(a, white, "s", group="g", split="train", kind="blot", copied_from=black),
        Sample(b, black, "s"),
        Sample(c, Boxes(((6, 4, 20, 14),)), "s"),
        Sample(d, None, "s"),
    ]


def test_jsonl_keeps_everything(samples, tmp_path):
    samples.append(Sample(put_image(tmp_path / "in" / "e.png", 9), Unlocated(), "s"))
    export_samples(samples, "jsonl", tmp_path / "out" / "s.jsonl")
    back = read_dataset("jsonl", tmp_path / "out" / "s.jsonl")
    assert [resolved(s) for s in back] == [resolved(s) for s in by_image(samples)]


def by_image(samples):
    return sorted(samples, key=lambda s: s.image.name)


def resolved(sample):
    """The sample as plain values with absolute paths."""
    values = dict(vars(sample), image=sample.image.resolve())
    for key in ("truth", "copied_from"):
        if isinstance(values[key], MaskFiles):
            paths = tuple(path.resolve() for path in values[key].paths)
            values[key] = replace(values[key], paths=paths)
    return values


def test_jsonl_keeps_pairs(samples, tmp_path):
    related = PairSample(samples[0], samples[2], True, "s", group="g", kind="blot", listed=False)
    other = PairSample(samples[3], samples[3], False, "s")
    export_samples([related, other], "jsonl", tmp_path / "p.jsonl")
    back = read_dataset("jsonl", tmp_path / "p.jsonl")
    assert [(p.related, p.listed, p.kind) for p in back] == [(True, False, "blot"), (False, True, None)]  # fmt: skip  # noqa: E501
    assert resolved(back[0].b) == resolved(samples[2])
    with pytest.raises(OutputError, match="jsonl"):
        export_samples([related], "imdlbenco", tmp_path / "p.json")


@pytest.mark.parametrize("form", ["imdlbenco", "tpgt"])
def test_masks_that_others_would_misread_are_written_white(samples, tmp_path, form):
    out = tmp_path / ("o.json" if form == "imdlbenco" else "o")
    export_samples(samples, form, out)
    back = read_dataset(form, out)
    assert len(back) == 4
    assert sum(s.truth is None for s in back) == 1
    for sample in back:
        assert sample.truth is None or sample.truth.rule == "white"
        assert (read_mask(sample) == (region() & (sample.truth is not None))).all()
    if form == "imdlbenco":
        entries = json.loads(out.read_text(encoding="utf-8"))
        assert entries[0] == ["in/a.png", "in/white.png"]  # named where it lies
        assert entries[3] == ["in/d.png", "Negative"]
        assert len(list((tmp_path / "o_masks").iterdir())) == 2


def test_forensichub_keeps_labels_without_places(samples, tmp_path):
    out = tmp_path / "f.json"
    export_samples(samples, "forensichub", out)
    labels = [entry["label"] for entry in json.loads(out.read_text(encoding="utf-8"))]
    assert labels == [1, 1, 1, 0]
    back = read_dataset("forensichub", out)
    assert [s.truth for s in back] == [Unlocated()] * 3 + [None]
    with pytest.raises(OutputError, match="not where"):
        export_samples(back, "imdlbenco", tmp_path / "g.json")


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_overwritten(samples, tmp_path, form):
    (tmp_path / "o").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists"):
        export_samples(samples, form, tmp_path / "o")
    assert (tmp_path / "o").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("form", ["imdlbenco", "tpgt"])
def test_a_mask_of_another_size_stops_the_export_and_leaves_nothing(samples, tmp_path, form):
    put_mask(tmp_path / "in" / "black.png", region((48, 64)), colours=(255, 0))
    out = tmp_path / "o"
    with pytest.raises(DatasetLayoutError, match=r"black\.png"):
        export_samples(samples, form, out)
    assert not out.exists()
    assert not (tmp_path / "o_masks").exists()
    export_samples(samples, form, out, resize=True)
    assert out.exists()


def test_tpgt_pairs_by_name_and_not_by_place(tmp_path):
    for name in "ab":
        put_image(tmp_path / "Tp" / f"{name}.jpg", ord(name))
    put_mask(tmp_path / "Gt" / "a_gt.png")
    put_mask(tmp_path / "Gt" / "0.png")
    with pytest.raises(DatasetLayoutError, match=r"Gt/b\.png"):
        read_dataset("tpgt", tmp_path)
    put_mask(tmp_path / "Gt" / "b.png", ~region())
    a, b = read_dataset("tpgt", tmp_path)
    assert (read_mask(a) == ~read_mask(b)).all()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("imdlbenco", "not json"),
        ("imdlbenco", "[]"),
        ("imdlbenco", '[["a.png"]]'),
        ("forensichub", '[{"path": "a.png", "label": 2}]'),
        ("forensichub", '[{"label": 1}]'),
        ("jsonl", '{"format": "other"}'),
        ("jsonl", HEAD),
        ("jsonl", HEAD + '{"image": "a.png"}'),
        ("jsonl", HEAD + '{"image": "a.png", "source": "s", "masks": []}'),
        ("jsonl", HEAD + '{"image": "a.png", "source": "s", "mask": "m"}'),
        ("jsonl", HEAD + '{"image": "a.png", "source": "s", "masks": ["m"], "rule": "x"}'),
        ("jsonl", HEAD + '{"image": "a.png", "source": "s", "boxes": [[0, 0, 1.5, 2]]}'),
        ("jsonl", HEAD + "7"),
        ("jsonl", HEAD + "{"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_by_name(tmp_path, name, text):
    put_image(tmp_path / "a.png")
    path = tmp_path / "broken.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetLayoutError, match=r"broken\.json"):
        read_dataset(name, path)


def test_an_image_that_a_list_names_must_be_there(tmp_path):
    (tmp_path / "l.json").write_text('[["x/1.png", "Negative"]]', encoding="utf-8")
    with pytest.raises(DatasetLayoutError, match=r"x/1\.png"):
        read_dataset("imdlbenco", tmp_path / "l.json")
