"""Readers of the biomedical sets other than BioFors: RSIID, Western blots, Recod.ai/LUC, BINDER."""

import re
from itertools import combinations
from pathlib import Path

from tamperscope.data.folders import first_folder, images_below, images_in, needed
from tamperscope.data.samples import MaskFiles, PairSample, Sample, Unlocated, complete
from tamperscope.errors import DatasetLayoutError

BLOT = re.compile(r"((?:google|img)_\d+)_patch_\d+")
RSIID_FIGURES = re.compile(r"figure(_forgery|_v\d+)?\.png$")
RSIID_SPLITS = {"trainset": "train", "testset": "test"}


def index_western_blots(root: Path) -> list[Sample]:
    """Western blots with generated patches (Manjunath et al. 2024): 2,850 + 456, all tampered.

    root/automatically_tampered/tampered/lf_64x64_NAME.png
    root/automatically_tampered/mask/mask_NAME.png           (white marks the generated part)
    root/tampered_blots/TOOL/NAME.png                        (cleanup, gimp and a third one)
    root/tampered_blots/mask/mask_NAME.png

    as in the authors' data/ folder (its listing, not the files), or sorted (this one was seen):

    root/{automatic,realistic_*}/images/NAME.png   root/{automatic,realistic_*}/masks/NAME.png

    The part of the set is told in the source: western_blots/automatic, western_blots/gimp, ...
    All patches of one blot are a group.
    """
    samples: list[Sample] = []
    if not root.is_dir():
        raise DatasetLayoutError(f"{root} is missing or not a folder")
    for folder in sorted(path for path in root.iterdir() if (path / "images").is_dir()):
        part = folder.name.removeprefix("realistic_")
        for path in images_in(folder / "images"):
            samples.append(_blot(path, folder / "masks" / path.name, part))
    official = root / "automatically_tampered"
    if official.is_dir():
        for path in images_in(official / "tampered"):
            name = path.name.removeprefix("lf_64x64_")
            samples.append(_blot(path, official / "mask" / f"mask_{name}", "automatic"))
    by_hand = root / "tampered_blots"
    if by_hand.is_dir():
        for folder in sorted(p for p in by_hand.iterdir() if p.is_dir() and p.name != "mask"):
            for path in images_in(folder):
                mask = by_hand / "mask" / f"mask_{path.name}"
                samples.append(_blot(path, mask, folder.name))
    return complete(needed(samples, root, "blots"))


def _blot(image: Path, mask: Path, part: str) -> Sample:
    found = BLOT.search(image.stem)
    return Sample(
        image,
        MaskFiles((mask,)),
        f"western_blots/{part}",
        group=found.group(1) if found else None,
        split="test",
        kind="blot",
    )


def index_rsiid(root: Path) -> list[Sample]:
    """Recod.ai Scientific Image Integrity Dataset (Cardenuto and Rocha 2022): 39,423 figures.

    root/{trainset,testset}/{simple,compound}/forgery/OPERATION/.../ID/

        figure_forgery.png       (compound: figure.png, figure_v1.png, ...)
        figure_forgery_gt.png    (not 0: number of an altered region)
        figure_pristine_gt.png   (not 0: what that was copied from; optional)

    root/.../pristine/.../figure.png

    ``root`` may also be one of the two sets. Figures without a truth are read as pristine only
    below a folder whose name begins with "pristine"; elsewhere they lack their partner. Beside a
    figure_forgery.png no other figure of the folder is read. All figures of one folder are a group.
    Names as in the evaluation notebook and the detectors' scripts of the authors' library; the
    folder of pristine figures is our reading of it. Not seen.
    """
    samples = []
    for path in images_below(root):
        forged = path.with_name("figure_forgery.png")
        if not RSIID_FIGURES.fullmatch(path.name) or (path != forged and forged.is_file()):
            continue
        parts = [root.name, *path.relative_to(root).parts[:-1]]
        split = next((RSIID_SPLITS[part] for part in parts if part in RSIID_SPLITS), None)
        group = path.parent.relative_to(root).as_posix()
        truth = path.with_name("figure_forgery_gt.png")
        source = path.with_name("figure_pristine_gt.png")
        if any(part.startswith("pristine") for part in parts) and not truth.is_file():
            samples.append(Sample(path, None, "rsiid", group=group, split=split))
            continue
        copied = MaskFiles((source,), "nonzero") if source.is_file() else None
        marked = MaskFiles((truth,), "nonzero")
        samples.append(Sample(path, marked, "rsiid", group=group, split=split, copied_from=copied))
    return complete(needed(samples, root, "figure_forgery.png or figure.png"))


def index_recodai(root: Path) -> list[Sample]:
    """Recod.ai/LUC Scientific Image Forgery Detection (2025 competition): copy-moves in figures.

    root/train_images/authentic/ID.png
    root/train_images/forged/ID.png
    root/train_masks/ID.npy        ((H, W) or (N, H, W), a plane per region; not 0 marks it)

    An authentic and a forged figure of one number are a group. Layout as in public notebooks, not
    seen. The hidden test images have no truth and are not read.
    """
    images = root / "train_images"
    masks = root / "train_masks"
    forged = needed(images_in(first_folder(images, "forged")), images, "forged/*.png")
    samples = [
        Sample(
            path,
            MaskFiles((masks / f"{path.stem}.npy",), "array"),
            "recodai",
            group=path.stem,
            split="train",
        )
        for path in forged
    ]
    samples += [
        Sample(path, None, "recodai", group=path.stem, split="train")
        for path in images_in(images / "authentic")
    ]
    return complete(samples)


def index_binder(root: Path) -> list[PairSample]:
    """BINDER (Koker et al. 2020) and sets laid out like it: a folder for each original.

    root/.../GROUP/*.tif     (two or more images that show the same thing, altered or not)

    Every two images of a folder are a related pair; where they overlap is not told. Unrelated pairs
    are any two images of different folders and are not listed. Layout as the authors' test loader
    reads it, not seen.
    """
    folders: dict[Path, list[Path]] = {}
    for path in images_below(root):
        folders.setdefault(path.parent, []).append(path)
    lone = [str(paths[0]) for paths in folders.values() if len(paths) == 1]
    if lone:
        raise DatasetLayoutError(
            f"{', '.join(lone[:10])}: the only image in its folder, so its duplicate is missing"
        )
    pairs = []
    for folder, paths in folders.items():
        group = folder.relative_to(root).as_posix()
        sides = [Sample(path, Unlocated(), "binder", group=group) for path in paths]
        pairs += [
            PairSample(a, b, related=True, source="binder", group=group)
            for a, b in combinations(sides, 2)
        ]
    return complete(needed(pairs, root, "folders with two or more images"))
