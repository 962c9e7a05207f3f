"""Walks zip archives in memory: nothing is unpacked to disk, so names like ``../x`` are only names.

A zip bomb is refused by what its directory says it unpacks to.
"""

import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tamperscope.errors import UnreadableInputError
from tamperscope.images import one_line
from tamperscope.records import Unread
from tamperscope.screening.limits import Limits
from tamperscope.screening.picture import Picture

SMALL = 10_000_000  # bytes; below, no ratio is suspicious: a blank picture packs 1,000 to 1
CHUNK = 1 << 20
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression that Python does not know
    OSError,
    RuntimeError,  # zipfile's answer to an encrypted entry
    ValueError,
    LookupError,
    OverflowError,
)

ReadEntry = Callable[[bytes, str], Iterator[Picture | Unread]]
"""Reads one file from memory: (bytes, name) -> pictures."""


@contextmanager
def open_archive(source: Path | bytes, limits: Limits) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive; UnreadableInputError where it is broken or has too many entries."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except BROKEN as error:
        raise UnreadableInputError(
            f"the archive is broken or cut off: {one_line(error)}"
        ) from error
    with archive:
        count = len(archive.infolist())
        if count > limits.zip_entries:
            raise UnreadableInputError(
                f"the archive has {count:,} entries, over the limit of {limits.zip_entries:,}"
            )
        yield archive


def read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: Limits) -> bytes:
    """Unpack one entry into memory; UnreadableInputError where it is broken or unpacks too far.

    Read piece by piece, for then zipfile stops at the size that the directory says; in one piece it
    unpacks all of an entry that lies about its size.
    """
    _check_bomb(entry, limits)
    chunks = []
    try:
        with archive.open(entry) as file:
            while chunk := file.read(CHUNK):
                chunks.append(chunk)
        return b"".join(chunks)
    except BROKEN as error:
        if "password" in str(error):
            raise UnreadableInputError("the archive is encrypted; unpack it first") from error
        raise UnreadableInputError(f"the entry is broken: {one_line(error)}") from error


def read_archive(
    archive: zipfile.ZipFile, name: str, limits: Limits, read: ReadEntry
) -> Iterator[Picture | Unread]:
    """Hand every file of an archive to ``read``, in sorted order; names get ``name/`` in front."""
    entries = sorted((e for e in archive.infolist() if not e.is_dir()), key=lambda e: e.filename)
    if not entries:
        yield Unread(name, "the archive is empty")
    left = limits.zip_bytes
    seen: set[str] = set()
    for entry in entries:
        inner = f"{name}/{entry.filename}"
        if _is_clutter(entry.filename):
            continue
        if stat.S_ISLNK(entry.external_attr >> 16):
            yield Unread(inner, "a symbolic link; links in archives are not followed")
            continue
        if entry.filename in seen:
            yield Unread(inner, "a second entry of the same name; the last one was read")
            continue
        seen.add(entry.filename)
        left -= entry.file_size
        if left < 0:
            yield Unread(
                name,
                f"unpacks to more than {limits.zip_bytes:,} bytes; "
                f"from {entry.filename} on it was not read",
            )
            return
        try:
            yield from read(read_entry(archive, entry, limits), inner)
        except UnreadableInputError as error:
            yield Unread(inner, str(error))


def _check_bomb(entry: zipfile.ZipInfo, limits: Limits) -> None:
    size = entry.file_size
    if size > limits.file_bytes:
        raise UnreadableInputError(
            f"the entry unpacks to over {limits.file_bytes:,} bytes, which is the limit"
        )
    if size > SMALL and size > limits.zip_ratio * max(entry.compress_size, 1):
        raise UnreadableInputError(
            f"the entry unpacks to over {limits.zip_ratio} times its packed size, "
            "as a zip bomb does; unpack it yourself if it is sound"
        )


def _is_clutter(name: str) -> bool:
    """Whether an entry is what file managers leave behind, not what a person put in."""
    parts = [part for part in name.split("/") if part not in (".", "..")]
    return any(part.startswith(("__MACOSX", ".")) for part in parts)
