"""``tamperscope compare``: one pair of pictures, or one picture with itself."""

from pathlib import Path

import click

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
    type=click.Choice(
        ["keypoints", "dense-field-zm", "dense-field-pct", "dense-field-fmt", "seams"]
    ),
    help="Use only these detectors; may be given several times.",
)
@click.option("--fail-on-findings", is_flag=True, help="Exit with status 1 if there are findings.")
def command(
    first: Path,
    second: Path | None,
    out: Path,
    overwrite: bool,
    detectors: tuple[str, ...],
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

    \b
    Writes to the folder:
      report.html, findings.json, evidence/   as 'tamperscope screen' does
      a_mask.png, b_mask.png                  white where content is shared, size of the input

    Exit status: 0 done; 1 findings and --fail-on-findings; 2 wrong usage or an error.
    """  # noqa: D301 (click needs the character)
    # Heavy imports wait until they are needed: --help answers at once.
    from tamperscope.images import write_png
    from tamperscope.report import write_report
    from tamperscope.screening.compare import compare
    from tamperscope.screening.pipeline import DETECTORS, Options

    prepare_folder(out, overwrite)
    inputs = [first] if second is None else [first, second]
    compared = compare(inputs, out, Options(detectors or DETECTORS, jobs=1))
    screened = compared.screened
    page = write_report(screened.screening, screened.pixels, screened.masks, out)
    for letter, mask in zip("ab", compared.masks, strict=False):
        write_png(out / f"{letter}_mask.png", mask)
    for finding in screened.screening.findings:
        click.echo(f"{finding.id} {finding.kind} ({finding.detector}): {finding.reason}")
    if not screened.screening.findings:
        click.echo("No shared content was found.")
    click.echo(f"Report: {page}")
    if fail_on_findings and screened.screening.findings:
        raise SystemExit(1)
