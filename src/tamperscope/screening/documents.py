"""Reads any mix of PDF, DOCX, folders, archives and image files into numbered figures.

Figures come one by one, so that memory is bounded by one picture and not by the input. Whatever
cannot be read comes as an ``Unread`` in its place, and the rest goes on. Nothing is written.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tamperscope.errors import UnreadableInputError
from tamperscope.images import SUFFIXES, Frame, iter_frames, read_file, sniff
from tamperscope.records import Figure, Unread
from tamperscope.screening.archives import open_archive, read_archive
from tamperscope.screening.docx import is_docx, office_kind, read_docx
from tamperscope.screening.limits import Limits
from tamperscope.screening.pdf import read_pdf
from tamperscope.screening.picture import Picture, Place

logger = logging.getLogger(__name__)

HEAD = 1024  # bytes; the PDF mark may follow a little foreign matter
ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06")  # the second is an archive without entries
OLE_MARK = b"\xd0\xcf\x11\xe0"
CHUNK = 1 << 20  # bytes read at a time for hashing

Progress = Callable[[str, int, int], None]
"""Called with a document's name, the number of pages read of it, and how many it has."""


@dataclass(frozen=True)
class LoadedFigure:
    """A figure with its pixels; the panels are still to be found."""

    figure: Figure
    pixels: np.ndarray  # uint8 (H, W, 3), RGB
    stored: bytes | None = None  # the bytes as they lay in the document, untouched
    suffix: str | None = None  # file name ending that fits ``stored``, e.g. ".jpg"
    visible: np.ndarray | None = None  # mask, False where the document hides pixels
    drawn: tuple[tuple[int, Place], ...] = ()  # every (page, place) of the PDF it is drawn at


def read_documents(
    inputs: Sequence[Path], *, limits: Limits | None = None, progress: Progress | None = None
) -> Iterator[LoadedFigure | Unread]:
    """Yield the figures of all inputs in order, numbered f001, f002, ..., and what was not read.

    Args:
        inputs: PDF, DOCX, zip and image files, and folders, which are searched in sorted order.
        limits: How much is read at most.
        progress: Told about every page of a PDF.
    """
    limits = limits or Limits()
    number = 0
    for item in _read_inputs(inputs, limits, progress):
        if isinstance(item, Unread):
            yield item
            continue
        number += 1
        yield _numbered(item, number)


def input_hashes(inputs: Sequence[Path]) -> list[tuple[str, str]]:
    """Name every file behind the inputs with its SHA-256; what cannot be opened is left out."""
    hashes = []
    for path, name in _files(inputs):
        if isinstance(path, Path):
            try:
                hashes.append((name, _sha256(path)))
            except OSError as error:
                logger.info("no hash of %r: %s", name, error)
    return hashes


def printable(name: str) -> str:
    """Make a file name safe to write as UTF-8: bytes that are no text are shown as escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _numbered(picture: Picture, number: int) -> LoadedFigure:
    height, width = picture.pixels.shape[:2]
    stored = picture.stored
    figure = Figure(
        id=f"f{number:03d}",
        document=picture.document,
        page=picture.page,
        width=width,
        height=height,
        origin=picture.origin,
        sha256=None if stored is None else hashlib.sha256(stored).hexdigest(),
        place=picture.place,
        note=picture.note,
    )
    return LoadedFigure(
        figure, picture.pixels, stored, picture.suffix, picture.visible, picture.drawn
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _files(inputs: Sequence[Path]) -> Iterator[tuple[Path | Unread, str]]:
    """Yield (file, name) for every file behind the inputs, each once."""
    seen: set[Path] = set()
    for given in inputs:
        for path, name in _walk(given):
            if isinstance(path, Path):
                real = path.resolve()
                if real in seen:
                    yield Unread(name, "given more than once; read once"), name
                    continue
                seen.add(real)
            yield path, name


def _walk(path: Path) -> Iterator[tuple[Path | Unread, str]]:
    name = printable(str(path))
    try:
        if not path.is_dir():
            yield path, name
            return
        children = sorted(path.iterdir())
    except OSError as error:
        yield Unread(name, f"the folder cannot be opened: {error.strerror or error}"), name
        return
    if not children:
        yield Unread(name, "the folder is empty"), name
    for child in children:
        if child.is_symlink() and child.is_dir():
            inner = printable(str(child))
            yield Unread(inner, "a link to a folder; links are not followed inside folders"), inner
        elif not child.name.startswith("."):
            yield from _walk(child)


def _read_inputs(
    inputs: Sequence[Path], limits: Limits, progress: Progress | None
) -> Iterator[Picture | Unread]:
    for path, name in _files(inputs):
        if isinstance(path, Unread):
            yield path
            continue
        try:
            yield from _read_path(path, name, limits, progress)
        except UnreadableInputError as error:
            yield Unread(name, str(error))


def _read_path(
    path: Path, name: str, limits: Limits, progress: Progress | None
) -> Iterator[Picture | Unread]:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        yield Unread(name, f"the file cannot be opened: {error.strerror or error}")
        return
    yield from _read_source(path, head, name, limits, 0, progress)


def _read_source(
    source: Path | bytes,
    head: bytes,
    name: str,
    limits: Limits,
    depth: int,
    progress: Progress | None,
) -> Iterator[Picture | Unread]:
    """Read one file by what its first bytes say it is; ``depth`` counts the archives around it."""
    if not head:
        yield Unread(name, "the file is empty (0 bytes)")
    elif b"%PDF-" in head:
        yield from read_pdf(source, name, limits, progress)
    elif head.startswith(ZIP_MARKS):
        yield from _read_zipped(source, name, limits, depth, progress)
    elif head.startswith(OLE_MARK):
        yield Unread(name, "an old or password-protected Office file; save it as DOCX without one")
    elif sniff(head) is None:
        yield Unread(name, "neither PDF, DOCX, zip nor an image that can be read here")
    else:
        data = source if isinstance(source, bytes) else read_file(source, limits.file_bytes)
        yield from _read_image(data, name, limits)


def _read_zipped(
    source: Path | bytes, name: str, limits: Limits, depth: int, progress: Progress | None
) -> Iterator[Picture | Unread]:
    def read_entry(data: bytes, inner: str) -> Iterator[Picture | Unread]:
        return _read_source(data, data[:HEAD], inner, limits, depth + 1, progress)

    with open_archive(source, limits) as archive:
        if is_docx(archive):
            yield from read_docx(archive, name, limits)
        elif kind := office_kind(archive):
            yield Unread(name, f"a file of {kind}, which is not read; save it as PDF")
        elif depth >= limits.zip_depth:
            yield Unread(name, f"archives inside archives are read {limits.zip_depth} deep")
        else:
            yield from read_archive(archive, name, limits, read_entry)


def _read_image(data: bytes, name: str, limits: Limits) -> Iterator[Picture | Unread]:
    """Read every frame of an image file; the untouched file goes with the first one."""
    frames = iter_frames(data, "the file", max_pixels=limits.pixels, max_frames=limits.frames)
    first = next(frames)
    try:
        second = next(frames, None)
    except UnreadableInputError:
        yield from _image_frame(first, 1, data, name)
        raise
    yield from _image_frame(first, None if second is None else 1, data, name)
    del first
    while second is not None:
        yield from _image_frame(second, second.index + 1, None, name)
        second = next(frames, None)


def _image_frame(
    frame: Frame, page: int | None, data: bytes | None, name: str
) -> Iterator[Picture | Unread]:
    yield Picture(
        document=name,
        pixels=frame.pixels,
        origin="image",
        page=page,
        stored=data,
        suffix=None if data is None else SUFFIXES[str(sniff(data))],
        visible=frame.alpha,
        note=frame.note,
    )
    if frame.missing is not None:
        yield Unread(name, frame.missing)
