"""Readers of the photographic test sets: a folder -> a sorted list of samples.

Nine of the ten sets of the ForMa and LoMa tables; FaceForensics++ has frames of videos and lives in
:mod:`tamperscope.data.faces`. Where nobody here has seen a layout on disk, the docstring says whose
description it follows. Groups keep what shares a scene together; for a splice that is the picture
that was pasted into.
"""

import csv
import re
from pathlib import Path

from tamperscope.data.folders import first_folder, images_in, needed, partner
from tamperscope.data.samples import MaskFiles, Sample, complete
from tamperscope.errors import DatasetLayoutError

CASIA_TAMPERED = re.compile(r"_([a-z]{3}\d+)_([a-z]{3}\d+)_\d+$")  # source, target, number
CASIA_OPERATION = re.compile(r"(?:Sp|Tp)_([SD])_")  # same picture, different pictures
CASIA_AUTHENTIC = re.compile(r"Au_([a-z]{3})_(\d+)$")
KORUS_CAMERAS = ("Canon_60D", "Nikon_D7000", "Nikon_D90", "Sony_A57")
NIST_TABLE = "reference/manipulation/NC2016-manipulation-ref.csv"
NIST_COLUMNS = ("IsTarget", "ProbeFileName", "ProbeMaskFileName", "BaseFileName")


def photo(
    image: Path,
    mask: Path | None,
    source: str,
    *,
    rule: str = "white",
    group: str | None = None,
    operation: str | None = None,
) -> Sample:
    """Make a sample of one photograph; ``mask`` is None where it is pristine."""
    truth = None if mask is None else MaskFiles((mask,), rule)
    return Sample(image, truth, source, group=group, kind="photo", operation=operation)


def index_columbia(root: Path) -> list[Sample]:
    """Columbia Uncompressed Image Splicing Detection: 183 authentic and 180 spliced TIFFs.

    root/4cam_auth/NAME.tif
    root/4cam_splc/NAME.tif
    root/4cam_splc/edgemask/NAME_edgemask.jpg   (green marks the pasted part, red the rest)

    Layout as in CAT-Net's lists and photoholmes, not seen.
    """
    spliced = images_in(first_folder(root, "4cam_splc"))
    samples = [photo(path, None, "columbia") for path in images_in(root / "4cam_auth")]
    for path in needed(spliced, root, "4cam_splc/*.tif"):
        mask = path.parent / "edgemask" / f"{path.stem}_edgemask.jpg"
        samples.append(photo(path, mask, "columbia", rule="green", operation="splicing"))
    return complete(samples)


def index_dso1(root: Path) -> list[Sample]:
    """DSO-1 (Carvalho et al. 2013): 100 normal and 100 spliced PNGs of people.

    root/DSO-1/normal-NN.png
    root/DSO-1/splicing-NN.png
    root/DSO-1-Fake-Images-Masks/splicing-NN.png   (black marks the pasted part)

    Layout as in CAT-Net's lists and photoholmes, not seen; the copies that went through social
    networks have white masks (:func:`tamperscope.data.social.index_social_network`).
    """
    images = images_in(first_folder(root, "DSO-1"))
    masks = root / "DSO-1-Fake-Images-Masks"
    samples = []
    for path in needed(images, root, "DSO-1/*.png"):
        if path.stem.startswith("splicing"):
            mask = masks / path.name
            samples.append(photo(path, mask, "dso1", rule="black", operation="splicing"))
        elif path.stem.startswith("normal"):
            samples.append(photo(path, None, "dso1"))
        else:
            raise DatasetLayoutError(f"{path} is named neither splicing-NN nor normal-NN")
    return complete(samples)


def casia_group(stem: str) -> str | None:
    """Name the scene of a CASIA picture by its file name: the picture that was pasted into."""
    if tampered := CASIA_TAMPERED.search(stem):
        return tampered.group(2)
    authentic = CASIA_AUTHENTIC.search(stem)
    return f"{authentic.group(1)}{authentic.group(2)}" if authentic else None


def casia_operation(stem: str) -> str | None:
    """Tell by its file name how a tampered CASIA picture was made."""
    made = CASIA_OPERATION.match(stem)
    return {"S": "copy-move", "D": "splicing"}[made.group(1)] if made else None


def index_casia_v1(root: Path) -> list[Sample]:
    """CASIA v1.0 (Dong et al. 2013), masks by N. T. Pham: 800 authentic, 920 or 921 tampered JPEGs.

    root/Au/NAME.jpg
    root/Tp/{CM,Sp}/NAME.jpg                          (or "Modified Tp")
    root/CASIA 1.0 groundtruth/{CM,Sp}/NAME_gt.png    (white marks the tampered part)

    or sorted into three folders (this one was seen):

    root/authentic/NAME.jpg   root/tampered/NAME.jpg   root/masks/NAME.png
    """
    samples = []
    if (root / "tampered").is_dir():
        authentic = root / "authentic"
        folders = [(root / "tampered", root / "masks")]
    else:
        authentic = root / "Au"
        tampered = first_folder(root, "Tp", "Modified Tp", "Modified TP", "tampered")
        truth = first_folder(root, "CASIA 1.0 groundtruth")
        folders = [(tampered / part, truth / part) for part in ("CM", "Sp")]
    for images, masks in folders:
        for path in needed(images_in(images), images, "images"):
            mask = partner(path, masks, "_gt.png", ".png")
            group, operation = casia_group(path.stem), casia_operation(path.stem)
            samples.append(photo(path, mask, "casia_v1", group=group, operation=operation))
    samples += [
        photo(path, None, "casia_v1", group=casia_group(path.stem)) for path in images_in(authentic)
    ]
    return complete(samples)


def index_nist16(root: Path) -> list[Sample]:
    """NIST16 (Nimble Challenge 2016): 564 tampered probes and pristine ones, from its table.

    root/reference/manipulation/NC2016-manipulation-ref.csv   ("|" between the columns)
    root/probe/NC2016_NNNN.jpg
    root/reference/manipulation/mask/NC2016_NNNN.png          (black marks the tampered part)

    Probes with the same base picture are near copies of each other: they share a group. Layout as
    in the table readers and lists of CAT-Net, SAFIRE and TruFor, not seen.
    """
    table = root / NIST_TABLE
    if not table.is_file():
        raise DatasetLayoutError(f"{table} is missing; give the folder that holds probe/")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="|"))
    lacking = [name for name in NIST_COLUMNS if not rows or name not in rows[0]]
    if lacking:
        raise DatasetLayoutError(f"{table} lacks the columns {', '.join(lacking)}, or any row")
    samples = {}
    for row in rows:
        probe, base = row["ProbeFileName"], row["BaseFileName"]
        mask = None
        if row["IsTarget"] == "Y":
            if not row["ProbeMaskFileName"]:
                raise DatasetLayoutError(f"{table}: {probe} is tampered and names no mask")
            mask = root / row["ProbeMaskFileName"]
        sample = photo(root / probe, mask, "nist16", rule="black", group=Path(base or probe).stem)
        samples[sample.files()] = sample  # a probe may stand in several rows
    return complete(samples.values())


def index_coverage(root: Path) -> list[Sample]:
    """COVERAGE (Wen et al. 2016): 100 originals, each with a copy-moved version.

    root/image/N.tif   root/image/Nt.tif                      (original, tampered)
    root/mask/{Nforged,Ncopy,Npaste}.tif                      (white marks)

    or sorted into folders (this one was seen):

    root/original/N.png   root/tampered/N.png   root/{mask_forged,mask_copy,mask_paste}/N.png

    The truth is *forged*: the pasted part as it ended up. *copy* is where it was taken from. Two of
    the masks that were seen (048 and 056) have another size than their image; the reader lists
    them, ``datasets check`` reports them, and reading one is an error unless a resize is asked for.
    """
    samples = []
    if (root / "tampered").is_dir():
        for path in images_in(root / "tampered"):
            original = partner(path, root / "original", ".png", ".tif")
            forged, copied = (
                partner(path, root / folder, ".png", ".tif")
                for folder in ("mask_forged", "mask_copy")
            )
            samples += _coverage_pair(original, path, forged, copied, path.stem)
    else:
        masks = root / "mask"
        for path in images_in(first_folder(root, "image", "tampered")):
            if path.stem.endswith("t"):
                number = path.stem[:-1]
                forged, copied = (masks / f"{number}{end}.tif" for end in ("forged", "copy"))
                original = path.with_name(f"{number}{path.suffix}")
                samples += _coverage_pair(original, path, forged, copied, number)
    return complete(needed(samples, root, "tampered images"))


def _coverage_pair(
    original: Path, tampered: Path, forged: Path, copied: Path, number: str
) -> list[Sample]:
    return [
        Sample(original, None, "coverage", group=number, kind="photo"),
        Sample(
            tampered,
            MaskFiles((forged,)),
            "coverage",
            group=number,
            kind="photo",
            copied_from=MaskFiles((copied,)),
            operation="copy-move",
        ),
    ]


def index_korus(root: Path) -> list[Sample]:
    """Realistic Tampering Dataset (Korus and Huang 2016): 220 pairs from four cameras.

    root/CAMERA/pristine/NAME.TIF
    root/CAMERA/tampered-realistic/NAME.TIF
    root/CAMERA/ground-truth/NAME.PNG    (white: changed; grey: changed in passing; black: not)

    with CAMERA one of Canon_60D, Nikon_D7000, Nikon_D90, Sony_A57. Grey counts as tampered: those
    pixels differ from the original. Layout as in the set's readme and photoholmes, not seen.
    """
    samples = []
    for camera in KORUS_CAMERAS:
        folder = first_folder(root, camera)
        for path in images_in(folder / "tampered-realistic"):
            mask = partner(path, folder / "ground-truth", ".PNG", ".png")
            group = f"{camera}/{path.stem}"
            samples.append(photo(path, mask, "korus", rule="nonzero", group=group))
        samples += [
            photo(path, None, "korus", group=f"{camera}/{path.stem}")
            for path in images_in(folder / "pristine")
        ]
    return complete(needed(samples, root, "tampered-realistic/*.TIF"))


def index_in_the_wild(root: Path) -> list[Sample]:
    """In-the-Wild Image Splice Dataset (Huh et al. 2018): 201 splices from the web.

    root/images/NAME.jpg
    root/masks/NAME.png     (white marks the pasted part)

    ``root`` is the unpacked folder label_in_wild. Layout as in several public loaders, not seen.
    """
    images = images_in(first_folder(root, "images"))
    return complete(
        photo(path, partner(path, root / "masks", ".png"), "in_the_wild")
        for path in needed(images, root, "images/*.jpg")
    )


def index_cocoglide(root: Path) -> list[Sample]:
    """CocoGlide (Guillaro et al. 2023, TruFor): 512 COCO crops, each with a GLIDE-inpainted one.

    root/table.csv                                        (columns real, fake, mask: paths in root)
    root/real/...   root/fake/glide_inpainting_val2017_ID_up.png
    root/mask/THING_ID_mask.png                           (white marks the inpainted part)

    Paths as in TruFor's lists, the table as two public loaders read it; not seen.
    """
    table = root / "table.csv"
    if not table.is_file():
        raise DatasetLayoutError(f"{table} is missing; give the folder that holds it")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"real", "fake", "mask"} <= rows[0].keys():
        raise DatasetLayoutError(f"{table} lacks the columns real, fake, mask, or any row")
    samples = {}
    for row in rows:
        group = Path(row["real"]).stem
        for sample in (
            photo(root / row["real"], None, "cocoglide", group=group),
            photo(root / row["fake"], root / row["mask"], "cocoglide", group=group),
        ):
            samples[sample.files()] = sample
    return complete(samples.values())


def index_misd(root: Path) -> list[Sample]:
    """Multiple Image Splicing Dataset (Kadam et al. 2021): 618 authentic, 300 spliced.

    root/Au/NAME.jpg
    root/Sp/NAME.png
    root/Ground Truth Masks/FOLDER/images/NAME.png
    root/Ground Truth Masks/FOLDER/masks/*.png    (one per pasted object; their union is the truth)

    Layout as in the set's readme, not seen; a folder belongs to the picture of the same name in its
    images/. White is taken to mark the pasted part.
    """
    truths: dict[str, tuple[Path, ...]] = {}
    masks = first_folder(root, "Ground Truth Masks")
    for folder in sorted(path for path in masks.iterdir() if path.is_dir()):
        planes = tuple(images_in(folder / "masks"))
        for image in needed(images_in(folder / "images"), folder, "images/*"):
            truths[image.stem] = tuple(needed(list(planes), folder, "masks/*"))
    samples = []
    for path in needed(images_in(first_folder(root, "Sp")), root, "Sp/*"):
        # Without a folder of masks: one that cannot be there, so that it is named as missing.
        planes = truths.get(path.stem, (masks / path.stem / "masks" / f"{path.stem}.png",))
        samples.append(Sample(path, MaskFiles(planes), "misd", kind="photo"))
    samples += [photo(path, None, "misd") for path in images_in(root / "Au")]
    return complete(samples)
