"""Store trained weights in half precision where the program looks for those that come with it.

    python -m tools.ship_weights runs/seams/best.safetensors --name biotampernet_small_seams

Refuses what may not be shipped: a licence other than Apache-2.0, data that is not redistributable,
a commit with changes that were never committed. Writes src/tamperscope/models/shipped/NAME.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

from tamperscope.models.weights import load_weights, read_card, save_weights
from tamperscope.shipped import FOLDER, SUFFIX

LICENCE = "Apache-2.0"
LARGEST = 30 * 2**20  # bytes of one file; all together stay below 60 MB


def main() -> None:
    """Check, store, and tell what half precision costs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--name", help="of the file; default: that of the network")
    asked = parser.parse_args()
    card = read_card(asked.weights)
    if card.licence != LICENCE:
        sys.exit(f"{asked.weights} is under {card.licence!r}; what is shipped is {LICENCE}")
    if "unverified" in card.data or "internal" in card.data:
        sys.exit(f"{asked.weights} learned from pictures that may not be redistributed")
    if card.commit is None or card.commit.endswith("-dirty"):
        sys.exit(f"{asked.weights} was trained by code that is in no commit ({card.commit})")
    out = FOLDER / f"{asked.name or card.builder}{SUFFIX}"
    network: Any = load_weights(asked.weights)
    save_weights(out, network, card, half=True)
    if out.stat().st_size > LARGEST:
        sys.exit(f"{out} has {out.stat().st_size:,} bytes; {LARGEST:,} is the most")
    pairs = zip(network.state_dict().items(), load_weights(out).state_dict().values(), strict=True)
    largest = max(
        float((a - b).abs().max() / a.abs().max().clamp_min(1e-12))
        for (_, a), b in pairs
        if a.is_floating_point() and a.numel()
    )
    print(f"{out}: {out.stat().st_size:,} bytes; half precision moves a weight by {largest:.1e} "
          "of the largest of its tensor at most")  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
