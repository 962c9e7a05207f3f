"""``tamperscope localize``: pictures in, heatmaps, masks and overlays out."""

from pathlib import Path

import click

from tamperscope.cli.output import prepare_folder, progress_line


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    metavar="NAME",
    help="Network (forma_base, loma_base, biotampernet_small, ...), or weights that come with the "
    "program. Without it the network of --weights, and without both those that come with the "
    "program: for blots and gels biotampernet_small_seams, for other pictures forma_small.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of the network, .safetensors.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where the network runs; auto takes a GPU if there is one.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="Arithmetic of the network; auto is float32.",
)
@click.option(
    "--tile",
    type=click.IntRange(64),
    help="Larger photographs are cut into overlapping tiles of this many pixels; decides the "
    "memory.  [default: 1024]",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="The mask marks pixels above it.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier result in that folder.")
def command(
    inputs: tuple[Path, ...],
    model: str | None,
    weights: Path | None,
    out: Path,
    device: str,
    precision: str,
    tile: int | None,
    threshold: float,
    overwrite: bool,
) -> None:
    """Mark what a network takes for tampered, pixel by pixel.

    INPUTS are images (PNG, JPEG, WebP, TIFF, GIF, BMP, JPEG 2000; every page of them), folders,
    and whatever else 'screen' reads. Everything stays on this machine. What is marked are
    observations to check, not verdicts. Two networks come with the program: one marks cuts and
    joins in blots and gels, the other, a weaker one, what was laid into photographs and the like.
    Each picture goes to the one for its kind; --model asks another. They mark something in almost
    every picture; how rare the strongest mark is among unaltered ones is said at the end.

    \b
    Examples:
      tamperscope localize figures/ --out maps/
      tamperscope localize blots/ --model biotampernet_small_patches --out patches/
      tamperscope localize photo.jpg --model forma_base --weights forma.safetensors --out maps/
      tamperscope localize photos/ --model loma_base --weights loma.safetensors --out maps/ \\
          --threshold 0.7 --overwrite

    \b
    Writes to the folder, for every picture:
      NAME.heatmap.png   probability of tampering, 8 bit, size of the picture
      NAME.mask.png      255 above the threshold, else 0, size of the picture
      NAME.overlay.png   to look at: the picture with both drawn onto it
      localize.json      scores, how rare marks are, settings, what could not be read

    \b
    Exit status: 0 done; 2 wrong usage or an error; 3 nothing could be read;
    130 stopped with Ctrl-C (localize.json holds what was done).
    """  # noqa: D301 (click needs the character)
    # Heavy imports wait until they are needed: --help answers at once.
    from tamperscope.runtime import keep_freed_memory
    from tamperscope.screening.localize import (
        RECORD,
        Options,
        how_rare,
        load_localizer,
        localize,
    )

    keep_freed_memory()
    options = Options(model, weights, device, precision, tile, threshold)
    localizer = load_localizer(options)  # an unfit one leaves an earlier result alone
    prepare_folder(out, overwrite, RECORD)
    done = localize(inputs, out, localizer, progress_line())
    for network in localizer.networks:
        name = network["weights"]["file"]
        seen = sum(image.network == name for image in done.images)
        if seen:
            click.echo(
                f"{name} saw {seen} of {len(done.images)} pictures; {RECORD} holds its card, with "
                "what it learned from."
            )
    if done.images:
        click.echo(how_rare(done))
    if done.unread:
        count = len(done.unread)
        click.echo(f"{count} thing{'s' * (count > 1)} could not be read.")
    click.echo(f"Results: {out / RECORD}")
    if done.interrupted:
        click.echo(f"Stopped early: {RECORD} holds what was done until then.", err=True)
        raise SystemExit(130)
    if not done.images:
        click.echo(f"Nothing could be read; {RECORD} says why.", err=True)
        raise SystemExit(3)
