"""Turns TOML tables into frozen dataclasses; whatever does not fit is an error that says where.

A field's annotation is its rule: numbers, texts, booleans, ``Literal`` choices, tuples, mappings
to numbers, other dataclasses, and ``| None`` for what may be left out. Ranges are checked by the
dataclass itself, in ``__post_init__``, with a ValueError.
"""

import dataclasses
import difflib
import math
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tamperscope.errors import RecipeError

Table = TypeVar("Table")


def read_table(kind: type[Table], table: Any, where: str) -> Table:
    """Build a dataclass of a TOML table.

    Args:
        kind: A dataclass.
        table: What the TOML reader returned.
        where: File and section, for errors.

    Raises:
        RecipeError: A key is unknown or missing, or a value is of another kind or out of range.
    """
    if not isinstance(table, dict):
        raise RecipeError(f"{where} is a table, got {table!r}")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    refuse_unknown(table, fields, where)
    for name, field in fields.items():
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and name not in table:
            raise RecipeError(f"{where} needs the key {name!r}")
    hints = get_type_hints(kind)
    values = {key: read_value(hints[key], table[key], f"{where}: {key}") for key in table}
    try:
        return kind(**values)
    except ValueError as error:
        raise RecipeError(f"{where}: {error}") from error


def refuse_unknown(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raise RecipeError for a key that is not among ``known``; it suggests the nearest."""
    names = list(known)
    for key in table:
        if key not in names:
            raise RecipeError(f"{where}: unknown key {key!r}; {nearest(key, names)}")


def nearest(name: str, names: Iterable[str]) -> str:
    """Suggest the name that was meant, or list them all."""
    choices = list(names)
    near = difflib.get_close_matches(name, choices, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(choices) or 'none'}"


def read_value(hint: Any, value: Any, where: str) -> Any:
    """Return ``value`` as ``hint`` asks, lists as tuples; RecipeError where it does not fit."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return read_value(next(h for h in inner if h is not type(None)), value, where)
    if origin is Literal:
        if value not in inner:
            raise RecipeError(f"{where}: {value!r} is none of it; {nearest(str(value), inner)}")
        return value
    if origin is tuple:
        return _tuple(inner, value, where)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise RecipeError(f"{where} is a table, got {value!r}")
        return {key: read_value(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return read_table(hint, value, where)
    if hint is Any:
        return value
    return _plain(hint, value, where)


def _tuple(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise RecipeError(f"{where} is a list, got {value!r}")
    hints = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
    if len(hints) != len(value):
        raise RecipeError(f"{where} is a list of {len(hints)}, got {value!r}")
    return tuple(
        read_value(hint, item, f"{where}[{place}]")
        for place, (hint, item) in enumerate(zip(hints, value, strict=True))
    )


def _plain(hint: type, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise RecipeError(f"{where} is a finite number, got {value!r}")
        return float(value)
    if type(value) is not hint:
        words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
        raise RecipeError(f"{where} is {words[hint]}, got {value!r}")
    return value
