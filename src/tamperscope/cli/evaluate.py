"""``tamperscope evaluate``: measure detectors on data with known truth."""

import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tamperscope.cli.evaluate_dataset import Request, dataset_options, run
from tamperscope.cli.evaluate_robustness import compare, robustness
from tamperscope.cli.output import progress_line
from tamperscope.errors import DatasetLayoutError, OutputError


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@dataset_options()
@click.pass_context
def command(ctx: click.Context, **options: Any) -> None:
    """Measure a detector, a network or a folder of masks on data with known truth.

    With --dataset: score one method on one dataset by the protocol of the papers that use it
    (docs/evaluation.md). The commands below measure other things.

    \b
    Examples:
      tamperscope evaluate --dataset coverage --root data/coverage --detector keypoints \\
          --out coverage.json
      tamperscope evaluate --dataset biofors_edd --root data/biofors --masks predictions/ \\
          --legacy --out edd.json
      tamperscope evaluate --dataset columbia --root data/columbia --model forma_base \\
          --weights forma.safetensors --sizes forma --only tampered --out columbia.json
      tamperscope evaluate --dataset casia_v1 --root data/casia_v1 --model forma_small \\
          --detector dense-field-zm --out casia.json

    \b
    Exit status: 0 done; 2 wrong usage or an error; 130 stopped with Ctrl-C (the same
    command goes on where it was).
    """  # noqa: D301 - click wants the control character
    given = [
        name
        for name in options
        if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    ]
    if ctx.invoked_subcommand is not None:
        if given:
            raise click.UsageError(
                f"--{given[0].replace('_', '-')} before '{ctx.invoked_subcommand}' belongs to "
                "'tamperscope evaluate --dataset'; put the command's own options after it"
            )
        return
    if not given:
        click.echo(ctx.get_help())
        return
    run(Request(**options))


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write a result file; OutputError where that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Stop where a result is already there; nothing is overwritten unasked."""
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; give --overwrite to replace it")


@command.command()
@click.option(
    "--images",
    "--corpus",
    "images",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of pristine pictures, in folders named by modality; a manifest.csv in "
    "it with the columns file and source_repo says which belong together.",
)
@click.option(
    "--kind",
    type=click.Choice(["blot", "microscopy", "facs", "macroscopy", "photo"]),
    help="Modality of every picture, where the folders do not say it.",
)
@click.option(
    "--split",
    type=click.Choice(["all", "tune", "check"]),
    default="all",
    show_default=True,
    help="Which origins to take; no origin is in both halves.",
)
@click.option("--seed", default=0, show_default=True, help="Decides every random number.")
@click.option(
    "--count",
    default=20,
    show_default=True,
    type=click.IntRange(0),
    help="Positive samples of each alteration: so many pairs and so many single panels.",
)
@click.option(
    "--pristine",
    default=400,
    show_default=True,
    type=click.IntRange(0),
    help="Pristine pairs of unrelated pictures, and as many of one origin.",
)
@click.option(
    "--panels", type=click.IntRange(0), help="Pristine single panels.  [default: every picture]"
)
@click.option(
    "--detector",
    "detectors",
    multiple=True,
    type=click.Choice(["keypoints", "dense-field-zm", "dense-field-pct", "dense-field-fmt"]),
    help="Matcher to run; may be given several times.  [default: those of screen]",
)
@click.option(
    "--mask-annotations/--no-mask-annotations",
    default=True,
    show_default=True,
    help="Keep letters and arrows out of matching, as screen does.",
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Result file; NAME.cases.jsonl beside it holds every case, and lets a stopped "
    "run continue.",
)
@click.option("--overwrite", is_flag=True, help="Start again over an earlier result.")
def duplicates(
    images: Path,
    kind: str | None,
    split: str,
    seed: int,
    count: int,
    pristine: int,
    panels: int | None,
    detectors: tuple[str, ...],
    mask_annotations: bool,
    jobs: int,
    out: Path,
    overwrite: bool,
) -> None:
    """Measure reuse within and between panels on duplications made from pristine pictures.

    \b
    Example:
      tamperscope evaluate duplicates --images pictures/ --seed 0 --out duplicates.json
    """  # noqa: D301 - click wants the control character
    # heavy: OpenCV, SciPy and the matchers
    from tamperscope.evaluation import journal, sources
    from tamperscope.evaluation.duplicate_cases import Measurement
    from tamperscope.evaluation.duplicate_summary import as_text, summarise
    from tamperscope.evaluation.duplicates import plan
    from tamperscope.matching import reuse
    from tamperscope.runtime import metadata
    from tamperscope.screening.annotations import annotation_mask

    refuse_existing(out, overwrite=overwrite)
    chosen = sources.choose_split(sources.index_sources(images, kind), split)
    good, skipped = sources.check_sources(chosen)
    cases = {case.key: case for case in plan(good, count, pristine, panels)}
    names = detectors or reuse.DEFAULT
    annotate = annotation_mask if mask_annotations else None
    measurement = Measurement(cases, tuple(good), seed, names, annotate)
    settings = {
        "split": split, "count": count, "pristine": pristine, "panels": panels,
        "detectors": list(names), "mask_annotations": mask_annotations,
        "pictures": len(good), "code": journal.code_fingerprint(),
    }  # fmt: skip
    path = out.with_suffix(".cases.jsonl")
    header = {"format": "tamperscope-cases/1", "seed": seed, **settings}
    header["names"] = sources.fingerprint(good)
    done = journal.open_journal(path, header, overwrite=overwrite)
    records = journal.run_journaled(
        list(cases), measurement, path, done, jobs=jobs, report=counting("duplicates", len(cases))
    )
    summary = summarise(records, seed)
    reasons = Counter(why for _, why in skipped)
    write_result(out, {
        "format": "tamperscope-duplicates/1",
        "metadata": metadata(seed, **settings),
        "pictures": dict(Counter(source.kind for source in good)),
        "skipped_pictures": [{"why": why, "pictures": n} for why, n in sorted(reasons.items())],
        **summary,
    })  # fmt: skip
    for why, n in sorted(reasons.items()):
        click.echo(f"left out {n} picture(s): {why}", err=True)
    click.echo(as_text(summary))


@command.command()
@click.option(
    "--images",
    "--corpus",
    "images",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of pristine pictures as for duplicates; its blots are used.",
)
@click.option("--kind", type=click.Choice(["blot"]), help="Take every picture for a blot.")
@click.option(
    "--split",
    type=click.Choice(["all", "tune", "check"]),
    default="all",
    show_default=True,
    help="Which origins to take; no origin is in both halves.",
)
@click.option("--seed", default=0, show_default=True, help="Decides every random number.")
@click.option(
    "--count",
    default=10,
    show_default=True,
    type=click.IntRange(0),
    help="Samples of every change, strength and storage.",
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Result file; NAME.cases.jsonl beside it lets a stopped run continue.",
)
@click.option("--overwrite", is_flag=True, help="Start again over an earlier result.")
def seams(
    images: Path,
    kind: str | None,
    split: str,
    seed: int,
    count: int,
    jobs: int,
    out: Path,
    overwrite: bool,
) -> None:
    """Measure the seam and flat-area tests on blots that are joined, patched and erased.

    \b
    Example:
      tamperscope evaluate seams --images pictures/ --seed 0 --out seams.json
    """  # noqa: D301 - click wants the control character
    # heavy: OpenCV, SciPy and the matchers
    from tamperscope.evaluation import journal, seam_cases, sources
    from tamperscope.runtime import metadata
    from tamperscope.screening.annotations import annotation_mask

    refuse_existing(out, overwrite=overwrite)
    listed = sources.choose_split(sources.index_sources(images, kind), split)
    good, skipped = sources.check_sources([s for s in listed if s.kind == "blot"])
    if not good:
        raise DatasetLayoutError(f"{images} holds no usable pictures of blots")
    cases = {case.key: case for case in seam_cases.plan(good, count)}
    measurement = seam_cases.SeamMeasurement(cases, tuple(good), seed, annotation_mask)
    settings = {
        "split": split, "count": count, "pictures": len(good), "code": journal.code_fingerprint(),
    }  # fmt: skip
    path = out.with_suffix(".cases.jsonl")
    header = {"format": "tamperscope-seam-cases/1", "seed": seed, **settings}
    header["names"] = sources.fingerprint(good)
    done = journal.open_journal(path, header, overwrite=overwrite)
    keys = [*cases, *(source.name for source in good)]
    records = journal.run_journaled(
        keys, measurement, path, done, jobs=jobs, report=counting("seams", len(keys))
    )
    summary = seam_cases.summarise(records, seed)
    reasons = Counter(why for _, why in skipped)
    write_result(out, {
        "format": "tamperscope-seams/1",
        "metadata": metadata(seed, **settings),
        "skipped_pictures": [{"why": why, "pictures": n} for why, n in sorted(reasons.items())],
        **summary,
    })  # fmt: skip
    click.echo(seam_cases.as_text(summary))


@command.command()
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with casia_v1, coverage and western_blots; what is not there is left out.",
)
@click.option(
    "--detector",
    "detectors",
    multiple=True,
    type=click.Choice(
        ["keypoints", "dense-field-zm", "dense-field-pct", "dense-field-fmt", "seams", "pasted"]
    ),
    help="Detector to run; may be given several times.  [default: all]",
)
@click.option(
    "--limit", type=click.IntRange(1), help="Pictures of every set, spread evenly.  [default: all]"
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Result file; NAME.cases.jsonl beside it lets a stopped run continue.",
)
@click.option("--overwrite", is_flag=True, help="Start again over an earlier result.")
def bench(
    root: Path,
    detectors: tuple[str, ...],
    limit: int | None,
    jobs: int,
    out: Path,
    overwrite: bool,
) -> None:
    """Score the classical detectors pixel by pixel on real tampered pictures.

    \b
    Example:
      tamperscope evaluate bench --root pictures/ --out bench.json
    """  # noqa: D301 - click wants the control character
    # heavy: OpenCV, SciPy and the matchers
    from tamperscope.evaluation import journal, real_sets
    from tamperscope.runtime import metadata

    refuse_existing(out, overwrite=overwrite)
    chosen = real_sets.evenly(real_sets.index_bench(root), limit)
    pictures = {picture.key: picture for picture in chosen}
    names = detectors or real_sets.DETECTORS
    settings = {"detectors": list(names), "limit": limit, "code": journal.code_fingerprint()}
    path = out.with_suffix(".cases.jsonl")
    header = {"format": "tamperscope-bench-cases/1", "pictures": len(pictures), **settings}
    done = journal.open_journal(path, header, overwrite=overwrite)
    records = journal.run_journaled(
        list(pictures), real_sets.BenchMeasurement(pictures, names), path, done,
        jobs=jobs, report=counting("bench", len(pictures)),
    )  # fmt: skip
    scores = real_sets.summarise(records)
    columns = ("set", "method", "score", "from")
    write_result(out, {
        "format": "tamperscope-bench/1",
        "metadata": metadata(None, **settings),
        "scores": scores,
        "notes": real_sets.NOTES,
        "published": [dict(zip(columns, row, strict=True)) for row in real_sets.PUBLISHED],
    })  # fmt: skip
    click.echo(real_sets.as_text(scores))


command.add_command(robustness)
command.add_command(compare)


def counting(stage: str, total: int) -> Callable[[str], None]:
    """Return what keeps the progress line up to date, called once for every finished case."""
    show, finished = progress_line(), itertools.count(1)
    return lambda key: show(stage, next(finished), total)
