"""What ``screen`` and ``compare`` share about networks."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tamperscope.shipped import (
    NETWORK_TASKS,
    PANEL_TASKS,
    USUAL_TASKS,
    networks_can_run,
    shipped_tasks,
)

if TYPE_CHECKING:
    from tamperscope.screening.network_readers import LoadedReader

NETWORKS = tuple(NETWORK_TASKS)
CHOICES = ("keypoints", "dense-field-zm", "dense-field-pct", "dense-field-fmt", "seams", *NETWORKS)
WEIGHTS_HELP = (
    "Weights of a network, where none come with the program or others are wanted: of BioTamperNet, "
    "ForMa or LoMa. No other network is asked then."
)


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
    if weights is not None and detectors and not set(NETWORKS) & set(detectors):
        raise click.UsageError(
            f"--weights is for --detector {' or '.join(NETWORKS)}, and none of them is named"
        )
    if explained and detectors and "biotampernet" not in detectors:
        raise click.UsageError(
            "--explain shows what the network links; add --detector biotampernet"
        )
    if point is not None and not explained:
        raise click.UsageError("--point needs --explain")


def detectors_of(
    named: tuple[str, ...],
    usual: tuple[str, ...],
    weights: Path | None,
    asked: bool = False,
    tasks: tuple[str, ...] = USUAL_TASKS,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose detectors: those named, or the usual ones and the networks that can run.

    Args:
        named: By the user; all of them run, or their error is shown.
        usual: The classical ones.
        weights: Given by the user, who then wants the network.
        asked: Whether something else was asked for that only a network gives.
        tasks: What networks are asked unasked.

    Returns:
        The detectors, and sentences for the report on what does not run.
    """
    if named:
        return named, ()
    if weights is not None or asked:
        return (*usual, *NETWORKS), ()
    own = shipped_tasks(tasks)
    if not own:
        return usual, ()
    if networks_can_run():
        able = (name for name in NETWORKS if set(NETWORK_TASKS[name]) & set(own))
        return (*usual, *able), ()
    return usual, (
        "No network was asked: PyTorch is not installed. With 'pip install tamperscope[nets]' "
        "networks look as well.",
    )


def tasks_of(named: tuple[str, ...], weights: Path | None) -> tuple[str, ...]:
    """Choose what a screening asks networks: everything where they were asked for, else the usual.

    Two pictures that somebody chose to compare are another matter: what they share is asked always
    (see :func:`tasks_of_pictures`), for one pair costs little and chance has fewer to choose from.
    """
    if named:
        return tuple(task for name in NETWORKS if name in named for task in NETWORK_TASKS[name])
    return tuple(PANEL_TASKS) if weights is not None else USUAL_TASKS


def tasks_of_pictures(
    pictures: int, named: tuple[str, ...] = (), *, everything: bool = False
) -> tuple[str, ...]:
    """Choose what networks are asked of one picture or two.

    Args:
        pictures: 1 or 2.
        named: Detectors, by the user; none: all that fits.
        everything: Whether networks were asked for otherwise.
    """
    if pictures == 2:
        return ("pairs",)
    able = tasks_of(named, None) if named else tuple(PANEL_TASKS)
    inside = tuple(task for task in able if task != "pairs")
    return inside if named or everything else tuple(t for t in inside if t in USUAL_TASKS)


def ran(chosen: tuple[str, ...], networks: "Sequence[LoadedReader]") -> tuple[str, ...]:
    """Names of the detectors that run: the classical ones chosen, and the networks loaded."""
    loaded = dict.fromkeys(network.detector for network in networks)
    return (*(name for name in chosen if name not in NETWORKS), *loaded)
