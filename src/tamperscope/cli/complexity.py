"""``tamperscope complexity``: parameters and operations of every network."""

import click

SIZES = (512, 1024)


@click.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    help="Only these networks; may be given several times. All by default.",
)
def command(models: tuple[str, ...]) -> None:
    """Print parameters and operations of the networks, counted as the papers count.

    One operation is one multiply-add. The first column of a size leaves the selective scan out, as
    ForMa's table does; the second counts it. Networks that take pairs are counted for one image of
    a pair. Below stand the figures that papers print for other methods; those are not measured
    here.

    \b
    Examples:
      tamperscope complexity
      tamperscope complexity --model forma_base --model loma_base
    """  # noqa: D301 (click needs the character)
    # Heavy imports wait until they are needed: --help answers at once.
    from tamperscope.models import MODELS, PAIR_MODELS, PARTS
    from tamperscope.models.complexity import complexity
    from tamperscope.models.published import PUBLISHED
    from tamperscope.models.weights import empty_network

    names = models or [*MODELS, *PAIR_MODELS, *PARTS]
    networks = {name: empty_network(name, {}) for name in names}
    columns = [f"{'G at ' + str(size):>10} {'with scan':>10}" for size in SIZES]
    click.echo(f"{'network':<18} {'parameters':>11} {'trainable':>11} {' '.join(columns)}")
    for name, network in networks.items():
        counts = [complexity(network, size, size) for size in SIZES]
        cells = [
            f"{c.operations / 1e9:>10.3f} {(c.operations + c.scan_operations) / 1e9:>10.3f}"
            for c in counts
        ]
        click.echo(
            f"{name:<18} {counts[0].parameters:>11,} {counts[0].trainable:>11,} {' '.join(cells)}"
        )
    click.echo("\nAs printed by others")
    click.echo(f"{'method':<18} {'size':>6} {'M parameters':>13} {'G':>7}  source")
    for row in PUBLISHED:
        click.echo(
            f"{row.method:<18} {row.size:>6} {row.parameters:>13g} {row.operations:>7g}  "
            f"{row.source}"
        )
