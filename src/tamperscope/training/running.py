"""The way from a recipe file to weights: what ``tamperscope train`` calls."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

from tamperscope.errors import RecipeError
from tamperscope.training.engine import Machine, start_engine
from tamperscope.training.folder import only_here, open_folder
from tamperscope.training.loop import Outcome, Training
from tamperscope.training.preparation import Prepared, prepare
from tamperscope.training.recipe import parse_recipe
from tamperscope.training.reports import Listener


def train(
    file: Path, out: Path, machine: Machine, roots: Mapping[str, str], listener: Listener
) -> Outcome:
    """Train as a recipe says, in a folder; go on where the same training was stopped.

    Args:
        file: The recipe.
        out: Folder of the run; see :mod:`tamperscope.training.folder`.
        machine: Where it runs.
        roots: Folders by name, over those of the recipe.
        listener: Hears how it goes.

    Raises:
        TamperscopeError: Something asked for is not there, does not go together, or cannot be
            written; what was saved stays whole.
    """
    prepared = read_and_prepare(file, roots)
    fabric = start_engine(machine, prepared.recipe.run, unused=prepared.unused)
    first = fabric.is_global_zero
    with only_here(out) if first else nullcontext():
        if first:
            open_folder(out, prepared.text, prepared.decides)
        fabric.barrier()
        return Training(fabric, prepared, out, machine, listener).go()


def read_and_prepare(file: Path, roots: Mapping[str, str]) -> Prepared:
    """Read a recipe and build what it names.

    Raises:
        TamperscopeError: As for :func:`train`.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {file} cannot be read: {error}") from error
    return prepare(parse_recipe(text, str(file)), text, roots, f"recipe {file}")
