"""How many real photographs, tampered and authentic, a screening marks, and by what.

    python -m benchmarks.screened_photographs

Each photograph of CASIA v1 and COVERAGE is shown as one panel; what counts is any mark or match
that a screening would tell, wherever it is: of the network for photographs, of the matchers (copies
within the panel that hold when disturbed), of either. Nothing was chosen on these pictures.
Result: ``benchmarks/results/screened_photographs.json``.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from benchmarks.held_out import held
from tamperscope.data.catalog import read_dataset
from tamperscope.data.samples import Sample
from tamperscope.evaluation.intervals import clopper_pearson
from tamperscope.images import read_pixels
from tamperscope.matching.match import PreparedPanel
from tamperscope.matching.prepare import prepare
from tamperscope.matching.reuse import match_within
from tamperscope.runtime import metadata
from tamperscope.screening.annotations import annotation_mask
from tamperscope.screening.network_looks import NetworkLook
from tamperscope.screening.network_readers import LoadedReader, load_readers
from tamperscope.shipped import PHOTOGRAPH_TASKS

OUT = Path(__file__).parent / "results" / "screened_photographs.json"
FORMAT = "tamperscope-screened-photographs/2"
METHODS = ("ForMa", "matchers", "both")
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


def told(network: LoadedReader, path: Path) -> dict[str, bool]:
    """Whether each method would tell something about a photograph."""
    shown: Any = Shown(path)
    panel = shown.panel("0")
    marked = bool(NetworkLook(network, shown).within("0"))
    matched = bool(held(match_within(panel), panel, None))
    return {"ForMa": marked, "matchers": matched, "both": marked or matched}


def share(outcomes: list[bool]) -> dict[str, Any]:
    """Share of the photographs, and its 95 % interval."""
    successes, trials = sum(outcomes), len(outcomes)
    return {
        "successes": successes,
        "trials": trials,
        "share": successes / trials,
        "interval": clopper_pearson(successes, trials),
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
        answers = {group: [told(network, p) for p in paths] for group, paths in groups.items()}
        found[name] = {
            method: {group: share([a[method] for a in own]) for group, own in answers.items()}
            for method in METHODS
        }
        print(name, json.dumps(found[name]), flush=True)
    made = {**metadata(0), "command": "python -m benchmarks.screened_photographs"}
    result = {"format": FORMAT, "metadata": made, "network": network.facts, "sets": found}
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
