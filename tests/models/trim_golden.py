"""Makes the golden files of this folder from the recorders' own, a quarter of the size.

    python -m tests.models.trim_golden ../shared/parity

Every recorded tensor keeps its name, shape and statistics; of its samples at most ``CAP`` are kept,
by a coarser step. Two-class logits, gradients and losses stay complete. The float64 logits and the
recorders' error estimates, which no test reads, are left out.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np

CAP = 2000
OUT = Path(__file__).parent / "golden"
KEPT_AS_IS = ("forma_grad_64x96", "loma_grad_64x96", "loss_metric")
TABLES = ("forma", "loma", "vmamba_t", "efficientvmamba_b")


def trim(source: Path, target: Path) -> None:
    with np.load(source) as file:
        arrays = dict(file)
    for name in ("logits_f64", "float32_error_json"):
        arrays.pop(name, None)
    if source.stem not in KEPT_AS_IS:
        for name in [key.removesuffix("__step") for key in arrays if key.endswith("__step")]:
            coarser = 1 if name == "logits" else -(-arrays[name].size // CAP)
            arrays[name] = arrays[name][::coarser]
            arrays[f"{name}__step"] = arrays[f"{name}__step"] * coarser
        meta = json.loads(str(arrays["meta_json"]))
        arrays["meta_json"] = np.array(json.dumps({k: v for k, v in meta.items() if k != "keys"}))
    np.savez_compressed(target, **arrays)


def tables(folder: Path) -> None:
    packed = {}
    for kind in TABLES:
        with (folder / f"{kind}_state_dict.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        shapes = [[] if r["shape"] == "scalar" else r["shape"].split("x") for r in rows]
        table = [[r["key"], [int(n) for n in shape]] for r, shape in zip(rows, shapes, strict=True)]
        packed[kind] = np.array(json.dumps(table))
    np.savez_compressed(OUT / "state_dicts.npz", **packed)


def main(folder: Path) -> None:
    OUT.mkdir(exist_ok=True)
    tables(folder)
    for source in sorted((folder / "golden").glob("*.npz")):
        if source.stem.startswith(("forma", "loma", "vmamba", "loss")):
            trim(source, OUT / source.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
