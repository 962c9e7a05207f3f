"""What ``screen`` and ``compare`` share about the network that takes pairs."""

from pathlib import Path

import click

NETWORK = "biotampernet"


class Place(click.ParamType):
    """A place in a picture, ``X,Y`` in pixels."""

    name = "place"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Read two numbers with a comma between them."""
        try:
            x, y = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a place; write X,Y in pixels, as in 120,84", param, ctx)
        return x, y


def check_network_options(
    detectors: tuple[str, ...],
    weights: Path | None,
    explained: bool = False,
    point: tuple[float, float] | None = None,
) -> None:
    """Refuse options that only make sense together; UsageError says which."""
    if weights is not None and detectors and NETWORK not in detectors:
        raise click.UsageError(
            f"--weights is for --detector {NETWORK}, which is not among the detectors named"
        )
    if explained and weights is None:
        raise click.UsageError(
            "--explain shows what a network links; name its weights with --weights FILE"
        )
    if point is not None and not explained:
        raise click.UsageError("--point needs --explain")
