"""``tamperscope weights``: authors' checkpoints to ours, and what a weights file holds."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tamperscope.errors import OutputError, WeightsError
from tamperscope.shipped import shipped_names, weights_of

if TYPE_CHECKING:
    from torch import Tensor

    from tamperscope.models import ConfiguredModule
    from tamperscope.models.weights import WeightsCard

CONVERSIONS = {  # name: (training data, licence), as the authors state them
    "forma": (
        "CAT-Net's list: tampered COCO, CASIA v2, IMD2020 (ForMa's authors)",
        "none stated by ForMa's authors: all rights reserved; its Noiseprint++ part is for "
        "nonprofit use",
    ),
    "loma": ("CAT-Net's list: tampered COCO, CASIA v2, IMD2020 (LoMa's authors)", "CC BY-NC 4.0"),
    "vmamba_t": ("ImageNet-1k (VMamba's authors)", "MIT"),
    "efficientvmamba_b": (
        "ImageNet-1k (EfficientVMamba's authors)",
        "Apache-2.0 by its README; no licence file",
    ),
    "noiseprintpp": (
        "camera images of many models (TruFor's authors)",
        "GRIP-UNINA: informational and nonprofit purposes only",
    ),
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Convert and show the weights of the networks."""


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--model",
    required=True,
    type=click.Choice(sorted(CONVERSIONS)),
    help="Whose checkpoint FILE is.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="X.safetensors.")
@click.option("--half", is_flag=True, help="Store in float16: half the size.")
@click.option(
    "--start",
    metavar="NETWORK",
    help="Put the part into this network and write a start for training: forma_base, loma_base.",
)
@click.option(
    "--onto",
    type=click.Path(path_type=Path),
    help="With --start: an earlier start to put it into, instead of fresh weights.",
)
@click.option("--seed", default=0, show_default=True, help="With --start: seed of fresh weights.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def convert(
    file: Path,
    model: str,
    out: Path,
    half: bool,
    start: str | None,
    onto: Path | None,
    seed: int,
    overwrite: bool,
) -> None:
    """Convert an author's checkpoint FILE to a weights file of ours.

    FILE is read without running anything in it. Every tensor of both sides must be accounted for;
    otherwise what is missing, left over or misshapen is listed, and nothing is written.

    \b
    Examples:
      tamperscope weights convert forma.pth --model forma --out forma.safetensors
      tamperscope weights convert vssm1_tiny.pth --model vmamba_t --out start.safetensors \\
          --start forma_base
      tamperscope weights convert np++.pth --model noiseprintpp --out both.safetensors \\
          --start forma_base --onto start.safetensors
    """  # noqa: D301 (click needs the character)
    if onto is not None and start is None:
        raise click.UsageError("--onto needs --start: name the network that FILE is put into")
    refuse_existing(out, overwrite)

    # Heavy imports wait until they are needed: --help answers at once.
    from tamperscope.models.checkpoints import read_checkpoint, sha256
    from tamperscope.models.convert import OFFICIAL, from_official
    from tamperscope.models.weights import WeightsCard, config_of, filled_network, save_weights
    from tamperscope.runtime import commit

    tensors = from_official(model, read_checkpoint(file))
    data, licence = CONVERSIONS[model]
    builder = OFFICIAL[model].builder
    network = filled_network(builder, {}, tensors)
    card = WeightsCard(
        builder,
        config_of(network),
        data,
        licence,
        commit(),
        source=f"{file.name}, SHA-256 {sha256(file)}",
    )
    if start is not None:
        network, card = started(start, onto, seed, model, tensors, card)
    save_weights(out, network, card, half=half)
    count = sum(parameter.numel() for parameter in network.parameters())
    click.echo(f"{out}: {count:,} parameters of {card.builder}")
    if card.untrained:
        click.echo(f"{len(card.untrained)} tensors are untrained: a start for training")


def started(
    network_name: str,
    onto: Path | None,
    seed: int,
    part: str,
    tensors: "dict[str, Tensor]",
    part_card: "WeightsCard",
) -> "tuple[ConfiguredModule, WeightsCard]":
    """Put a part into a network, fresh or from an earlier start, and card what came from where."""
    from tamperscope.models import create_model
    from tamperscope.models.starts import start_from
    from tamperscope.models.weights import config_of, load_weights, read_card

    if onto is None:
        network: ConfiguredModule = create_model(network_name, seed=seed)
        untrained, before = tuple(network.state_dict()), None
    else:
        before = read_card(onto)
        if before.builder != network_name:
            raise WeightsError(f"{onto} holds {before.builder}, not {network_name}")
        network, untrained = load_weights(onto, for_training=True), before.untrained
    loaded = set(start_from(network, part, tensors))
    told: dict[str, Any] = {  # what the cards say about both, in the order they were put in
        name: "; then ".join(filter(None, [getattr(before, name, None), value]))
        for name, value in (
            ("data", f"{part}: {part_card.data}"),
            ("licence", f"{part}: {part_card.licence}"),
            ("source", part_card.source),
        )
    }
    left = tuple(key for key in untrained if key not in loaded)
    card = replace(
        part_card, builder=network_name, config=config_of(network), untrained=left, **told
    )
    return network, card


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
def show(file: Path) -> None:
    """Print the card of a weights file, after making sure that its tensors are whole.

    FILE may also be the name of weights that come with the program.

    \b
    Examples:
      tamperscope weights show forma.safetensors
      tamperscope weights show biotampernet_small_seams
    """  # noqa: D301 (click needs the character)
    from tamperscope.models.weights import load_weights, read_card, stored_types  # torch

    if not file.exists():
        if str(file) not in shipped_names():
            raise WeightsError(
                f"{file} is not there; with the program come {', '.join(shipped_names())}"
            )
        file = weights_of(str(file), None)
    card = read_card(file)
    network = load_weights(file, for_training=True)
    rows = {
        "network": card.builder,
        "parameters": f"{sum(p.numel() for p in network.parameters()):,}",
        "stored as": ", ".join(stored_types(file)),
        "trained on": card.data,
        "licence": card.licence,
        "converted from": card.source,
        "commit": card.commit,
        "training": training_in_words(card.training),
        "untrained": f"{len(card.untrained)} tensors: a start for training" * bool(card.untrained),
        "config": ", ".join(f"{key}={value}" for key, value in card.config.items()),
    }
    click.echo(str(file))
    for label, value in rows.items():
        if value:
            click.echo(f"  {label + ':':<16}{value}")


def training_in_words(training: "dict[str, Any] | None") -> str | None:
    """Say how weights were trained, in one line; None where their card does not."""
    if training is None:
        return None
    score = {key: value for key, value in training["score"].items() if key != "step"}
    scored = ", ".join(f"{key} {value:.4f}" for key, value in score.items() if value is not None)
    return (
        f"{training['steps']:,} steps, {training['samples']:,} samples, "
        f"{training['seconds'] / 3600:.2f} hours on {training['device']} "
        f"({training['machine']['processor']}); best at step {training['score']['step']}: {scored}"
    )


def refuse_existing(out: Path, overwrite: bool) -> None:
    """Raise OutputError for a wrong suffix, or for a file that may not be replaced."""
    if out.suffix != ".safetensors":
        raise OutputError(f"{out} must end in .safetensors")
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists; add --overwrite to replace it")
