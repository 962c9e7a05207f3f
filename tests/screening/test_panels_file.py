import json
from dataclasses import replace

import pytest

from tamperscope.errors import OutputError, PanelsFileError
from tamperscope.records import Box, Figure, Panel
from tamperscope.screening.panels_file import FORMAT, read_panels, write_panels

FIGURES = (
    Figure("f001", "a.pdf", 1, 400, 300, (
        Panel("f001p01", Box(0, 0, 200, 300), "blot", 0.9),
        Panel("f001p02", Box(200, 0, 400, 300), "microscopy", 0.75, "B"),
    ), sha256="aa"),
    Figure("f002", "b.png", None, 50, 60, (Panel("f002p01", Box(0, 0, 50, 60), "photo", 0.5),)),
)  # fmt: skip


@pytest.fixture
def edit(tmp_path):
    """Write FIGURES, change the data, and read it back."""

    def edited(change, figures=FIGURES):
        path = tmp_path / "panels.json"
        write_panels(path, FIGURES)
        data = json.loads(path.read_text(encoding="utf-8"))
        change(data)
        path.write_text(json.dumps(data), encoding="utf-8")
        return read_panels(path, figures)

    return edited


def panels(data, figure=0):
    return data["figures"][figure]["panels"]


def test_what_is_written_is_read_back(edit):
    assert edit(lambda data: None) == FIGURES


def test_boxes_kinds_and_labels_can_be_changed(edit):
    def change(data):
        panels(data)[0].update(box=[5, 6, 100, 200], kind="chart", label="A")

    assert edit(change)[0].panels[0] == Panel("f001p01", Box(5, 6, 100, 200), "chart", 0.9, "A")


def test_panels_can_be_removed_and_added_without_an_id(edit):
    def change(data):
        del panels(data)[0]
        panels(data).append({"box": [0, 0, 10, 10], "kind": "facs"})
        panels(data).append({"box": [0, 10, 10, 20], "kind": "facs"})
        panels(data, 1).clear()

    first, second = edit(change)
    assert [panel.id for panel in first.panels] == ["f001p02", "f001p01", "f001p03"]
    assert first.panels[1] == Panel("f001p01", Box(0, 0, 10, 10), "facs", 1.0)
    assert second.panels == ()


def test_figures_that_are_not_listed_keep_their_panels(edit):
    def change(data):
        del data["figures"][1]
        del panels(data)[1]

    first, second = edit(change)
    assert len(first.panels) == 1
    assert second == FIGURES[1]


def test_a_figure_is_found_by_its_digest_where_its_number_changed(edit):
    moved = (replace(FIGURES[0], id="f007"),)
    (found,) = edit(lambda data: data["figures"].pop(1), moved)
    assert found.id == "f007"
    assert found.panels == FIGURES[0].panels


def other_pixels(data):
    data["figures"][0]["sha256"] = "bb"


def put(**values):
    return lambda data: panels(data)[0].update(**values)


WRONG = {
    "format": (lambda data: data.update(format="x/1"), '"format"'),
    "figures": (lambda data: data.update(figures=3), '"figures" must be a list'),
    "entry": (lambda data: data["figures"].append(4), r"figures\[2\] must be an object"),
    "unknown figure": (lambda data: data["figures"][1].update(id="f009"), r"figures\[1\].*f009"),
    "other pixels": (other_pixels, r"figures\[0\]: no figure"),
    "size": (lambda data: data["figures"][0].update(width=401), "401 x 300"),
    "twice": (lambda data: data["figures"].append(data["figures"][0]), "listed twice"),
    "panels": (lambda data: data["figures"][0].update(panels=None), '"panels" must be a list'),
    "panel": (lambda data: panels(data).append("p"), r"panels\[2\] must be an object"),
    "kind": (put(kind="gel"), "kind must be one of blot"),
    "box outside": (put(box=[0, 0, 401, 300]), r"panels\[0\]: box .* <= 400"),
    "box turned": (put(box=[9, 0, 3, 300]), r"box \[9, 0, 3, 300\]"),
    "box fractions": (put(box=[0, 0, 10.5, 3]), "whole pixels"),
    "box flags": (put(box=[False, 0, 10, 3]), "whole pixels"),
    "box short": (put(box=[0, 1]), "whole pixels"),
    "no box": (lambda data: panels(data)[0].pop("box"), "whole pixels"),
    "probability": (put(probability=1.5), r"\[0, 1\]"),
    "probability word": (put(probability="high"), "must be a number"),
    "label": (put(label=3), "label must be text"),
    "id": (put(id="../../x"), "id must be letters"),
    "same id": (put(id="f001p02"), "2 panels are called"),
    "same id elsewhere": (put(id="f002p01"), "2 panels are called"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_name_the_file_the_entry_and_the_way_out(edit, name):
    change, message = WRONG[name]
    with pytest.raises(PanelsFileError, match=message) as caught:
        edit(change)
    assert "panels.json" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"[" * 100_000])
def test_what_is_no_panels_file_is_named(tmp_path, content):
    path = tmp_path / "panels.json"
    path.write_bytes(content)
    with pytest.raises(PanelsFileError, match=r"panels\.json"):
        read_panels(path, FIGURES)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PanelsFileError, match="cannot read"):
        read_panels(tmp_path / "none.json", FIGURES)


def test_an_unwritable_place_is_named(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        write_panels(tmp_path / "no folder" / "panels.json", FIGURES)


def test_the_file_says_its_format(tmp_path):
    path = tmp_path / "panels.json"
    write_panels(path, FIGURES)
    assert json.loads(path.read_text(encoding="utf-8"))["format"] == FORMAT
