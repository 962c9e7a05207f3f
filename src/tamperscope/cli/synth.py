"""``tamperscope synth``: make panels with a known change, for training and tests."""

from pathlib import Path

import click

from tamperscope.cli.output import one_line, progress_line

SHOWN = 5  # reasons that the terminal names
ON_SHEET = 24  # samples


@click.command()
@click.option("--recipe", required=True, help="A name below, or a file NAME.toml of your own.")
@click.option("--count", required=True, type=click.IntRange(1), help="Samples of the whole set.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option(
    "--sources",
    multiple=True,
    default=("drawn",),
    show_default=True,
    help="'drawn', or a folder of pristine pictures; may be given several times.",
)
@click.option(
    "--split",
    type=click.Choice(["all", "train", "valid"]),
    default="all",
    show_default=True,
    help="Which side of the pictures: what they come from is never on both.",
)
@click.option(
    "--modality",
    type=click.Choice(["blot", "microscopy", "facs", "macroscopy", "photo"]),
    help="What the pictures of a folder show; else the names of its folders say.",
)
@click.option(
    "--use",
    "uses",
    multiple=True,
    default=("redistribute",),
    show_default=True,
    help="Pictures of a corpus whose manifest says this under 'use'; may be given several times.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another set.")
@click.option("--jobs", type=click.IntRange(1), help="Processes; as many as processors by default.")
@click.option("--preview", is_flag=True, help="Also draw a contact sheet, preview.png.")
def command(
    recipe: str,
    count: int,
    out: Path,
    sources: tuple[str, ...],
    split: str,
    modality: str | None,
    uses: tuple[str, ...],
    seed: int,
    jobs: int | None,
    preview: bool,
) -> None:
    """Make panels with a known change from pristine ones, for training and tests.

    RECIPE is edd, idd, cstd, seams, lookalikes, photographs, splices, splices_plain, by_hand,
    copies_by_hand, mixed, patches or generated (the last two need PyTorch), or a TOML file. A
    folder of pictures has them in folders called blot, microscopy, facs, macroscopy or photo, or is
    a corpus with a manifest.csv.

    \b
    Examples:
      tamperscope synth --recipe edd --count 1000 --out sets/edd
      tamperscope synth --recipe idd --count 500 --out sets/idd --sources pictures/ --split train
      tamperscope datasets check forged sets/edd

    \b
    Writes to the folder:
      images/          PNG
      masks/           where a region was taken from, and what was changed (PNG, 0/255)
      manifest.jsonl   one line for each sample: kind, transforms, everything that was drawn

    A run that was stopped goes on where it was; the same command gives the same bytes whatever
    the number of processes. A larger --count adds to the set.
    """  # noqa: D301 (click needs the character)
    # Heavy imports wait until they are needed: --help answers at once.
    from tamperscope.errors import RecipeError
    from tamperscope.images import write_png
    from tamperscope.runtime import cpu_count
    from tamperscope.synth.forge import make_sample
    from tamperscope.synth.generators import open_generators
    from tamperscope.synth.opening import open_sources
    from tamperscope.synth.preview import contact_sheet
    from tamperscope.synth.recipe import find_recipe
    from tamperscope.synth.writing import Task, write_set

    if len(set(sources)) < len(sources):
        raise RecipeError("the same sources are given twice")
    source = open_sources(sources, split=split, modality=modality, uses=uses)
    chosen = find_recipe(recipe)
    generators = open_generators(chosen)
    task = Task(chosen, source, out, seed, split=split, generators=generators)
    done = write_set(task, count, jobs=jobs or cpu_count(), progress=progress_line())
    click.echo(f"{out}: {done.made} samples written, {done.there} were there before")
    for what, reasons in (("sources not used", done.skipped), ("not made", done.given_up)):
        for name, why in list(reasons.items())[:SHOWN]:
            click.echo(f"{what}: {one_line(f'{name}: {why}')}")
        if len(reasons) > SHOWN:
            click.echo(f"{what}: {len(reasons) - SHOWN} more")
    if preview:
        shown = [i for i in range(count) if i not in done.given_up][:ON_SHEET]
        samples = [make_sample(task.recipe, source, seed, 0, i, generators) for i in shown]
        if samples:
            write_png(out / "preview.png", contact_sheet(samples))
            click.echo(f"{out / 'preview.png'}: the first {len(samples)} samples")
