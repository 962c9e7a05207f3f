"""Small dataset folders, drawn in code."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (24, 32)  # height, width
REGION = (slice(4, 14), slice(6, 20))  # what is tampered


def region(size=SIZE):
    mask = np.zeros(size, dtype=bool)
    mask[REGION] = True
    return mask


def put_image(path: Path, seed=0, size=SIZE):
    """Noise, different for each seed; JPEG and TIFF by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng([7, seed]).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def put_mask(path: Path, mask=None, colours=(0, 255)):
    """``colours``: of the authentic and of the tampered part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = region() if mask is None else mask
    off, on = (np.asarray(colour, dtype=np.uint8) for colour in colours)
    pixels = np.where(mask[..., None], on, off).astype(np.uint8)
    if pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if path.suffix == ".jpg":
        Image.fromarray(pixels).save(
            path, quality=95, subsampling=0
        )  # chroma at full resolution: edges stay
    else:
        Image.fromarray(pixels).save(path)
    return path
