"""Recipes: TOML files that say which samples are made, in which shares, and how much they vary.

    format = "tamperscope-recipe/1"
    description = "..."
    base = "by_hand"                   # a recipe by its name, which this one changes: see below
    size = [256, 256]                  # height, width of finished panels
    labels = 0.15                      # chance of labels on changed panels
    page = 0.3                         # chance that panels are cut with some of the page around

    [modalities]                       # weights; those that the sources have count
    blot = 2
    microscopy = 1

    [operations.copy-move]             # one table for each; see operations.py for the names
    weight = 3
    copies = [1, 3]
    geometry.flip = 0.5                # overrides [geometry] for this operation

    [geometry]  [tone]  [shapes]  [blending]     # defaults of all operations
    [look]  [post]                               # of all panels, first and last

Every key is optional but format and one operation; an unknown one is an error. With a base only
what differs from it is said: tables are taken over key by key; ``[operations]``, if there is any,
replaces all of the base's.
"""

import dataclasses
import difflib
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from tamperscope.errors import RecipeError
from tamperscope.synth.operations import OPERATIONS
from tamperscope.synth.postprocess import CHAINS, Post
from tamperscope.synth.sample import MODALITIES, Size
from tamperscope.synth.settings import Look, Settings

FORMAT = "tamperscope-recipe/1"
GROUPS = ("geometry", "tone", "shapes", "blending")
TOP = {
    "format", "description", "base", "size", "labels", "page", "modalities", "operations", "look",
    "post",
}  # fmt: skip
LEAST_SIDE, LARGEST_SIDE = 64, 2048
SHARES = {
    "weight", *CHAINS, "box", "ellipse", "free", "objects", "contour", "hard", "feather", "poisson"
}  # fmt: skip
"""Numbers that are weights against others; what else is a single number is a chance, but for:"""
AMOUNTS = {"least": (4, 512), "content": (0, 100)}
RANGES = {  # name: lowest and highest value of either end
    "copies": (1, 20),
    "share": (0.02, 1),
    "side": (0.02, 0.9),
    "rotate_range": (-180, 180),
    "scale_range": (0.2, 4),
    "shear_range": (-0.5, 0.5),
    "brightness_range": (0, 120),
    "contrast_range": (1, 4),
    "gamma_range": (1, 4),
    "noise_range": (0, 40),
    "blur_range": (0.1, 8),
    "feather_range": (0.2, 8),
    "quality": (5, 100),
}
WHOLE = {"copies", "quality", "least"}
Group = TypeVar("Group")


@dataclass(frozen=True)
class Recipe:
    """A recipe that was read and checked."""

    name: str
    description: str
    size: Size
    labels: float
    page: float
    modalities: Mapping[str, float]  # weights; empty: all alike
    operations: Mapping[str, Settings]
    post: Post
    look: Look
    said: Mapping[str, Any] = field(repr=False)  # as it was read, with what its base says

    @property
    def digest(self) -> str:
        """Hash of what the recipe says, comments and order aside."""
        said = json.dumps(self.said, sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def recipe_names() -> list[str]:
    """Names of the recipes that come with the program."""
    folder = resources.files("tamperscope.synth") / "recipes"
    return sorted(Path(f.name).stem for f in folder.iterdir() if f.name.endswith(".toml"))


def find_recipe(name: str) -> Recipe:
    """Read a recipe by its name, or a ``.toml`` file by its path.

    Raises:
        RecipeError: There is none, or it is broken.
    """
    if name.endswith(".toml"):
        try:
            return read_recipe(Path(name).read_text(encoding="utf-8"), Path(name).stem)
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"recipe {name} cannot be read: {error}") from error
    names = recipe_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(names)}."
        raise RecipeError(f"No recipe is called {name!r}. {hint} Or give a file NAME.toml.")
    file = resources.files("tamperscope.synth") / "recipes" / f"{name}.toml"
    return read_recipe(file.read_text(encoding="utf-8"), name)


def read_recipe(text: str, name: str) -> Recipe:
    """Read a recipe; RecipeError says what is wrong and where."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe {name} is not TOML: {error}") from error
    if data.get("format") != FORMAT:
        raise RecipeError(f'recipe {name} must begin with format = "{FORMAT}"')
    _known(data, TOP | set(GROUPS), f"recipe {name}")
    data = _on_its_base(data, name)
    post = _group(Post(), data.get("post", {}), f"recipe {name}, [post]")
    defaults = Settings()
    for group in GROUPS:
        made = _group(getattr(defaults, group), data.get(group, {}), f"recipe {name}, [{group}]")
        defaults = dataclasses.replace(defaults, **{group: made})
    operations = _operations(data.get("operations", {}), defaults, name)
    return Recipe(
        name=name,
        description=_string(data.get("description", ""), f"recipe {name}, description"),
        size=_size(data.get("size", [256, 256]), name),
        labels=_chance(data.get("labels", 0.0), f"recipe {name}, labels"),
        page=_chance(data.get("page", 0.0), f"recipe {name}, page"),
        modalities=_modalities(data.get("modalities", {}), name),
        operations=operations,
        post=post,
        look=_group(Look(), data.get("look", {}), f"recipe {name}, [look]"),
        said=data,
    )


def _on_its_base(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Fill up what a recipe does not say with what its base says; without one it stays as it is."""
    base = data.pop("base", None)
    if base is None:
        return data
    where = f"recipe {name}, base"
    if _string(base, where) not in recipe_names():
        raise RecipeError(f"{where}: name one of {', '.join(recipe_names())}, got {base!r}")
    whole = dict(find_recipe(base).said)
    for key, value in data.items():
        if key != "operations" and isinstance(value, dict) and isinstance(whole.get(key), dict):
            value = whole[key] | value
        whole[key] = value
    return whole


def _operations(tables: Any, defaults: Settings, name: str) -> dict[str, Settings]:
    _table(tables, f"recipe {name}, [operations]")
    _known(tables, OPERATIONS, f"recipe {name}, [operations]")
    found = {}
    for operation, table in tables.items():
        where = f"recipe {name}, [operations.{operation}]"
        _table(table, where)
        plain = {key: value for key, value in table.items() if key not in GROUPS}
        named = _names(plain.pop("generators", []), operation, where)
        wanted = plain.pop("modalities", [])
        able = OPERATIONS[operation].modalities
        if not isinstance(wanted, list) or not set(map(str, wanted)) <= set(able):
            raise RecipeError(f"{where}: modalities is a list of {', '.join(able)}")
        settings = dataclasses.replace(
            _group(defaults, plain, where, also=GROUPS),
            modalities=tuple(wanted),
            generators=named,
        )
        for group in GROUPS:
            part = _group(getattr(settings, group), table.get(group, {}), f"{where}.{group}")
            settings = dataclasses.replace(settings, **{group: part})
        found[operation] = settings
    if not any(settings.weight > 0 for settings in found.values()):
        raise RecipeError(f"recipe {name} needs an operation with a weight above 0")
    return found


def _names(value: Any, operation: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise RecipeError(f"{where}: generators is a list of names or files, got {value!r}")
    if value and operation != "generated-patch":
        raise RecipeError(f"{where}: only generated-patch has generators")
    return tuple(value)


def _group(default: Group, table: Any, where: str, *, also: tuple[str, ...] = ()) -> Group:
    """Return ``default`` with the values of a table, each checked."""
    _table(table, where)
    own = {f.name for f in dataclasses.fields(default)} - set(GROUPS)  # type: ignore[arg-type]
    _known(table, own | set(also), where)
    values = {key: _value(key, value, f"{where}: {key}") for key, value in table.items()}
    made = dataclasses.replace(default, **values)  # type: ignore[type-var]
    weights = [getattr(made, key) for key in own if key in SHARES and key != "weight"]
    if weights and not sum(weights) > 0:
        raise RecipeError(f"{where}: one of {', '.join(sorted(own & SHARES))} must be above 0")
    return made


def _value(key: str, value: Any, where: str) -> Any:
    if key in RANGES:
        low, high = RANGES[key]
        if not (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))):
            raise RecipeError(f"{where} is two numbers, [low, high], got {value!r}")
        if not low <= value[0] <= value[1] <= high:
            raise RecipeError(f"{where} must rise and lie in {low:g} to {high:g}, got {value}")
        if key in WHOLE and not all(isinstance(v, int) for v in value):
            raise RecipeError(f"{where} is two whole numbers, got {value}")
        return tuple(value)
    if key in AMOUNTS:
        low, high = AMOUNTS[key]
        whole = key not in WHOLE or isinstance(value, int)
        if not (_is_number(value) and low <= value <= high and whole):
            raise RecipeError(f"{where} must lie in {low} to {high}, got {value!r}")
        return value
    if key in SHARES:
        if not (_is_number(value) and 0 <= value < math.inf):
            raise RecipeError(f"{where} is a weight of 0 or more, got {value!r}")
        return float(value)
    return _chance(value, where)


def _chance(value: Any, where: str) -> float:
    if not (_is_number(value) and 0 <= value <= 1):
        raise RecipeError(f"{where} is a chance from 0 to 1, got {value!r}")
    return float(value)


def _modalities(table: Any, name: str) -> dict[str, float]:
    where = f"recipe {name}, [modalities]"
    _table(table, where)
    _known(table, MODALITIES, where)
    for key, value in table.items():
        if not (_is_number(value) and 0 <= value < math.inf):
            raise RecipeError(f"{where}: {key} is a weight of 0 or more, got {value!r}")
    if table and not sum(table.values()) > 0:
        raise RecipeError(f"{where}: one weight must be above 0")
    return {key: float(value) for key, value in table.items()}


def _size(value: Any, name: str) -> Size:
    right = isinstance(value, list) and len(value) == 2 and all(isinstance(v, int) for v in value)
    if not right or not all(LEAST_SIDE <= v <= LARGEST_SIDE for v in value):
        raise RecipeError(
            f"recipe {name}: size is [height, width], each {LEAST_SIDE} to {LARGEST_SIDE} pixels, "
            f"got {value!r}"
        )
    return value[0], value[1]


def _string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise RecipeError(f"{where} is a text, got {value!r}")
    return value


def _table(value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise RecipeError(f"{where} is a table, got {value!r}")


def _known(table: Mapping[str, Any], names: Any, where: str) -> None:
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, list(names), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names)}"
            raise RecipeError(f"{where}: unknown key {key!r}{hint}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
