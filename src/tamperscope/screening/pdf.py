"""Reads the pictures of a PDF: embedded ones as stored, drawings and tiled pictures rendered.

Two passes. The first lists what every page draws, so that a picture drawn on several pages is known
as one; the second decodes, one picture at a time. pdfium does the decoding, because it applies the
picture's colour space, palette and Decode array; pikepdf mends what pdfium cannot open, finds the
masks, and tells which pages are damaged.
"""

import io
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from tamperscope.errors import UnreadableInputError
from tamperscope.images import check_size, one_line, read_file
from tamperscope.records import Unread
from tamperscope.screening.drawings import find_drawings
from tamperscope.screening.limits import Limits
from tamperscope.screening.pdf_masks import masked_pictures
from tamperscope.screening.pdf_page import Placed, survey, walk
from tamperscope.screening.pdf_pictures import (
    POINTS_PER_INCH,
    RENDER_DPI,
    Drawings,
    decoded,
    embedded_picture,
    is_plain,
    is_small,
    is_small_tiling,
    render,
    set_aside,
)
from tamperscope.screening.pdf_repair import TOO_MUCH, carved, damage_of, has_end, mended, reason
from tamperscope.screening.picture import Picture, Place
from tamperscope.screening.tiles import (
    Edge,
    around,
    composed,
    edges_of,
    find_tilings,
    is_upright,
    resolution,
)

Progress = Callable[[str, int, int], None]
"""Called with a document's name, the number of a page that was read, and the number of pages."""

MAX_DPI = 600
MAX_STREAM = 1024**3  # bytes that pikepdf may unpack one stream to
RENDER_PIXELS = 50_000_000  # of one rendered drawing; a larger one is rendered coarser
logging.getLogger("pikepdf").addHandler(logging.NullHandler())  # what it warns of is recorded here
pikepdf.settings.set_qpdf_limits(  # for the whole process; without them one stream may take it all
    flate_max_memory=MAX_STREAM,
    run_length_max_memory=MAX_STREAM,
    png_max_memory=MAX_STREAM,
    tiff_max_memory=MAX_STREAM,
)
SMALL = (
    "set aside as icon or logo: under 100 pixels long, under 24 wide, or drawn under half an inch "
    "long (an inch on the first page)"
)


@dataclass(frozen=True)
class Page:
    """What the first pass keeps of a page."""

    number: int  # 1-based
    pictures: tuple[Placed, ...]
    drawings: tuple[Place, ...]


@dataclass
class Reading:
    """A PDF while it is read."""

    pdf: pdfium.PdfDocument
    twin: pikepdf.Pdf | None  # the same file; None where pikepdf cannot open it
    name: str
    limits: Limits
    drawings: dict[str, Drawings] = field(default_factory=dict)  # by digest
    done: set[str] = field(default_factory=set)  # digests that need no further reading
    no_figure: set[str] = field(default_factory=set)  # digests that were set aside

    def unread(self, number: int, why: str) -> Unread:
        """Name a page, or something on it, as unread."""
        return Unread(f"{self.name} page {number}", why)


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
        UnreadableInputError: The file cannot be opened, or is encrypted.
    """
    try:
        pdf = _open(source)
    except UnreadableInputError as error:
        if "encrypted" not in str(error):
            yield from _carved(source, name, limits)
        raise
    with ExitStack() as stack:
        stack.callback(pdf.close)
        count = len(pdf)
        if count == 0:
            yield from _carved(source, name, limits)
            raise UnreadableInputError("the PDF holds no pages")
        if not has_end(source):
            yield Unread(name, "the file is cut off: pages or pictures at its end may be missing")
        twin, problem = _open_twin(source)
        if twin is not None:
            stack.enter_context(twin)
        if problem:
            yield Unread(name, problem)
        reading = Reading(pdf, twin, name, limits)
        yield from _read_pages(reading, min(count, limits.pages), progress)
        if count > limits.pages:
            yield Unread(
                f"{name} pages {limits.pages + 1} to {count}",
                f"the limit is {limits.pages} pages of one PDF",
            )


def _carved(source: Path | bytes, name: str, limits: Limits) -> Iterator[Picture]:
    data = source if isinstance(source, bytes) else read_file(source, limits.file_bytes)
    return carved(data, name, limits)


def _open(source: Path | bytes) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(source)
    except pdfium.PdfiumError as error:
        if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise UnreadableInputError(
                "the PDF is encrypted and needs a password; save a copy without one"
            ) from error
    try:
        return pdfium.PdfDocument(mended(source))
    except pdfium.PdfiumError as error:
        raise UnreadableInputError(f"the PDF is broken or cut off: {one_line(error)}") from error


def _open_twin(source: Path | bytes) -> tuple[pikepdf.Pdf | None, str | None]:
    try:
        return pikepdf.open(io.BytesIO(source) if isinstance(source, bytes) else source), None
    except (pikepdf.PdfError, OSError, ValueError, RuntimeError) as error:
        return None, f"the PDF is damaged: masks of its pictures are not known ({reason(error)})"


def _read_pages(
    reading: Reading, last: int, progress: Progress | None
) -> Iterator[Picture | Unread]:
    pages: list[Page] = []
    broken: list[int] = []
    count = len(reading.pdf)
    for number in range(1, last + 1):
        try:
            page, problems = _survey(reading, number)
            pages.append(page)
            yield from (reading.unread(number, problem) for problem in problems)
        except pdfium.PdfiumError:
            broken.append(number)
    for first, end in _runs(broken):
        what = f"page {first}" if first == end else f"pages {first} to {end}"
        yield Unread(f"{reading.name} {what}", "broken: cannot be opened as a page")
    on: dict[str, list[tuple[int, Placed]]] = defaultdict(list)
    for page in pages:
        for placed in page.pictures:
            on[placed.digest].append((page.number, placed))
    reading.drawings = {digest: Drawings(tuple(drawn), count) for digest, drawn in on.items()}
    for page in pages:
        yield from _read_page(reading, page)
        if progress is not None:
            progress(reading.name, page.number, count)


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Group consecutive numbers: (first, last) of each run."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


@contextmanager
def _opened(reading: Reading, number: int) -> Iterator[pdfium.PdfPage]:
    page = reading.pdf[number - 1]
    try:
        yield page
    finally:
        page.close()


def _twin_page(reading: Reading, number: int) -> pikepdf.Page | None:
    """The page as pikepdf has it; None where the two do not agree on the pages."""
    if reading.twin is None or len(reading.twin.pages) != len(reading.pdf):
        return None
    return reading.twin.pages[number - 1]


def _survey(reading: Reading, number: int) -> tuple[Page, list[str]]:
    problems = []
    twin = _twin_page(reading, number)
    damage = None if twin is None else damage_of(twin)
    if damage:
        problems.append(damage)
        if damage.startswith(TOO_MUCH):
            return Page(number, (), ()), problems
    with _opened(reading, number) as page:
        content = survey(page, reading.limits.objects)
        drawings: list[Place] = []
        if content.cut_short:
            limit = f"{reading.limits.objects:,}"
            problems.append(f"over {limit} objects: drawings on the page were not looked for")
        else:
            boxes = [p.box for p in content.pictures]
            drawings = find_drawings(
                content.strokes, content.words, boxes, page.get_bbox(), first=number == 1
            )
        return Page(number, tuple(content.pictures), tuple(drawings)), problems


def _read_page(reading: Reading, listed: Page) -> Iterator[Picture | Unread]:
    fresh = [p for p in listed.pictures if p.digest not in reading.done]
    if not fresh and not listed.drawings:
        return
    try:
        with _opened(reading, listed.number) as page:
            items = [item for item, _, _ in walk(page) if item.type == raw.FPDF_PAGEOBJ_IMAGE]
            yield from _tiled(reading, listed, page, items)
            yield from _embedded(reading, listed, items)
            yield from _drawn(reading, listed, page)
    except pdfium.PdfiumError as error:
        yield reading.unread(listed.number, f"broken: {one_line(error)}")


def _tiled(
    reading: Reading, listed: Page, page: pdfium.PdfPage, items: list[pdfium.PdfImage]
) -> Iterator[Picture | Unread]:
    """Put together what is stored in pieces; the pieces are then done."""
    limit = reading.limits.pixels

    def pixels_of(piece: Placed) -> np.ndarray:
        return decoded(items[piece.order], limit)[0]

    def edges(piece: Placed) -> dict[str, Edge] | None:
        try:
            return edges_of(pixels_of(piece))
        except (UnreadableInputError, pdfium.PdfiumError):
            return None

    for pieces in find_tilings(listed.pictures, edges):
        fresh = {piece.digest for piece in pieces} - reading.done
        reading.done |= fresh
        box = around(pieces)
        rates = resolution(pieces[0])
        width, height = (round((box[i + 2] - box[i]) * rates[i]) for i in (0, 1))
        if not fresh or is_small_tiling(width, height, box):
            reading.no_figure |= fresh
            continue
        try:
            check_size(width, height, "the tiled picture", limit)
            if all(is_upright(piece) for piece in pieces):
                pixels, how = composed(pieces, pixels_of), "put together"
            else:
                dpi = min(max(RENDER_DPI, max(rates) * POINTS_PER_INCH), MAX_DPI)
                pixels, how = render(page, box, dpi, [], limit), f"rendered at {dpi:.0f} dpi"
        except UnreadableInputError as error:
            yield reading.unread(listed.number, str(error))
            continue
        yield _page_picture(reading, listed, pixels, box, f"stored in {len(pieces)} pieces, {how}")


def _embedded(
    reading: Reading, listed: Page, items: list[pdfium.PdfImage]
) -> Iterator[Picture | Unread]:
    twin = _twin_page(reading, listed.number)
    masked = {} if twin is None else masked_pictures(twin)
    small = 0
    for placed in listed.pictures:
        drawings = reading.drawings[placed.digest]
        if placed.digest in reading.done:
            continue
        reading.done.add(placed.digest)
        if is_small(drawings):
            small += 1
            reading.no_figure.add(placed.digest)
            continue
        what = f"{reading.name} page {listed.number}, picture {placed.order + 1}"
        try:
            item = items[placed.order]
            check_size(placed.width, placed.height, "the picture", reading.limits.pixels)
            aside = set_aside(item, drawings)
            if aside is None:
                picture, missing = embedded_picture(
                    item, drawings, masked.get(placed.digest), reading.name, reading.limits.pixels
                )
                if is_plain(picture.pixels):
                    aside = "one colour or a colour bar, with nothing in it to compare"
            if aside is not None:
                reading.no_figure.add(placed.digest)
                yield Unread(what, f"set aside: {aside}")
                continue
            yield picture
            if missing is not None:
                yield Unread(what, missing)
        except (UnreadableInputError, pdfium.PdfiumError, pikepdf.PdfError) as error:
            yield Unread(what, one_line(error))
    if small:
        yield reading.unread(listed.number, f"{small} small picture(s) {SMALL}")


def _drawn(reading: Reading, listed: Page, page: pdfium.PdfPage) -> Iterator[Picture | Unread]:
    """Render the drawings of a page, without the pictures in them that are read on their own."""
    read = [p.box for p in listed.pictures if p.digest not in reading.no_figure]
    for box in listed.drawings:
        area = (box[2] - box[0]) * (box[3] - box[1]) / POINTS_PER_INCH**2  # square inches
        dpi = min(RENDER_DPI, (RENDER_PIXELS / area) ** 0.5)
        try:
            pixels = render(page, box, dpi, read, reading.limits.pixels)
        except UnreadableInputError as error:
            yield reading.unread(listed.number, str(error))
            continue
        blank = any(
            b[0] < box[2] and box[0] < b[2] and b[1] < box[3] and box[1] < b[3] for b in read
        )
        note = f"a drawing, rendered at {dpi:.0f} dpi"
        if blank:
            note += "; pictures inside it are read on their own and left blank here"
        yield _page_picture(reading, listed, pixels, box, note)


def _page_picture(
    reading: Reading, listed: Page, pixels: np.ndarray, box: Place, note: str
) -> Picture:
    return Picture(
        document=reading.name,
        pixels=pixels,
        origin="rendered",
        page=listed.number,
        place=box,
        drawn=((listed.number, box),),
        note=note,
    )
