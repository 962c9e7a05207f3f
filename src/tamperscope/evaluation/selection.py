"""Chooses the samples of a dataset that are measured, and names them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tamperscope.data.catalog import find_dataset
from tamperscope.data.samples import AnySample, PairSample, Sample, Unlocated
from tamperscope.errors import DatasetLayoutError
from tamperscope.evaluation.subsets import subset_of

PARTS = ("all", "tampered", "pristine")


def collect(
    dataset: str, root: Path, part: str = "all", limit: int | None = None
) -> dict[str, AnySample]:
    """Read the samples of a dataset by key, checked to have a truth that says where.

    Args:
        dataset: Its name in the catalogue.
        root: Its folder (or file).
        part: One of PARTS.
        limit: So many samples of each set, spread evenly over its sorted list; None: all.

    Raises:
        DatasetLayoutError: The folder is laid out differently, or its truths do not say where.
    """
    samples = list(find_dataset(dataset).index(root))
    if part not in PARTS:
        raise ValueError(f"part must be one of {PARTS}, got {part!r}")
    if part != "all":
        samples = [sample for sample in samples if _labelled(sample) == (part == "tampered")]
    if not samples:
        raise DatasetLayoutError(f"{root} holds no {part} samples of {dataset}")
    _refuse_what_has_no_place(samples, dataset)
    by_set: dict[str, list[AnySample]] = {}
    for sample in samples:
        by_set.setdefault(subset_of(sample), []).append(sample)
    base = root.parent if root.is_file() else root
    found: dict[str, AnySample] = {}
    for own in by_set.values():
        take = len(own) if limit is None else min(limit, len(own))
        for i in range(take):
            sample = own[i * len(own) // take]
            found[_fresh(key_of(sample, base), found)] = sample
    return found


def _labelled(sample: AnySample) -> bool:
    return sample.related if isinstance(sample, PairSample) else sample.truth is not None


def _refuse_what_has_no_place(samples: Sequence[AnySample], dataset: str) -> None:
    if dataset != "biofors_edd" and any(isinstance(s, PairSample) for s in samples):
        raise DatasetLayoutError(
            f"{dataset} holds pairs; of the sets of pairs only biofors_edd has a protocol"
        )
    for sample in samples:
        if isinstance(sample, Sample) and isinstance(sample.truth, Unlocated):
            raise DatasetLayoutError(
                f"{sample.image}: {sample.source} says that it is tampered, not where; there is "
                "nothing to score pixels against"
            )


def key_of(sample: AnySample, base: Path) -> str:
    """Name a sample by its files below the dataset, with forward slashes."""
    if isinstance(sample, PairSample):
        return f"{_relative(sample.a.image, base)} {sample.b.image.name}"
    return _relative(sample.image, base)


def _relative(path: Path, base: Path) -> str:
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def _fresh(key: str, taken: dict[str, AnySample]) -> str:
    """Tell samples of the same files apart: BioFors lists some pairs twice."""
    number, fresh = 2, key
    while fresh in taken:
        fresh, number = f"{key} #{number}", number + 1
    return fresh


def fingerprint(samples: dict[str, AnySample]) -> str:
    """Hash of keys and truths and of the pictures' sizes in bytes."""
    digest = hashlib.sha256()
    for key, sample in samples.items():
        sizes = [path.stat().st_size for path in sample.files()]
        sides = (sample.a, sample.b) if isinstance(sample, PairSample) else (sample,)
        truths = [repr(side.truth) if not side.files()[1:] else "" for side in sides]
        digest.update(f"{key}\0{sizes}\0{truths}\n".encode())
    return digest.hexdigest()[:16]
