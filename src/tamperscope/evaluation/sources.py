"""Pristine pictures to measure on: a folder -> a list of sources, and a source -> pixels.

    root/manifest.csv          optional: columns file and source_repo, as in the corpus
    root/KIND/...picture       KIND is a modality: blot, microscopy, facs, macroscopy, natural...

Without a manifest the modality is the name of the first folder (or the one that is given), and the
source is the folder that holds the picture if it lies deeper than that, else the part of the file
name before the first underscore.
"""

import csv
import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tamperscope.errors import DatasetLayoutError, UnreadableInputError
from tamperscope.images import read_pixels

Pixels = NDArray[np.uint8]

KINDS = {  # folder name -> modality of records.PANEL_KINDS
    "blot": "blot",
    "blots": "blot",
    "gel": "blot",
    "microscopy": "microscopy",
    "facs": "facs",
    "macroscopy": "macroscopy",
    "natural": "photo",
    "photo": "photo",
    "photos": "photo",
}
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}
SMALLEST_SIDE = 64  # pixels; below it a quarter of a panel holds no patch a matcher could use
LEAST_SPREAD = 2.0  # standard deviation in grey levels; below it a picture counts as constant
SPLITS = ("all", "tune", "check")


@dataclass(frozen=True)
class Source:
    """One pristine picture on disk."""

    path: Path
    name: str  # relative to the root, with forward slashes; the same on every machine
    kind: str  # modality
    origin: str  # what it shares with others: repository, folder or name prefix


def index_sources(root: Path, kind: str | None = None) -> list[Source]:
    """List the pictures under ``root``, sorted by name.

    Args:
        root: A folder as drawn above.
        kind: Modality of every picture; None to read it from the folder names.

    Raises:
        DatasetLayoutError: No pictures, or the modality of one cannot be told.
    """
    if not root.is_dir():
        raise DatasetLayoutError(f"{root} is not a folder of pictures")
    origins = _manifest_origins(root)
    sources = []
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        name = path.relative_to(root).as_posix()
        origin = origins.get(name) or _origin_of(path, root)
        sources.append(Source(path, name, kind or _kind_of(path, root), origin))
    if not sources:
        raise DatasetLayoutError(f"{root} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return sources


def _manifest_origins(root: Path) -> dict[str, str]:
    manifest = root / "manifest.csv"
    if not manifest.is_file():
        return {}
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"file", "source_repo"} <= rows[0].keys():
        raise DatasetLayoutError(f"{manifest} needs the columns file and source_repo")
    return {row["file"]: row["source_repo"] for row in rows}


def _kind_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).parts
    for part in (*parts[:-1], root.name):  # a folder of one modality may be given itself
        if part.lower() in KINDS:
            return KINDS[part.lower()]
    raise DatasetLayoutError(
        f"{path}: cannot tell its modality; put pictures in folders called "
        f"{', '.join(sorted(KINDS))}, or say --kind"
    )


def _origin_of(path: Path, root: Path) -> str:
    folders = [part for part in path.relative_to(root).parts[:-1] if part.lower() not in KINDS]
    return "/".join(folders) if folders else path.stem.partition("_")[0]


def split_of(sources: list[Source]) -> dict[str, str]:
    """Divide origins into "tune" and "check"; no origin is in both.

    Origins are dealt from the largest to the smallest, each to the side where it keeps the
    modalities most evenly divided. Depends only on names and numbers of files.
    """
    by_origin: dict[str, Counter[str]] = defaultdict(Counter)
    for source in sources:
        by_origin[source.origin][source.kind] += 1
    totals = Counter(source.kind for source in sources)
    sides = {"tune": Counter[str](), "check": Counter[str]()}
    split = {}
    for origin in sorted(by_origin, key=lambda o: (-by_origin[o].total(), o)):

        def imbalance(side: str, origin: str = origin) -> float:
            other = "check" if side == "tune" else "tune"
            after = sides[side] + by_origin[origin]
            return sum(((after[k] - sides[other][k]) / totals[k]) ** 2 for k in totals)

        split[origin] = min(sides, key=imbalance)
        sides[split[origin]] += by_origin[origin]
    return split


def choose_split(sources: list[Source], split: str) -> list[Source]:
    """Keep one side of :func:`split_of`, or everything for "all"."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    if split == "all":
        return sources
    side = split_of(sources)
    return [source for source in sources if side[source.origin] == split]


def check_sources(sources: list[Source]) -> tuple[list[Source], list[tuple[str, str]]]:
    """Separate the pictures that can serve from those that cannot: ``(good, [(name, why)])``."""
    good, skipped = [], []
    for source in sources:
        try:
            pixels = read_pixels(source.path)
        except UnreadableInputError as error:
            skipped.append((source.name, f"unreadable: {error}"))
            continue
        why = unfit(pixels)
        if why is None:
            good.append(source)
        else:
            skipped.append((source.name, why))
    return good, skipped


def fingerprint(sources: list[Source]) -> str:
    """Hash of names, modalities, origins and file sizes: other pictures, another measurement."""
    lines = (f"{s.name}\0{s.kind}\0{s.origin}\0{s.path.stat().st_size}\n" for s in sources)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def unfit(pixels: Pixels) -> str | None:
    """Say why a picture cannot serve as a source, or None if it can."""
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        return f"too small: a side below {SMALLEST_SIDE} pixels"
    if pixels.mean(axis=2).std() < LEAST_SPREAD:
        return f"constant: grey levels spread less than {LEAST_SPREAD:g}"
    return None
