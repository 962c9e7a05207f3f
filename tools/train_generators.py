"""Train a generator of patches for the forge.

    python -m tools.train_generators --family gan --corpus ../shared/corpus --minutes 25 --out DIR

writes ``DIR/patch_gan.safetensors`` with its card ``patch_gan.json``, a contact sheet, the losses
(``patch_gan.log.jsonl``) and ``patch_gan.checkpoint.safetensors``, from which the same command goes
on until the minutes are used up. Only pictures that may ship, of the training side of the forge's
split, and drawn panels are learned from. Batches are decided by ``[seed, step]``; how many steps
fit into the minutes depends on the machine.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tamperscope import runtime
from tamperscope.errors import WeightsError
from tamperscope.images import write_png
from tamperscope.models.patch_network import CELL, PatchNetwork
from tamperscope.models.weights import WeightsCard, config_of, save_weights
from tamperscope.synth.layouts import draw_layout
from tools.generator_patches import MODALITIES, REAL, Stock, draw_patches, licences, training_stock
from tools.generator_steps import TRAINERS, Trainer, average, restore, state_of

PANELS = {"blot": 1400, "microscopy": 1200, "facs": 500, "macroscopy": 900}
BATCHES = {  # side, patches, share of the steps
    "gan": ((64, 16, 0.8), (128, 4, 0.2)),
    "diffusion": ((64, 32, 0.75), (128, 8, 0.25)),
}
MEASURED = 600  # patches of each modality that tell how strong each band is
KEPT_EVERY = 120.0  # seconds
SLOWER_FROM, SLOWEST = 0.6, 0.1  # share of the minutes after which the rate falls, down to this
ON_SHEET = 10  # patches of each modality and size
FORMAT = "tamperscope-generator-card/1"


@dataclass
class Progress:
    """How far a training is."""

    step: int = 0
    samples: int = 0
    seconds: float = 0.0


def main(arguments: list[str] | None = None) -> None:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--family", required=True, choices=sorted(TRAINERS))
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=25.0, help="of all runs together")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=["base", "test"], default="base", help="of the network")
    parser.add_argument("--panels", type=float, default=1.0, help="factor of the usual number")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    cv2.setNumThreads(asked.threads)
    counts = {name: max(4, round(asked.panels * count)) for name, count in PANELS.items()}
    stock = training_stock(asked.corpus, counts, asked.seed, asked.out)
    name = f"patch_{asked.family}" + ("_test" if asked.size == "test" else "")
    trainer = begun(asked.family, name, stock, asked.seed)
    place = asked.out / name
    progress = resumed(trainer, place)
    train(trainer, stock, progress, asked.minutes * 60, asked.seed, place)
    facts = facts_of(asked, name, stock, progress)
    export(trainer.averaged, name, facts, place)


def begun(family: str, name: str, stock: Stock, seed: int) -> Trainer:
    """Build networks with fresh, seeded weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 1])
    own = [draw_patches(stock, MEASURED, 64, rng, modality)[:2] for modality in MODALITIES]
    patches, labels = (np.concatenate(parts) for parts in zip(*own, strict=True))
    return TRAINERS[family](name, as_images(patches), torch.from_numpy(labels))


def as_images(patches: NDArray[np.uint8]) -> Tensor:
    """Turn uint8 (count, side, side, 3) into images in [-1, 1]."""
    levels = torch.from_numpy(patches).permute(0, 3, 1, 2).float()
    return levels / 127.5 - 1


def train(
    trainer: Trainer, stock: Stock, progress: Progress, budget: float, seed: int, place: Path
) -> None:
    """Step until ``budget`` seconds are used up; keep a checkpoint all along."""
    before, began, kept = progress.seconds, time.monotonic(), time.monotonic()
    sums: dict[str, list[float]] = {}
    while progress.seconds < budget:
        rng = np.random.default_rng([seed, 2, progress.step])
        batches = BATCHES[trainer.family]
        side, count, _ = batches[int(rng.choice(len(batches), p=[b[2] for b in batches]))]
        patches, labels, _ = draw_patches(stock, count, side, rng)
        torch.manual_seed(int(rng.integers(2**62)))
        told = trainer.step(
            as_images(patches), torch.from_numpy(labels), progress.step,
            rate_at(progress.seconds / budget),
        )  # fmt: skip
        progress.step += 1
        progress.samples += count
        average(trainer.averaged, trainer.modules["generator"], count, progress.samples)
        for key, value in told.items():
            sums.setdefault(key, []).append(value)
        progress.seconds = before + time.monotonic() - began
        if time.monotonic() - kept > KEPT_EVERY or progress.seconds >= budget:
            keep(trainer, progress, place)
            means = {key: round(float(np.mean(values)), 4) for key, values in sums.items()}
            log(place, {**vars(progress), **means})
            sums.clear()
            kept = time.monotonic()


def rate_at(done: float) -> float:
    """Factor of the learning rate: 1, falling in a straight line towards the end."""
    late = max(0.0, done - SLOWER_FROM) / (1 - SLOWER_FROM)
    return 1 - (1 - SLOWEST) * late


def keep(trainer: Trainer, progress: Progress, place: Path) -> None:
    """Write a checkpoint, whole or not at all, and show what is made by now."""
    path = place.with_suffix(".checkpoint.safetensors")
    part = path.with_suffix(".part")
    save_file(state_of(trainer), part, metadata={k: repr(v) for k, v in vars(progress).items()})
    part.replace(path)
    write_png(place.with_suffix(".png"), sheet(trainer.averaged))


def resumed(trainer: Trainer, place: Path) -> Progress:
    """Go on from a checkpoint, if there is one."""
    path = place.with_suffix(".checkpoint.safetensors")
    if not path.is_file():
        return Progress()
    with safe_open(path, framework="pt") as file:
        told = file.metadata()
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    try:
        restore(trainer, state)
    except (RuntimeError, KeyError, ValueError) as error:
        raise WeightsError(f"{path} is of another network; name another folder") from error
    return Progress(int(told["step"]), int(told["samples"]), float(told["seconds"]))


def log(place: Path, line: dict[str, Any]) -> None:
    """Add a line to the log, and show it."""
    text = json.dumps(line)
    with place.with_suffix(".log.jsonl").open("a", encoding="utf-8") as file:
        file.write(text + "\n")
    print(text, flush=True)


@torch.inference_mode()
def sheet(network: PatchNetwork) -> NDArray[np.uint8]:
    """Draw patches of 64 and 128 pixels, a row for each modality and size."""
    rows = []
    for side in (64, 128):
        count = ON_SHEET * 64 // side
        for modality in network.config.modalities:
            torch.manual_seed(1)
            noise = [torch.randn(shape) for shape in network.noise_shapes(count, (side, side))]
            layout = layouts(count, side, modality)
            image = network.draw(noise, network.label_of(modality, count), layout)
            levels = (image * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
            rows.append(np.concatenate(list(levels), axis=1))
    return np.concatenate(rows, axis=0)


def layouts(count: int, side: int, modality: str) -> Tensor:
    """Layouts drawn as the forge draws them."""
    rng = np.random.default_rng([side, MODALITIES.index(modality)])
    drawn = [draw_layout(rng, (side, side), modality, CELL) for _ in range(count)]
    return torch.from_numpy(np.stack(drawn))


def facts_of(
    asked: argparse.Namespace, name: str, stock: Stock, progress: Progress
) -> dict[str, Any]:
    """What the card says."""
    return {
        "format": FORMAT,
        "name": name,
        "family": asked.family,
        "modalities": list(MODALITIES),
        "sizes": [side for side, _, _ in BATCHES[asked.family]],
        "data": {
            "what": "panels cut from the redistributable pictures of the training side of the "
            "corpus (split by the owner of the repository), and panels drawn by synth/drawn",
            "panels": {kind: len(stock.of(kind)) for kind in MODALITIES},
            "share_of_pictures": REAL,
            "licences_of_the_pictures": licences(asked.corpus),
        },
        "licence": "Apache-2.0",
        "training": {
            "steps": progress.step,
            "patches": progress.samples,
            "seconds": round(progress.seconds, 1),
            "threads": asked.threads,
            "seed": asked.seed,
        },
        "run": runtime.metadata(asked.seed),
    }


def export(network: PatchNetwork, name: str, facts: dict[str, Any], place: Path) -> None:
    """Write the weights in half precision, and the card beside them."""
    card = WeightsCard(
        name,
        config_of(network),
        f"{facts['data']['what']}; {facts['training']['patches']} patches",
        facts["licence"],
        runtime.commit(),
    )
    path = place.with_suffix(".safetensors")
    save_weights(path, network, card, half=True)
    count = sum(p.numel() for p in network.parameters())
    told = {**facts, "parameters": count, "bytes": path.stat().st_size}
    place.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: {count:,} parameters, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
