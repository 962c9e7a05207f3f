"""Reads the truth of a sample as a mask: bool (H, W), True = tampered.

The sets disagree on what a mask file means; each reader names its rule:

==========  ====================================================================================
white       luminance above 127 is tampered (most sets, and the masks this program writes)
black       luminance of at most 127 is tampered (NIST16, DSO-1)
green       green exceeds red by more than 64 (Columbia's edge masks: green is the pasted part)
lit         any channel above 32: bright or coloured on black, from compressed video (FF++)
nonzero     any channel above 0: small numbers of regions (RSIID), 1 for tampered, Korus' grey
array       ``.npy``, (H, W) or (N, H, W) with one plane per region; nonzero is tampered (Recod.ai)
==========  ====================================================================================

A mask of another size than its image is an error; with ``resize=True`` it is brought to the image's
size by nearest neighbour, because the caller said so. That is right where the image was scaled
after the mask was drawn, and wrong where it was cropped: look before you ask for it.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tamperscope.data.samples import Boxes, MaskFiles, PairSample, Sample, Unlocated
from tamperscope.errors import DatasetLayoutError, UnreadableInputError
from tamperscope.images import read_file, read_pixels

Size = tuple[int, int]
"""(height, width)"""

THRESHOLD = 127
GREEN_LEAD = 64  # JPEG moves the pure colours of the edge masks by far less
LIT = 32  # noise that video coding leaves on black stays below


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Rec. 601 luma of uint8 (H, W, 3), as uint8: grey comes back unchanged."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # uint8 (H, W, 3) -> bool (H, W)
    "white": lambda pixels: luminance(pixels) > THRESHOLD,
    "black": lambda pixels: luminance(pixels) <= THRESHOLD,
    "green": lambda pixels: pixels[..., 1].astype(int) - pixels[..., 0] > GREEN_LEAD,
    "lit": lambda pixels: pixels.max(axis=2) > LIT,
    "nonzero": lambda pixels: pixels.max(axis=2) > 0,
}
ARRAY = "array"
RULE_NAMES = (*RULES, ARRAY)


def read_mask(sample: Sample, *, size: Size | None = None, resize: bool = False) -> np.ndarray:
    """Read where ``sample`` is tampered.

    Args:
        sample: Of any dataset; pristine ones give an empty mask.
        size: (height, width) of the image, where known; else the image is read to find out.
        resize: Bring a mask of another size to the image's, by nearest neighbour.

    Returns:
        Bool (H, W) of the image's size, True = tampered. Boxes that reach over the border are
        cut off there, as BioFors' own evaluation does.

    Raises:
        DatasetLayoutError: The set does not say where, or a mask has another size.
        UnreadableInputError: A file is broken.
    """
    height, width = size or read_pixels(sample.image).shape[:2]
    if isinstance(sample.truth, Unlocated):
        raise DatasetLayoutError(
            f"{sample.image}: {sample.source} says that it is tampered, not where"
        )
    if isinstance(sample.truth, MaskFiles):
        return read_files(sample.truth, (height, width), resize=resize, what=str(sample.image))
    mask = np.zeros((height, width), dtype=bool)
    for x0, y0, x1, y1 in sample.truth.boxes if isinstance(sample.truth, Boxes) else ():
        mask[y0:y1, x0:x1] = True
    return mask


def read_pair_masks(pair: PairSample) -> tuple[np.ndarray, np.ndarray]:
    """Read the shared region in both images of a pair; see :func:`read_mask`."""
    return read_mask(pair.a), read_mask(pair.b)


def read_files(truth: MaskFiles, size: Size, *, resize: bool, what: str) -> np.ndarray:
    """Read the union of mask files as bool ``size``; ``what`` names the image in errors."""
    mask = np.zeros(size, dtype=bool)
    for path in truth.paths:
        plane = read_plane(path, truth.rule)
        if plane.shape != size:
            if not resize:
                raise DatasetLayoutError(
                    f"{path} is {plane.shape[1]} x {plane.shape[0]}, its image {what} "
                    f"{size[1]} x {size[0]} pixels; leave it out, or ask for the mask to be resized"
                )
            plane = nearest(plane, size)
        mask |= plane
    return mask


def read_plane(path: Path, rule: str) -> np.ndarray:
    """Read one mask file by ``rule`` as bool (H, W), of the size it has."""
    if rule == ARRAY:
        return read_array(path)
    if rule not in RULES:
        raise ValueError(f"no mask rule is called {rule!r}; there are {RULE_NAMES}")
    return RULES[rule](read_pixels(path))


def read_array(path: Path) -> np.ndarray:
    """Read the union of a ``.npy`` mask's planes as bool (H, W); see :func:`read_planes`."""
    return np.asarray(read_planes(path).any(axis=0))


def read_planes(path: Path) -> np.ndarray:
    """Read a ``.npy`` mask, (H, W) or (N, H, W), as bool (N, H, W), one plane for each region.

    Raises:
        UnreadableInputError: It is not a plain array of numbers, or would need unpickling.
    """
    try:
        values = np.load(io.BytesIO(read_file(path)), allow_pickle=False)
    except ValueError as error:
        raise UnreadableInputError(f"{path} is not a plain .npy array: {error}") from error
    if values.ndim not in (2, 3) or values.dtype.kind not in "biuf":
        raise UnreadableInputError(
            f"{path} holds {values.dtype} {values.shape}; a mask is (H, W) or (N, H, W) numbers"
        )
    planes = values != 0
    return planes[None] if planes.ndim == 2 else planes


def nearest(mask: np.ndarray, size: Size) -> np.ndarray:
    """Scale a bool mask to (height, width) by nearest neighbour."""
    height, width = size
    scaled = Image.fromarray(mask.astype(np.uint8)).resize(
        (width, height), Image.Resampling.NEAREST
    )
    return np.asarray(scaled).astype(bool)
