import pytest

from tamperscope.errors import RecipeError
from tamperscope.synth.operations import OPERATIONS
from tamperscope.synth.recipe import find_recipe, read_recipe, recipe_names

HEAD = 'format = "tamperscope-recipe/1"\n'
ONE = "[operations.pristine]\n"


def test_the_recipes_that_come_with_the_program_are_read():
    assert recipe_names() == [
        "by_hand", "copies_by_hand", "cstd", "edd", "generated", "idd", "lookalikes", "mixed",
        "patches", "photographs", "seams", "splices", "splices_plain",
    ]  # fmt: skip
    for name in recipe_names():
        assert find_recipe(name).description.endswith(".")


def test_pairs_and_single_panels_are_kept_apart_where_a_task_needs_it():
    panels = {
        name: {OPERATIONS[operation].panels for operation in find_recipe(name).operations}
        for name in recipe_names()
    }
    assert panels == {
        "edd": {2}, "idd": {1}, "cstd": {1}, "photographs": {1}, "generated": {1}, "mixed": {1, 2},
        "patches": {1}, "seams": {1}, "lookalikes": {1}, "splices": {1}, "splices_plain": {1},
        "by_hand": {1}, "copies_by_hand": {1},
    }  # fmt: skip


def test_an_operations_own_table_overrides_the_common_one():
    recipe = read_recipe(
        HEAD + "[geometry]\nflip = 0.9\nscale = 0.8\n[operations.copy-move]\n"
        "geometry.flip = 0.1\ncopies = [2, 5]\n[operations.paste]\nweight = 4\n",
        "own",
    )
    own, other = recipe.operations["copy-move"], recipe.operations["paste"]
    assert (own.geometry.flip, own.geometry.scale, own.copies) == (0.1, 0.8, (2, 5))
    assert (other.geometry.flip, other.weight) == (0.9, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[operations.pristine", "is not TOML"),
        (ONE, "must begin with format"),
        (HEAD, "needs an operation"),
        (HEAD + "[operations.pristine]\nweight = 0\n", "needs an operation"),
        (HEAD + "siez = [1, 2]\n" + ONE, "unknown key 'siez'; did you mean 'size'"),
        (HEAD + "[operations.copymove]\n", "unknown key 'copymove'; did you mean 'copy-move'"),
        (HEAD + ONE + "tone.gama = 0.1\n", r"pristine\]\.tone: unknown key 'gama'"),
        (HEAD + "[post]\njpegs = 1\n" + ONE, r"\[post\]: unknown key 'jpegs'"),
        (HEAD + "[modalities]\nblots = 1\n" + ONE, "did you mean 'blot'"),
        (HEAD + "[modalities]\nblot = 0\n" + ONE, "one weight must be above 0"),
        (HEAD + "[modalities]\nblot = nan\n" + ONE, "weight of 0 or more"),
        (HEAD + "size = [256]\n" + ONE, "size is"),
        (HEAD + "size = [16, 9999]\n" + ONE, "each 64 to 2048"),
        (HEAD + "size = 256\n" + ONE, "size is"),
        (HEAD + "labels = 1.5\n" + ONE, "chance from 0 to 1"),
        (HEAD + "labels = true\n" + ONE, "chance from 0 to 1"),
        (HEAD + "description = 3\n" + ONE, "is a text"),
        (HEAD + "[geometry]\nscale_range = [2, 1]\n" + ONE, "must rise"),
        (HEAD + "[geometry]\nscale_range = [0, 1]\n" + ONE, "0.2 to 4"),
        (HEAD + "[geometry]\nscale_range = 1\n" + ONE, "is two numbers"),
        (HEAD + "[post]\nquality = [60.5, 80]\n" + ONE, "two whole numbers"),
        (HEAD + "[shapes]\nbox=0\nellipse=0\nfree=0\nobjects=0\n" + ONE, "must be above 0"),
        (HEAD + "[shapes]\nleast = 1\n" + ONE, "4 to 512"),
        (HEAD + "[operations.pristine]\nweight = -1\n", "weight of 0 or more"),
        (HEAD + "[operations.pristine]\nmodalities = ['cells']\n", "modalities is a list"),
        (HEAD + "[operations.lane-removed]\nmodalities = ['facs']\n", "a list of blot"),
        (HEAD + "operations = 3\n", "is a table"),
    ],
)
def test_a_broken_recipe_says_what_is_wrong(text, message):
    with pytest.raises(RecipeError, match=message):
        read_recipe(text, "broken")


def test_a_recipe_is_found_by_name_or_by_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(HEAD + ONE, encoding="utf-8")
    assert find_recipe(str(file)).name == "mine"
    with pytest.raises(RecipeError, match="Did you mean 'mixed'"):
        find_recipe("mixd")
    with pytest.raises(RecipeError, match="cannot be read"):
        find_recipe(str(tmp_path / "none.toml"))


def test_the_digest_is_of_what_is_said_not_of_how():
    one = read_recipe(HEAD + "labels = 0.5\n" + ONE, "a")
    same = read_recipe("labels = 0.5  # half\n" + HEAD + ONE, "b")
    other = read_recipe(HEAD + "labels = 0.6\n" + ONE, "c")
    assert one.digest == same.digest != other.digest


def test_a_recipe_says_what_differs_from_its_base():
    base = find_recipe("by_hand")
    mine = read_recipe(
        HEAD + 'base = "by_hand"\n[shapes]\nbox = 0.7\n[geometry]\nflip = 1\n' + ONE, "mine"
    )
    assert mine.look == base.look
    assert mine.post == base.post
    assert mine.modalities == base.modalities
    assert list(mine.operations) == ["pristine"]
    shapes, before = mine.operations["pristine"].shapes, base.operations["splice"].shapes
    assert (shapes.box, shapes.contour, shapes.side) == (0.7, before.contour, before.side)
    assert mine.operations["pristine"].geometry.flip == 1
    assert read_recipe(HEAD + 'base = "by_hand"\n', "same").operations == base.operations
    with pytest.raises(RecipeError, match="base: name one of by_hand"):
        read_recipe(HEAD + 'base = "none"\n' + ONE, "mine")


def test_a_base_is_part_of_the_digest():
    alone = read_recipe(HEAD + ONE, "alone")
    based = read_recipe(HEAD + 'base = "by_hand"\n' + ONE, "based")
    assert alone.digest != based.digest
    said = dict(find_recipe("by_hand").said) | dict(alone.said)
    assert based.said == said
