"""Writes and reads ``findings.json``; ``findings.schema.json`` beside this file describes it."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from tamperscope.errors import OutputError
from tamperscope.records import Screening, from_dict, to_dict

NAME = "findings.json"
DIGITS = 6  # significant ones of every number; what lies below differs between processors
TRANSFORM_DIGITS = 9  # the perspective terms of a large panel need them


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of ``findings.json``."""
    text = files("tamperscope.report").joinpath("findings.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def write_findings(screening: Screening, out: Path) -> Path:
    """Write ``out/findings.json``: the same screening gives the same bytes.

    Raises:
        OutputError: The file cannot be written.
        ValueError: A number is not finite, which JSON cannot hold.
    """
    data = _rounded(to_dict(screening), DIGITS)
    for finding, record in zip(data["findings"], screening.findings, strict=True):
        if record.transform is not None:
            finding["transform"] = _rounded([list(r) for r in record.transform], TRANSFORM_DIGITS)
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    path = out / NAME
    # A file name that is no UTF-8 reaches us as lone surrogates; "backslashreplace" happens to
    # write them as the JSON escapes that read back as the same name.
    replace_file(path, (text + "\n").encode("utf-8", errors="backslashreplace"))
    return path


def read_findings(out: Path) -> Screening:
    """Read ``out/findings.json``.

    Raises:
        OutputError: There is none, or it does not fit the format; the message names the file.
    """
    path = out / NAME
    try:
        return from_dict(json.loads(path.read_bytes()))
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path} cannot be read: {reason}; give a folder of a screening"
        ) from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise OutputError(f"{path} does not fit the format: {error}; screen again") from error


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, so that an interrupted run leaves no half of one."""
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: _rounded(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item, digits) for item in value]
    return value
