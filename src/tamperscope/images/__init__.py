"""The only place that decodes and encodes pixels: PNG, JPEG, WebP, TIFF; also GIF, BMP, JPEG 2000.

What a file is, its first bytes say; its name is never believed. The size is read before the pixels
are, so that a pixel bomb costs nothing. Samples deeper than 8 bit become 8 bit by one rule, which
the frame's note repeats (:func:`to_8_bit`). RGB and grey samples are left as stored, without colour
management: what is compared is what the authors' software wrote. CMYK goes through the embedded
profile where there is one, else through the plain formula (1 - C)(1 - K).
"""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tamperscope.errors import UnreadableInputError
from tamperscope.images.frames import MAX_PIXELS, Frame, check_size, one_line, to_8_bit
from tamperscope.images.raster import raster_frames
from tamperscope.images.tiff import tiff_frames

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_FRAMES",
    "MAX_PIXELS",
    "SUFFIXES",
    "Frame",
    "check_size",
    "decode",
    "encode_jpeg",
    "encode_png",
    "iter_frames",
    "one_line",
    "read_file",
    "read_pixels",
    "sniff",
    "to_8_bit",
    "write_png",
]

MAX_FRAMES = 500
"""Frames that are read from one file."""

MAX_FILE_BYTES = 2 * 1024**3
"""Bytes one file may have: it is read into memory as a whole."""

SIGNATURES = (  # first bytes, their offset, Pillow's name of the format
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"WEBP", 8, "WEBP"),
    (b"II*\0", 0, "TIFF"),
    (b"MM\0*", 0, "TIFF"),
    (b"II+\0", 0, "TIFF"),
    (b"MM\0+", 0, "TIFF"),
    (b"GIF8", 0, "GIF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", 0, "JPEG2000"),
    (b"\xff\x4f\xff\x51", 0, "JPEG2000"),
    (b"BM", 0, "BMP"),
)

SUFFIXES = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "GIF": ".gif",
    "JPEG2000": ".jp2",
    "BMP": ".bmp",
}
"""The usual ending of each format that :func:`sniff` names."""


def sniff(data: bytes) -> str | None:
    """Name the format by the first bytes ("PNG", "JPEG", ...); None for anything else."""
    for magic, offset, name in SIGNATURES:
        if data[offset : offset + len(magic)] == magic:
            return name
    return None


def read_pixels(path: Path) -> np.ndarray:
    """Read the first frame of an image file as uint8 (H, W, 3) RGB.

    Raises:
        UnreadableInputError: The file is missing, broken, cut off, too large or not an image.
    """
    frame = next(iter_frames(read_file(path), str(path)))
    if frame.missing is not None:  # a caller who gets pixels only could not tell
        raise UnreadableInputError(f"{path}: {frame.missing}")
    return frame.pixels


def read_file(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """Read a file whole; UnreadableInputError where it cannot be or has over ``limit`` bytes."""
    try:
        if not path.exists():
            raise UnreadableInputError(f"{path} does not exist")
        if not path.is_file():
            raise UnreadableInputError(f"{path} is not a file")
        size = path.stat().st_size
        if size > limit:
            raise UnreadableInputError(f"{path} has {size:,} bytes, over the limit of {limit:,}")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be opened: {error.strerror or error}") from error


def decode(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> list[Frame]:
    """Decode every frame of an image file; see :func:`iter_frames`."""
    return list(iter_frames(data, name, max_pixels=max_pixels))


def iter_frames(
    data: bytes, name: str, *, max_pixels: int = MAX_PIXELS, max_frames: int = MAX_FRAMES
) -> Iterator[Frame]:
    """Decode an image file frame by frame.

    Args:
        data: The whole file.
        name: What to call it in messages.
        max_pixels: Larger frames are refused before they are decoded.
        max_frames: Further frames are refused.

    Raises:
        UnreadableInputError: Not an image, broken or too large; the message names the file. Frames
            before the broken one have been yielded by then.
    """
    if not data:
        raise UnreadableInputError(f"{name} is empty (0 bytes)")
    kind = sniff(data)
    if kind is None:
        raise UnreadableInputError(
            f"{name} is not an image that can be read here "
            "(PNG, JPEG, WebP, TIFF, GIF, BMP, JPEG 2000)"
        )
    if kind == "TIFF":
        frames = tiff_frames(data, name, max_pixels)
    else:
        frames = raster_frames(data, kind, name, max_pixels)
    for index in range(max_frames + 1):
        try:
            frame = next(frames, None)
        except UnreadableInputError:
            raise
        except Exception as error:  # decoders answer broken bytes with every class there is
            place = f"frame {index + 1} of {name}" if index else name
            raise UnreadableInputError(
                f"{place} is broken and cannot be decoded as {kind}: {one_line(error)}"
            ) from error
        if frame is None:
            return
        if index == max_frames:
            raise UnreadableInputError(
                f"{name} has more than {max_frames} frames; the rest is not read"
            )
        yield frame


def encode_png(array: np.ndarray) -> bytes:
    """Encode uint8 (H, W, 3) RGB, uint8 (H, W) grey, or a bool (H, W) mask as 0/255."""
    out = io.BytesIO()
    # Level 3 takes half the time of the default 6 and makes photographs no larger.
    Image.fromarray(_encodable(array)).save(out, "PNG", compress_level=3)
    return out.getvalue()


def encode_jpeg(array: np.ndarray, quality: int = 90) -> bytes:
    """Encode uint8 (H, W, 3) RGB or uint8 (H, W) grey as JPEG, colour at full resolution."""
    out = io.BytesIO()
    Image.fromarray(_encodable(array)).save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()


def write_png(path: Path, array: np.ndarray) -> None:
    """Write what :func:`encode_png` takes to ``path``."""
    path.write_bytes(encode_png(array))


def _encodable(array: np.ndarray) -> np.ndarray:
    if array.dtype == bool and array.ndim == 2:
        return array.astype(np.uint8) * 255
    if array.dtype != np.uint8 or not (
        array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    ):
        raise ValueError(
            f"expected uint8 RGB, uint8 grey or a bool mask, got {array.dtype} {array.shape}"
        )
    return np.ascontiguousarray(array)
