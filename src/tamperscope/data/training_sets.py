"""Readers of the sets that networks are trained on: CASIA v2, IMD2020, tampered COCO."""

from pathlib import Path

from tamperscope.data.folders import first_folder, images_in, is_image, needed, partner
from tamperscope.data.natural import casia_group, photo
from tamperscope.data.samples import MaskFiles, Sample, complete
from tamperscope.errors import DatasetLayoutError

SPLITS = ("train", "valid", "test")


def index_casia_v2(root: Path) -> list[Sample]:
    """CASIA v2.0 (Dong et al. 2013), masks by N. T. Pham: 7,491 authentic, 5,123 tampered.

    root/Au/NAME.{jpg,bmp}                    (or all below "CASIA 2.0")
    root/Tp/NAME.{jpg,tif}
    root/CASIA 2 Groundtruth/NAME_gt.png      (white marks the tampered part)

    CAT-Net found 17 masks of another size than their image; ``datasets check`` names them. Layout
    as in CAT-Net's reader, not seen.
    """
    base = root / "CASIA 2.0" if (root / "CASIA 2.0").is_dir() else root
    masks = first_folder(root, "CASIA 2 Groundtruth", "CASIA 2.0/CASIA 2 Groundtruth")
    tampered = images_in(first_folder(base, "Tp"))
    samples = [
        photo(path, partner(path, masks, "_gt.png"), "casia_v2", group=casia_group(path.stem))
        for path in needed(tampered, root, "Tp/*")
    ]
    samples += [
        photo(path, None, "casia_v2", group=casia_group(path.stem))
        for path in images_in(base / "Au")
    ]
    return complete(samples)


def index_imd2020(root: Path) -> list[Sample]:
    """IMD2020, the real-life part (Novozámský et al. 2020): 2,010 tampered, 414 originals.

    root/ID/ID_orig.jpg
    root/ID/NAME.{jpg,png}
    root/ID/NAME_mask.png       (white marks the tampered part)

    All of a folder is one group. Layout as in CAT-Net's reader, not seen; the folder 0jpg that
    CAT-Net writes is not read.
    """
    if not root.is_dir():
        raise DatasetLayoutError(f"{root} is missing or not a folder")
    samples = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and path.name != "0jpg"):
        for path in images_in(folder):
            if path.stem.endswith("_mask"):
                continue
            pristine = path.stem.endswith("_orig")
            mask = None if pristine else folder / f"{path.stem}_mask.png"
            samples.append(photo(path, mask, "imd2020", group=folder.name))
    return complete(needed(samples, root, "ID/NAME_mask.png"))


def index_tampcoco(root: Path) -> list[Sample]:
    """Tampered COCO (Kwon et al. 2022, CAT-Net): what its lists name.

    root/{sp,cm,bcm,bcmc}_COCO_{train,valid,test}_list.txt    ("image,mask" on each line)
    root/{sp,cm,bcm,bcmc}_images/NAME.jpg
    root/{sp,cm,bcm,bcmc}_masks/NAME.png                      (not 0 marks the tampered part)

    The lists come with CAT-Net's code, the images with its data; put the lists beside the images.
    Lists as published there; the images were not seen.
    """
    lists = sorted(root.glob("*COCO*list.txt"))
    samples = [
        sample for path in needed(lists, root, "*_COCO_*_list.txt")
        for sample in read_catnet_list(path, root, "tampcoco")
    ]  # fmt: skip
    return complete(samples)


def read_catnet_list(path: Path, root: Path, source: str) -> list[Sample]:
    """Read a list as CAT-Net writes them: image, mask or None, then columns that are not used.

    Args:
        path: The text file; "train", "valid" or "test" in its name becomes the split.
        root: What the paths in it are relative to.
        source: Name of the dataset.

    Raises:
        DatasetLayoutError: A line is not "image,mask"; the message names it by number.
    """
    split = next((name for name in SPLITS if name in path.stem.split("_")), None)
    samples = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        columns = [column.strip() for column in line.split(",")]
        if len(columns) < 2 or not is_image(Path(columns[0])) or not columns[1]:
            raise DatasetLayoutError(f"{path}, line {number}: expected image,mask, got {line!r}")
        truth = None if columns[1] == "None" else MaskFiles((root / columns[1],), "nonzero")
        samples.append(Sample(root / columns[0], truth, source, split=split, kind="photo"))
    return samples
