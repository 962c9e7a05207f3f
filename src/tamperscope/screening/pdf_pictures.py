"""Decodes the pictures embedded in a PDF page, and renders parts of the page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from tamperscope.errors import UnreadableInputError
from tamperscope.images import check_size, iter_frames
from tamperscope.screening.pdf_masks import clip_mask, soft_mask
from tamperscope.screening.pdf_page import Placed, box_of, rgb
from tamperscope.screening.picture import Picture, Place, is_tiny

RENDER_DPI = 300
POINTS_PER_INCH = 72
SUFFIXES = {"DCTDecode": ".jpg", "JPXDecode": ".jp2"}
LONG_SIDE = 36.0  # points; a picture drawn smaller everywhere is an icon
FIRST_LONG_SIDE = 72.0  # points; the same on the first page only, where badges stand
BILEVEL_SIDE = 72.0  # points; a black-and-white picture with a shorter side is lettering or a logo
LOGO_PAGES = 4  # a picture on this many pages, and on over half of all, is a running logo
LINES = 48  # rows that are compared to see whether all are alike
ALIKE = 4  # grey levels by which the rows of a colour bar differ, through JPEG
ODD = 0.001  # share of pixels that may differ by more
JPEG_END = b"\xff\xd9"
JPEG_TAIL = 64  # bytes after which the end mark of a whole JPEG stands, at the latest


@dataclass(frozen=True)
class Drawings:
    """Every drawing of one stored picture in a document."""

    on: tuple[tuple[int, Placed], ...]  # (page number, drawing)
    page_count: int  # of the document

    @property
    def pages(self) -> list[int]:
        """Page numbers, sorted, each once."""
        return sorted({number for number, _ in self.on})


def is_small(drawings: Drawings) -> bool:
    """Whether a picture is an icon by its stored size, or because it is drawn small everywhere."""
    first = drawings.on[0][1]
    longest = max(_long_side(placed.box) for _, placed in drawings.on)
    limit = FIRST_LONG_SIDE if drawings.pages == [1] else LONG_SIDE
    return is_tiny(first.width, first.height) or longest < limit


def is_small_tiling(width: int, height: int, box: Place) -> bool:
    """The same for a picture put together from pieces: its pixels, and its box on the page."""
    return is_tiny(width, height) or _long_side(box) < LONG_SIDE


def set_aside(item: pdfium.PdfImage, drawings: Drawings) -> str | None:
    """Say why a picture is no figure, before it is decoded; None where it may be one."""
    first = drawings.on[0][1]
    size = f"{first.width} x {first.height} pixels"
    pages = drawings.pages
    if len(pages) >= LOGO_PAGES and len(pages) > drawings.page_count / 2:
        return f"a running logo: {size}, on {len(pages)} of {drawings.page_count} pages"
    about = item.get_metadata()
    if about.bits_per_pixel == 1:
        if about.colorspace == raw.FPDF_COLORSPACE_UNKNOWN:
            return f"a stencil that lettering or lines are painted through: {size}"
        box = first.box
        if min(box[2] - box[0], box[3] - box[1]) < BILEVEL_SIDE:
            return f"lettering or a logo in black and white: {size}"
    return None


def is_plain(pixels: np.ndarray) -> bool:
    """Whether all rows, or all columns, of a picture are alike: one colour, or a colour bar."""
    grey = pixels.mean(axis=2, dtype=np.float32)
    for lines in (grey, grey.T):
        some = lines[np.linspace(0, len(lines) - 1, LINES).astype(int)]
        if np.mean(np.abs(some - np.median(some, axis=0)) > ALIKE) < ODD:
            return True
    return False


def embedded_picture(
    item: pdfium.PdfImage,
    drawings: Drawings,
    masked: pikepdf.Object | None,
    name: str,
    max_pixels: int,
) -> tuple[Picture, str | None]:
    """Decode an embedded picture with its clip and mask: (picture, what of it is missing).

    Raises:
        UnreadableInputError, pdfium.PdfiumError: It is too large or broken.
    """
    number, first = drawings.on[0]
    pixels, stored, suffix, missing = decoded(item, max_pixels)
    visible, notes = _visible(pixels, drawings, masked, max_pixels)
    if missing:
        notes.append(missing)
    if len(drawings.on) > 1:
        pages = ", ".join(map(str, drawings.pages))
        notes.insert(0, f"drawn {len(drawings.on)} times (page {pages}), read once")
    picture = Picture(
        document=name,
        pixels=pixels,
        origin="embedded",
        page=number,
        stored=stored,
        suffix=suffix,
        visible=visible,
        place=first.box,
        drawn=tuple((page, placed.box) for page, placed in drawings.on),
        note="; ".join(notes) or None,
    )
    return picture, missing


def decoded(
    item: pdfium.PdfImage, max_pixels: int
) -> tuple[np.ndarray, bytes | None, str | None, str | None]:
    """Decode without masks: (pixels, stored file, its suffix, what is missing of it).

    The colour space, palette and Decode array of the PDF are applied; the stored file of a JPEG or
    JPEG 2000 is untouched, and may show other colours on its own.
    """
    width, height = item.get_px_size()
    check_size(width, height, "the picture", max_pixels)
    filters = item.get_filters()
    suffix = SUFFIXES.get(filters[-1]) if filters else None
    stored = bytes(item.get_data(decode_simple=len(filters) > 1)) if suffix else None
    if stored and suffix == ".jpg" and JPEG_END not in stored[-JPEG_TAIL:]:
        frame = next(iter_frames(stored, "the picture", max_pixels=max_pixels))
        if frame.missing is not None:  # pdfium would show grey there, without a word
            return frame.pixels, stored, suffix, frame.missing
    pixels = rgb(item.get_bitmap())
    if pixels.shape[:2] != (height, width):
        raise UnreadableInputError(
            f"the picture says {width} x {height} pixels and has {pixels.shape[1]} x "
            f"{pixels.shape[0]}"
        )
    return pixels, stored, suffix, None


def render(
    page: pdfium.PdfPage, box: Place, dpi: float, blank: Sequence[Place], max_pixels: int
) -> np.ndarray:
    """Render a part of a page as it is shown, the boxes in ``blank`` painted white.

    Args:
        page: The page.
        box: The part, in the page's own space.
        dpi: Resolution.
        blank: Boxes in the page's own space.
        max_pixels: A larger picture raises UnreadableInputError.
    """
    scale = dpi / POINTS_PER_INCH
    width, height = page.get_size()
    x0, y0, x1, y1 = _as_shown(page, box)
    check_size(int((x1 - x0) * scale), int((y1 - y0) * scale), "the drawing", max_pixels)
    pixels = rgb(page.render(scale=scale, crop=(x0, y0, width - x1, height - y1)))
    rows, columns = pixels.shape[:2]
    for hole in blank:
        hx0, hy0, hx1, hy1 = _as_shown(page, hole)
        left, right = (int(np.clip((x - x0) * scale, 0, columns)) for x in (hx0 - 0.5, hx1 + 0.5))
        top, bottom = (int(np.clip((y1 - y) * scale, 0, rows)) for y in (hy1 + 0.5, hy0 - 0.5))
        pixels[top:bottom, left:right] = 255
    return pixels


def _as_shown(page: pdfium.PdfPage, box: Place) -> Place:
    """Move a box from the page's own space to the page as shown: cut and turned."""
    x0, y0, x1, y1 = page.get_bbox()
    width, height = x1 - x0, y1 - y0
    corners = np.array([[box[0] - x0, box[1] - y0], [box[2] - x0, box[3] - y0]])
    u, v = corners[:, 0], corners[:, 1]
    turn = page.get_rotation()
    if turn == 90:
        u, v = v, width - u
    elif turn == 180:
        u, v = width - u, height - v
    elif turn == 270:
        u, v = height - v, u
    shown = box_of(np.column_stack([u, v]))
    limits = page.get_size()
    (a, c), (b, d) = ((np.clip([shown[i], shown[i + 2]], 0, limits[i])) for i in (0, 1))
    return float(a), float(b), float(c), float(d)


def _long_side(box: Place) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _visible(
    pixels: np.ndarray, drawings: Drawings, masked: pikepdf.Object | None, max_pixels: int
) -> tuple[np.ndarray | None, list[str]]:
    height = pixels.shape[0]
    notes: list[str] = []
    visible = None
    clip = clip_mask([placed for _, placed in drawings.on])
    if clip is not None:
        notes.append(f"the page hides {1 - clip.mean():.0%} of it by clipping")
        visible = clip[:height]
    if masked is not None:
        soft = soft_mask(masked, pixels, max_pixels)
        if soft is not None:
            notes.append(f"its mask hides {1 - soft.mean():.0%} of it")
            visible = soft if visible is None else visible & soft
    if visible is not None and not visible.any():
        return None, [*notes, "nothing of it is visible on the page"]
    return visible, notes
