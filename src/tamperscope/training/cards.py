"""Weights that come out of a training, with a card that says how they were made."""

from pathlib import Path
from typing import Any

from tamperscope.models.weights import WeightsCard, config_of, save_weights
from tamperscope.runtime import commit, cpu_count, processor, versions
from tamperscope.training.checkpoint import write_whole
from tamperscope.training.objectives import AnyNetwork


def write_weights(
    path: Path, network: AnyNetwork, *, data: str, licence: str, training: dict[str, Any]
) -> None:
    """Write the weights of ``network``, whole or not at all.

    Args:
        path: ``best.safetensors`` or ``last.safetensors`` of a run.
        network: A named network.
        data: What it was trained on, in words.
        licence: Under which terms the weights may be used.
        training: Recipe, hashes of the data, steps, seconds and scores, as JSON values.

    Raises:
        WeightsError: A tensor holds NaN or infinity.
        OutputError: The file cannot be written; an earlier one is untouched.
    """
    machine = {"processor": processor(), "cpus": cpu_count()}
    card = WeightsCard(
        builder=network.builder,
        config=config_of(network),
        data=data,
        licence=licence,
        commit=commit(),
        training={**training, "machine": machine, "versions": versions()},
    )
    write_whole(path, lambda part: save_weights(part, network, card))
