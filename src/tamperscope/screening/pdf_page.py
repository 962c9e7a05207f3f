"""Lists what a PDF page draws: pictures with place and clip, lines and areas, and words.

Coordinates are points in the page's own space (origin lower left, before the page is turned).
Matrices are 3 x 3 for row vectors, ``(x, y, 1) @ matrix``, as PDF writes them.
"""

import ctypes
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from tamperscope.screening.picture import Place

CLIP_POINTS = 20_000  # corners of a clip beyond which it is not followed
CURVE_STEPS = np.linspace(0, 1, 9)[1:, None]  # a Bezier curve of a clip becomes eight chords
RICH = 40  # segments of a path; a rounded or shadowed frame has fewer
FORM_DEPTH = 15  # forms inside forms
Clips = tuple[tuple[np.ndarray, ...], ...]
"""Clips that hold all at once, each a set of closed outlines (N, 2)."""
UNIT_SQUARE = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], dtype=float)


@dataclass(frozen=True)
class Placed:
    """One drawing of a picture on a page."""

    order: int  # among the pictures of the page
    width: int  # stored pixels
    height: int
    digest: str  # names the stored bytes and the size
    matrix: np.ndarray  # 3 x 3, unit square -> page
    clips: Clips  # on the page

    @property
    def box(self) -> Place:
        """The upright rectangle around it on the page."""
        return box_of((UNIT_SQUARE @ self.matrix)[:, :2])


@dataclass(frozen=True)
class Stroke:
    """A path or shading on a page."""

    box: Place
    drawn: bool  # more than an upright line or rectangle
    rich: bool = True  # of many segments: not a frame, however large


@dataclass
class PageContent:
    """Everything a page draws, as far as it matters here."""

    pictures: list[Placed] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    words: list[Place] = field(default_factory=list)
    cut_short: bool = False  # more objects than the limit: the rest was not listed


def survey(page: pdfium.PdfPage, max_objects: int) -> PageContent:
    """List what ``page`` draws, nested forms included; PdfiumError where it cannot be parsed."""
    content = PageContent()
    for count, (item, outer, clips) in enumerate(walk(page)):
        if count >= max_objects and item.type != raw.FPDF_PAGEOBJ_IMAGE:
            content.cut_short = True
        elif item.type == raw.FPDF_PAGEOBJ_IMAGE:
            content.pictures.append(_placed(item, outer, clips, len(content.pictures)))
        elif item.type == raw.FPDF_PAGEOBJ_TEXT:
            content.words.append(_bounds(item, outer))
        elif item.type in (raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_SHADING):
            content.strokes.append(_stroke(item, _bounds(item, outer)))
    return content


def walk(
    page: pdfium.PdfPage,
) -> Iterator[tuple[pdfium.PdfObject, np.ndarray, Clips]]:
    """Yield every object that is not a form, with the matrix of its forms; pictures with clips."""
    stack: list[tuple[pdfium.PdfObject | None, np.ndarray, Clips, int]] = [(None, np.eye(3), (), 0)]
    while stack:
        form, outer, clips, level = stack.pop()
        # One level at a time: pypdfium2 does not hand down the matrices of nested forms.
        inner = []
        for item in page.get_objects(max_depth=1, form=form, level=level):
            if item.type not in (raw.FPDF_PAGEOBJ_FORM, raw.FPDF_PAGEOBJ_IMAGE):
                yield item, outer, ()  # thousands of strokes, whose clips nobody asks for
                continue
            here = clips + _clips(item, outer)
            if item.type == raw.FPDF_PAGEOBJ_IMAGE:
                yield item, outer, here
            elif level < FORM_DEPTH:
                inner.append((item, _matrix(item) @ outer, here, level + 1))
        stack += reversed(inner)


def box_of(points: np.ndarray) -> Place:
    """The upright rectangle around points (N, 2)."""
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def rgb(bitmap: pdfium.PdfBitmap) -> np.ndarray:
    """Copy a bitmap of pdfium, which is grey or BGR with or without a fourth byte, to RGB."""
    array = bitmap.to_numpy()
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(array[..., 2::-1])


def stream_digest(data: bytes, width: int, height: int) -> str:
    """Name a stored picture by its bytes and size."""
    return hashlib.sha256(data + f"{width}x{height}".encode()).hexdigest()


def _placed(item: pdfium.PdfImage, outer: np.ndarray, clips: Clips, order: int) -> Placed:
    width, height = item.get_px_size()
    digest = stream_digest(bytes(item.get_data()), width, height)
    return Placed(order, width, height, digest, _matrix(item) @ outer, clips)


def _matrix(item: pdfium.PdfObject) -> np.ndarray:
    a, b, c, d, e, f = item.get_matrix().get()
    return np.array([[a, b, 0], [c, d, 0], [e, f, 1]], dtype=float)


def _bounds(item: pdfium.PdfObject, outer: np.ndarray) -> Place:
    x0, y0, x1, y1 = item.get_bounds()
    corners = np.array([[x0, y0, 1], [x1, y0, 1], [x1, y1, 1], [x0, y1, 1]]) @ outer
    return box_of(corners[:, :2])


def _stroke(item: pdfium.PdfObject, box: Place) -> Stroke:
    if item.type == raw.FPDF_PAGEOBJ_SHADING:
        return Stroke(box, drawn=True)
    segments = raw.FPDFPath_CountSegments(item)
    thin = min(box[2] - box[0], box[3] - box[1])
    upright = segments <= 5 and (segments not in (2, 3) or thin <= 2)
    return Stroke(box, drawn=not upright, rich=segments >= RICH)


def _clips(item: pdfium.PdfObject, outer: np.ndarray) -> Clips:
    """The outlines that clip an object, one set for each clip that holds at once."""
    clip = raw.FPDFPageObj_GetClipPath(item)
    found = []
    for path in range(max(raw.FPDFClipPath_CountPaths(clip), 0)):
        count = raw.FPDFClipPath_CountPathSegments(clip, path)
        if not 0 < count <= CLIP_POINTS:
            continue
        segments = [raw.FPDFClipPath_GetPathSegment(clip, path, i) for i in range(count)]
        outlines = _outlines(segments)
        found.append(tuple(_moved(outline, outer) for outline in outlines))
    return tuple(found)


def _outlines(segments: list[object]) -> list[np.ndarray]:
    x, y = ctypes.c_float(), ctypes.c_float()
    outlines: list[list[np.ndarray]] = []
    control: list[np.ndarray] = []
    for segment in segments:
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = np.array([x.value, y.value], dtype=float)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO or not outlines:
            outlines.append([point])
        elif kind == raw.FPDF_SEGMENT_BEZIERTO:
            control.append(point)
            if len(control) == 3:
                outlines[-1].extend(_bezier(outlines[-1][-1], *control))
                control = []
        else:
            outlines[-1].append(point)
    return [np.array(outline) for outline in outlines if len(outline) > 2]


def _bezier(p0: np.ndarray, p1: np.ndarray, p2: np.ndarray, p3: np.ndarray) -> list[np.ndarray]:
    t = CURVE_STEPS
    curve = (1 - t) ** 3 * p0 + 3 * (1 - t) ** 2 * t * p1 + 3 * (1 - t) * t**2 * p2 + t**3 * p3
    return list(curve)


def _moved(outline: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    moved: np.ndarray = (np.column_stack([outline, np.ones(len(outline))]) @ matrix)[:, :2]
    return moved
