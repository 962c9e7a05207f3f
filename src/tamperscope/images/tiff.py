"""Decodes TIFF page by page: any depth, grey, RGB, palette, CMYK, extra samples, several pages."""

import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from tamperscope.errors import UnreadableInputError
from tamperscope.images.frames import Frame, check_size, frame_of, join, upright
from tamperscope.images.raster import cmyk_frame

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # it logs what is raised anyway
REDUCED = 1  # bit of NewSubfileType: a smaller copy of another page
ICC_PROFILE = 34675


def tiff_frames(data: bytes, name: str, max_pixels: int) -> Iterator[Frame]:
    """Yield the full-size pages of a TIFF; any error may escape.

    A page of several channels that are neither RGB nor CMYK (a fluorescence stack stored in one
    page) gives one frame per channel.
    """
    index = 0
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for number, page in enumerate(_pages(file)):
            if number and page.subfiletype & REDUCED:
                continue
            where = f"{name} page {number + 1}"
            _check(page, where, max_pixels)
            for frame in _page_frames(page, where):
                yield replace(frame, index=index)
                index += 1
    if index == 0:
        raise UnreadableInputError(f"{name} holds no picture")


def _pages(file: tifffile.TiffFile) -> Iterator[Any]:
    seen: set[int] = set()
    for page in file.pages:
        full = page.aspage()
        if full.offset in seen:
            raise UnreadableInputError("the list of pages runs in a circle")
        seen.add(full.offset)
        yield full


def _check(page: Any, where: str, max_pixels: int) -> None:
    check_size(page.imagewidth, page.imagelength, where, max_pixels)
    if page.imagedepth != 1:
        raise UnreadableInputError(
            f"{where} is a volume of {page.imagedepth} layers, not a picture"
        )
    samples = page.imagewidth * page.imagelength * page.samplesperpixel
    if samples > 4 * max_pixels:
        raise UnreadableInputError(
            f"{where} has {page.samplesperpixel} channels of {page.imagewidth:,} x "
            f"{page.imagelength:,} pixels, over the limit of {max_pixels / 1e6:,g} megapixels"
        )
    if page.is_tiled:
        check_size(page.tilewidth, page.tilelength, f"a tile of {where}", max_pixels)


def _page_frames(page: Any, where: str) -> Iterator[Frame]:
    samples = page.asarray()
    if page.planarconfig == 2 and samples.ndim == 3:  # one plane after the other
        samples = np.moveaxis(samples, 0, -1)
    kind = getattr(page.photometric, "name", str(page.photometric))
    orientation = int(page.tags.valueof("Orientation", default=1))
    profile = page.tags.valueof(ICC_PROFILE)
    for frame in _by_photometric(samples, kind, page, where, profile):
        yield upright(frame, orientation)


def _by_photometric(
    samples: np.ndarray, kind: str, page: Any, where: str, profile: bytes | None
) -> Iterator[Frame]:
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    if kind == "PALETTE" and channels == 1:
        yield _palette_frame(samples, page)
    elif kind == "SEPARATED" and channels >= 4:
        inks = samples[..., :4]
        inks = inks if inks.dtype == np.uint8 else (inks >> 8).astype(np.uint8)
        yield cmyk_frame(inks, profile)
    elif kind == "YCBCR" and channels == 3 and "JPEG" not in page.compression.name:
        yield Frame(np.array(Image.fromarray(samples, mode="YCbCr").convert("RGB")))
    elif kind in ("RGB", "YCBCR") and channels >= 3:
        with_alpha = channels > 3 and _has_alpha(page)
        yield frame_of(samples[..., : 4 if with_alpha else 3])
    elif kind in ("MINISBLACK", "MINISWHITE"):
        yield from _grey_frames(samples, channels, kind == "MINISWHITE", page)
    else:
        raise UnreadableInputError(f"{where} has colours of kind {kind}, which are not read here")


def _palette_frame(samples: np.ndarray, page: Any) -> Frame:
    table = np.asarray(page.colormap)  # uint16 (3, entries)
    # Some writers put 8-bit values into the 16-bit table.
    table = table if table.max(initial=0) < 256 else table >> 8
    return Frame(np.ascontiguousarray(np.moveaxis(table.astype(np.uint8)[:, samples], 0, -1)))


def _grey_frames(
    samples: np.ndarray, channels: int, white_is_zero: bool, page: Any
) -> Iterator[Frame]:
    samples = samples.reshape(*samples.shape[:2], channels)
    has_alpha = channels == 2 and _has_alpha(page)
    if has_alpha:
        yield _grey(samples, page.bitspersample, white_is_zero)
        return
    for channel in range(channels):
        frame = _grey(samples[..., channel : channel + 1], page.bitspersample, white_is_zero)
        note = f"channel {channel + 1} of {channels}" if channels > 1 else None
        yield replace(frame, note=join(note, frame.note))


def _grey(samples: np.ndarray, bits: int, white_is_zero: bool) -> Frame:
    if samples.dtype == np.uint8 and bits < 8:  # 1, 2, 4 bit: spread over the whole range
        samples = (samples.astype(np.uint16) * 255 // (2**bits - 1)).astype(np.uint8)
    frame = frame_of(samples)
    return replace(frame, pixels=255 - frame.pixels) if white_is_zero else frame


def _has_alpha(page: Any) -> bool:
    return bool(page.extrasamples) and int(page.extrasamples[0]) in (1, 2)
