import json

import numpy as np
import pytest
from click.testing import CliRunner

from tamperscope.cli import main
from tamperscope.images import read_pixels, write_png
from tamperscope.synth.recipe import recipe_names
from tests.synth.panels import textured


def run(*arguments):
    return CliRunner().invoke(main, ["synth", *map(str, arguments)])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for kind in ("blot", "microscopy", "facs", "macroscopy"):
        (root / kind).mkdir()
        for number in range(2):
            pixels = textured(np.random.default_rng(number), (200, 220))
            write_png(root / kind / f"{number}.png", pixels)
        write_png(root / kind / "flat.png", np.full((99, 99, 3), 9, np.uint8))
    return root


@pytest.fixture
def small(tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(
        'format = "tamperscope-recipe/1"\nsize = [72, 72]\n[operations.paste]\n'
        "[operations.copy-move]\n",
        encoding="utf-8",
    )
    return file


def test_the_help_names_every_recipe():
    said = run("--help").output.split("RECIPE is")[1].partition("or a TOML file")[0]
    words = set(said.replace(",", " ").split())
    assert set(recipe_names()) <= words


def test_a_set_is_written_shown_and_added_to(pictures, small, tmp_path):
    out = tmp_path / "set"
    first = run(
        "--recipe", small, "--count", 5, "--out", out, "--sources", pictures, "--jobs", 1,
        "--preview",
    )  # fmt: skip
    assert first.exit_code == 0, first.output
    assert "5 samples written, 0 were there before" in first.output
    assert "/flat.png: constant: nothing to be seen on it" in first.output
    assert read_pixels(out / "preview.png").shape[2] == 3
    again = run("--recipe", small, "--count", 7, "--out", out, "--sources", pictures, "--jobs", 1)
    assert "2 samples written, 5 were there before" in again.output
    lines = (out / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["index"] for line in lines[1:]] == list(range(7))
    checked = CliRunner().invoke(main, ["datasets", "check", "forged", str(out)])
    assert checked.exit_code == 0, checked.output
    assert "7 tampered, 0 pristine; 0 problems" in checked.output


@pytest.mark.parametrize("recipe", ["edd", "idd", "cstd", "mixed", "generated"])
def test_the_recipes_that_come_with_it_work_on_a_folder(pictures, tmp_path, recipe):
    result = run(
        "--recipe", recipe, "--count", 3, "--out", tmp_path / "set", "--sources", pictures,
        "--jobs", 1,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "3 samples written" in result.output


def test_what_cannot_be_done_is_one_line(pictures, small, tmp_path):
    out = tmp_path / "set"
    for arguments, message in (
        (("--recipe", "edx", "--sources", pictures), "No recipe is called 'edx'"),
        (("--recipe", small, "--sources", tmp_path / "none"), "is not a folder of pictures"),
        (("--recipe", "photographs", "--sources", pictures), "works on"),
        (("--recipe", small, "--sources", pictures, "--sources", pictures), "given twice"),
    ):
        result = run(*arguments, "--count", 2, "--out", out, "--jobs", 1)
        assert result.exit_code == 2, result.output
        assert result.output.startswith("Error: ")
        assert message in result.output
        assert len(result.output.strip().splitlines()) == 1
