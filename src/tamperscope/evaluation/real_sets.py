"""Real tampered pictures with masks, and pixel scores of the classical detectors on them.

    root/casia_v1/tampered/Sp_S_NAME.jpg     copy-moves; root/casia_v1/masks/Sp_S_NAME.png
    root/coverage/tampered/NNN.*             root/coverage/mask_forged and mask_copy/NNN.png
    root/western_blots/SET/images/NAME.png   root/western_blots/SET/masks/NAME.png

A copy-move detector marks source and target alike. The masks of CASIA hold the pasted part only, so
that marking both perfectly gives an F1 of about 2/3 there; in COVERAGE source and target together
are taken for the truth. Pictures 048 and 056 of COVERAGE have masks of another size and are left
out.

The patches in the western blots are generated: they have no source in the picture, so a copy-move
detector cannot see them, and low scores there are what is expected. ``pasted`` can, by their rims.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tamperscope.errors import DatasetLayoutError
from tamperscope.evaluation import metrics
from tamperscope.evaluation.journal import Record
from tamperscope.evaluation.metrics import Counts
from tamperscope.images import read_pixels
from tamperscope.matching.dense_field import detect_mask
from tamperscope.matching.match import Mask, PreparedPanel
from tamperscope.matching.pasted import find_pasted
from tamperscope.matching.prepare import prepare
from tamperscope.matching.reuse import match_within
from tamperscope.matching.seams import find_erased, find_seams

FIELDS = {f"dense-field-{name}": name for name in ("zm", "pct", "fmt")}
DETECTORS = ("keypoints", *FIELDS, "seams", "pasted")
BLOT_SETS = ("automatic", "realistic_gimp", "realistic_cleanup")
WRONG_SIZE = {"048", "056"}
WHITE = 127  # grey level above which a mask marks

PUBLISHED = (
    ("western blots", "BioTamperNet (trained)", "MCC 0.913", "its Western Blots column; the "
     "subset is not stated"),
    ("western blots", "SparseViT (trained)", "MCC 0.739", "the same table"),
    ("western blots", "TruFor", "MCC 0.457", "the same table"),
    ("western blots", "ManTraNet", "MCC 0.196", "the same table"),
)  # fmt: skip
NOTES = (
    "MCC is 0 where nothing was marked; means are over pictures, pooled scores over all pixels.",
    "CASIA masks hold the pasted part only: marking source and target perfectly gives about 2/3.",
    "The western blots hold generated patches without a source: copy-move cannot see them.",
    "COVERAGE 048 and 056 have masks of another size and are left out.",
    "These pictures were only measured on: no parameter was chosen on them.",
)


@dataclass(frozen=True)
class Tampered:
    """One tampered picture; the union of its masks is the truth."""

    set: str
    image: Path
    masks: tuple[Path, ...]
    kind: str  # modality

    @property
    def key(self) -> str:
        """Unique name."""
        return f"{self.set}/{self.image.name}"


def index_bench(root: Path) -> list[Tampered]:
    """List the pictures under ``root``; sets that are not there are left out.

    Raises:
        DatasetLayoutError: None of the sets is there, or a mask is missing.
    """
    found = [
        Tampered(
            "casia_v1", path, (_existing(root / "casia_v1/masks" / f"{path.stem}.png"),), "photo"
        )
        for path in sorted(root.glob("casia_v1/tampered/Sp_S_*"))
    ]
    for path in sorted(root.glob("coverage/tampered/*")):
        if path.stem not in WRONG_SIZE:
            folders = (root / "coverage/mask_forged", root / "coverage/mask_copy")
            masks = tuple(_existing(folder / f"{path.stem}.png") for folder in folders)
            found.append(Tampered("coverage", path, masks, "photo"))
    for name in BLOT_SETS:
        folder = root / "western_blots" / name
        for path in sorted(folder.glob("images/*.png")):
            mask = _existing(folder / "masks" / path.name)
            found.append(Tampered(f"western_blots/{name}", path, (mask,), "blot"))
    if not found:
        raise DatasetLayoutError(f"{root} holds none of casia_v1, coverage and western_blots")
    return found


def _existing(path: Path) -> Path:
    """``path`` itself, or an error naming it: a missing truth never reads as 'pristine'."""
    if not path.is_file():
        raise DatasetLayoutError(f"{path} is missing")
    return path


def evenly(pictures: Sequence[Tampered], limit: int | None) -> list[Tampered]:
    """Take up to ``limit`` pictures of every set, spread evenly over its sorted list."""
    chosen = []
    for name in dict.fromkeys(picture.set for picture in pictures):
        own = [picture for picture in pictures if picture.set == name]
        take = len(own) if limit is None else min(limit, len(own))
        chosen += [own[i * len(own) // take] for i in range(take)]
    return chosen


@dataclass(frozen=True)
class BenchMeasurement:
    """Everything a process needs to score one picture by its key; picklable."""

    pictures: dict[str, Tampered]
    detectors: tuple[str, ...]

    def __call__(self, key: str) -> Record:
        """Run every detector on one picture and count pixels."""
        picture = self.pictures[key]
        panel = prepare(read_pixels(picture.image), picture.kind, name=key)
        truth = np.zeros(panel.gray.shape, dtype=bool)
        for path in picture.masks:
            mask = read_pixels(path)[..., 0] > WHITE
            if mask.shape != truth.shape:
                raise DatasetLayoutError(f"{path} and {picture.image} differ in size")
            truth |= mask
        counts = {name: asdict(metrics.count(mark(panel, name), truth)) for name in self.detectors}
        return {"set": picture.set, "counts": counts}


def mark(panel: PreparedPanel, detector: str) -> Mask:
    """Everything that one of DETECTORS marks in a panel, (height, width)."""
    if detector in FIELDS:
        return detect_mask(panel, FIELDS[detector])
    mask = np.zeros(panel.gray.shape, dtype=bool)
    if detector == "keypoints":
        for match in match_within(panel, ("keypoints",)):
            mask |= match.source_mask | match.target_mask
    elif detector == "seams":
        for found in (*find_seams(panel), *find_erased(panel)):
            mask |= found.mask
    elif detector == "pasted":
        for box in find_pasted(panel):
            mask |= box.mask
    else:
        raise ValueError(f"detector must be one of {DETECTORS}, got {detector!r}")
    return mask


def summarise(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Scores of every set and detector."""
    scores = []
    for name in dict.fromkeys(record["set"] for record in records):
        own = [record for record in records if record["set"] == name]
        for detector in own[0]["counts"]:
            counts = [Counts(**record["counts"][detector]) for record in own]
            pooled = sum(counts, Counts())
            scores.append(
                {
                    "set": name,
                    "detector": detector,
                    "images": len(own),
                    "marked_images": sum(c.hits + c.false_alarms > 0 for c in counts),
                    "f1_mean": float(np.mean([c.f1 for c in counts])),
                    "mcc_mean": float(np.mean([metrics.mcc_or_zero(c) for c in counts])),
                    "f1_pooled": pooled.f1,
                    "mcc_pooled": metrics.mcc_or_zero(pooled),
                }
            )
    return scores


def as_text(scores: Sequence[dict[str, Any]]) -> str:
    """Lay the scores out for a terminal."""
    names = ("f1_mean", "mcc_mean", "f1_pooled", "mcc_pooled")
    head = f"{'set':32} {'detector':16} {'images':>6} " + " ".join(f"{n:>10}" for n in names)
    lines = [
        f"{s['set']:32} {s['detector']:16} {s['images']:6d} "
        + " ".join(f"{s[n]:10.3f}" for n in names)
        for s in scores
    ]
    return "\n".join([head, *lines])
