"""Gets out of a damaged PDF what is still in it, and says what is damaged."""

import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pikepdf
from pikepdf import Name

from tamperscope.errors import UnreadableInputError
from tamperscope.images import iter_frames, one_line
from tamperscope.screening.limits import Limits
from tamperscope.screening.picture import Picture, is_tiny

TAIL = 2048  # bytes at the end in which the end mark must stand
CONTENT_BYTES = 32 * 1024**2  # of drawing commands of a page, and of each form on it
FORM_RUNS = 10_000  # drawings of forms on one page, forms inside forms counted out
FORM_DEPTH = 15
TOO_MUCH = "refused, as a PDF made to exhaust its reader"
JPEG_END = b"\xff\xd9"
DRAW = re.compile(rb"/([^\s/<>\[\](){}%]+)\s+Do\b")
JPEG_STREAM = re.compile(rb"stream\r?\n(?=\xff\xd8\xff)")


def mended(source: Path | bytes) -> bytes:
    """Rebuild the tables of a PDF; UnreadableInputError where that cannot be done."""
    out = io.BytesIO()
    try:
        with pikepdf.open(io.BytesIO(source) if isinstance(source, bytes) else source) as pdf:
            pdf.save(out)
    except (pikepdf.PdfError, OSError, ValueError, RuntimeError) as error:
        raise UnreadableInputError(f"the PDF is broken or cut off: {reason(error)}") from error
    return out.getvalue()


def reason(error: Exception) -> str:
    """What pikepdf says, without the name it has for a file in memory."""
    return re.sub(r"^stream <[^>]*>(?: \([^)]*\))?: ", "", one_line(error))


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
    listed = list(contents) if isinstance(contents, pikepdf.Array) else [contents]
    streams = [stream for stream in listed if isinstance(stream, pikepdf.Stream)]
    if len(streams) < len(listed) and contents is not None:
        return "its drawing commands are missing from the file"
    try:
        commands = b"\n".join(_unpacked(stream) for stream in streams)
    except (zlib.error, pikepdf.PdfError) as error:
        return f"its drawing commands are damaged: {one_line(error)}"
    except UnreadableInputError as error:
        return f"{TOO_MUCH}: {error}"
    try:
        if _runs(commands, page.resources, {}, 0) > FORM_RUNS:
            return f"{TOO_MUCH}: it draws its forms over {FORM_RUNS:,} times"
    except (zlib.error, pikepdf.PdfError) as error:
        return f"a form on it is damaged: {one_line(error)}"
    except UnreadableInputError as error:
        return f"{TOO_MUCH}: {error}"
    return None


def carved(data: bytes, name: str, limits: Limits) -> Iterator[Picture]:
    """Find whole JPEG pictures in the bytes of a PDF whose tables are lost."""
    seen: set[bytes] = set()
    for match in JPEG_STREAM.finditer(data):
        end = data.find(b"endstream", match.end())
        stored = data[match.end() : end if end > 0 else len(data)]
        if stored.rstrip(b"\r\n").endswith(JPEG_END):
            stored = stored.rstrip(b"\r\n")  # the line end before "endstream"
        if stored in seen:
            continue
        seen.add(stored)
        try:
            frame = next(iter_frames(stored, "the picture", max_pixels=limits.pixels))
        except UnreadableInputError:
            continue  # the caller has said that the file is broken, and what that means
        if is_tiny(frame.pixels.shape[1], frame.pixels.shape[0]):
            continue
        notes = ["found in a broken PDF: its page, and whether its colours hold, is not known"]
        notes += [frame.note] if frame.note else []
        yield Picture(
            document=name,
            pixels=frame.pixels,
            origin="embedded",
            stored=stored,
            suffix=".jpg",
            note="; ".join(notes),
        )


def _runs(
    commands: bytes, resources: pikepdf.Object, known: dict[tuple[int, int], int], depth: int
) -> int:
    """Count how often commands draw a form, forms in forms multiplied out.

    pdfium follows them all, so that a few lines that draw forms in forms would take years.
    """
    forms = resources.get(Name.XObject) if isinstance(resources, pikepdf.Dictionary) else None
    if not isinstance(forms, pikepdf.Dictionary):
        return 0
    total = 0
    for name, times in Counter(DRAW.findall(commands)).items():
        form = forms.get("/" + name.decode("latin-1"))
        if not isinstance(form, pikepdf.Stream) or form.get(Name.Subtype) != Name.Form:
            continue
        if form.objgen not in known:
            if depth >= FORM_DEPTH:
                raise UnreadableInputError(f"its forms lie over {FORM_DEPTH} deep in each other")
            known[form.objgen] = FORM_RUNS  # while it is counted: a form that draws itself
            inner = form.get(Name.Resources, resources)
            known[form.objgen] = 1 + _runs(_unpacked(form), inner, known, depth + 1)
        total += times * known[form.objgen]
    return total


def _unpacked(stream: pikepdf.Stream) -> bytes:
    """Unpack drawing commands; UnreadableInputError where there are too many."""
    if stream.get(Name.Filter) not in (Name.FlateDecode, pikepdf.Array([Name.FlateDecode])):
        data = bytes(stream.read_bytes())
    else:
        data = _inflated(bytes(stream.read_raw_bytes()))
    if len(data) > CONTENT_BYTES:
        raise UnreadableInputError(f"drawing commands of over {CONTENT_BYTES:,} bytes")
    return data


def _inflated(packed: bytes) -> bytes:
    """Inflate a little over ``CONTENT_BYTES`` at most; zlib.error where the data are damaged."""
    if not packed:
        return b""
    unpack = zlib.decompressobj()
    data = unpack.decompress(packed, CONTENT_BYTES + 1)
    if not unpack.eof and len(data) <= CONTENT_BYTES:
        raise zlib.error("the packed data end too early")
    return data
