"""``tamperscope table``: result files as Markdown, HTML or LaTeX, published rows beside ours."""

from pathlib import Path
from typing import Any

import click

from tamperscope.cli.evaluate_robustness import refuse_existing, write


@click.command()
@click.argument("results", nargs=-1, type=click.Path(path_type=Path))
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
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw results of 'evaluate robustness' into one SVG.",
)
@click.option("--score", help="Score to draw.  [default: the first]")
@click.option("--overwrite", is_flag=True, help="Replace an earlier drawing.")
def command(
    results: tuple[Path, ...],
    form: str,
    published: bool,
    plot: Path | None,
    score: str | None,
    overwrite: bool,
) -> None:
    """Print RESULTS of 'tamperscope evaluate --dataset' as tables, beside what papers print.

    Without RESULTS, print every table of the papers that is in this program, and nothing else.

    Results of one protocol share a table; those of one method share a row, so that ten sets give
    the papers' averages. Every row says whether it is published (and where) or measured here.

    \b
    Examples:
      tamperscope table edd.json
      tamperscope table columbia.json casia.json coverage.json --format latex > table.tex
      tamperscope table a_robustness.json b_robustness.json --plot curves.svg
    """  # noqa: D301 (click needs the character)
    from tamperscope.evaluation.layout import LAYOUTS  # pulls in NumPy: --help needs none of it
    from tamperscope.evaluation.published import published_tables
    from tamperscope.evaluation.result_files import read_result
    from tamperscope.evaluation.table_parts import paper_table
    from tamperscope.evaluation.tables import tables_of

    read = [read_result(path) for path in results]
    tables = tables_of(read, published=published)
    if not results:
        tables = [paper_table(table) for table in published_tables()]
    if plot is not None:
        draw(plot, read, score, overwrite=overwrite)
    click.echo("\n\n".join(LAYOUTS[form](table) for table in tables))


def draw(path: Path, results: list[dict[str, Any]], score: str | None, *, overwrite: bool) -> None:
    """Draw the curves of robustness results together."""
    from tamperscope.evaluation.plots import curves_svg
    from tamperscope.evaluation.table_parts import ROBUSTNESS

    if not results or any(result["format"] != ROBUSTNESS for result in results):
        raise click.UsageError("--plot draws results of 'evaluate robustness' only")
    refuse_existing(path, overwrite=overwrite)
    write(path, curves_svg(results, score))
