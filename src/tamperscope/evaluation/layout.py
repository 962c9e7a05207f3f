"""Lays out a table as plain text, Markdown, HTML or LaTeX."""

import html
from collections.abc import Callable

from tamperscope.evaluation.table_parts import Table

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", ">": r"$>$",
    "<": r"$<$",
}  # fmt: skip


def as_text(table: Table) -> str:
    """Columns in line, for a terminal."""
    lines = [table.head, *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.head))]
    laid = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([table.title, *(line.rstrip() for line in laid), *table.notes])


def as_markdown(table: Table) -> str:
    """A Markdown table below its title."""
    lines = [table.head, ("---",) * len(table.head), *table.rows]
    rows = ["| " + " | ".join(c.replace("|", r"\|") for c in line) + " |" for line in lines]
    return "\n\n".join([f"## {table.title}", "\n".join(rows), *table.notes])


def as_html(table: Table) -> str:
    """A table element, without a page around it."""
    head = "".join(f"<th>{html.escape(c)}</th>" for c in table.head)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in table.rows
    )
    notes = "".join(f"\n<p>{html.escape(note)}</p>" for note in table.notes)
    caption = f"<caption>{html.escape(table.title)}</caption>"
    return (
        f"<table>\n{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
        f"{notes}"
    )


def as_latex(table: Table) -> str:
    """A tabular with rules of booktabs."""
    spec = "ll" + "c" * (len(table.head) - 2)
    lines = [" & ".join(map(_latex, line)) + r" \\" for line in (table.head, *table.rows)]
    body = "\n".join([r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"])
    comments = "\n".join(f"% {text}" for text in (table.title, *table.notes))
    return f"{comments}\n\\begin{{tabular}}{{{spec}}}\n{body}\n\\end{{tabular}}"


def _latex(text: str) -> str:
    return "".join(LATEX.get(c, c) for c in text)


LAYOUTS: dict[str, Callable[[Table], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "html": as_html,
    "latex": as_latex,
}
