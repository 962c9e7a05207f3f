import re
from pathlib import Path

import pytest

from tamperscope.data import find_dataset
from tamperscope.errors import RecipeError
from tamperscope.models.weights import empty_network
from tamperscope.synth.recipe import find_recipe
from tamperscope.training.objectives import Objective
from tamperscope.training.opening import panel_size
from tamperscope.training.recipe import parse_recipe, parts_of, root_of
from tests.training.small import PAIRS

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_names_what_is_there(path):
    recipe = parse_recipe(path.read_text(encoding="utf-8"), str(path))
    network = empty_network(recipe.model.name, recipe.model.config)
    objective = Objective(network, recipe.loss)
    for stream in (*recipe.data, *recipe.validation.data):
        if stream.forge is None:
            find_dataset(stream.dataset)
            assert "partners" not in objective.extra
            assert (stream.root or stream.dataset) in recipe.roots
        else:
            find_recipe(stream.forge)
            assert set(stream.sources) <= {"drawn", *recipe.roots}
        height, width = panel_size(stream)
        assert height % 32 == width % 32 == 0


def test_there_is_an_example_for_every_network():
    names = {
        parse_recipe(path.read_text(encoding="utf-8"), path.name).model.name for path in EXAMPLES
    }
    networks = ("biotampernet", "forma", "loma")
    assert names == {f"{name}_{size}" for name in networks for size in ("small", "base")}


def test_the_recipe_in_the_docs_can_be_read():
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert parse_recipe(block, "docs").model.name == "biotampernet_small"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("rate = 1e-3", "rat = 1e-3", "optimiser: unknown key 'rat'; did you mean 'rate'"),
        ("[schedule]", "[shedule]", "unknown key 'shedule'; did you mean 'schedule'"),
        ("rate = 1e-3", "rate = 0", "optimiser: rate and epsilon are above 0"),
        ("sources = ", "origin = ", "data[0]: unknown key 'origin'"),
        ("batch = 2", "batch = 3\naccumulate = 2", "run: batch 3 cannot be cut into 2 parts"),
        ("samples = 3", "", "validation: each [[validation.data]] says how many samples"),
        ("warm_up = 2", "warm_up = 8", "warms up longer"),
        ("licence = ", "license = ", "unknown key 'license'; did you mean 'licence'"),
        ("steps = 8", "", "run needs the key 'steps'"),
        ('name = "cosine"', 'name = "cosines"', "schedule: name: 'cosines' is none of it"),
        ("-training/1", "-training/9", "must begin with format"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(before, after, said):
    assert before in PAIRS
    with pytest.raises(RecipeError) as error:
        parse_recipe(PAIRS.replace(before, after), "some/file.toml")
    assert said in str(error.value)
    assert "some/file.toml" in str(error.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('dataset = "casia_v2"', "a dataset needs a size"),
        ('forge = "edd"', "the forge needs sources"),
        ('forge = "edd"\ndataset = "casia_v2"', "either a forge recipe or a dataset"),
        ('forge = "edd"\nsources = ["drawn"]\nsplit = "test"', "trained or chosen on a test split"),
        ('forge = "edd"\nsources = ["drawn"]\nsize = [32, 32]', "64 to 2048 pixels"),
        ('forge = "edd"\nsources = ["drawn"]\nmodalities.fish = 1', "weights of blot"),
        ('forge = "edd"\nsources = ["drawn"]\npristine = 2', "a share from 0 to 1"),
    ],
)
def test_streams_that_make_no_sense_are_refused(keys, said):
    text = (
        PAIRS.partition("[[data]]")[0]
        + f"[[data]]\n{keys}\n[loss]"
        + (PAIRS.partition("[loss]")[2])
    )
    with pytest.raises(RecipeError) as error:
        parse_recipe(text, "file")
    assert said in str(error.value)


def test_words_and_folders_do_not_make_another_recipe():
    one = parts_of('licence = "x"\n[run]\nsteps = 3')
    assert parts_of('description = "y"\nlicence="x"  # why\n[run]\nsteps=3\n[roots]\na="b"') == one
    assert parts_of('licence = "x"\n[run]\nsteps = 4')["run"] != one["run"]


def test_a_folder_that_nobody_named_is_an_error():
    assert root_of("corpus", {"corpus": "x/y"}) == Path("x/y")
    with pytest.raises(RecipeError, match=r"--root corpse=DIR \(did you mean 'corpus'"):
        root_of("corpse", {"corpus": "x/y"})
