"""Reads the pictures of a DOCX as stored: whole, also where Word shows only a crop of them."""

import posixpath
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from xml.etree import ElementTree

from tamperscope.errors import UnreadableInputError
from tamperscope.images import SUFFIXES, Frame, iter_frames, one_line, sniff
from tamperscope.records import Unread
from tamperscope.screening.archives import read_entry
from tamperscope.screening.limits import Limits
from tamperscope.screening.picture import Picture, is_tiny

DOCUMENT = "word/document.xml"
MEDIA = re.compile(r"(?i)^/?word/media/[^/]+$")
PART = re.compile(r"^word/(document|header\d*|footer\d*|footnotes|endnotes|comments)\.xml$")
UNOPENED = {
    "chart(s) drawn by Word": re.compile(r"^word/charts/chart[^/]*\.xml$"),
    "embedded object(s)": re.compile(r"^word/embeddings/[^/]+$"),
}
VECTOR = {
    ".emf": "EMF", ".wmf": "WMF", ".svg": "SVG", ".emz": "EMF", ".wmz": "WMF", ".pict": "PICT",
    ".pct": "PICT", ".eps": "EPS",
}  # fmt: skip
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
V = "{urn:schemas-microsoft-com:vml}"
SIDES = {"left": "l", "top": "t", "right": "r", "bottom": "b"}
CROP_UNIT = 100_000  # a:srcRect counts thousandths of a percent of the side


def office_kind(archive: zipfile.ZipFile) -> str | None:
    """Name the kind of an Office file that is no Word document; None for any other archive."""
    if "[Content_Types].xml" not in archive.namelist() or is_docx(archive):
        return None
    folders = {name.split("/")[0] for name in archive.namelist()}
    return "PowerPoint" if "ppt" in folders else "Excel" if "xl" in folders else "Office"


def is_docx(archive: zipfile.ZipFile) -> bool:
    """Whether an archive is a Word document."""
    return DOCUMENT in archive.namelist()


def read_docx(archive: zipfile.ZipFile, name: str, limits: Limits) -> Iterator[Picture | Unread]:
    """Yield every picture of a Word document once, in the order of the text, then the rest."""
    shown, problems = _shown(archive, limits)
    yield from (Unread(name, problem) for problem in problems)
    media = sorted(e for e in archive.namelist() if MEDIA.match(e) and not e.endswith("/"))
    in_text = [part for part in shown if part in media]
    if not media:
        yield Unread(name, "the document holds no pictures")
    for kind, pattern in UNOPENED.items():
        count = sum(bool(pattern.match(part)) for part in archive.namelist())
        if count:
            yield Unread(name, f"{count} {kind} in it not opened")
    for part in in_text + [part for part in media if part not in shown]:
        inner = f"{name}: {PurePosixPath(part).name}"
        try:
            data = read_entry(archive, archive.getinfo(part), limits)
            yield from _read_part(data, name, inner, shown.get(part), limits)
        except UnreadableInputError as error:
            yield Unread(inner, str(error))


def _read_part(
    data: bytes, name: str, inner: str, crops: list[str] | None, limits: Limits
) -> Iterator[Picture | Unread]:
    kind = sniff(data)
    suffix = PurePosixPath(inner).suffix.lower()
    if kind is None and suffix in VECTOR:
        why = f"a drawing in {VECTOR[suffix]} format, which is not read; export it as PNG or PDF"
        yield Unread(inner, why)
        return
    count = 0
    for frame in iter_frames(
        data, "the picture", max_pixels=limits.pixels, max_frames=limits.frames
    ):
        height, width = frame.pixels.shape[:2]
        if is_tiny(width, height):
            yield Unread(inner, f"set aside as an icon or logo: {width} x {height} pixels")
            continue
        yield _picture(frame, data if count == 0 else None, str(kind), name, inner, crops)
        count += 1
        if frame.missing is not None:
            yield Unread(inner, frame.missing)


def _picture(
    frame: Frame, data: bytes | None, kind: str, name: str, inner: str, crops: list[str] | None
) -> Picture:
    notes = [PurePosixPath(inner.rpartition(": ")[2]).name]
    if crops is None:
        notes.append("stored in the file but not shown in its text")
    else:
        notes += [crop for crop in crops if crop]
        if len(crops) > 1:
            notes.append(f"shown {len(crops)} times")
    if frame.note:
        notes.append(frame.note)
    return Picture(
        document=name,
        pixels=frame.pixels,
        origin="media",
        stored=data,
        suffix=None if data is None else SUFFIXES[kind],
        visible=frame.alpha,
        note="; ".join(notes),
    )


def _shown(archive: zipfile.ZipFile, limits: Limits) -> tuple[dict[str, list[str]], list[str]]:
    """Find which media parts the text shows, in order, with the crop of each showing in words."""
    shown: dict[str, list[str]] = defaultdict(list)
    problems = []
    for part in sorted(filter(PART.match, archive.namelist()), key=lambda p: (p != DOCUMENT, p)):
        try:
            targets = _relations(archive, part, limits)
            showings = _showings(read_entry(archive, archive.getinfo(part), limits))
        except (UnreadableInputError, ElementTree.ParseError, LookupError, ValueError) as error:
            problems.append(
                f"{part} is broken ({one_line(error)}): how it shows its pictures is not known"
            )
            continue
        for relation, crop in showings:
            target, external = targets.get(relation, (None, False))
            if external:
                problems.append(f"a picture is linked, not stored in the file: {target}")
            elif target is not None:
                shown[target].append(crop)
    return dict(shown), problems


def _relations(archive: zipfile.ZipFile, part: str, limits: Limits) -> dict[str, tuple[str, bool]]:
    """Map the relation ids of a part to (name of the target, whether it lies outside the file)."""
    path = PurePosixPath(part)
    rels = f"{path.parent}/_rels/{path.name}.rels"
    if rels not in archive.namelist():
        return {}
    tree = ElementTree.fromstring(read_entry(archive, archive.getinfo(rels), limits))
    targets = {}
    for relation in tree:
        target = relation.get("Target", "")
        external = relation.get("TargetMode") == "External"
        if not external:
            target = posixpath.normpath(posixpath.join("/", str(path.parent), target)).lstrip("/")
        targets[relation.get("Id", "")] = (target, external)
    return targets


def _showings(xml: bytes) -> list[tuple[str, str]]:
    """List (relation id, crop in words or "") for every picture a part shows."""
    found = []
    for element in ElementTree.fromstring(xml).iter():
        if element.tag.endswith("}blipFill"):
            blip = element.find(f"{A}blip")
            if blip is not None:
                relation = blip.get(f"{R}embed") or blip.get(f"{R}link") or ""
                found.append((relation, _crop_words(element.find(f"{A}srcRect"))))
        elif element.tag == f"{V}imagedata" and element.get(f"{R}id"):
            found.append((element.get(f"{R}id", ""), _vml_crop_words(element)))
    return found


def _crop_words(rect: ElementTree.Element | None) -> str:
    if rect is None:
        return ""
    shares = {side: _number(rect.get(key, "0")) / CROP_UNIT for side, key in SIDES.items()}
    return _words(shares)


def _vml_crop_words(element: ElementTree.Element) -> str:
    """Read VML's crop: fractions, or counts of 1/65536 with an ``f`` behind them."""
    shares = {}
    for side in SIDES:
        text = element.get(f"crop{side}", "0")
        shares[side] = _number(text[:-1]) / 65536 if text.endswith("f") else _number(text)
    return _words(shares)


def _number(text: str) -> float:
    """Read a number; what is none crops nothing, for the whole picture is read anyway."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _words(shares: dict[str, float]) -> str:
    cut = [f"{share:.1%} at the {side}" for side, share in shares.items() if share > 0]
    if not cut:
        return ""
    return f"the text hides part of it ({', '.join(cut)}); the whole stored picture is screened"
