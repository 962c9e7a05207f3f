"""Lists pristine pictures on disk: a corpus with a manifest, or any folder.

    root/manifest.csv        a corpus: columns file, source_repo, source_path, use, width, height
    root/KIND/...picture     KIND is a modality: blot, microscopy, facs, macroscopy, natural, photo

No pixels are read here.
"""

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tamperscope.data.folders import images_below
from tamperscope.errors import DatasetLayoutError
from tamperscope.synth.sample import MODALITIES

SPLITS = ("all", "train", "valid")
FOLDERS = {  # folder name -> modality
    "blot": "blot", "blots": "blot", "gel": "blot", "gels": "blot",
    "microscopy": "microscopy", "facs": "facs", "macroscopy": "macroscopy",
    "natural": "photo", "photo": "photo", "photos": "photo",
}  # fmt: skip
COLUMNS = {"file", "source_repo", "source_path", "use"}
SHIPPED = "redistribute"  # use of the pictures that weights which ship may be trained on
VALID_SHARE = 0.15  # of the pictures of a modality that validation should have
VALID_MOST = 0.4  # and may have
REPEATS = frozenset({
    "microscopy/ContentMine_fulltext.pdf-10.1016_j.pain.2014.08.023_120.jpg",
    "microscopy/u_source-data_s44319-025-00438_mic07.webp",
    "microscopy/u_source-data_s44321-025-00219_mic02.webp",
    "natural/scikit-image_gravel.webp",
})  # fmt: skip
"""Pictures of the corpus that show one thing several times: not pristine as the forge means it."""


@dataclass(frozen=True)
class Picture:
    """One pristine picture on disk."""

    path: Path
    name: str  # relative to the root, with forward slashes
    modality: str
    group: str  # the original it was cut from: pictures of one group may show the same thing
    origin: str  # whole origins lie on one side of a split
    use: str = SHIPPED  # what the manifest of a corpus allows


def is_corpus(root: Path) -> bool:
    """Whether a folder has a manifest."""
    return (root / "manifest.csv").is_file()


def list_pictures(
    root: Path,
    *,
    split: str = "all",
    modality: str | None = None,
    uses: Sequence[str] = (SHIPPED,),
) -> list[Picture]:
    """List the pictures of a corpus or a folder, sorted by name.

    Args:
        root: As drawn above.
        split: One of SPLITS. An origin (the owner of a corpus' repository; in a folder the
            sub-folder that holds the picture, or the picture itself) lies on one side only,
            whatever ``uses`` are asked for.
        modality: Of all pictures of a folder; None to read it from the names of its folders.
        uses: Pictures of a corpus whose column ``use`` says one of these.

    Raises:
        DatasetLayoutError: Nothing that can be used is there, or a modality cannot be told.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    if not root.is_dir():
        raise DatasetLayoutError(f"{root} is not a folder of pictures")
    found = _corpus(root) if is_corpus(root) else _folder(root, modality)
    usable = [picture for picture in found if picture.use in uses or not is_corpus(root)]
    if not usable:
        raise DatasetLayoutError(f"{root} holds no pictures that can be used")
    if split == "all":
        return usable
    valid = valid_origins(found)  # of all, so that other uses do not move an origin
    chosen = [p for p in usable if (p.origin in valid) == (split == "valid")]
    if not chosen:
        raise DatasetLayoutError(
            f"{root} has pictures of one origin only, which cannot be split; use split 'all'"
        )
    return chosen


def _corpus(root: Path) -> list[Picture]:
    manifest = root / "manifest.csv"
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not rows[0].keys() >= COLUMNS:
        raise DatasetLayoutError(f"{manifest} needs the columns {', '.join(sorted(COLUMNS))}")
    found = []
    for row in rows:
        name = row["file"] or ""
        if name in REPEATS:
            continue
        if not (root / name).is_file():
            raise DatasetLayoutError(f"{manifest} lists {name}, which is not there")
        original = f"{row['source_repo']}:{(row['source_path'] or name).partition('#')[0]}"
        kind = _modality_of(root / name, root)
        owner = row["source_repo"].partition("/")[0]  # one laboratory has several repositories
        found.append(Picture(root / name, name, kind, original, owner, row["use"]))
    return sorted(found, key=lambda picture: picture.name)


def _folder(root: Path, modality: str | None) -> list[Picture]:
    if modality is not None and modality not in MODALITIES:
        raise ValueError(f"modality must be one of {MODALITIES}, got {modality!r}")
    found = []
    for path in images_below(root):
        name = path.relative_to(root).as_posix()
        inner = [p for p in path.relative_to(root).parts[:-1] if p.lower() not in FOLDERS]
        origin = "/".join(inner) or name
        kind = modality or _modality_of(path, root)
        found.append(Picture(path, name, kind, name, origin))
    return found


def _modality_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).parts[:-1]
    for part in (*parts, root.resolve().name):  # a folder of one modality may be given itself
        if part.lower() in FOLDERS:
            return FOLDERS[part.lower()]
    raise DatasetLayoutError(
        f"{path}: cannot tell what it shows; put pictures in folders called "
        f"{', '.join(sorted(set(FOLDERS)))}, or say --modality"
    )


def valid_origins(pictures: Iterable[Picture]) -> frozenset[str]:
    """Choose the origins that validate; the others train.

    Origins are visited in the order of their hashes. One validates if some modality, of all
    pictures or of those that may be shipped, still has too little to validate on (VALID_SHARE) and
    none would lose more than VALID_MOST by it. Only names, modalities and uses decide.
    """
    counts: dict[str, Counter[tuple[str, bool]]] = defaultdict(Counter)
    for picture in pictures:
        counts[picture.origin][picture.modality, False] += 1
        counts[picture.origin][picture.modality, True] += picture.use == SHIPPED
    totals = sum(counts.values(), Counter[tuple[str, bool]]())
    order = sorted(counts, key=lambda origin: hashlib.sha256(origin.encode()).hexdigest())
    taken: Counter[tuple[str, bool]] = Counter()
    chosen = set()
    for origin in order:
        own = +counts[origin]
        wanted = any(taken[key] < VALID_SHARE * totals[key] for key in own)
        spared = all(taken[key] + own[key] <= VALID_MOST * totals[key] for key in own)
        if wanted and spared:
            chosen.add(origin)
            taken += own
    return frozenset(chosen)


def fingerprint(pictures: Iterable[Picture]) -> str:
    """Hash of names, modalities and file sizes: other pictures, other samples."""
    lines = (f"{p.name}\0{p.modality}\0{p.path.stat().st_size}\n" for p in pictures)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
