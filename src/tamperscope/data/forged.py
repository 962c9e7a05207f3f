"""Reads the sets that the forge writes (``tamperscope synth``)."""

import json
from pathlib import Path
from typing import Any

from tamperscope.data.samples import AnySample, MaskFiles, PairSample, Sample, complete
from tamperscope.errors import DatasetLayoutError

FORMAT = "tamperscope-forged/1"
MANIFEST = "manifest.jsonl"
NAME = "forged"


def index_forged(root: Path) -> list[AnySample]:
    """A set that ``tamperscope synth`` wrote: single panels, pairs, or both.

    root/manifest.jsonl             a header, then one JSON object for each sample
    root/images/000000.png          a single panel; of a pair 000000_a.png and 000000_b.png
    root/masks/000000_target.png    what was changed, white; pairs: 000000_a_..., 000000_b_...
    root/masks/000000_source.png    where it was taken from

    In a pair that shares a region the truth of the first panel is where it was taken from. Lines
    that say why a sample could not be made are passed over.
    """
    manifest = root / MANIFEST
    if not manifest.is_file():
        raise DatasetLayoutError(f"{root} has no {MANIFEST}; give the folder of a forged set")
    lines = manifest.read_text(encoding="utf-8").splitlines()
    header = _object(lines[0] if lines else "", f"{manifest}, line 1")
    if header.get("format") != FORMAT:
        raise DatasetLayoutError(f'{manifest}, line 1 must hold "format": "{FORMAT}"')
    singles: list[Sample] = []
    pairs: list[PairSample] = []
    for number, line in enumerate(lines[1:], start=2):
        where = f"{manifest}, line {number}"
        data = _object(line, where)
        if "skipped" in data:
            continue
        try:
            count = len(data["panels"])
            panels = [_panel(data, i, root, header.get("split")) for i in range(count)]
            if count == 1:
                singles.append(panels[0])
            else:
                pairs.append(_pair(data, panels[0], panels[1]))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise DatasetLayoutError(f"{where} is no forged sample: {error!r}") from error
    if not (singles or pairs):
        raise DatasetLayoutError(f"{manifest} holds no samples")
    return [*complete(singles), *complete(pairs)]


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise DatasetLayoutError(f"{where} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise DatasetLayoutError(f"{where} is no object")
    return data


def _panel(data: dict[str, Any], i: int, root: Path, split: str | None) -> Sample:
    source, target = data["sources"][i], data["targets"][i]
    pair = len(data["panels"]) == 2
    shown = [name for name in ((source, target) if pair else (target,)) if name is not None]
    tampered = data["kind"] != "pristine"
    if tampered != bool(shown):
        raise ValueError(f"{data['panels'][i]} is {data['kind']} and has masks {shown}")
    return Sample(
        root / data["panels"][i],
        MaskFiles(tuple(root / name for name in shown)) if shown else None,
        NAME,
        group=data["groups"][i],
        split=None if split == "all" else split,
        kind=data["modality"],
        copied_from=None if pair or source is None else MaskFiles((root / source,)),
    )


def _pair(data: dict[str, Any], a: Sample, b: Sample) -> PairSample:
    return PairSample(
        a,
        b,
        related=data["kind"] != "pristine",
        source=NAME,
        group=a.group if a.group == b.group else None,
        split=a.split,
        kind=data["modality"],
    )
