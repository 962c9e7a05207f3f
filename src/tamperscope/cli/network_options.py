"""What ``screen`` and ``compare`` share about the network that takes pairs."""

from pathlib import Path

import click

from tamperscope.shipped import PANEL_TASKS, USUAL_TASKS, networks_can_run, shipped_tasks

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
    if explained and detectors and NETWORK not in detectors:
        raise click.UsageError(f"--explain shows what the network links; add --detector {NETWORK}")
    if point is not None and not explained:
        raise click.UsageError("--point needs --explain")


def detectors_of(
    named: tuple[str, ...],
    usual: tuple[str, ...],
    weights: Path | None,
    asked: bool = False,
    tasks: tuple[str, ...] = USUAL_TASKS,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose detectors: those named, or the usual ones and the network where it can run.

    Args:
        named: By the user; all of them run, or their error is shown.
        usual: The classical ones.
        weights: Given by the user, who then wants the network.
        asked: Whether something else was asked for that only the network gives.
        tasks: What the network is asked unasked.

    Returns:
        The detectors, and sentences for the report on what does not run.
    """
    if named:
        return named, ()
    if weights is not None or asked:
        return (*usual, NETWORK), ()
    if not shipped_tasks(tasks):
        return usual, ()
    if networks_can_run():
        return (*usual, NETWORK), ()
    return usual, (
        "The network was not asked: PyTorch is not installed. With 'pip install tamperscope[nets]' "
        "it looks as well.",
    )


def tasks_of(named: tuple[str, ...], weights: Path | None) -> tuple[str, ...]:
    """Choose what a screening asks the network: everything where it was asked for, else the usual.

    Two pictures that somebody chose to compare are another matter: what they share is asked always
    (see :func:`tasks_of_pictures`), for one pair costs little and chance has fewer to choose from.
    """
    return tuple(PANEL_TASKS) if named or weights is not None else USUAL_TASKS


def tasks_of_pictures(pictures: int, everything: bool) -> tuple[str, ...]:
    """Choose what the network is asked of one picture or two.

    Args:
        pictures: 1 or 2.
        everything: Whether the network was asked for by name.
    """
    if pictures == 2:
        return ("pairs",)
    inside = tuple(task for task in PANEL_TASKS if task != "pairs")
    return inside if everything else tuple(task for task in inside if task in USUAL_TASKS)
