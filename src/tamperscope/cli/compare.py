"""``tamperscope compare``: one pair of pictures, or one picture with itself."""

from pathlib import Path

import click

from tamperscope.cli.network_options import (
    CHOICES,
    NETWORKS,
    WEIGHTS_HELP,
    Place,
    check_network_options,
    detectors_of,
    ran,
    tasks_of_pictures,
)
from tamperscope.cli.output import prepare_folder


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", required=False, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier result in that folder.")
@click.option(
    "--detector",
    "detectors",
    multiple=True,
    type=click.Choice(CHOICES),
    help="Use only these detectors; may be given several times.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=WEIGHTS_HELP,
)
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Also write what the network's affinities link.",
)
@click.option(
    "--point",
    type=Place(),
    metavar="X,Y",
    help="With --explain: show what this pixel of FIRST is linked to.",
)
@click.option("--fail-on-findings", is_flag=True, help="Exit with status 1 if there are findings.")
def command(
    first: Path,
    second: Path | None,
    out: Path,
    overwrite: bool,
    detectors: tuple[str, ...],
    weights: Path | None,
    explained: bool,
    point: tuple[float, float] | None,
    fail_on_findings: bool,
) -> None:
    """Compare two pictures: which regions of FIRST appear again in SECOND?

    With one picture, look for content that appears twice inside it. Each picture is taken whole,
    not split into panels.

    \b
    Examples:
      tamperscope compare figure1.png figure2.png --out pair/
      tamperscope compare blot.tif --out inside/
      tamperscope compare a.jpg b.jpg --detector dense-field-fmt --out pair/ --overwrite
      tamperscope compare a.png b.png --detector biotampernet --weights net.safetensors \\
          --explain --point 120,84 --out pair/

    \b
    Writes to the folder:
      report.html, findings.json, evidence/   as 'tamperscope screen' does
      a_mask.png, b_mask.png                  white where content is shared, size of the input
      a_*affinity.png, a_linked.png, b_...    with --explain: affinities over the pictures
      affinity.json                           with --explain: which places are linked

    Exit status: 0 done; 1 findings and --fail-on-findings; 2 wrong usage or an error.
    """  # noqa: D301 (click needs the character)
    check_network_options(detectors, weights, explained, point)
    if second is not None and "forma" in detectors:
        raise click.UsageError("--detector forma looks inside one picture; name one alone")
    # Heavy imports wait until they are needed: --help answers at once.
    from tamperscope.images import write_png
    from tamperscope.report import write_report
    from tamperscope.screening.compare import compare
    from tamperscope.screening.explain import explain
    from tamperscope.screening.network_readers import load_readers, reader_for
    from tamperscope.screening.pipeline import DETECTORS, Options

    pictures = 1 if second is None else 2
    tasks = tasks_of_pictures(pictures, detectors, everything=bool(weights or explained))
    chosen, _ = detectors_of(detectors, DETECTORS, weights, explained, tasks)
    # Unfit weights leave an earlier result alone.
    networks = load_readers(weights, tasks) if set(NETWORKS) & set(chosen) else ()
    # Affinities are shown of the network that was taught to match panels of this number.
    shown = reader_for("copies" if second is None else "pairs", networks) if explained else None
    prepare_folder(out, overwrite)
    inputs = [first] if second is None else [first, second]
    compared = compare(inputs, out, Options(ran(chosen, networks), jobs=1), networks)
    screened = compared.screened
    page = write_report(screened.screening, screened.pixels, screened.masks, out)
    for letter, mask in zip("ab", compared.masks, strict=False):
        write_png(out / f"{letter}_mask.png", mask)
    if shown is not None:
        figures = [screened.pixels(figure.id) for figure in screened.screening.figures]
        told = explain(shown, figures, out, point)
        for panel, x, y, share in told.partners:
            click.echo(f"Linked to {panel} at {x:g},{y:g}: {share:.0%} of the strongest")
        click.echo(f"Affinities: {', '.join(told.files)}")
    for note in screened.screening.notes:
        click.echo(note)
    for finding in screened.screening.findings:
        click.echo(f"{finding.id} {finding.kind} ({finding.detector}): {finding.reason}")
    if not screened.screening.findings:
        click.echo("No shared content was found.")
    click.echo(f"Report: {page}")
    if fail_on_findings and screened.screening.findings:
        raise SystemExit(1)
