import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tamperscope.cli import main
from tamperscope.cli.datasets import EXPORT_FORMS
from tamperscope.data.catalog import DATASETS
from tamperscope.data.export import FORMS
from tests.data.drawn import put_image, put_mask


def run(*arguments):
    return CliRunner().invoke(main, ["datasets", *map(str, arguments)])


@pytest.fixture
def root(tmp_path):
    put_image(tmp_path / "set" / "Tp" / "1.png", 1)
    put_mask(tmp_path / "set" / "Gt" / "1.png")
    return tmp_path / "set"


@pytest.mark.parametrize("arguments", [(), ("list",)], ids=str)
def test_the_list_names_every_dataset(arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    for name, dataset in DATASETS.items():
        assert f"  {name} " in result.output
        assert dataset.title in result.output


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_has_layout_licence_and_source(name):
    result = run("list", name)
    assert result.exit_code == 0, result.output
    assert "licence:" in result.output
    assert DATASETS[name].get in result.output
    assert "root" in DATASETS[name].layout


def test_the_page_of_the_datasets_names_each():
    page = Path(__file__).parents[2] / "docs" / "datasets.md"
    text = page.read_text(encoding="utf-8")
    for name, dataset in DATASETS.items():
        assert f"| `{name}` |" in text
        assert dataset.licence in text
        assert dataset.get in text


def test_check_lists_problems_and_exits_with_1(root):
    sound = run("check", "tpgt", root)
    assert sound.exit_code == 0, sound.output
    assert "1 tampered, 0 pristine; 0 problems" in sound.output
    (root / "Gt" / "1.png").unlink()
    put_image(root / "Tp" / "2.png", 2)
    wrong = run("check", "tpgt", root)
    assert wrong.exit_code == 1
    assert wrong.output.count("problem: ") == 2


def test_an_unknown_name_or_folder_is_one_line_and_exits_with_2(tmp_path):
    result = run("check", "colombia", tmp_path)
    assert result.exit_code == 2
    assert "Did you mean 'columbia'?" in result.output
    result = run("check", "columbia", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "nowhere" in result.output


def test_export_and_import(root, tmp_path):
    out = tmp_path / "s.json"
    exported = run("export", "tpgt", root, "--to", "imdlbenco", "--out", out)
    assert exported.exit_code == 0, exported.output
    assert json.loads(out.read_text(encoding="utf-8")) == [["set/Tp/1.png", "set/Gt/1.png"]]
    again = run("export", "imdlbenco", out, "--to", "jsonl", "--out", tmp_path / "s.jsonl")
    assert again.exit_code == 0, again.output
    assert run("check", "jsonl", tmp_path / "s.jsonl").exit_code == 0
    assert run("export", "tpgt", root, "--to", "imdlbenco", "--out", out).exit_code == 2


def test_forms_are_those_of_the_exporter():
    assert EXPORT_FORMS == FORMS
