"""What tables of results are made of: cells, where a row comes from, rows that papers print."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tamperscope.errors import TamperscopeError
from tamperscope.evaluation.published import PublishedTable
from tamperscope.evaluation.scoring import THRESHOLD

FORMAT = "tamperscope-evaluation/1"
ROBUSTNESS = "tamperscope-robustness/1"
Result = dict[str, Any]
DASH = "-"


class ResultFileError(TamperscopeError):
    """A file is not a result that can be put into a table."""


@dataclass(frozen=True)
class Table:
    """Head, rows and what has to be said below them."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def cell(*values: float | str | None, digits: int = 3) -> str:
    """Numbers of one cell, as papers print them: ``.701/.526``."""
    return "/".join(_number(value, digits) for value in values)


def _number(value: float | str | None, digits: int) -> str:
    if value is None:
        return DASH
    if isinstance(value, str):
        return value
    text = f"{value:.{digits}f}"  # four digits, with their zero: as BioFors' scripts
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) and digits == 3 else text


def with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    """A number with its 95 % interval, where there is one."""
    if value is None or interval is None:
        return cell(value)
    return f"{cell(value)} ({cell(interval[0])} to {cell(interval[1])})"


def origin(result: Result) -> str:
    """What stands beside a row of ours."""
    commit = result["metadata"].get("commit")
    part = "" if result["part"] == "all" else f", {result['part']} only"
    limit = "" if result["limit"] is None else f", at most {result['limit']} samples of a set"
    threshold = result["setting"].get("threshold", THRESHOLD)
    marked = "" if threshold == THRESHOLD else f", threshold {threshold:g}"
    pairs = ", pair list reconstructed" if result.get("reconstructed_pairs") else ""
    return f"measured here{f' at {commit}' if commit else ''}{part}{limit}{marked}{pairs}"


def published_rows(table: PublishedTable, columns: Sequence[str] | None = None) -> list[list[str]]:
    """Rows of a paper, for these of its columns."""
    wanted = table.columns if columns is None else columns
    return [
        [
            method,
            table.origin,
            *(
                cell(*row[table.columns.index(name)]) if name in table.columns else DASH
                for name in wanted
            ),
        ]
        for method, row in table.rows.items()
    ]


def paper_table(table: PublishedTable) -> Table:
    """A table of a paper as it is, nothing of ours in it."""
    cells = "/".join(table.cells)
    form = "g" if table.dataset is None else ".1f" if "%" in table.score else ".3f"
    rows = [
        [method, table.origin, *("/".join(f"{n:{form}}" for n in numbers) for numbers in row)]
        for method, row in table.rows.items()
    ]
    return Table(
        f"{table.name}: {table.place}",
        ("method", "from", *table.columns),
        tuple(tuple(row) for row in rows),
        tuple(note for note in (f"{table.score}; {cells}.", table.remark, table.note) if note),
    )
