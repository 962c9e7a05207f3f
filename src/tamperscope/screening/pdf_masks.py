"""Finds which pixels of an embedded picture a PDF shows: clip, soft mask, stencil, colour key."""

import io
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from pikepdf import Name

from tamperscope.images import check_size
from tamperscope.screening.pdf_page import Placed, rgb, stream_digest

BORDER = 2  # pixels at the edge whose hiding is rounding, not intent
SUBPIXEL = 4  # bits of a pixel that outlines are drawn with
FAR = 2.0**26  # pixels beyond which an outline is cut, so that its coordinates fit


def masked_pictures(page: pikepdf.Page) -> dict[str, pikepdf.Object]:
    """Find the pictures of a page, forms included, that have a mask, by :func:`stream_digest`."""
    found = {}
    for picture in _pictures(page.resources, set()):
        if Name.SMask in picture or Name.Mask in picture:
            size = int(picture.get(Name.Width, 0)), int(picture.get(Name.Height, 0))
            found[stream_digest(picture.read_raw_bytes(), *size)] = picture
    return found


def soft_mask(picture: pikepdf.Object, pixels: np.ndarray, max_pixels: int) -> np.ndarray | None:
    """The mask of a picture: True where at least half opaque; None where it hides nothing.

    Args:
        picture: The PDF's picture with ``/SMask`` or ``/Mask``.
        pixels: It, decoded: uint8 (H, W, 3); a colour key is looked up in it.
        max_pixels: Larger masks raise UnreadableInputError.
    """
    soft, hard = picture.get(Name.SMask), picture.get(Name.Mask)
    if isinstance(soft, pikepdf.Stream):
        visible = _decoded(soft, max_pixels) >= 128
    elif isinstance(hard, pikepdf.Stream):
        visible = _decoded(hard, max_pixels) < 128  # a stencil paints where it is 0
    elif isinstance(hard, pikepdf.Array):
        return _colour_key(picture, [int(v) for v in hard], pixels)
    else:
        return None
    height, width = pixels.shape[:2]
    if visible.shape != (height, width):
        grey = visible.astype(np.uint8) * 255
        visible = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA) >= 128
    return None if visible.all() else np.asarray(visible)


def clip_mask(drawings: Sequence[Placed]) -> np.ndarray | None:
    """Where at least one drawing of a picture shows it; None where all of it is shown."""
    width, height = drawings[0].width, drawings[0].height
    shown = np.zeros((height, width), bool)
    for placed in drawings:
        if not placed.clips:
            return None
        shown |= _clipped(placed)
        if shown[BORDER:-BORDER, BORDER:-BORDER].all():
            return None
    return shown


def _pictures(resources: pikepdf.Object, seen: set[tuple[int, int]]) -> Iterator[pikepdf.Object]:
    objects = resources.get(Name.XObject)
    if not isinstance(objects, pikepdf.Dictionary):
        return
    for _, item in objects.items():
        if not isinstance(item, pikepdf.Stream) or item.objgen in seen:
            continue
        seen.add(item.objgen)
        if item.get(Name.Subtype) == Name.Image:
            yield item
        elif Name.Resources in item and isinstance(item.Resources, pikepdf.Dictionary):
            yield from _pictures(item.Resources, seen)


def _decoded(mask: pikepdf.Stream, max_pixels: int) -> np.ndarray:
    """Decode a mask as the grey picture that it is, (H, W), with its filters and Decode array.

    pdfium decodes every filter, but gives out no masks; so the mask becomes the only picture of a
    page of its own.
    """
    check_size(int(mask.Width), int(mask.Height), "the picture's mask", max_pixels)
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        copy = pdf.copy_foreign(mask)
        if Name.ImageMask in copy:
            del copy[Name.ImageMask]
            copy.BitsPerComponent = 1
        copy.ColorSpace = Name.DeviceGray
        pdf.pages[0].Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(M=copy))
        pdf.pages[0].Contents = pdf.make_stream(b"q 9 0 0 9 0 0 cm /M Do Q")
        out = io.BytesIO()
        pdf.save(out)
    with pdfium.PdfDocument(out.getvalue()) as document:
        item = next(iter(document[0].get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE])))
        return rgb(item.get_bitmap())[..., 0]


def _colour_key(
    picture: pikepdf.Object, ranges: list[int], pixels: np.ndarray
) -> np.ndarray | None:
    """Hide the colours between the given bounds; only 8-bit samples are the pixels' own."""
    plain = picture.get(Name.ColorSpace) in (Name.DeviceRGB, Name.DeviceGray)
    if not plain or int(picture.get(Name.BitsPerComponent, 8)) != 8 or Name.Decode in picture:
        return None
    channels = len(ranges) // 2
    low, high = np.array(ranges[0::2]), np.array(ranges[1::2])
    hidden = ((pixels[..., :channels] >= low) & (pixels[..., :channels] <= high)).all(axis=2)
    return np.logical_not(hidden) if hidden.any() else None


def _clipped(placed: Placed) -> np.ndarray:
    """The pixels of a picture inside all clips of one drawing."""
    width, height = placed.width, placed.height
    shown = np.ones((height, width), bool)
    if abs(np.linalg.det(placed.matrix)) < 1e-9:
        return shown
    to_unit = np.linalg.inv(placed.matrix)
    for clip in placed.clips:
        inside = np.zeros((height, width), np.uint8)
        outlines = []
        for outline in clip:
            unit = np.column_stack([outline, np.ones(len(outline))]) @ to_unit
            # Pixel centres lie at whole numbers for OpenCV; rows count from the top.
            points = np.column_stack([unit[:, 0] * width, (1 - unit[:, 1]) * height]) - 0.5
            fixed = np.clip(points * 2**SUBPIXEL, -FAR, FAR)
            outlines.append(np.rint(fixed).astype(np.int32))
        if outlines:
            cv2.fillPoly(inside, outlines, 1, shift=SUBPIXEL)
        shown &= inside.astype(bool)
    return shown
