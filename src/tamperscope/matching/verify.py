"""Turns a proposal into a match: exact transform, masks, correlations, evidence, chance.

What a detector proposes is aligned on the pixels, the region where the two contents agree is grown
from the places that support the proposal, and what the two share there is measured and held
against what unrelated panels share when they go the very same way.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from tamperscope.matching import agreement, alignment, geometry
from tamperscope.matching.agreement import Agreement, Band
from tamperscope.matching.alignment import Frame
from tamperscope.matching.chance import ALPHA, ALPHA_WITHIN, chance_of
from tamperscope.matching.match import Gray, Mask, Match, PreparedPanel, Proposal, Transform

LEAST_LIKE, MOST_LIKE = 0.5, 0.75  # local correlation from which a place agrees
BELOW_CORE = 0.25  # by how much it may be worse than at the supporting places
VOTERS = (9, 9)  # samples; applied twice: neighbours that vote on whether a place agrees
ZOOM = 1.3  # pixels per sample from which a found region is looked at again, closer
LEAST_AREA = 250  # samples of the frame
PLENTY = 300.0  # nats: beyond chance in any case
MOST_PART = 0.9  # of a region: a part that is larger is the same
CROWD = 12.0  # pixels within which places of a support are neighbours
LEAST_CROWD = 0.25  # of what is usual among them
LEAST_SHIFT = 32.0  # pixels between a place and its copy in one panel; nearer, coarse bands overlap


@dataclass(frozen=True, eq=False)
class Measured:
    """A proposal after alignment, before it is held against chance; masks of both panels."""

    transform: Transform
    source_mask: Mask
    target_mask: Mask
    correlation: float
    correlation_tone: float
    evidence: float  # nats, see agreement
    samples: float  # independent samples
    negative: bool
    bands: tuple[Band, ...]


def verify(a: PreparedPanel, b: PreparedPanel | None, proposal: Proposal) -> Match | None:
    """Verify a proposal; ``b`` is None inside one panel. None where it does not hold."""
    measured = measure(a, b, proposal)
    if measured is None:
        return None
    chance, null = chance_of(measured.evidence, a.kind, within=b is None)
    if chance > (ALPHA_WITHIN if b is None else ALPHA):
        return None
    return Match(
        detector=proposal.detector,
        transform=measured.transform,
        source_mask=measured.source_mask,
        target_mask=measured.target_mask,
        inliers=_inliers(measured.transform, proposal),
        correlation=measured.correlation,
        correlation_tone=measured.correlation_tone,
        chance=chance,
        chance_null=null,
        score=1.0 - chance,
        inverted=measured.negative,
    )


def _inliers(transform: Transform, proposal: Proposal) -> int:
    distance = np.linalg.norm(geometry.apply(transform, proposal.source) - proposal.target, axis=1)
    return int(np.count_nonzero(distance < 6.0))


def measure(a: PreparedPanel, b: PreparedPanel | None, proposal: Proposal) -> Measured | None:
    """Align a proposal and measure what the two sides share; None where nothing is left."""
    other = a if b is None else b
    if geometry.scale_of(proposal.transform) < 1:
        inverse = geometry.inverse(proposal.transform)
        back = Proposal(proposal.detector, inverse, proposal.target, proposal.source)
        found = _measure(other, a, back, within=b is None)
        if found is None:
            return None
        return Measured(
            geometry.inverse(found.transform), found.target_mask, found.source_mask,
            found.correlation, found.correlation_tone, found.evidence, found.samples,
            found.negative, found.bands,
        )  # fmt: skip
    return _measure(a, other, proposal, within=b is None)


def _measure(
    a: PreparedPanel, b: PreparedPanel, proposal: Proposal, *, within: bool
) -> Measured | None:
    support = crowded(proposal.source)
    settled = alignment.settle(a, b, proposal.transform, support)
    if settled is None:
        return None
    transform, negative = settled
    transform = alignment.refine(a, b, transform, support, negative=negative, searches=(6, 3))
    grown = _grow(a, b, transform, support, None, negative=negative, within=within)
    if grown is None:
        return None
    frame, mask = grown
    if frame.step > ZOOM:
        window = _window(frame, mask)
        transform = alignment.refine(
            a, b, transform, support, negative=negative, searches=(3,), window=window
        )
        grown = _grow(a, b, transform, support, window, negative=negative, within=within)
        if grown is None:
            return None
        frame, mask = grown
    mask, shared = _shared(frame, mask, support, negative=negative, within=within)
    if shared is None:
        return None
    target = 1 - frame.target if negative else frame.target
    return Measured(
        transform,
        _to_panel(mask, frame.grid, a.gray.shape),
        _to_panel(mask, transform @ frame.grid, b.gray.shape),
        -shared.correlation if negative else shared.correlation,
        tone_free_correlation(frame.source[mask], target[mask]),
        shared.evidence,
        sum(band.samples for band in shared.bands),
        negative,
        shared.bands,
    )


def _shared(
    frame: Frame, mask: Mask, support: geometry.Points, *, negative: bool, within: bool
) -> tuple[Mask, Agreement | None]:
    """Measure what both sides share in a region, or in the part of it that agrees in detail too.

    Around a copy in a gel or a dish there is ground that looks alike. It agrees in coarse structure
    and joins the region, and would speak against the copy.
    """
    target = 1 - frame.target if negative else frame.target

    def measured(region: Mask) -> Agreement | None:
        known = region & frame.valid  # what is drawn over letters and axes says nothing
        if known.sum() < LEAST_AREA:
            return None
        return agreement.measure(frame.source, target, known, within=within)

    shared = measured(mask)
    if shared is None or shared.evidence > PLENTY:
        return mask, shared
    inside = frame.inside & mask
    fine = replace(
        frame,
        source=agreement.detail(frame.source),
        target=agreement.detail(target),
        inside=inside,
        valid=frame.valid & mask,
    )
    part = _agreeing(fine, fine.target, frame.places(support))
    if part is None or part.sum() > MOST_PART * mask.sum():
        return mask, shared
    again = measured(part)
    if again is None or again.evidence <= shared.evidence:
        return mask, shared
    return part, again


def crowded(support: geometry.Points) -> geometry.Points:
    """Keep the places of a support that lie close together, (n, 2).

    A dense field supports a transform by a thousand places where a part was copied, and by some
    more all over plain ground that follow it by chance.
    """
    tree = KDTree(support)
    near = tree.query_ball_point(support, CROWD, return_length=True)
    return np.asarray(support[near >= LEAST_CROWD * np.quantile(near, 0.75)])


def _window(frame: Frame, mask: Mask) -> alignment.Window:
    """Box around a mask in the source panel, with room to grow."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    corners = np.array([[columns[0], rows[0]], [columns[-1], rows[-1]]], dtype=np.float64)
    (x0, y0), (x1, y1) = geometry.apply(frame.grid, corners)
    room = 8 * frame.step
    return x0 - room, y0 - room, x1 + room, y1 + room


def _grow(
    a: PreparedPanel,
    b: PreparedPanel,
    transform: Transform,
    support: geometry.Points,
    window: alignment.Window | None,
    *,
    negative: bool,
    within: bool,
) -> tuple[Frame, Mask] | None:
    """Find the region around the support where both panels agree: (frame, mask of the frame)."""
    frame = alignment.meet(a, b, transform, window)
    if frame is None:
        return None
    target = 1 - frame.target if negative else frame.target
    if within:
        apart = _apart(frame, transform)
        frame = replace(frame, inside=frame.inside & apart, valid=frame.valid & apart)
    mask = _agreeing(frame, target, frame.places(support))
    if mask is not None and within:
        mask = _one_side(mask, frame, transform, b.gray.shape)
    return None if mask is None else (frame, mask)


def _disc(points: geometry.Points, shape: tuple[int, ...], radius: int) -> Mask:
    """Mark places within ``radius`` samples of points."""
    mask = np.zeros(shape, np.uint8)
    x, y = np.rint(points).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    mask[y[inside], x[inside]] = 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask, kernel).astype(np.bool_)


def _shift(frame: Frame, transform: Transform) -> tuple[NDArray, NDArray]:
    """How far every place of the frame is moved, in pixels: along x and y, (height, width) each."""
    height, width = frame.source.shape
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    m = ((transform - np.eye(3)) @ frame.grid).astype(np.float32)
    return m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2]


def _apart(frame: Frame, transform: Transform) -> Mask:
    """Where a place and its copy are apart: within one panel everything agrees with itself."""
    return np.asarray(np.hypot(*_shift(frame, transform)) >= LEAST_SHIFT)


def _agreeing(frame: Frame, target: Gray, support: geometry.Points) -> Mask | None:
    """Grow the region that agrees from the supporting places; None where it is too small.

    A place votes for or against by its local correlation, or not at all where nothing is to be
    seen; votes are pooled over the neighbourhood. What is asked of a place depends on how well the
    support itself agrees: beside a clean copy, half-alike ground is not part of it.
    """
    likeness, textured = agreement.local_likeness(frame.source, target, frame.inside, frame.valid)
    near = _disc(support, target.shape, 6)
    core = likeness[near & textured]
    if not len(core):
        return None
    like = float(np.clip(np.median(core) - BELOW_CORE, LEAST_LIKE, MOST_LIKE))
    ayes = (textured & (likeness >= like)).astype(np.float32)
    pooled_ayes = cv2.blur(cv2.blur(ayes, VOTERS), VOTERS)
    pooled = cv2.blur(cv2.blur(textured.astype(np.float32), VOTERS), VOTERS)
    agrees = (frame.inside & (pooled_ayes > 0.5 * pooled) & (pooled_ayes > 0.1)).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    labels, count = ndimage.label(cv2.morphologyEx(agrees, cv2.MORPH_OPEN, kernel))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    supported = np.bincount(labels[near], minlength=count + 1)
    supported[0] = 0
    if not supported.any():
        return None
    # a far part that agrees under the same transform belongs to it, if it is no speck
    main = int(np.argmax(supported * np.sqrt(sizes)))
    keep = (supported > 0.1 * supported[main]) | (sizes > max(0.25 * sizes[main], 400))
    keep[0] = False
    mask = _closed(keep[labels], frame.inside & ~(textured & (likeness < like - 0.2)))
    return mask if mask.sum() >= LEAST_AREA else None


def _closed(mask: Mask, allowed: Mask) -> Mask:
    """Bridge gaps where nothing speaks against it, and fill holes."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25))
    padded = np.pad(mask.astype(np.uint8), 14)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[14:-14, 14:-14].astype(np.bool_)
    return np.asarray(ndimage.binary_fill_holes(mask | (closed & allowed)))


def _one_side(
    mask: Mask, frame: Frame, transform: Transform, shape: tuple[int, ...]
) -> Mask | None:
    """Keep parts whose copies lie elsewhere, the largest first.

    Within one panel a transform may carry A to B and B to A, or a part onto itself.
    """
    half = _one_half(frame, transform)
    if half is not None:  # a glide undoes itself but for a few pixels: it agrees in one half only
        mask = mask & (half if (mask & half).sum() >= (mask & ~half).sum() else ~half)
    labels, count = ndimage.label(mask)
    if count == 0:
        return None
    order = np.argsort(-np.bincount(labels.ravel())[1:]) + 1
    kept = np.zeros_like(mask)
    taken = np.zeros(shape, np.bool_)
    for label in order:
        part = labels == label
        here = _to_panel(part, frame.grid, shape)
        there = _to_panel(part, transform @ frame.grid, shape)
        overlap = here & there
        if overlap.sum() > 0.1 * here.sum():
            part = part & ~_from_panel(overlap, frame.grid, mask.shape)
            here = _to_panel(part, frame.grid, shape)
            there = _to_panel(part, transform @ frame.grid, shape)
        if not here.any() or (taken & (here | there)).sum() > 0.3 * here.sum():
            continue
        kept |= part
        taken |= here | there
    return kept if kept.sum() >= LEAST_AREA else None


def _one_half(frame: Frame, transform: Transform) -> Mask | None:
    """Where a transform undoes itself (half turn, mirror): the half that it carries to the other.

    There a place and its copy agree both ways, and the region grows over both. None for other
    transforms.
    """
    if np.median(np.hypot(*_shift(frame, transform @ transform))) > LEAST_SHIFT:
        return None
    x, y = _shift(frame, transform)
    moment = np.array([[np.mean(x * x), np.mean(x * y)], [np.mean(x * y), np.mean(y * y)]])
    axis = np.linalg.eigh(moment)[1][:, 1]
    return np.asarray(axis[0] * x + axis[1] * y > 0)


def _to_panel(mask: Mask, grid: Transform, shape: tuple[int, ...]) -> Mask:
    drawn = cv2.warpAffine(
        mask.astype(np.float32), grid[:2], (shape[1], shape[0]), flags=cv2.INTER_LINEAR
    )
    return np.asarray(drawn > 0.5)


def _from_panel(mask: Mask, grid: Transform, shape: tuple[int, ...]) -> Mask:
    drawn = cv2.warpAffine(
        mask.astype(np.uint8), grid[:2], (shape[1], shape[0]),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    )  # fmt: skip
    return drawn.astype(np.bool_)


def tone_free_correlation(a: Gray, b: Gray, levels: int = 64) -> float:
    """Correlation after the best rising tone curve of ``a`` for ``b`` is removed.

    The curve is the isotonic regression of b on the quantised a (pool adjacent violators), the
    least-squares best among all rising curves.
    """
    low, high = float(a.min()), float(a.max())
    if high - low < 1e-6:
        return 0.0
    bins = np.minimum(((a - low) / (high - low) * levels).astype(int), levels - 1)
    count = np.bincount(bins, minlength=levels).astype(np.float64)
    total = np.bincount(bins, weights=b.astype(np.float64), minlength=levels)
    used = np.flatnonzero(count)
    curve = np.empty(levels)
    curve[used] = _rising(total[used] / count[used], count[used])
    return agreement.pearson(curve[bins], b)


def _rising(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Least-squares rising sequence (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            upper, lower = blocks.pop(), blocks.pop()
            mass = upper[1] + lower[1]
            mean = (upper[0] * upper[1] + lower[0] * lower[1]) / mass
            blocks.append([mean, mass, upper[2] + lower[2]])
    return np.repeat([block[0] for block in blocks], [int(block[2]) for block in blocks])
