"""How many real photographs, tampered and authentic, a screening marks by the network for them.

    python -m benchmarks.screened_photographs

Each photograph of CASIA v1 and COVERAGE is shown as one panel; what counts is any mark that a
screening would tell, wherever it is. Nothing was chosen on these pictures.
Result: ``benchmarks/results/screened_photographs.json``.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from tamperscope.data.catalog import read_dataset
from tamperscope.data.samples import Sample
from tamperscope.evaluation.intervals import clopper_pearson
from tamperscope.images import read_pixels
from tamperscope.matching.match import PreparedPanel
from tamperscope.matching.prepare import prepare
from tamperscope.runtime import metadata
from tamperscope.screening.annotations import annotation_mask
from tamperscope.screening.pair_networks import LoadedReader, NetworkLook, load_readers
from tamperscope.shipped import PHOTOGRAPH_TASKS

OUT = Path(__file__).parent / "results" / "screened_photographs.json"
FORMAT = "tamperscope-screened-photographs/1"
SETS = ("casia_v1", "coverage")
KIND = "photo"


class Shown:
    """One photograph, as a screening hands it to a network."""

    def __init__(self, path: Path) -> None:
        self.own = read_pixels(path)

    def pixels(self, panel: str) -> NDArray[Any]:
        """Its pixels, whatever it is called."""
        return self.own

    def panel(self, panel: str) -> PreparedPanel:
        """The same, prepared."""
        return prepare(self.own, KIND, annotation_mask(self.own))


def share(network: LoadedReader, paths: list[Path]) -> dict[str, Any]:
    """Share of the photographs with a mark, and its 95 % interval."""
    marked = 0
    for path in paths:
        shown: Any = Shown(path)
        marked += bool(NetworkLook(network, shown).within("0"))
    return {
        "successes": marked,
        "trials": len(paths),
        "share": marked / len(paths),
        "interval": clopper_pearson(marked, len(paths)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bench", type=Path, default=Path("../shared/bench"))
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    (network,) = load_readers(None, PHOTOGRAPH_TASKS, "cpu")
    found: dict[str, Any] = {}
    for name in SETS:
        groups: dict[str, list[Path]] = {"tampered": [], "authentic": []}
        for sample in read_dataset(name, asked.bench / name):
            assert isinstance(sample, Sample)
            groups["authentic" if sample.truth is None else "tampered"].append(sample.image)
        found[name] = {group: share(network, paths) for group, paths in groups.items()}
        print(name, json.dumps(found[name]), flush=True)
    made = {**metadata(0), "command": "python -m benchmarks.screened_photographs"}
    result = {"format": FORMAT, "metadata": made, "network": network.facts, "sets": found}
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
