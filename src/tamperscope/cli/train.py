"""``tamperscope train``: train a network as a recipe says."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tamperscope.cli.output import progress_line
from tamperscope.errors import MissingExtraError

if TYPE_CHECKING:
    from tamperscope.training.progress import Tick

PLAIN_EVERY = 30  # seconds between lines where there is no terminal


class Root(click.ParamType):
    """A folder with a name, ``NAME=DIR``."""

    name = "root"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split at the first equals sign."""
        name, equals, folder = str(value).partition("=")
        if not (name and equals and folder):
            self.fail(f"{value!r} is no folder with a name; write NAME=DIR", param, ctx)
        return name, folder


class Voice:
    """Tells on stderr how a training goes: one line kept up to date, or plain lines."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.count = progress_line()
        self.last = 0.0

    def tick(self, tick: "Tick") -> None:
        """Show the position, the rate and what is left."""
        now = time.monotonic()
        if not self.terminal and now - self.last < PLAIN_EVERY and tick.step < tick.steps:
            return
        self.last = now
        waiting = f", {100 * tick.shares['data']:.0f} % waiting for samples"
        text = (
            f"step {tick.step} of {tick.steps}: loss {tick.loss:.4f}, "
            f"{tick.samples_per_second:.1f} samples/s{waiting}, {duration(tick.seconds_left)} left"
        )
        click.echo(f"\r\033[K{text}" if self.terminal else text, nl=not self.terminal, err=True)

    def say(self, text: str) -> None:
        """Show one line that stays."""
        click.echo(f"\r\033[K{text}" if self.terminal else text, err=True)


def duration(seconds: float) -> str:
    """Time in words: 42 s, 17 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.")
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=Root(),
    metavar="NAME=DIR",
    help="Folder that the recipe calls NAME; may be given several times.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option(
    "--processes", type=click.IntRange(1), default=1, show_default=True,
    help="One for each GPU; on a CPU they share its cores.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Of the network on the CPU.")
@click.option(
    "--workers", type=click.IntRange(0), default=1, show_default=True,
    help="Processes that make samples ahead, for each process; 0: none.",
)  # fmt: skip
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Stop after so long.")
@click.option("--tensorboard", is_flag=True, help="Also write to the folder tensorboard/.")
@click.option("--dry-run", is_flag=True, help="Check the data, measure some steps, write nothing.")
def command(
    recipe: Path,
    out: Path | None,
    roots: tuple[tuple[str, str], ...],
    device: str,
    processes: int,
    threads: int | None,
    workers: int,
    minutes: float | None,
    tensorboard: bool,
    dry_run: bool,
) -> None:
    """Train a network as a recipe says.

    RECIPE is a TOML file; examples/ has one for every network.

    \b
    Examples:
      tamperscope train examples/biotampernet_small_pairs.toml --out runs/bio
      tamperscope train examples/biotampernet_small_pairs.toml --dry-run --threads 1

    The same command goes on where a run was stopped, whatever stopped it; --minutes, Ctrl-C and
    SIGTERM leave a checkpoint. A folder that holds the run of another recipe is an error.

    \b
    Writes to the folder:
      best.safetensors         weights with the best score; last.safetensors at the end
      metrics.jsonl            losses, rates, speed, scores of every validation
      samples/                 what the network said of some panels
      checkpoint.safetensors   to go on from
    """  # noqa: D301 (click needs the character)
    # Heavy imports wait until they are needed: --help answers at once.
    import cv2

    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            "training needs PyTorch: pip install 'tamperscope[train]'"
        ) from error

    from tamperscope.runtime import keep_freed_memory
    from tamperscope.training.engine import Machine
    from tamperscope.training.running import train

    if (out is None) != dry_run:
        raise click.UsageError("give --out FOLDER to train, or --dry-run to try")
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
    machine = Machine(device, processes, workers, minutes, tensorboard)
    if dry_run:
        from tamperscope.training.rehearsal import rehearse

        for line in rehearse(recipe, machine, dict(roots), Voice()):
            click.echo(line)
        return
    assert out is not None
    outcome = train(recipe, out, machine, dict(roots), Voice())
    position = outcome.position
    click.echo(
        f"{out}: {outcome.why} at step {position.step}, "
        f"{duration(position.seconds)}, {position.replaced} samples replaced"
    )
    if position.best is not None:
        click.echo(f"{out / 'best.safetensors'}: {position.best:.4f} at step {position.best_step}")
