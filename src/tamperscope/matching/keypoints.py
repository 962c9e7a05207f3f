"""Key points: proposes transforms between two panels, or between parts of one.

D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 60(2), 2004 (SIFT, by
OpenCV); I. Amerini et al., "A SIFT-based forensic method for copy-move attack detection and
transformation recovery", IEEE TIFS 6(3), 2011 (g2NN: several partners for one key point);
R. Arandjelovic, A. Zisserman, "Three things everyone should know", CVPR 2012 (square-root
descriptors). Differences: contrast is evened out locally first, so that faint fluorescence and
light bands count as much as bright ones; the descriptors of the mirrored and of the negative
picture are obtained by re-ordering the entries, not by describing the picture again.
"""

import weakref
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from tamperscope.matching.geometry import Pairs, Points, find_transforms
from tamperscope.matching.match import Gray, Mask, PreparedPanel, Proposal
from tamperscope.matching.prepare import filled

DETECTOR = "keypoints"
LARGEST_SIDE = 800  # pixels; larger panels are described at this size
SMALL_SIDE = 200  # pixels; panels with a shorter side are described enlarged
LARGEST_ENLARGEMENT = 2.0
MOST_FEATURES = 1400
FINE = 3.6  # pixels of the described picture: diameters of the finest octave lie below
FARTHEST = 0.5  # likeness (cosine) of descriptors that may be partners: a distance of 1
RATIO = 0.9  # nearest to next distance of descriptors that may be partners
PARTNERS = 3  # most partners of one key point
NEXT_RADIUS = 8.0  # pixels of the described picture: closer ones describe the same spot
MOST_PAIRS = 320
TOLERANCE = 3.0  # pixels of the described picture
LEAST_SUPPORT = 4  # places that must agree on a transform
MOST_PER_VARIANT = 6
WITHIN_EXCLUSION = 20.0  # pixels of the described picture between a place and its copy
VARIANTS = ((False, False), (True, False), (False, True), (True, True))  # (mirrored, negative)


@dataclass(frozen=True, eq=False)
class Features:
    """Key points of one panel, in pixels of the panel."""

    points: Points
    size: NDArray[np.float64]  # (n,) diameter of the described area
    angle: NDArray[np.float64]  # (n,) radians, from x towards y
    response: NDArray[np.float64]  # (n,) strength
    descriptors: NDArray[np.float32]  # (n, 128), unit length
    scale: float  # pixels of the described picture per pixel of the panel


_same_spot: "weakref.WeakKeyDictionary[Features, NDArray[np.intp]]" = weakref.WeakKeyDictionary()
_cache: "weakref.WeakKeyDictionary[PreparedPanel, Features]" = weakref.WeakKeyDictionary()


def features_of(panel: PreparedPanel) -> Features:
    """Describe a panel; the result is kept for as long as the panel lives."""
    found = _cache.get(panel)
    if found is None:
        found = _cache[panel] = _describe(panel)
    return found


def remember(panel: PreparedPanel, features: Features) -> None:
    """Let a panel have key points that were found earlier, for as long as it lives."""
    _cache[panel] = features


def inside(features: Features, mask: Mask) -> Features:
    """Keep the key points that lie inside a mask (height, width) of the panel."""
    x, y = np.rint(features.points).astype(int).T
    kept = mask[np.clip(y, 0, mask.shape[0] - 1), np.clip(x, 0, mask.shape[1] - 1)]
    return Features(
        features.points[kept],
        features.size[kept],
        features.angle[kept],
        features.response[kept],
        features.descriptors[kept],
        features.scale,
    )


def propose_between(a: PreparedPanel, b: PreparedPanel) -> list[Proposal]:
    """Propose transforms that map a part of ``a`` onto a part of ``b``, best supported first."""
    first, second = features_of(a), features_of(b)
    return _propose(first, second, 0.0)


def propose_within(panel: PreparedPanel) -> list[Proposal]:
    """Propose transforms that map a part of a panel onto another, best supported first."""
    features = features_of(panel)
    return _propose(features, features, WITHIN_EXCLUSION)


def even_out(gray: Gray, sigma: float) -> Gray:
    """Divide out local brightness and contrast; values about in [-1, 1].

    The negative of a picture gives the negative result. What is fainter than a twentieth of the
    panel's own contrast is left faint, so that empty ground does not turn into texture.
    """
    mean = cv2.GaussianBlur(gray, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    rest = gray - mean
    power = cv2.GaussianBlur(rest * rest, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    floor = 0.05 * float(rest.std()) + 1.0 / 255
    return np.tanh(0.5 * rest / (np.sqrt(np.maximum(power, 0)) + floor))


def _describe(panel: PreparedPanel) -> Features:
    scale = described_scale(*panel.gray.shape)
    gray = filled(panel.gray, panel.usable)
    if scale != 1:
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=interpolation)
    even = even_out(gray, sigma=0.04 * float(np.sqrt(gray.size)) + 4)
    picture = np.rint(127.5 + 127.5 * even).astype(np.uint8)
    sift = cv2.SIFT_create(
        0, 3, contrastThreshold=0.02, edgeThreshold=18, enable_precise_upscale=True
    )
    found = [k for k in sift.detect(picture, None) if _is_usable(panel, k.pt, scale)]
    keypoints, descriptors = sift.compute(picture, _strongest(found))
    if descriptors is None:
        none = np.empty(0)
        return Features(np.empty((0, 2)), none, none, none, np.empty((0, 128), np.float32), scale)
    points = (np.array([k.pt for k in keypoints], dtype=np.float64) + 0.5) / scale - 0.5
    size = np.array([k.size for k in keypoints], dtype=np.float64) / scale
    angle = np.radians(np.array([k.angle for k in keypoints], dtype=np.float64))
    response = np.array([k.response for k in keypoints], dtype=np.float64)
    order = np.lexsort((angle, size, points[:, 0], points[:, 1]))
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9))
    return Features(points[order], size[order], angle[order], response[order], root[order], scale)


def described_scale(height: int, width: int) -> float:
    """Pixels of the described picture per pixel of a panel."""
    if max(height, width) > LARGEST_SIDE:
        return LARGEST_SIDE / max(height, width)
    if min(height, width) < SMALL_SIDE:
        wanted = min(SMALL_SIDE / min(height, width), LARGEST_ENLARGEMENT)
        return max(1.0, min(wanted, LARGEST_SIDE / max(height, width)))
    return 1.0


def _is_usable(panel: PreparedPanel, place: tuple[float, float], scale: float) -> bool:
    """Whether the middle of a key point of the described picture lies on usable ground."""
    height, width = panel.usable.shape
    x = min(max(round((place[0] + 0.5) / scale - 0.5), 0), width - 1)
    y = min(max(round((place[1] + 0.5) / scale - 0.5), 0), height - 1)
    return bool(panel.usable[y, x])


def _strongest(found: list[cv2.KeyPoint]) -> list[cv2.KeyPoint]:
    """Keep the strongest key points, fine and coarse ones in equal numbers where there are many.

    The finest ones alone would be noise in a noisy panel, and gone after a blur.
    """
    ordered = sorted(found, key=lambda k: (-k.response, k.pt, k.size, k.angle))
    fine = [k for k in ordered if k.size < FINE]
    coarse = [k for k in ordered if k.size >= FINE]
    share = max(MOST_FEATURES // 2, MOST_FEATURES - len(coarse))
    fine = fine[:share]
    return fine + coarse[: MOST_FEATURES - len(fine)]


def reorder(descriptors: NDArray, *, mirrored: bool, negative: bool) -> NDArray:
    """Turn descriptors into those of the mirrored and/or negative picture.

    A SIFT descriptor is a 4 x 4 grid of 8 gradient directions in a frame turned to the main
    direction. A mirror about that direction reverses one axis of the grid and the sense of the
    directions. A negative turns every gradient by 180 degrees, and the frame with it: both axes
    are reversed and the directions stay.
    """
    grid = descriptors.reshape(-1, 4, 4, 8)
    if mirrored:
        grid = grid[:, ::-1, :, :][..., (0, 7, 6, 5, 4, 3, 2, 1)]
    if negative:
        grid = grid[:, ::-1, ::-1, :]
    return np.ascontiguousarray(grid.reshape(-1, 128))


def _propose(a: Features, b: Features, exclusion: float) -> list[Proposal]:
    if min(len(a.points), len(b.points)) < LEAST_SUPPORT:
        return []
    barred = None
    if exclusion:
        apart = cdist(a.points, b.points) * a.scale
        barred = apart < np.maximum(exclusion, 1.5 * a.size[:, None] * a.scale)
    tolerance = TOLERANCE / min(b.scale, 1.0)
    found: list[tuple[float, Proposal]] = []
    for mirrored, negative in VARIANTS:
        pairs = _pairs(a, b, barred, mirrored=mirrored, negative=negative)
        for transform, members in find_transforms(
            pairs, tolerance=tolerance, least=LEAST_SUPPORT, limit=MOST_PER_VARIANT
        ):
            support = float(pairs.weight[members].sum())
            proposal = Proposal(DETECTOR, transform, pairs.source[members], pairs.target[members])
            found.append((support, proposal))
    found.sort(key=lambda item: -item[0])
    return [proposal for _, proposal in found]


def _pairs(
    a: Features,
    b: Features,
    barred: NDArray[np.bool_] | None,
    *,
    mirrored: bool,
    negative: bool,
) -> Pairs:
    """Pair key points whose descriptors are nearest by a margin, seen from either side."""
    other = reorder(b.descriptors, mirrored=mirrored, negative=negative)
    likeness = a.descriptors @ other.T
    if barred is not None:
        likeness[barred] = -1
    i, j, ratio = _nearest(likeness, b, PARTNERS if barred is not None else 1)
    if barred is None:
        k, m, back = _nearest(likeness.T, a, 1)
        i, j, ratio = np.concatenate([i, m]), np.concatenate([j, k]), np.concatenate([ratio, back])
    order = np.lexsort((j, i, ratio))
    _, first = np.unique(i[order] * len(b.points) + j[order], return_index=True)
    order = order[np.sort(first)][:MOST_PAIRS]
    i, j, ratio = i[order], j[order], ratio[order]
    return Pairs(
        a.points[i], b.points[j], _linear_maps(a, b, i, j, mirrored=mirrored, negative=negative),
        np.clip(2 * (1 - ratio), 0.15, 1.0),
    )  # fmt: skip


def _nearest(likeness: NDArray, b: Features, partners: int) -> tuple[NDArray, NDArray, NDArray]:
    """For every row, its partners by g2NN: (rows, columns, ratio to the next distance)."""
    rows = np.flatnonzero(likeness.max(axis=1) > FARTHEST)
    left = np.ascontiguousarray(likeness[rows])  # rows of the other side are columns of this
    here = np.arange(len(rows))
    near = _neighbours(b)
    columns, distances = [], []
    for _ in range(partners + 1):
        best = np.argmax(left, axis=1)
        columns.append(best)
        distances.append(np.sqrt(np.maximum(2 - 2 * left[here, best], 1e-8)))
        left[here[:, None], near[best]] = -1
    ratios = [distances[k] / distances[k + 1] for k in range(partners)]
    out_i, out_j, out_r = [], [], []
    for k in range(partners):
        passes = (ratios[k] < RATIO) & (distances[k] < 1.0)
        for partner in range(k + 1):
            out_i.append(rows[passes])
            out_j.append(columns[partner][passes])
            out_r.append(ratios[k][passes] + 0.02 * k)
    return np.concatenate(out_i), np.concatenate(out_j), np.concatenate(out_r)


def _neighbours(features: Features) -> NDArray[np.intp]:
    """Which key points describe the same spot, (n, most of one); a row repeats its own to fill."""
    found = _same_spot.get(features)
    if found is None:
        points = features.points
        near = cKDTree(points).query_ball_point(points, NEXT_RADIUS / features.scale)
        most = max(len(others) for others in near)
        found = np.repeat(np.arange(len(points))[:, None], most, axis=1)
        for row, others in enumerate(near):
            found[row, : len(others)] = others
        _same_spot[features] = found
    return found


def _linear_maps(
    a: Features, b: Features, i: NDArray, j: NDArray, *, mirrored: bool, negative: bool
) -> NDArray[np.float64]:
    """Linear map (n, 2, 2) that carries the frame of key point i onto that of key point j."""
    turn_a, turn_b = a.angle[i], b.angle[j] + (np.pi if negative else 0.0)
    scale = b.size[j] / a.size[i]
    sign = -1.0 if mirrored else 1.0
    ca, sa, cb, sb = np.cos(turn_a), np.sin(turn_a), np.cos(turn_b), np.sin(turn_b)
    maps = np.empty((len(i), 2, 2))
    maps[:, 0, 0] = cb * ca + sign * sb * sa
    maps[:, 0, 1] = cb * sa - sign * sb * ca
    maps[:, 1, 0] = sb * ca - sign * cb * sa
    maps[:, 1, 1] = sb * sa + sign * cb * ca
    return maps * scale[:, None, None]
