"""``tamperscope table``: result files as Markdown, HTML or LaTeX, published rows beside ours."""

from pathlib import Path

import click


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "html", "latex"]),
    default="markdown",
    show_default=True,
    help="How to lay it out.",
)
@click.option(
    "--published/--no-published",
    default=True,
    show_default=True,
    help="Print the rows of the papers' own tables, with their source.",
)
def command(results: tuple[Path, ...], form: str, published: bool) -> None:
    """Print RESULTS of 'tamperscope evaluate --dataset' as tables, beside what papers print.

    Results of one protocol share a table; those of one method share a row, so that ten sets give
    the papers' averages. Every row says whether it is published (and where) or measured here.

    \b
    Examples:
      tamperscope table edd.json
      tamperscope table columbia.json casia.json coverage.json --format latex > table.tex
    """  # noqa: D301 (click needs the character)
    from tamperscope.evaluation.layout import LAYOUTS  # pulls in NumPy: --help needs none of it
    from tamperscope.evaluation.result_files import read_result
    from tamperscope.evaluation.tables import tables_of

    tables = tables_of([read_result(path) for path in results], published=published)
    click.echo("\n\n".join(LAYOUTS[form](table) for table in tables))
