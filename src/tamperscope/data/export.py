"""Writes samples in a neutral form, for this program or for others.

The forms of others know one kind of mask: white on black, one file, of the image's size. Masks that
are otherwise (inverted, coloured, boxes, several files, arrays) are written anew as such; masks
that are so already are named where they lie.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tamperscope.data.masks import read_mask
from tamperscope.data.neutral import FORMAT, NEGATIVE
from tamperscope.data.samples import AnySample, Boxes, MaskFiles, PairSample, Sample, Unlocated
from tamperscope.errors import OutputError
from tamperscope.images import read_pixels, write_png

FORMS = ("jsonl", "imdlbenco", "forensichub", "tpgt")


def export_samples(
    samples: Sequence[AnySample], form: str, out: Path, *, resize: bool = False
) -> str:
    """Write ``samples`` as ``form`` to ``out`` and say in a line what was written.

    Args:
        samples: All single, or all pairs; pairs can be written as jsonl only.
        form: ``jsonl``: one file, lossless. ``imdlbenco``: one JSON file of pairs, masks that need
            it written to ``<out>_masks/``. ``forensichub``: one JSON file of labels, without
            masks. ``tpgt``: a folder with Tp/, Gt/ and Au/, images copied.
        out: The file, or the folder; must not exist.
        resize: Bring masks of another size to their image's; else they are an error.

    Raises:
        OutputError: ``out`` exists, or the form cannot hold what is to be written.
        DatasetLayoutError: A mask has another size than its image and ``resize`` is not set.
    """
    if form not in FORMS:
        raise ValueError(f"form must be one of {FORMS}, got {form!r}")
    masks = out.parent / f"{out.stem}_masks"
    for path in (out, masks):
        if path.exists():
            raise OutputError(f"{path} exists; name another place, or remove it")
    singles = [sample for sample in samples if isinstance(sample, Sample)]
    if form != "jsonl" and len(singles) < len(samples):
        raise OutputError(f"pairs of images cannot be written as {form}; use jsonl")
    unlocated = [s for s in singles if isinstance(s.truth, Unlocated)]
    if form in ("imdlbenco", "tpgt") and unlocated:
        raise OutputError(
            f"{len(unlocated)} samples, the first {unlocated[0].image}, are known to be tampered "
            f"but not where; {form} needs masks, forensichub and jsonl do not"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    if form == "jsonl":
        write_jsonl(samples, out)
        return f"{out}: {len(samples)} samples"
    if form == "forensichub":
        labels = [
            {"path": _relative(s.image, out.parent), "label": int(s.truth is not None)}
            for s in singles
        ]
        _write_json(out, labels)
        return f"{out}: {len(labels)} labels, no masks"
    try:
        if form == "imdlbenco":
            return _write_imdlbenco(singles, out, masks, resize)
        return _write_tpgt(singles, out, resize)
    except BaseException:  # what is half there would look whole, and stand in the next run's way
        for folder in (out, masks):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def write_jsonl(samples: Sequence[AnySample], out: Path) -> None:
    """Write our own JSON lines; :func:`tamperscope.data.neutral.index_jsonl` reads them."""
    lines = [json.dumps({"format": FORMAT})]
    for sample in samples:
        data = (
            _pair_dict(sample, out.parent)
            if isinstance(sample, PairSample)
            else _sample_dict(sample, out.parent)
        )
        lines.append(json.dumps(data, ensure_ascii=False))
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _sample_dict(sample: Sample, folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = {"image": _relative(sample.image, folder), "source": sample.source}
    if isinstance(sample.truth, MaskFiles):
        data["masks"] = [_relative(path, folder) for path in sample.truth.paths]
        data["rule"] = sample.truth.rule
    elif isinstance(sample.truth, Boxes):
        data["boxes"] = [list(box) for box in sample.truth.boxes]
    elif isinstance(sample.truth, Unlocated):
        data["tampered"] = True
    if sample.copied_from is not None:
        data["copied_from"] = [_relative(path, folder) for path in sample.copied_from.paths]
        data["copied_from_rule"] = sample.copied_from.rule
    return data | _told(sample)


def _pair_dict(pair: PairSample, folder: Path) -> dict[str, Any]:
    return {
        "pair": [_sample_dict(pair.a, folder), _sample_dict(pair.b, folder)],
        "related": pair.related,
        "source": pair.source,
        "listed": pair.listed,
    } | _told(pair)


def _told(sample: AnySample) -> dict[str, str]:
    values = {"group": sample.group, "split": sample.split, "kind": sample.kind}
    return {key: value for key, value in values.items() if value is not None}


def _write_imdlbenco(samples: list[Sample], out: Path, masks: Path, resize: bool) -> str:
    entries, written = [], 0
    for index, sample in enumerate(samples):
        mask = NEGATIVE
        if sample.truth is not None:
            pixels = read_pixels(sample.image)
            path = _plain_mask(sample)
            truth = read_mask(sample, size=(pixels.shape[0], pixels.shape[1]), resize=resize)
            if path is None or read_pixels(path).shape != pixels.shape:
                masks.mkdir(exist_ok=True)
                path = masks / f"{index:06d}_{sample.image.stem}.png"
                write_png(path, truth)
                written += 1
            mask = _relative(path, out.parent)
        entries.append([_relative(sample.image, out.parent), mask])
    _write_json(out, entries)
    note = f", {written} masks written to {masks}" if written else ""
    return f"{out}: {len(entries)} pairs{note}"


def _write_tpgt(samples: list[Sample], out: Path, resize: bool) -> str:
    folders = {name: out / name for name in ("Tp", "Gt", "Au")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    counts = {"Tp": 0, "Au": 0}
    for index, sample in enumerate(samples):
        part = "Au" if sample.truth is None else "Tp"
        name = f"{index:06d}_{sample.image.name}"  # names repeat between folders of a set
        if sample.truth is not None:
            mask = read_mask(sample, resize=resize)
            write_png(folders["Gt"] / f"{Path(name).stem}.png", mask)
        shutil.copyfile(sample.image, folders[part] / name)
        counts[part] += 1
    return f"{out}: {counts['Tp']} images in Tp/ with masks in Gt/, {counts['Au']} pristine in Au/"


def _plain_mask(sample: Sample) -> Path | None:
    """The mask file, if other programs read it as we do."""
    truth = sample.truth
    if isinstance(truth, MaskFiles) and truth.rule == "white" and len(truth.paths) == 1:
        return truth.paths[0]
    return None


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
