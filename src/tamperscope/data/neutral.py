"""The neutral forms: Tp/Gt folders, the JSON of IMDL-BenCo and ForensicHub, our own JSON lines.

Paths inside a file are relative to the folder that the file lies in.
"""

import json
from pathlib import Path
from typing import Any

from tamperscope.data.folders import first_folder, images_in, needed, partner
from tamperscope.data.masks import RULE_NAMES
from tamperscope.data.samples import (
    AnySample,
    Boxes,
    MaskFiles,
    PairSample,
    Sample,
    Truth,
    Unlocated,
    complete,
)
from tamperscope.errors import DatasetLayoutError

FORMAT = "tamperscope-samples/1"
NEGATIVE = "Negative"  # IMDL-BenCo's word for a pristine image
GT_ENDINGS = tuple(f"{end}{suffix}" for end in ("", "_gt") for suffix in (".png", ".jpg", ".tif"))


def index_tpgt(root: Path) -> list[Sample]:
    """Tampered images and their masks in two folders, as IMDL-BenCo's ManiDataset has them.

    root/Tp/NAME.*
    root/Gt/NAME.*  or  root/Gt/NAME_gt.*    (png, jpg or tif; white marks the tampered part)
    root/Au/NAME.*                           (pristine; optional, not part of IMDL-BenCo's form)

    Unlike there, partners are found by name, never by their place in the list.
    """
    tampered = images_in(first_folder(root, "Tp"))
    masks = first_folder(root, "Gt")
    samples = [
        Sample(path, MaskFiles((partner(path, masks, *GT_ENDINGS),)), "tpgt")
        for path in needed(tampered, root, "Tp/*")
    ]
    if (root / "Au").is_dir():
        samples += [Sample(path, None, "tpgt") for path in images_in(root / "Au")]
    return complete(samples)


def index_imdlbenco(root: Path) -> list[Sample]:
    """A JSON list of pairs, as IMDL-BenCo's and ForensicHub's JsonDataset read it.

    [["./Tp/6.jpg", "./Gt/6.jpg"], ["./Tp/8.jpg", "Negative"], ...]    (white marks; Negative: none)

    ``root`` is the JSON file; its paths are relative to its folder.
    """
    return complete(_sample_of_pair(entry, root) for entry in _json_list(root))


def index_forensichub(root: Path) -> list[Sample]:
    """ForensicHub's JSON: a list of {"path": ..., "label": 0 or 1}, or of pairs as IMDL-BenCo's.

    [{"path": "real/1.png", "label": 0}, {"path": "fake/1.png", "label": 1}, ...]

    A label of 1 says that an image is tampered, not where. ``root`` is the JSON file; its paths are
    relative to its folder.
    """
    samples = []
    for entry in _json_list(root):
        if isinstance(entry, list):
            samples.append(_sample_of_pair(entry, root))
            continue
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
            raise DatasetLayoutError(f"{root}: expected an object with a path, got {entry!r}")
        if entry.get("label") not in (0, 1):
            raise DatasetLayoutError(f"{root}: the label of {entry['path']} is neither 0 nor 1")
        truth = Unlocated() if entry["label"] else None
        samples.append(Sample(root.parent / entry["path"], truth, root.stem))
    return complete(samples)


def _json_list(path: Path) -> list[Any]:
    if not path.is_file():
        raise DatasetLayoutError(f"{path} is not a file; give the JSON file itself")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetLayoutError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, list) or not data:
        raise DatasetLayoutError(f"{path} holds no JSON list with entries")
    return data


def _sample_of_pair(entry: Any, path: Path) -> Sample:
    if not (isinstance(entry, list) and len(entry) == 2 and all(isinstance(e, str) for e in entry)):
        raise DatasetLayoutError(f"{path}: expected [image, mask or {NEGATIVE!r}], got {entry!r}")
    image, mask = entry
    truth = None if mask == NEGATIVE else MaskFiles((path.parent / mask,))
    return Sample(path.parent / image, truth, path.stem)


def index_jsonl(root: Path) -> list[AnySample]:
    """Our own JSON lines: everything a sample can say; written by ``datasets export --to jsonl``.

    {"format": "tamperscope-samples/1"}
    {"image": "a.png", "source": "s", "masks": ["m.png"], "rule": "white", "group": ..., ...}
    {"image": "b.png", "source": "s"}                                        (pristine)
    {"image": "c.png", "source": "s", "boxes": [[x0, y0, x1, y1]]}
    {"image": "d.png", "source": "s", "tampered": true}                      (not told where)
    {"pair": [{...}, {...}], "related": true, "source": "s", "listed": true}

    ``root`` is the file; samples and pairs are not mixed in one file.
    """
    if not root.is_file():
        raise DatasetLayoutError(f"{root} is not a file; give the JSON lines file itself")
    lines = root.read_text(encoding="utf-8").splitlines()
    singles: list[Sample] = []
    pairs: list[PairSample] = []
    for number, line in enumerate(lines, start=1):
        where = f"{root}, line {number}"
        try:
            data = json.loads(line)
        except ValueError as error:
            raise DatasetLayoutError(f"{where} is not JSON: {error}") from error
        if number == 1:
            if not isinstance(data, dict) or data.get("format") != FORMAT:
                raise DatasetLayoutError(f'{where} must be {{"format": "{FORMAT}"}}')
            continue
        try:
            if "pair" in data:
                pairs.append(_pair_from(data, root.parent))
            else:
                singles.append(_sample_from(data, root.parent))
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetLayoutError(f"{where} is no sample: {error!r}") from error
    if singles and pairs:
        raise DatasetLayoutError(f"{root} mixes samples and pairs; write two files")
    if not (singles or pairs):
        raise DatasetLayoutError(f"{root} holds no samples")
    return list(complete(singles)) if singles else list(complete(pairs))


SAMPLE_KEYS = {
    "image", "source", "masks", "rule", "boxes", "tampered", "group", "split", "kind",
    "copied_from", "copied_from_rule",
}  # fmt: skip
PAIR_KEYS = {"pair", "related", "source", "group", "split", "kind", "listed"}


def _sample_from(data: dict[str, Any], folder: Path) -> Sample:
    if unknown := set(data) - SAMPLE_KEYS:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    copied = data.get("copied_from")
    return Sample(
        folder / data["image"],
        _truth_from(data, folder),
        data["source"],
        group=data.get("group"),
        split=data.get("split"),
        kind=data.get("kind"),
        copied_from=None
        if copied is None
        else MaskFiles(
            tuple(folder / path for path in copied), _rule(data.get("copied_from_rule", "white"))
        ),
    )


def _truth_from(data: dict[str, Any], folder: Path) -> Truth | None:
    told = [key for key in ("masks", "boxes", "tampered") if key in data]
    if len(told) > 1:
        raise ValueError(f"one of masks, boxes and tampered, not {told}")
    if "masks" in data:  # an empty list is an error, never "pristine"
        paths = tuple(folder / path for path in data["masks"])
        return MaskFiles(paths, _rule(data.get("rule", "white")))
    if "boxes" in data:
        return Boxes(tuple((b[0], b[1], b[2], b[3]) for b in data["boxes"]))
    return Unlocated() if data.get("tampered") else None


def _rule(name: str) -> str:
    if name not in RULE_NAMES:
        raise ValueError(f"no mask rule is called {name!r}; there are {RULE_NAMES}")
    return name


def _pair_from(data: dict[str, Any], folder: Path) -> PairSample:
    if unknown := set(data) - PAIR_KEYS:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    a, b = (_sample_from(side, folder) for side in data["pair"])
    return PairSample(
        a,
        b,
        related=data["related"],
        source=data["source"],
        group=data.get("group"),
        split=data.get("split"),
        kind=data.get("kind"),
        listed=data.get("listed", True),
    )
