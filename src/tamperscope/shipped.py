"""Weights that come with the program: trained by its own recipes, one file for each task.

    models/shipped/biotampernet_small_seams.safetensors    the card inside says how it was made

Nothing is loaded here, so that what runs without PyTorch can ask what there is.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from tamperscope.errors import WeightsError

FOLDER = Path(__file__).parent / "models" / "shipped"
SUFFIX = ".safetensors"
CONVERT = (
    "Convert the authors' checkpoint with 'tamperscope weights convert FILE --model forma --out "
    "X.safetensors' (or --model loma). "
)
PANEL_TASKS = {
    "pairs": "biotampernet_small_pairs",
    "copies": "biotampernet_small_copies",
    "seams": "biotampernet_small_seams",
    "patches": "biotampernet_small_patches",
    "splices": "forma_small",
}
"""What a network may be asked of panels, and the weights that learned it: what two panels share
(EDD), what one panel holds twice (IDD), where a blot was cut and joined (CSTD), what was laid into
a blot from elsewhere, and what into a photograph or another picture."""
BLOTS, PHOTOGRAPHS = PANEL_TASKS["seams"], PANEL_TASKS["splices"]
"""What ``localize`` asks of blots and gels, and of all other pictures, where nobody names one."""
PHOTOGRAPH_TASKS = ("splices",)
"""Those for networks of photographs; the others are for networks of panels."""
NETWORK_TASKS = {
    "biotampernet": tuple(task for task in PANEL_TASKS if task not in PHOTOGRAPH_TASKS),
    "forma": PHOTOGRAPH_TASKS,
}
"""What each network answers; networks are detectors by these names."""
MARKING_TASKS = ("seams", "patches", "splices")
"""Those whose answers are marks of one place, with no second one to align."""
USUAL_TASKS = MARKING_TASKS
"""What screenings ask unasked: where the network finds clearly more than the classical detectors at
about as many false alarms (docs/results.md)."""


def shipped_names() -> list[str]:
    """Names of the networks whose weights come with the program, sorted."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def shipped_tasks(wanted: Iterable[str] = tuple(PANEL_TASKS)) -> tuple[str, ...]:
    """Those of the tasks whose weights come with the program."""
    names = shipped_names()
    return tuple(task for task in wanted if PANEL_TASKS[task] in names)


def weights_of(model: str, given: Path | None) -> Path:
    """Return the weights file to use: the given one, or the one that comes with us.

    Args:
        model: Name of a network, or of weights that come with the program.
        given: By the user.

    Raises:
        WeightsError: None was given and none comes with the program; says how to get some.
    """
    if given is not None:
        return given
    path = FOLDER / f"{model}{SUFFIX}"
    if path.is_file():
        return path
    names = ", ".join(shipped_names())
    raise WeightsError(
        f"--weights is missing: no weights of {model} come with this package"
        + (f"; there are {names}" if names else "")
        + ", and without trained ones the answer would be random. "
        + (CONVERT if model.startswith(("forma", "loma")) else "")
        + "Train the network with 'tamperscope train'; docs/training.md says how"
    )


def networks_can_run() -> bool:
    """Whether PyTorch and safetensors are installed."""
    return all(find_spec(name) is not None for name in ("torch", "safetensors"))
