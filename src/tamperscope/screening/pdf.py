"""Reads the pictures of a PDF: embedded ones as stored, drawings and tiled pictures rendered.

Two passes. The first lists what every page draws, so that a picture drawn on several pages is known
as one; the second decodes, one picture at a time. pdfium does the decoding, because it applies the
picture's colour space, Decode array and palette; pikepdf mends what pdfium cannot open, and finds
the soft masks.
"""

import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from tamperscope.errors import UnreadableInputError
from tamperscope.images import check_size
from tamperscope.records import Unread
from tamperscope.screening.drawings import find_drawings
from tamperscope.screening.limits import Limits
from tamperscope.screening.pdf_page import Placed, survey, walk
from tamperscope.screening.picture import Picture, Place, is_tiny

Progress = Callable[[str, int, int], None]

RENDER_DPI = 300
LONG_SIDE = 36.0  # points; a picture drawn smaller everywhere is an icon
LOGO_PAGES = 4  # a picture on this many pages, and on over half of all, is a running logo
SUFFIX = {"DCTDecode": ".jpg", "JPXDecode": ".jp2"}
POINTS_PER_INCH = 72
TAIL = 2048  # bytes at the end in which the end mark must stand


@dataclass(frozen=True)
class Page:
    """What the first pass keeps of a page."""

    number: int  # 1-based
    pictures: tuple[Placed, ...]
    drawings: tuple[Place, ...]


def read_pdf(
    source: Path | bytes, name: str, limits: Limits, progress: Progress | None
) -> Iterator[Picture | Unread]:
    """Yield the pictures of a PDF in the order of its pages.

    Args:
        source: The file, or its bytes.
        name: What to call it in the records.
        limits: Pages beyond ``limits.pages`` are named as unread.
        progress: Told about every page that has been read.

    Raises:
        UnreadableInputError: The file cannot be opened at all, or is encrypted.
    """
    with _opened(source) as pdf:
        count = len(pdf)
        if count == 0:
            yield Unread(name, "the PDF holds no pages")
        if not _has_end(source):
            yield Unread(name, "the file is cut off: pages or pictures at its end may be missing")
        last = min(count, limits.pages)
        pages: list[Page] = []
        for number in range(1, last + 1):
            try:
                page, problem = _survey(pdf, number, limits)
                pages.append(page)
            except pdfium.PdfiumError as error:
                problem = f"the page is broken: {error}"
            if problem:
                yield Unread(f"{name} page {number}", problem)
        yield from _read_pages(pdf, name, pages, count, limits, progress)
        if count > last:
            yield Unread(
                f"{name} pages {last + 1} to {count}",
                f"not read: the limit is {limits.pages} pages of one PDF",
            )


@contextmanager
def _opened(source: Path | bytes) -> Iterator[pdfium.PdfDocument]:
    """Open with pdfium; what it cannot open is mended by pikepdf first."""
    try:
        pdf = pdfium.PdfDocument(source)
    except pdfium.PdfiumError as error:
        if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise UnreadableInputError(
                "the PDF is encrypted and needs a password; save a copy without one"
            ) from error
        pdf = pdfium.PdfDocument(_mended(source))
    try:
        yield pdf
    finally:
        pdf.close()


def _mended(source: Path | bytes) -> bytes:
    out = io.BytesIO()
    try:
        with pikepdf.open(io.BytesIO(source) if isinstance(source, bytes) else source) as pdf:
            pdf.save(out)
        return out.getvalue()
    except (pikepdf.PdfError, OSError, ValueError, RuntimeError) as error:
        raise UnreadableInputError(
            f"the PDF is broken or cut off, and cannot be mended: {error}"
        ) from error


def _has_end(source: Path | bytes) -> bool:
    if isinstance(source, bytes):
        return b"%%EOF" in source[-TAIL:]
    with source.open("rb") as file:
        file.seek(max(source.stat().st_size - TAIL, 0))
        return b"%%EOF" in file.read()


def _survey(pdf: pdfium.PdfDocument, number: int, limits: Limits) -> tuple[Page, str | None]:
    with _page(pdf, number) as page:
        content = survey(page, limits.objects)
        drawings: list[Place] = []
        problem = None
        if content.cut_short:
            problem = f"over {limits.objects:,} objects: drawings on the page were not looked for"
        else:
            drawings = find_drawings(content.strokes, content.words, page.get_bbox())
        return Page(number, tuple(content.pictures), tuple(drawings)), problem


@contextmanager
def _page(pdf: pdfium.PdfDocument, number: int) -> Iterator[pdfium.PdfPage]:
    page = pdf[number - 1]
    try:
        yield page
    finally:
        page.close()


def _read_pages(
    pdf: pdfium.PdfDocument,
    name: str,
    pages: list[Page],
    count: int,
    limits: Limits,
    progress: Progress | None,
) -> Iterator[Picture | Unread]:
    drawn: dict[str, list[tuple[int, Placed]]] = defaultdict(list)
    for listed in pages:
        for placed in listed.pictures:
            drawn[placed.digest].append((listed.number, placed))
    done: set[str] = set()
    for listed in pages:
        where = f"{name} page {listed.number}"
        fresh = [p for p in listed.pictures if p.digest not in done]
        done |= {p.digest for p in fresh}
        if fresh or listed.drawings:
            with _page(pdf, listed.number) as page:
                yield from _embedded(page, where, name, fresh, drawn, count, limits)
                yield from _rendered(page, where, name, listed, limits)
        if progress is not None:
            progress(name, listed.number, count)


def _embedded(
    page: pdfium.PdfPage,
    where: str,
    name: str,
    fresh: list[Placed],
    drawn: dict[str, list[tuple[int, Placed]]],
    count: int,
    limits: Limits,
) -> Iterator[Picture | Unread]:
    wanted = {p.order: p for p in fresh}
    images = (item for item, _, _ in walk(page) if item.type == raw.FPDF_PAGEOBJ_IMAGE)
    for order, item in enumerate(images):
        placed = wanted.get(order)
        if placed is None or drawn[placed.digest][0][1] is not placed:
            continue
        reason = _set_aside(placed, drawn[placed.digest], count)
        if reason:
            yield Unread(f"{where}, picture {order + 1}", reason)
            continue
        try:
            yield _picture(item, placed, drawn[placed.digest], name, limits)
        except (UnreadableInputError, pdfium.PdfiumError) as error:
            yield Unread(f"{where}, picture {order + 1}", str(error))


def _set_aside(placed: Placed, drawings: list[tuple[int, Placed]], count: int) -> str | None:
    size = f"{placed.width} x {placed.height} pixels"
    boxes = [p.box for _, p in drawings]
    if is_tiny(placed.width, placed.height):
        return f"set aside as an icon or logo: {size}"
    if max(max(b[2] - b[0], b[3] - b[1]) for b in boxes) < LONG_SIDE:
        return f"set aside as an icon or logo: drawn under {LONG_SIDE:g} points long"
    on = {number for number, _ in drawings}
    if len(on) >= LOGO_PAGES and len(on) > count / 2:
        return f"set aside as a running logo: {size}, drawn on {len(on)} of {count} pages"
    return None


def _picture(
    item: pdfium.PdfImage,
    placed: Placed,
    drawings: list[tuple[int, Placed]],
    name: str,
    limits: Limits,
) -> Picture:
    check_size(placed.width, placed.height, "the picture", limits.pixels)
    pixels = _rgb(item.get_bitmap())
    filters = item.get_filters()
    suffix = SUFFIX.get(filters[-1]) if filters else None
    stored = bytes(item.get_data(decode_simple=len(filters) > 1)) if suffix else None
    notes = []
    others = sorted({number for number, _ in drawings})
    if len(drawings) > 1:
        pages = ", ".join(map(str, others))
        notes.append(f"drawn {len(drawings)} times, on page {pages}; read once")
    return Picture(
        document=name,
        pixels=pixels,
        origin="embedded",
        page=drawings[0][0],
        stored=stored,
        suffix=suffix,
        place=placed.box,
        drawn=tuple((number, p.box) for number, p in drawings),
        note="; ".join(notes) or None,
    )


def _rgb(bitmap: pdfium.PdfBitmap) -> np.ndarray:
    array = bitmap.to_numpy()
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(array[..., 2::-1])


def _rendered(
    page: pdfium.PdfPage, where: str, name: str, listed: Page, limits: Limits
) -> Iterator[Picture | Unread]:
    if not listed.drawings:
        return
    for box in listed.drawings:
        scale = RENDER_DPI / POINTS_PER_INCH
        x0, y0, x1, y1 = page.get_bbox()
        crop = (box[0] - x0, box[1] - y0, x1 - box[2], y1 - box[3])
        pixels = _rgb(page.render(scale=scale, crop=crop))
        yield Picture(
            document=name,
            pixels=pixels,
            origin="rendered",
            page=listed.number,
            place=box,
            drawn=((listed.number, box),),
            note=f"a drawing, rendered at {RENDER_DPI} dpi",
        )
