"""Decodes everything but TIFF, through Pillow; 16-bit PNG through libpng."""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import imagecodecs
import numpy as np
from PIL import Image, ImageCms, ImageFile

from tamperscope.errors import UnreadableInputError
from tamperscope.images.frames import Frame, check_size, frame_of, join, one_line, upright

SWITCHES = threading.Lock()  # Pillow's limits are module-wide
ORIENTATION = 0x0112  # EXIF tag
BLOCK = 8  # pixels; a JPEG is coded in blocks of 8 x 8


def raster_frames(data: bytes, kind: str, name: str, max_pixels: int) -> Iterator[Frame]:
    """Yield the frames of an image file that Pillow knows as ``kind``; any error may escape."""
    with _pillow():
        picture = Image.open(io.BytesIO(data), formats=[kind])
        check_size(*picture.size, name, max_pixels)
        # A phone's JPEG carries previews after the picture; they are not further pictures.
        count = 1 if kind == "JPEG" else getattr(picture, "n_frames", 1)
    for index in range(count):
        with _pillow():
            picture.seek(index)
            check_size(*picture.size, name, max_pixels)
            frame = _frame(picture, data, kind, name)
        yield replace(frame, index=index)


def cmyk_frame(samples: np.ndarray, profile: bytes | None) -> Frame:
    """Make a frame of uint8 (H, W, 4) ink amounts, through ``profile`` where it is a sound one."""
    picture = Image.fromarray(np.ascontiguousarray(samples), mode="CMYK")
    if profile:
        try:
            rgb = ImageCms.profileToProfile(
                picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            note = f"CMYK converted plainly; its colour profile is broken: {one_line(error)}"
            return Frame(np.array(picture.convert("RGB")), note=note)
        if rgb is not None:
            return Frame(np.array(rgb), note="CMYK converted through its colour profile")
    return Frame(np.array(picture.convert("RGB")), note="CMYK converted without a colour profile")


@contextmanager
def _pillow(*, truncated: bool = False) -> Iterator[None]:
    """Switch off Pillow's own limits and warnings; this package has its limits, and says so."""
    with SWITCHES, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, truncated
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _frame(picture: Image.Image, data: bytes, kind: str, name: str) -> Frame:
    if kind == "PNG" and data[24] == 16:  # IHDR bit depth; Pillow drops the low byte of colours
        return upright(frame_of(imagecodecs.png_decode(data)), _orientation(picture))
    try:
        picture.load()
    except OSError as error:
        if "truncated" not in str(error) or kind not in ("JPEG", "PNG"):
            raise
        return upright(_cut_off(data, kind, name), _orientation(picture))
    return upright(_from_pillow(picture), _orientation(picture))


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # EXIF blocks are broken in many ways, and none of them hides a pixel
        return 1


def _from_pillow(picture: Image.Image) -> Frame:
    if picture.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
        return frame_of(np.asarray(picture))
    if picture.mode == "CMYK":
        inks = np.asarray(picture)
        # Pillow inverts every CMYK JPEG, as Adobe stores them; without Adobe's mark they are plain.
        if picture.format == "JPEG" and "adobe" not in picture.info:
            inks = 255 - inks
        return cmyk_frame(inks, picture.info.get("icc_profile"))
    if picture.mode in ("RGBA", "LA", "La", "RGBa", "PA") or "transparency" in picture.info:
        return frame_of(np.asarray(picture.convert("RGBA")))
    return Frame(np.array(picture.convert("RGB")))


def _cut_off(data: bytes, kind: str, name: str) -> Frame:
    """Decode the rows that are complete in a file that ends too early.

    Pillow leaves rows of a PNG that it did not reach at zero; libjpeg leaves the blocks it knows
    nothing of at mid-grey, and shows a progressive file whole but coarser.
    """
    picture = Image.open(io.BytesIO(data), formats=[kind])
    if picture.info.get("interlace"):
        raise UnreadableInputError(f"{name} is cut off; being interlaced it cannot be read in part")
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # the caller's switches put it back
    picture.load()
    blank = 0 if kind == "PNG" else 127 if picture.mode == "CMYK" else 128
    ends = np.asarray(picture)[:, -BLOCK:].reshape(picture.height, -1)  # right ends of the rows
    known = (ends != blank).any(axis=1)
    rows = int(np.flatnonzero(known)[-1]) + 1 if known.any() else 0
    if kind == "JPEG" and rows < picture.height:
        rows -= rows % BLOCK  # interpolated colour leaks one row beyond the last block
    if rows < 1:
        raise UnreadableInputError(f"{name} is cut off before its first rows are complete")
    if rows < picture.height:
        missing = f"the file is cut off: only the upper {rows} of {picture.height} rows are there"
    elif picture.info.get("progressive"):
        missing = "the file is cut off: fine detail is missing"
    else:
        missing = "the file is cut off at its very end"
    frame = _from_pillow(picture)
    return replace(
        frame,
        pixels=frame.pixels[:rows],
        alpha=None if frame.alpha is None else frame.alpha[:rows],
        note=join(frame.note, missing),
        missing=missing,
    )
