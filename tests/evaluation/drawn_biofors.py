"""A small BioFors: two documents, their annotations, and a place for predictions."""

import json
from pathlib import Path

import numpy as np

from tamperscope.images import write_png

SIZE = (10, 20)  # (height, width) of every panel
BOX = [2, 3, 10, 8]  # 40 of 200 pixels
PANELS = {
    "d1": {"1.png": "Blot/Gel", "2.png": "Blot/Gel", "3.png": "Blot/Gel", "4.png": "FACS"},
    "d2": {"1.png": "Microscopy", "2.png": "Microscopy"},
}
PAIRS = {
    "d1": {"Blot/Gel": ["1.png 2.png", "3.png 1.png"]},
    "d2": {"Microscopy": ["2.png 1.png"]},
}


def write_biofors(root: Path) -> Path:
    """EDD: 1+2 of d1 (told as 2.png 1.png) share; IDD: d2/1; CSTD: d1/3."""
    for document, panels in PANELS.items():
        (root / "biofors_images" / document).mkdir(parents=True)
        for panel in panels:
            picture = np.full((*SIZE, 3), 120, np.uint8)
            write_png(root / "biofors_images" / document / panel, picture)
    notes = {
        "classification": PANELS,
        "edd_test_pairs": PAIRS,
        "edd_gt": {"d1": {"2.png 1.png": [[BOX], [BOX, [0, 0, 1, 1]]]}},
        "idd_gt": {"d2": {"1.png": [BOX]}},
        "cstd_gt": {"d1": {"3.png": [BOX]}},
        **{f"{part}_pdfs": list(PANELS) for part in ("edd", "idd", "cstd")},
    }
    (root / "annotation_files").mkdir()
    for name, data in notes.items():
        (root / "annotation_files" / f"{name}.json").write_text(json.dumps(data))
    return root


def box_mask(*boxes: list[int], value: int = 255) -> np.ndarray:
    """Mask of the boxes, uint8 (height, width)."""
    mask = np.zeros(SIZE, np.uint8)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = value
    return mask


def put(path: Path, mask: np.ndarray) -> None:
    """Write a prediction."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, mask)


def write_edd(folder: Path) -> Path:
    """The related pair: right in 1.png, 19 pixels (too few) in 2.png; others: empty, and all."""
    put(folder / "d1/1.png__2.png/1.png", box_mask(BOX))
    put(folder / "d1/1.png__2.png/2.png", box_mask([0, 0, 19, 1]))
    for name in ("3.png", "1.png"):
        put(folder / "d1/3.png__1.png" / name, box_mask())
    put(folder / "d2/2.png__1.png/2.png", box_mask([0, 0, 20, 1], value=1))  # exactly a tenth
    put(folder / "d2/2.png__1.png/1.png", box_mask())
    return folder
