"""Weights that come with the program: trained by its own recipes, one file for each network.

    models/shipped/biotampernet_small.safetensors    the card inside says how it was made

Nothing is loaded here, so that what runs without PyTorch can ask what there is.
"""

from importlib.util import find_spec
from pathlib import Path

from tamperscope.errors import WeightsError

FOLDER = Path(__file__).parent / "models" / "shipped"
SUFFIX = ".safetensors"
CONVERT = (
    "Convert the authors' checkpoint with 'tamperscope weights convert FILE --model forma --out "
    "X.safetensors' (or --model loma). "
)
PAIR_NETWORK = "biotampernet_small"
"""The network of panels that screenings ask where no other weights are named."""


def shipped_names() -> list[str]:
    """Names of the networks whose weights come with the program, sorted."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def weights_of(model: str, given: Path | None) -> Path:
    """Return the weights file to use for a network: the given one, or the one that comes with us.

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
        + (f" (only those of {names})" if names else "")
        + ", and without trained ones the answer would be random. "
        + (CONVERT if model.startswith(("forma", "loma")) else "")
        + "Train the network with 'tamperscope train'; docs/training.md says how"
    )


def networks_can_run() -> bool:
    """Whether PyTorch and safetensors are installed."""
    return all(find_spec(name) is not None for name in ("torch", "safetensors"))
