"""Gets out of a damaged PDF what is still in it, and says what is damaged."""

import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pikepdf
from pikepdf import Name

from tamperscope.errors import UnreadableInputError
from tamperscope.images import iter_frames, one_line
from tamperscope.screening.limits import Limits
from tamperscope.screening.picture import Picture, is_tiny

TAIL = 2048  # bytes at the end in which the end mark must stand
CONTENT_BYTES = 256 * 1024**2  # that the drawing commands of one page may unpack to
CHUNK = 1 << 20
JPEG_STREAM = re.compile(rb"stream\r?\n(?=\xff\xd8\xff)")


def mended(source: Path | bytes) -> bytes:
    """Rebuild the tables of a PDF; UnreadableInputError where that cannot be done."""
    out = io.BytesIO()
    try:
        with pikepdf.open(io.BytesIO(source) if isinstance(source, bytes) else source) as pdf:
            pdf.save(out)
    except (pikepdf.PdfError, OSError, ValueError, RuntimeError) as error:
        raise UnreadableInputError(f"the PDF is broken or cut off: {one_line(error)}") from error
    return out.getvalue()


def has_end(source: Path | bytes) -> bool:
    """Whether the end mark of a PDF is there; without it, the file was cut off."""
    if isinstance(source, bytes):
        return b"%%EOF" in source[-TAIL:]
    with source.open("rb") as file:
        file.seek(max(source.stat().st_size - TAIL, 0))
        return b"%%EOF" in file.read()


def damage_of(page: pikepdf.Page) -> str | None:
    """Say what is wrong with the drawing commands of a page; None where they unpack well."""
    contents = page.obj.get(Name.Contents)
    streams = list(contents) if isinstance(contents, pikepdf.Array) else [contents]
    left = CONTENT_BYTES
    for stream in streams:
        if not isinstance(stream, pikepdf.Stream):
            if stream is not None:
                return "its drawing commands are missing from the file"
            continue
        if stream.get(Name.Filter) not in (Name.FlateDecode, pikepdf.Array([Name.FlateDecode])):
            continue
        try:
            left -= _unpacked_size(stream.read_raw_bytes(), left)
        except (zlib.error, pikepdf.PdfError) as error:
            return f"its drawing commands are damaged: {one_line(error)}"
        if left < 0:
            return f"its drawing commands unpack to over {CONTENT_BYTES:,} bytes"
    return None


def carved(data: bytes, name: str, limits: Limits) -> Iterator[Picture]:
    """Find whole JPEG pictures in the bytes of a PDF whose tables are lost."""
    for match in JPEG_STREAM.finditer(data):
        end = data.find(b"endstream", match.end())
        stored = data[match.end() : end if end > 0 else len(data)]
        try:
            frame = next(iter_frames(stored, "the picture", max_pixels=limits.pixels))
        except UnreadableInputError:
            continue  # the caller has said that the file is broken, and what that means
        if is_tiny(frame.pixels.shape[1], frame.pixels.shape[0]):
            continue
        notes = ["found in a broken PDF; its page is not known", frame.note]
        yield Picture(
            document=name,
            pixels=frame.pixels,
            origin="embedded",
            stored=stored,
            suffix=".jpg",
            note="; ".join(note for note in notes if note),
        )


def _unpacked_size(packed: bytes, limit: int) -> int:
    """Count what a Flate stream unpacks to, at most a little over ``limit``, without keeping it."""
    unpack, total, rest = zlib.decompressobj(), 0, packed
    while not unpack.eof and total <= limit:
        chunk = unpack.decompress(rest, CHUNK)
        rest = unpack.unconsumed_tail
        total += len(chunk)
        if not chunk and not rest:
            raise zlib.error("the packed data end too early")
    return total
