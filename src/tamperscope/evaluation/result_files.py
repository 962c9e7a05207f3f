"""Reads result files and the records beside them."""

import json
from pathlib import Path
from typing import Any

from tamperscope.evaluation.table_parts import ResultFileError


def read_result(path: Path) -> dict[str, Any]:
    """Read a result file.

    Raises:
        ResultFileError: It is missing or no JSON object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultFileError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ResultFileError(f"{path} is no result file: {error}") from error
    if not isinstance(data, dict):
        raise ResultFileError(f"{path} is no result file: it holds no JSON object")
    return data


def read_records(path: Path) -> dict[str, dict[str, Any]]:
    """Read the records of a result by key, from the journal beside it.

    Raises:
        ResultFileError: The journal is missing, or it is not complete.
    """
    result = read_result(path)
    journal = path.with_name(str(result.get("cases", "")))
    if "cases" not in result or not journal.is_file():
        raise ResultFileError(f"{path}: the journal of its samples is not beside it")
    lines = journal.read_text(encoding="utf-8").splitlines()
    records = {record["key"]: record for record in map(json.loads, lines[1:])}
    expected = result["measured"] + len(result["skipped"])
    if len(records) != expected:
        raise ResultFileError(f"{journal} holds {len(records)} of {expected} samples")
    return records
