"""``tamperscope evaluate robustness`` and ``compare``: changed pictures, and two methods."""

import itertools
import json
from pathlib import Path
from typing import Any

import click

from tamperscope.cli.evaluate_dataset import (
    PAPER_SIZE,
    Request,
    chosen_predictor,
    dataset_options,
)
from tamperscope.cli.output import progress_line
from tamperscope.errors import OutputError

CHANGES = (
    "all", "six", "curves", "chains", "jpeg", "average-blur", "noise", "brightness", "contrast",
    "colours", "gaussian-blur", "gaussian-noise", "shrink", "enlarge", "chain", "chain-twice",
)  # fmt: skip


@click.command()
@dataset_options(without=("masks", "legacy"))
@click.option(
    "--change",
    "changes",
    multiple=True,
    type=click.Choice(CHANGES),
    default=("six",),
    show_default=True,
    help="What is done to the pictures; may be given several times. six: CoMoFoD's; curves: JPEG, "
    "blur, noise, size; chains: what social networks do.",
)
def robustness(changes: tuple[str, ...], **options: Any) -> None:
    """Measure how the scores fall when the pictures are changed before a method sees them.

    Writes the result and, beside it, the curves as NAME.svg; 'tamperscope table' lays results
    out and draws those of several methods together.

    \b
    Example:
      tamperscope evaluate robustness --dataset coverage --root data/coverage --only tampered \\
          --detector keypoints --change six --change chains --out robustness.json
    """  # noqa: D301 - click wants the control character
    # heavy: OpenCV, SciPy and the matchers; torch only for a network
    from tamperscope.evaluation import journal, measure, robustness, run, selection
    from tamperscope.evaluation.layout import as_text
    from tamperscope.evaluation.perturbations import SETS
    from tamperscope.evaluation.plots import curves_svg
    from tamperscope.evaluation.table_parts import ROBUSTNESS
    from tamperscope.evaluation.tables import tables_of
    from tamperscope.runtime import metadata

    request = Request(masks=None, legacy=False, **options)
    request.check()
    dataset, root, out = request.paths()
    refuse_existing(out, overwrite=request.overwrite)
    families = dict.fromkeys(name for change in changes for name in SETS.get(change, (change,)))
    setting = measure.Setting(
        dataset,
        request.threshold,
        PAPER_SIZE if request.sizes == "loma" else None,
        request.resize_masks,
    )
    samples = selection.collect(dataset, root, request.only, request.limit)
    predictor, method = chosen_predictor(request, setting, list(samples.values()))
    measurement = robustness.RobustnessMeasurement(samples, predictor, setting, request.seed)
    measurement.check()
    job = run.Job(setting, samples, predictor, method, request.only, request.limit, request.sizes,
                  request.seed)  # fmt: skip
    changed_by = journal.code_fingerprint(("evaluation/perturbations.py",))
    header = job.header() | {"seed": request.seed, "changed_by": changed_by}
    path = run.journal_of(out)
    done = journal.open_journal(path, header, overwrite=request.overwrite)
    keys = measurement.keys(list(families))
    show, count = progress_line(), itertools.count(1)
    records = journal.run_journaled(
        keys, measurement, path, done, jobs=request.jobs,
        report=lambda key: show("robustness", next(count), len(keys)),
    )  # fmt: skip
    result = {
        "format": ROBUSTNESS,
        "metadata": metadata(request.seed),
        "method": method,
        "setting": measure.setting_as_json(setting),
        "part": request.only,
        "limit": request.limit,
        "sizes": request.sizes,
        "samples": len(samples),
        "changes": list(families),
        **robustness.summarise(setting, records, request.seed),
    }
    write(out, json.dumps(result, indent=1, allow_nan=False) + "\n")
    picture = out.with_suffix(".svg")
    write(picture, curves_svg([result]))
    for table in tables_of([result], published=False):
        click.echo(as_text(table))
    click.echo(f"Result: {out}; curves: {picture}")


@click.command("compare")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Of the draws.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Result file.  [default: none]"
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier result.")
def compare(first: Path, second: Path, seed: int, out: Path | None, overwrite: bool) -> None:
    """Compare two results of one dataset, sample by sample.

    FIRST and SECOND are results of 'tamperscope evaluate --dataset' with their journals beside
    them. Prints the difference with its 95 % interval and the p value of a paired test.

    \b
    Example:
      tamperscope evaluate compare keypoints.json dense_field.json
    """  # noqa: D301 - click wants the control character
    from tamperscope.evaluation.comparing import compare_results, comparison_table
    from tamperscope.evaluation.layout import as_text

    if out is not None:
        refuse_existing(out, overwrite=overwrite)
    result = compare_results(first, second, seed)
    if out is not None:
        write(out, json.dumps(result, indent=1, allow_nan=False) + "\n")
    click.echo(as_text(comparison_table(result)))


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Stop where a result is already there; nothing is overwritten unasked."""
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; give --overwrite to replace it")


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all; OutputError where that is not possible."""
    from tamperscope.evaluation.journal import write_atomically

    try:
        write_atomically(path, text)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
