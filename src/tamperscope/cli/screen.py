"""``tamperscope screen``: documents in, findings and a report out."""

from pathlib import Path

import click

from tamperscope.cli.network_options import (
    CHOICES,
    NETWORKS,
    WEIGHTS_HELP,
    check_network_options,
    detectors_of,
    ran,
    tasks_of,
)
from tamperscope.cli.output import one_line, prepare_folder, progress_line

UNREAD_SHOWN = 5
"""Things that were not screened which the terminal names; the report names all."""


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier result in that folder.")
@click.option(
    "--panels",
    "panels_file",
    type=click.Path(path_type=Path),
    help="Use this split into panels: the panels.json of an earlier run, edited.",
)
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
@click.option("--no-nets", is_flag=True, help="Run no network, whatever else is given.")
@click.option(
    "--prevalence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Share of panels, or of compared pairs, in which you expect that something is there, such"
    " as 0.04; the report then says how many observations are right. Three guesses by default.",
)
@click.option(
    "--max-pages",
    type=click.IntRange(1),
    help="Pages of one document that are read at most; 500 by default.",
)
@click.option("--jobs", type=click.IntRange(1), help="Processes; as many as processors by default.")
@click.option("--fail-on-findings", is_flag=True, help="Exit with status 1 if there are findings.")
def command(
    inputs: tuple[Path, ...],
    out: Path,
    overwrite: bool,
    panels_file: Path | None,
    detectors: tuple[str, ...],
    weights: Path | None,
    no_nets: bool,
    prevalence: float | None,
    max_pages: int | None,
    jobs: int | None,
    fail_on_findings: bool,
) -> None:
    """Screen papers and images for reused and altered regions.

    INPUTS are PDF, DOCX and zip files, images (PNG, JPEG, WebP, TIFF) and folders of them, in any
    mix. Everything stays on this machine. The result is a report to open in a browser; what it
    lists are observations to check, not verdicts.

    \b
    Examples:
      tamperscope screen paper.pdf --out review/
      tamperscope screen manuscript.docx figures/ --out review/ --overwrite
      tamperscope screen paper.pdf --panels review/panels.json --out corrected/

    \b
    Writes to the folder:
      report.html     the report; needs no network
      findings.json   the same for programs
      panels.json     the split into panels, to correct and hand back with --panels
      evidence/       figures as stored, masks, aligned crops

    \b
    Exit status: 0 done; 1 findings and --fail-on-findings; 2 wrong usage or an error;
    3 nothing could be read; 130 stopped with Ctrl-C (the report holds what was done).
    """  # noqa: D301 (click needs the character)
    check_network_options(detectors, weights)
    # Heavy imports wait until they are needed: --help answers at once.
    from tamperscope.report import write_report
    from tamperscope.runtime import cpu_count
    from tamperscope.screening.limits import Limits
    from tamperscope.screening.network_readers import load_readers
    from tamperscope.screening.panels_file import write_panels
    from tamperscope.screening.pipeline import DETECTORS, Options, screen

    chosen, remarks = detectors_of(detectors, DETECTORS, weights)
    if no_nets:
        chosen, remarks = tuple(name for name in chosen if name not in NETWORKS), ()
        if not chosen:
            raise click.UsageError(f"--no-nets leaves nothing of --detector {detectors[0]}")
    # Unfit weights leave an earlier result alone.
    asked = set(NETWORKS) & set(chosen)
    networks = load_readers(weights, tasks_of(detectors, weights)) if asked else ()
    prepare_folder(out, overwrite)
    pages = max_pages or Limits().pages
    run = ran(chosen, networks)
    options = Options(run, panels_file, pages, jobs or cpu_count(), remarks, prevalence)
    screened = screen(inputs, out, options, progress_line(), networks)
    screening = screened.screening
    write_panels(out / "panels.json", screening.figures)
    page = write_report(screening, screened.pixels, screened.masks, out)

    panels = sum(len(figure.panels) for figure in screening.figures)
    click.echo(
        f"{len(screening.findings)} findings in {panels} panels of {len(screening.figures)} figures"
    )
    for unread in screening.unread[:UNREAD_SHOWN]:
        click.echo(f"Not screened: {one_line(unread.what)}: {one_line(unread.why)}", err=True)
    if len(screening.unread) > UNREAD_SHOWN:
        click.echo(
            f"Not screened: {len(screening.unread) - UNREAD_SHOWN} more, see the report.", err=True
        )
    click.echo(f"Report: {page}")
    if screening.run.interrupted:
        click.echo("Stopped early: the report holds what was done until then.", err=True)
        raise SystemExit(130)
    if not screening.figures:
        click.echo("Nothing could be read; the report says why.", err=True)
        raise SystemExit(3)
    if fail_on_findings and screening.findings:
        raise SystemExit(1)
