"""``tamperscope datasets``: list what can be read, check a folder, export it in another form."""

import textwrap
from pathlib import Path

import click

from tamperscope.cli.output import progress_line

EXPORT_FORMS = ("jsonl", "imdlbenco", "forensichub", "tpgt")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, check, import and export datasets; without a command, list them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


@command.command("list")
@click.argument("names", nargs=-1)
def show(names: tuple[str, ...]) -> None:
    """List the datasets that can be read; with NAMES, say how their folders must look.

    \b
    Examples:
      tamperscope datasets list
      tamperscope datasets list columbia biofors_edd
    """  # noqa: D301 (click needs the character)
    from tamperscope.data.catalog import DATASETS, find_dataset  # NumPy: --help needs none of it

    if not names:
        width = max(map(len, DATASETS))
        family = None
        for name, dataset in DATASETS.items():
            if dataset.family != family:
                family = dataset.family
                click.echo(f"{family}:")
            click.echo(f"  {name:<{width}}  {dataset.title}")
        click.echo("Layout, licence and source of one: tamperscope datasets list NAME")
    for name in names:
        dataset = find_dataset(name)
        click.echo(f"{name}: {dataset.title}")
        click.echo(f"  licence: {dataset.licence}")
        click.echo(f"  from:    {dataset.get}\n")
        click.echo(textwrap.indent(dataset.layout, "  ") + "\n")


@command.command()
@click.argument("name")
@click.argument("root", type=click.Path(path_type=Path))
@click.option("--partial", is_flag=True, help="Only a part of the set is there: any count will do.")
@click.pass_context
def check(ctx: click.Context, name: str, root: Path, partial: bool) -> None:
    """Verify the dataset NAME in ROOT: counts, partners, sizes, mask values, duplicates.

    Lists everything that is wrong and exits with 1 if anything is. ROOT is a folder, or a file for
    imdlbenco, forensichub and jsonl.

    \b
    Example:
      tamperscope datasets check columbia data/columbia
    """  # noqa: D301
    from tamperscope.data.catalog import find_dataset
    from tamperscope.data.check import check_dataset

    checked = check_dataset(
        find_dataset(name), root, partial=partial, progress=progress_line()
    )  # fmt: skip
    for text in checked.problems:
        click.echo(f"problem: {text}")
    for text in checked.notes:
        click.echo(f"note: {text}")
    click.echo(
        f"{name}: {checked.tampered:,} tampered, {checked.pristine:,} pristine; "
        f"{len(checked.problems)} problems, {len(checked.notes)} notes"
    )
    if checked.problems:
        ctx.exit(1)


@command.command()
@click.argument("name")
@click.argument("root", type=click.Path(path_type=Path))
@click.option("--to", "form", required=True, type=click.Choice(EXPORT_FORMS), help="The form.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File or folder.")
@click.option("--resize-masks", is_flag=True, help="Bring masks of another size to the image's.")
def export(name: str, root: Path, form: str, out: Path, resize_masks: bool) -> None:
    """Write the dataset NAME in ROOT in another form, for this program or another.

    jsonl keeps everything and only names files. imdlbenco and forensichub are one JSON file each;
    masks that others would misread (inverted, coloured, boxes) are written anew beside it. tpgt is
    a folder of copies. To import, give the form as NAME and its file or folder as ROOT.

    \b
    Examples:
      tamperscope datasets export nist16 data/nist16 --to imdlbenco --out nist16.json
      tamperscope datasets export imdlbenco nist16.json --to jsonl --out nist16.jsonl
    """  # noqa: D301
    from tamperscope.data.catalog import read_dataset
    from tamperscope.data.export import export_samples

    samples = read_dataset(name, root)
    click.echo(export_samples(samples, form, out, resize=resize_masks))
