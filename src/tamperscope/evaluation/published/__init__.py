"""Numbers that papers print, with the place they stand at; nothing here is measured.

One JSON file for each paper. Only what was at hand in its source is there: what is missing is said
in the file's note, and never filled in.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FORMAT = "tamperscope-published/1"
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class PublishedTable:
    """One table of one paper."""

    name: str  # of the paper's method
    paper: str
    note: str  # on the whole paper
    id: str
    dataset: str | None  # names in data.catalog, a family, or None where it is about none
    place: str  # where in the source it stands
    score: str
    columns: tuple[str, ...]
    cells: tuple[str, ...]  # what the numbers of one column are
    rows: dict[str, tuple[tuple[float, ...], ...]]  # method: column: cell
    remark: str = ""
    recomputed: bool = False  # computed from printed numbers, not printed itself

    def __post_init__(self) -> None:
        for method, row in self.rows.items():
            if len(row) != len(self.columns) or any(len(c) != len(self.cells) for c in row):
                raise ValueError(f"{self.paper}, {self.id}: the row of {method} does not fit")

    @property
    def origin(self) -> str:
        """What a table says beside such a row."""
        verb = "computed from published rows" if self.recomputed else "published"
        return f"{verb}: {self.name}, {self.place}"


@cache
def published_tables() -> tuple[PublishedTable, ...]:
    """Read all tables of all papers."""
    tables = []
    for path in sorted(FOLDER.glob("*.json")):
        paper = json.loads(path.read_text(encoding="utf-8"))
        if paper["format"] != FORMAT:
            raise ValueError(f"{path} has the format {paper['format']!r}")
        tables += [_table(paper, entry) for entry in paper["tables"]]
    return tuple(tables)


def _table(paper: dict[str, Any], entry: dict[str, Any]) -> PublishedTable:
    rows = {
        method: tuple(tuple(float(n) for n in cell) for cell in row)
        for method, row in entry["rows"].items()
    }
    return PublishedTable(
        name=paper["name"],
        paper=paper["paper"],
        note=paper["note"],
        id=entry["id"],
        dataset=entry["dataset"],
        place=entry["place"],
        score=entry["score"],
        columns=tuple(entry["columns"]),
        cells=tuple(entry["cells"]),
        rows=rows,
        remark=entry.get("remark", ""),
        recomputed=entry.get("recomputed", False),
    )


def find_table(name: str) -> PublishedTable:
    """Return the one table called "paper/id", e.g. ``biotampernet/edd``."""
    for table in published_tables():
        if f"{table.name.lower()}/{table.id}" == name:
            return table
    raise ValueError(f"no published table is called {name!r}")
