"""Does a match hold when one side of it is disturbed?

A coincidence of a few pixels goes away when the picture is compressed, resized, changed in
contrast or cut; shared content stays. Each disturbance is applied to the target panel (inside one
panel: to the panel), the match is aligned and measured again from the transform it had, and it has
held if chance still speaks against it and the transform is still the same.
"""

from collections.abc import Callable

import cv2
import numpy as np

from tamperscope.matching import geometry
from tamperscope.matching.match import Gray, Mask, Match, PreparedPanel, Proposal, Transform
from tamperscope.matching.verify import verify

SAME_PLACE = 4.0  # pixels of the target, mean over the region
SUPPORT = 60  # points of the region that stand for the match
CROPPED = 0.15  # of each side of the target region's box

Disturbed = tuple[Gray, Transform]  # picture, and where its pixels were before


def stability(
    a: PreparedPanel, b: PreparedPanel | None, match: Match
) -> tuple[tuple[str, bool], ...]:
    """Test a match under each disturbance; ``b`` is None inside one panel.

    Returns:
        (name of the disturbance, whether the match held), in a fixed order.
    """
    other = a if b is None else b
    return tuple((name, _held(a, b, match, disturb(other, match))) for name, disturb in TESTS)


def _held(a: PreparedPanel, b: PreparedPanel | None, match: Match, disturbed: Disturbed) -> bool:
    gray, moved = disturbed
    other = a if b is None else b
    usable = _carried(other.usable, moved, gray.shape)
    panel = PreparedPanel(gray=gray, usable=usable, kind=other.kind, name=other.name)
    transform = moved @ match.transform
    if b is None:
        transform = transform @ np.linalg.inv(moved)
    source = support_of(match.source_mask)
    if b is None:
        source = geometry.apply(moved, source)
    target = geometry.apply(transform, source)
    proposal = Proposal(match.detector, transform, source, target)
    found = verify(panel, None, proposal) if b is None else verify(a, panel, proposal)
    if found is None:
        return False
    off = np.linalg.norm(geometry.apply(found.transform, source) - target, axis=1)
    return bool(off.mean() <= SAME_PLACE)


def support_of(mask: Mask) -> geometry.Points:
    """Take points (x, y) evenly from the inside of a mask."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.bool_)
    rows, columns = np.nonzero(inner if inner.any() else mask)
    take = np.linspace(0, len(rows) - 1, min(SUPPORT, len(rows))).astype(int)
    return np.column_stack([columns[take], rows[take]]).astype(np.float64)


def _carried(usable: Mask, moved: Transform, shape: tuple[int, ...]) -> Mask:
    drawn = cv2.warpAffine(
        usable.astype(np.uint8), moved[:2], (shape[1], shape[0]), flags=cv2.INTER_NEAREST
    )
    return drawn.astype(np.bool_)


def _jpeg(panel: PreparedPanel, match: Match) -> Disturbed:
    levels = np.rint(np.clip(panel.gray, 0, 1) * 255).astype(np.uint8)
    done, code = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, 70])
    if not done:
        raise ValueError(f"cannot store a panel {levels.shape} as JPEG")
    decoded = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE)
    return decoded.astype(np.float32) / np.float32(255), np.eye(3)


def _smaller(panel: PreparedPanel, match: Match) -> Disturbed:
    height, width = panel.gray.shape
    h, w = max(round(0.75 * height), 1), max(round(0.75 * width), 1)
    gray = cv2.resize(panel.gray, (w, h), interpolation=cv2.INTER_AREA)
    sx, sy = w / width, h / height
    moved = np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1.0]])
    return gray, moved


def _contrast(panel: PreparedPanel, match: Match) -> Disturbed:
    mean = float(panel.gray.mean())
    changed = np.clip((panel.gray - mean) * 0.6 + 0.5 * mean + 0.25, 0, 1) ** 1.2
    return (np.rint(changed * 255) / 255).astype(np.float32), np.eye(3)


def _crop(panel: PreparedPanel, match: Match) -> Disturbed:
    """Cut away a part of the target region; inside one panel, cover it."""
    rows = np.flatnonzero(match.target_mask.any(axis=1))
    columns = np.flatnonzero(match.target_mask.any(axis=0))
    dy, dx = CROPPED * (rows[-1] - rows[0]), CROPPED * (columns[-1] - columns[0])
    y0, y1 = int(rows[0] + dy), int(np.ceil(rows[-1] - dy)) + 1
    x0, x1 = int(columns[0] + dx), int(np.ceil(columns[-1] - dx)) + 1
    gray = panel.gray.copy()
    covered = match.target_mask.copy()
    covered[y0:y1, x0:x1] = False
    gray[covered] = float(np.median(panel.gray))
    return gray, np.eye(3)


TESTS: tuple[tuple[str, Callable[[PreparedPanel, Match], Disturbed]], ...] = (
    ("JPEG 70", _jpeg),
    ("rescale 0.75", _smaller),
    ("contrast", _contrast),
    ("crop", _crop),
)
