import copy
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from tamperscope.errors import OutputError
from tamperscope.records import FINDING_KINDS, PANEL_KINDS, to_dict
from tamperscope.report import read_findings, schema, write_findings


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def test_what_is_written_fits_the_schema(written, validator):
    validator.validate(json.loads((written / "findings.json").read_bytes()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "tamperscope-screening/2"),
        (("unread", 0, "why"), ""),
        (("figures", 0, "width"), 0),
        (("figures", 0, "sha256"), "AB" * 32),
        (("figures", 0, "id"), "../f001"),
        (("figures", 0, "panels", 0, "kind"), "gel"),
        (("figures", 0, "panels", 0, "probability"), 1.5),
        (("findings", 0, "kind"), "fraud"),
        (("findings", 0, "regions"), []),
        (("findings", 0, "regions", 0, "box"), [1, 2, 3]),
        (("findings", 0, "regions", 0, "box"), [1, 2, 3.5, 4]),
        (("findings", 0, "regions", 0, "mask"), "evidence/../../x.png"),
        (("findings", 0, "regions", 0, "mask"), "/etc/passwd"),
        (("findings", 0, "transform"), [[1, 0, 0], [0, 1, 0]]),
        (("findings", 0, "evidence", "chance"), -0.1),
        (("findings", 0, "evidence", "stability", 0), {"test": "crop"}),
        (("findings", 0, "evidence", "surprise"), 1),
        (("run", "seconds"), "long"),
    ],
    ids=str,
)
def test_the_schema_refuses_what_does_not_fit(written, validator, path, value):
    data = json.loads((written / "findings.json").read_bytes())
    broken = copy.deepcopy(data)
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert broken != data
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(broken)


def test_every_field_of_the_records_is_required_by_the_schema(written, validator):
    data = json.loads((written / "findings.json").read_bytes())
    for path in ((), ("figures", 0), ("figures", 0, "panels", 0), ("findings", 0),
                 ("findings", 0, "regions", 0), ("findings", 0, "evidence"), ("run",)):  # fmt: skip
        place = data
        for step in path:
            place = place[step]
        for name in list(place):
            kept = place.pop(name)
            assert not validator.is_valid(data), (path, name)
            place[name] = kept


def test_the_schema_knows_the_kinds_of_the_records():
    definitions = schema()["$defs"]
    assert definitions["panel"]["properties"]["kind"]["enum"] == list(PANEL_KINDS)
    assert definitions["finding"]["properties"]["kind"]["enum"] == list(FINDING_KINDS)


def test_reading_gives_back_what_was_written_whatever_the_names(example, tmp_path):
    write_findings(example.screening, tmp_path)
    assert read_findings(tmp_path) == example.screening


def test_numbers_are_rounded_so_that_processors_agree(example, tmp_path):
    third = 1 / 3
    matrix = ((third, 0.0, 1e-7 / 3), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    finding = replace(example.screening.findings[0], score=third, transform=matrix)
    write_findings(replace(example.screening, findings=(finding,)), tmp_path)
    data = json.loads((tmp_path / "findings.json").read_bytes())["findings"][0]
    assert data["score"] == 0.333333
    assert data["transform"][0] == [0.333333333, 0.0, 3.33333333e-8]


def test_a_number_that_json_cannot_hold_is_refused(example, tmp_path):
    run = replace(example.screening.run, seconds=float("nan"))
    with pytest.raises(ValueError, match="JSON"):
        write_findings(replace(example.screening, run=run), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b'{"format": "other/1"}', b"\xff"])
def test_a_file_that_does_not_fit_is_an_error_that_names_it(example, tmp_path, content):
    if content is not None:
        (tmp_path / "findings.json").write_bytes(content)
    with pytest.raises(OutputError, match=r"findings\.json"):
        read_findings(tmp_path)


def test_findings_that_lack_a_field_are_an_error(example, tmp_path):
    data = to_dict(example.screening)
    del data["findings"][0]["regions"][0]["box"]
    (tmp_path / "findings.json").write_text(json.dumps(data))
    with pytest.raises(OutputError, match="box"):
        read_findings(tmp_path)


def test_an_unwritable_place_is_an_error_that_names_the_file(example, tmp_path):
    folder: Path = tmp_path / "findings.json"
    folder.mkdir()
    (folder / "occupied").touch()
    with pytest.raises(OutputError, match=r"findings\.json cannot be written"):
        write_findings(example.screening, tmp_path)


def test_the_docs_name_every_field():
    text = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")

    def fields(part):
        for name, inner in part.get("properties", {}).items():
            yield name
            yield from fields(inner.get("items", inner))

    parts = [schema(), *schema()["$defs"].values()]
    named = {name for part in parts for name in fields(part)}
    assert len(named) > 45
    assert [name for name in sorted(named) if f"`{name}`" not in text] == []
