"""Weights files: safetensors with a card, read strictly or not at all.

A file names the builder and the config it belongs to, what it was trained on, by which commit and
under which licence, so that ``load_weights(path)`` needs nothing else. Nothing in it is ever
executed. Half-precision storage halves the file; the network computes in float32 all the same.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from tamperscope.errors import ModelNameError, WeightsError
from tamperscope.models import named_builder
from tamperscope.models.convert import listed
from tamperscope.models.network import ConfiguredModule

FORMAT = "tamperscope-weights/1"


@dataclass(frozen=True)
class WeightsCard:
    """What a weights file says about itself; every field is text or JSON in the file's header."""

    builder: str  # name in tamperscope.models: MODELS, PAIR_MODELS or PARTS
    config: dict[str, Any]  # fields of the network's config
    data: str  # what it was trained on
    licence: str  # under which terms the weights may be used
    commit: str | None = None  # of Tamperscope, when they were trained or converted
    source: str | None = None  # file they were converted from, with its SHA-256
    untrained: tuple[str, ...] = ()  # keys with fresh weights: a start for training, not for use
    training: dict[str, Any] | None = None  # recipe, data, steps, seconds, scores, machine

    def header(self) -> dict[str, str]:
        """Metadata of the safetensors file."""
        fields = {
            name: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            for name, value in vars(self).items()
            if value is not None
        }
        return {"format": FORMAT, **fields}


def save_weights(
    path: Path, network: ConfiguredModule, card: WeightsCard, *, half: bool = False
) -> None:
    """Write the weights of ``network`` with ``card``.

    Args:
        path: The file to write, ``.safetensors``.
        network: What ``named_builder(card.builder)(**card.config)`` makes.
        card: What the file says about itself.
        half: Store floating-point tensors as float16.

    Raises:
        WeightsError: A tensor holds NaN or infinity, or does not fit float16.
    """
    stored: dict[str, Tensor] = {}
    for key, tensor in network.state_dict().items():
        smaller = tensor.half() if half and tensor.is_floating_point() else tensor
        stored[key] = smaller.detach().cpu().contiguous()
    refuse_non_finite(stored, f"{path} was not written", hint=" (float16 ends at 65,504)" * half)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not save_file: it makes files that nobody but the owner may read.
    path.write_bytes(save(stored, metadata=card.header()))


def load_weights(path: Path, *, for_training: bool = False) -> ConfiguredModule:
    """Build the network a file belongs to, with its weights, in evaluation mode, on the CPU.

    Args:
        path: A file that :func:`save_weights` wrote.
        for_training: Accept a file that is only a start: parts of it were never trained.

    Raises:
        WeightsError: The file is missing, broken, not ours, of another network or holds NaN; the
            message names it and what to do.
    """
    card = read_card(path)
    if card.untrained and not for_training:
        raise WeightsError(
            f"{path} is a start for training, its answers would be random: "
            f"{len(card.untrained)} tensors are untrained ({listed(list(card.untrained))})"
        )
    try:
        network = empty_network(card.builder, card.config)
    except (ModelNameError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its card does not describe a network: {error}") from error
    tensors = read_tensors(path)
    refuse_misfits(tensors, network.state_dict(), path, card.builder)
    refuse_non_finite(tensors, f"{path} cannot be used")
    return with_tensors(network, tensors)


def filled_network(
    builder: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> ConfiguredModule:
    """Build a network around ``tensors``, which must be all of its state dict; evaluation mode."""
    return with_tensors(empty_network(builder, config), tensors)


def with_tensors(empty: ConfiguredModule, tensors: Mapping[str, Tensor]) -> ConfiguredModule:
    """Give a network of :func:`empty_network` its weights."""
    trains = {key: p.requires_grad for key, p in empty.named_parameters()}
    empty.load_state_dict(tensors, assign=True)
    for key, parameter in empty.named_parameters():
        parameter.requires_grad_(trains[key])
    return empty.eval()


def empty_network(builder: str, config: Mapping[str, Any]) -> ConfiguredModule:
    """Build the network without memory for its weights (device ``meta``)."""
    with torch.device("meta"):
        network = named_builder(builder)(**{key: frozen(value) for key, value in config.items()})
    network.builder = builder
    return network


def config_of(network: ConfiguredModule) -> dict[str, Any]:
    """Fields of the network's config, ready for a card."""
    return dataclasses.asdict(network.config)


def frozen(value: Any) -> Any:
    """Turn JSON lists back into the tuples of a config."""
    return tuple(frozen(item) for item in value) if isinstance(value, list) else value


def read_card(path: Path) -> WeightsCard:
    """Read what a file says about itself, without its tensors.

    Raises:
        WeightsError: The file is missing, broken, or has no card of ours.
    """
    with opened(path) as file:
        header = file.metadata() or {}
    if header.get("format") != FORMAT:
        raise WeightsError(
            f"{path} has no {FORMAT} card; convert an author's checkpoint with "
            "'tamperscope weights convert'"
        )
    known = {field.name for field in dataclasses.fields(WeightsCard)}
    try:
        fields: dict[str, Any] = {key: value for key, value in header.items() if key in known}
        fields["config"] = dict(json.loads(header["config"]))
        fields["untrained"] = frozen(json.loads(header.get("untrained", "[]")))
        fields["training"] = json.loads(header.get("training", "null"))
        return WeightsCard(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its card is incomplete or broken ({error})") from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read every tensor; what is stored in half precision comes back in float32."""
    with opened(path) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    return {key: t.float() if t.is_floating_point() else t for key, t in tensors.items()}


def stored_types(path: Path) -> list[str]:
    """Names of the types that the tensors of a file are stored in, sorted."""
    with opened(path) as file:
        return sorted({str(file.get_slice(key).get_dtype()) for key in file.keys()})  # noqa: SIM118


def opened(path: Path) -> Any:
    """Open a safetensors file.

    Raises:
        WeightsError: It is missing, truncated or something else.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is not there")
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} is not a whole safetensors file ({error}); fetch or convert it again"
        ) from error


def refuse_misfits(
    tensors: dict[str, Tensor], expected: dict[str, Tensor], path: Path, builder: str
) -> None:
    """Raise WeightsError unless keys and shapes are exactly those of the network."""
    problems = []
    if missing := [key for key in expected if key not in tensors]:
        problems.append(f"{len(missing)} missing ({listed(missing)})")
    if extra := [key for key in tensors if key not in expected]:
        problems.append(f"{len(extra)} unknown ({listed(extra)})")
    misshapen = [
        f"{key} {tuple(tensor.shape)}, not {tuple(expected[key].shape)}"
        for key, tensor in tensors.items()
        if key in expected and tensor.shape != expected[key].shape
    ]
    if misshapen:
        problems.append(f"{len(misshapen)} of another shape ({listed(misshapen)})")
    if problems:
        raise WeightsError(f"{path} does not hold the weights of {builder}: {'; '.join(problems)}")


def refuse_non_finite(tensors: dict[str, Tensor], what: str, hint: str = "") -> None:
    """Raise WeightsError if any tensor holds NaN or infinity."""
    broken = [key for key, t in tensors.items() if t.is_floating_point() and not t.isfinite().all()]
    if broken:
        raise WeightsError(
            f"{what}: NaN or infinity in {len(broken)} tensors ({listed(broken)}){hint}"
        )
