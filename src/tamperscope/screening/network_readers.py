"""Networks that look at panels, loaded: the user's weights, or those that come with the program.

PyTorch is imported when a reader is loaded: everything else works where it is not installed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamperscope.errors import MissingExtraError, WeightsError
from tamperscope.runtime import pick_device
from tamperscope.screening.network_chance import NetworkNull, null_of
from tamperscope.shipped import PANEL_TASKS, PHOTOGRAPH_TASKS, shipped_tasks, weights_of

if TYPE_CHECKING:
    from tamperscope.models.pair_reading import PairReader
    from tamperscope.models.photograph_reading import PhotographReader


@dataclass(frozen=True)
class LoadedReader:
    """A network ready to read panels, with what the record says about it."""

    reader: "PairReader | PhotographReader"
    facts: dict[str, Any]
    null: NetworkNull | None = None  # of these very weights, where there is one
    tasks: tuple[str, ...] = tuple(PANEL_TASKS)  # that it is asked

    @property
    def detector(self) -> str:
        """Name of the network without its size: biotampernet, forma or loma."""
        return str(self.facts["model"]).partition("_")[0]


def load_readers(
    weights: Path | None, tasks: Sequence[str], device: str = "auto"
) -> tuple[LoadedReader, ...]:
    """Load what looks at panels: the given weights, or for each task those that come with us.

    Args:
        weights: Given by the user, and asked every one of the tasks.
        tasks: Some of ``PANEL_TASKS``; without ``weights``, those that have none are left out.
        device: As for :func:`load_reader`.

    Raises:
        WeightsError: None of the tasks has weights that come with the program; see also
            :func:`load_reader`.
    """
    if weights is not None:
        return (load_reader(weights, device, tasks=tuple(tasks)),)
    own = shipped_tasks(tasks)
    if not own:
        weights_of(PANEL_TASKS[tasks[0]], None)  # says what is missing, and the way out
    return tuple(
        load_reader(weights_of(PANEL_TASKS[task], None), device, tasks=(task,)) for task in own
    )


def reader_for(task: str, readers: Sequence[LoadedReader]) -> "PairReader":
    """The network of panels that is asked a task; WeightsError if none is."""
    from tamperscope.models.pair_reading import PairReader

    for loaded in readers:
        if task in loaded.tasks and isinstance(loaded.reader, PairReader):
            return loaded.reader
    raise WeightsError(f"no weights for the task {task!r}; name some with --weights")


def load_reader(
    weights: Path, device: str = "auto", *, tasks: tuple[str, ...] = tuple(PANEL_TASKS)
) -> LoadedReader:
    """Load the network of a weights file.

    Args:
        weights: Of a network of panels, or of photographs.
        device: As ``runtime.pick_device`` takes it.
        tasks: What it is asked; a network of photographs only those of ``PHOTOGRAPH_TASKS``.

    Raises:
        MissingExtraError: PyTorch or safetensors is not installed.
        WeightsError: The file is missing, broken, of a part of a network, or holds NaN; or none of
            the tasks is one of this network's.
        DeviceError: The device is not there.
    """
    place = pick_device(device)
    try:
        import safetensors  # noqa: F401 (asked for by name, so that the message is ours)
    except ImportError as error:
        raise MissingExtraError("weights need safetensors: pip install 'tamperscope[nets]'") from (
            error
        )
    from tamperscope.models import MODELS, PAIR_MODELS
    from tamperscope.models.checkpoints import sha256
    from tamperscope.models.pair_reading import PairReader
    from tamperscope.models.photograph_reading import PhotographReader
    from tamperscope.models.weights import load_weights, read_card

    card = read_card(weights)
    if card.builder not in {**PAIR_MODELS, **MODELS}:
        raise WeightsError(
            f"{weights} holds weights of {card.builder}, which is a part of a network; "
            f"wanted is one of {', '.join(sorted({**PAIR_MODELS, **MODELS}))}"
        )
    pairs = card.builder in PAIR_MODELS
    able = tuple(task for task in tasks if pairs != (task in PHOTOGRAPH_TASKS))
    if not able:
        raise WeightsError(
            f"{weights} holds weights of {card.builder}, which is not asked about "
            f"{' and '.join(tasks)}"
        )
    network: Any = load_weights(weights)
    digest = sha256(weights)
    facts = {
        "model": card.builder,
        "file": weights.name,
        "sha256": digest,
        "data": card.data,
        "device": place.type,
        "tasks": list(able),
    }
    read = PairReader if pairs else PhotographReader
    return LoadedReader(read(network.to(place)), facts, null_of(digest), able)
