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
FORM_DEPTH = 15  # forms inside forms
UNIT_SQUARE = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], dtype=float)


@dataclass(frozen=True)
class Placed:
    """One drawing of a picture on a page."""

    order: int  # among the pictures of the page
    width: int  # stored pixels
    height: int
    digest: str  # of the stored bytes, the filters and the size
    matrix: np.ndarray  # 3 x 3, unit square -> page
    clips: tuple[tuple[np.ndarray, ...], ...]  # each a set of closed outlines (N, 2) on the page

    @property
    def box(self) -> Place:
        """The upright rectangle around it on the page."""
        return box_of((UNIT_SQUARE @ self.matrix)[:, :2])


@dataclass(frozen=True)
class Stroke:
    """A path or shading on a page."""

    box: Place
    drawn: bool  # more than an upright line or rectangle


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
            box = _bounds(item, outer)
            content.strokes.append(Stroke(box, _is_drawn(item, box)))
    return content


def walk(
    page: pdfium.PdfPage,
) -> Iterator[tuple[pdfium.PdfObject, np.ndarray, tuple[tuple[np.ndarray, ...], ...]]]:
    """Yield every object that is not a form, with the matrix of its forms and the clips around it."""
    stack = [(None, np.eye(3), (), 0)]
    while stack:
        form, outer, clips, level = stack.pop()
        # One level at a time: pypdfium2 does not hand down the matrices of nested forms.
        inner = []
        for item in page.get_objects(max_depth=1, form=form, level=level):
            here = clips + _clips(item, outer)
            if item.type != raw.FPDF_PAGEOBJ_FORM:
                yield item, outer, here
            elif level < FORM_DEPTH:
                inner.append((item, _matrix(item) @ outer, here, level + 1))
        stack += reversed(inner)


def box_of(points: np.ndarray) -> Place:
    """The upright rectangle around points (N, 2)."""
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def stored_bytes(picture: pdfium.PdfImage) -> bytes:
    """The stream of a picture as it lies in the file (decrypted where the file is encrypted)."""
    return bytes(picture.get_data())


def _placed(
    item: pdfium.PdfImage, outer: np.ndarray, clips: tuple[tuple[np.ndarray, ...], ...], order: int
) -> Placed:
    width, height = item.get_px_size()
    digest = hashlib.sha256(stored_bytes(item))
    digest.update(repr((width, height, item.get_filters())).encode())
    return Placed(order, width, height, digest.hexdigest(), _matrix(item) @ outer, clips)


def _matrix(item: pdfium.PdfObject) -> np.ndarray:
    a, b, c, d, e, f = item.get_matrix().get()
    return np.array([[a, b, 0], [c, d, 0], [e, f, 1]], dtype=float)


def _bounds(item: pdfium.PdfObject, outer: np.ndarray) -> Place:
    x0, y0, x1, y1 = item.get_bounds()
    corners = np.array([[x0, y0, 1], [x1, y0, 1], [x1, y1, 1], [x0, y1, 1]]) @ outer
    return box_of(corners[:, :2])


def _is_drawn(item: pdfium.PdfObject, box: Place) -> bool:
    """Whether a path is more than an upright line or rectangle, as tables and boxes have."""
    if item.type == raw.FPDF_PAGEOBJ_SHADING:
        return True
    segments = raw.FPDFPath_CountSegments(item)
    thin = min(box[2] - box[0], box[3] - box[1])
    return bool(segments > 5 or (segments in (2, 3) and thin > 2))


def _clips(item: pdfium.PdfObject, outer: np.ndarray) -> tuple[tuple[np.ndarray, ...], ...]:
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
