"""Plane maps between panels: fitting them to point pairs, and finding several in one set of pairs.

Points are (x, y), arrays (n, 2); maps are affine 3x3 and carry source to target.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.match import Transform

Points = NDArray[np.float64]  # (n, 2)

SMALLEST_SCALE, LARGEST_SCALE = 0.35, 2.9  # 0.4-2.5 is searched for; the rest is for inexact seeds
LARGEST_STRETCH = 1.45  # ratio of the two singular values; a shear of 0.3 has 1.35


@dataclass(frozen=True, eq=False)
class Pairs:
    """Candidate pairs of key points, with the linear map that each pair suggests by itself."""

    source: Points
    target: Points
    linear: NDArray[np.float64]  # (n, 2, 2)
    weight: NDArray[np.float64]  # (n,) larger is more distinctive

    def take(self, index: NDArray) -> "Pairs":
        """Keep the pairs at ``index``."""
        return Pairs(self.source[index], self.target[index], self.linear[index], self.weight[index])


def apply(transform: Transform, points: Points) -> Points:
    """Map points by an affine transform."""
    return points @ transform[:2, :2].T + transform[:2, 2]


def inverse(transform: Transform) -> Transform:
    """Return the transform that leads back."""
    return np.asarray(np.linalg.inv(transform), dtype=np.float64)


def scale_of(transform: Transform) -> float:
    """Square root of the change of area."""
    return float(np.sqrt(abs(np.linalg.det(transform[:2, :2]))))


def is_plausible(transform: Transform) -> bool:
    """Whether a transform is a similarity or a mild shear of a scale that is searched for."""
    if not np.all(np.isfinite(transform)):
        return False
    large, small = np.linalg.svd(transform[:2, :2], compute_uv=False)
    if small <= 0 or large / small > LARGEST_STRETCH:
        return False
    return SMALLEST_SCALE <= np.sqrt(large * small) <= LARGEST_SCALE


def fit_similarity(
    source: Points, target: Points, *, reflected: bool, weight: NDArray | None = None
) -> Transform:
    """Least-squares similarity, with a reflection if ``reflected``; needs two distinct points.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    IEEE TPAMI 13(4), 1991, in complex numbers: target = a * source + b, with the source conjugated
    for a reflection.
    """
    w = np.ones(len(source)) if weight is None else weight
    z = source[:, 0] + 1j * source[:, 1]
    t = target[:, 0] + 1j * target[:, 1]
    z = np.conj(z) if reflected else z
    z_mean, t_mean = np.average(z, weights=w), np.average(t, weights=w)
    spread = np.sum(w * np.abs(z - z_mean) ** 2)
    a = np.sum(w * np.conj(z - z_mean) * (t - t_mean)) / max(spread, 1e-12)
    b = t_mean - a * z_mean
    sign = -1.0 if reflected else 1.0
    return np.array(
        [[a.real, -sign * a.imag, b.real], [a.imag, sign * a.real, b.imag], [0.0, 0.0, 1.0]]
    )


def fit_affine(source: Points, target: Points, weight: NDArray | None = None) -> Transform:
    """Least-squares affine map; needs three points that are not on one line."""
    w = np.ones(len(source)) if weight is None else weight
    centre = (w @ source) / w.sum()
    offset = source - centre
    size = max(float(np.abs(offset).max()), 1e-9)
    # about its centre and in units of its size, the normal equations lose no digits that matter
    design = np.column_stack([offset / size, np.ones(len(source))])
    weighted = (design * w[:, None]).T
    solution, *_ = np.linalg.lstsq(weighted @ design, weighted @ target, rcond=None)
    linear = solution[:2].T / size
    transform = np.eye(3)
    transform[:2, :2] = linear
    transform[:2, 2] = solution[2] - linear @ centre
    return transform


def fit_supported(
    source: Points, target: Points, *, reflected: bool, weight: NDArray | None = None
) -> Transform:
    """Fit an affine map where enough well spread points carry one, else a similarity."""
    similar = fit_similarity(source, target, reflected=reflected, weight=weight)
    if len(source) < 8:
        return similar
    offset = source - source.mean(axis=0)
    across, along = np.linalg.eigvalsh(offset.T @ offset)
    if across < 0.15**2 * along:
        return similar
    affine = fit_affine(source, target, weight)
    return affine if is_plausible(affine) else similar


def find_transforms(
    pairs: Pairs, *, tolerance: float, least: int, limit: int
) -> list[tuple[Transform, NDArray[np.intp]]]:
    """Find transforms that several pairs agree on, one after the other.

    Every pair carries a complete similarity (place, scale, turn), so every pair is tried as a
    hypothesis and no random sampling is needed: the result depends on the pairs alone. Agreement
    is asked for more strictly near the pair that suggests it, since its scale and turn are inexact;
    the winner is fitted and grown, its pairs are taken out, and the search goes on.

    Args:
        pairs: Candidate pairs, all of one handedness.
        tolerance: Distance in target pixels at which a pair follows a fitted transform.
        least: Fewest distinct places that make a transform.
        limit: Most transforms to return.

    Returns:
        (transform, indices of the pairs that follow it), best supported first.
    """
    if len(pairs.source) < least:
        return []
    reflected = bool(np.linalg.det(pairs.linear[0]) < 0)
    agrees = _agreement(pairs, tolerance)
    free = np.ones(len(pairs.source), dtype=bool)
    found: list[tuple[Transform, NDArray[np.intp]]] = []
    for _ in range(4 * limit):
        support = (agrees & free[None, :]) @ pairs.weight
        support[~free] = 0
        seed = int(np.argmax(support))
        members = np.flatnonzero(agrees[seed] & free)
        if len(members) < least:
            break
        grown = _grow(pairs, members, free, tolerance, reflected=reflected)
        if grown is None or _places(pairs.source[grown[1]], tolerance) < least:
            free[seed] = False
            continue
        transform, members = grown
        free[members] = False
        free[seed] = False
        if is_plausible(transform):
            found.append((transform, members))
        if len(found) == limit:
            break
    return sorted(found, key=lambda item: -float(pairs.weight[item[1]].sum()))


def _agreement(pairs: Pairs, tolerance: float) -> NDArray[np.bool_]:
    """Which pair (column) follows the similarity that pair (row) suggests."""
    x, y = pairs.source.T.astype(np.float32)
    u, v = pairs.target.T.astype(np.float32)
    m = pairs.linear.astype(np.float32)[:, :, :, None]
    dx, dy = x[None] - x[:, None], y[None] - y[:, None]
    mapped_x = m[:, 0, 0] * dx + m[:, 0, 1] * dy
    mapped_y = m[:, 1, 0] * dx + m[:, 1, 1] * dy
    distance = np.hypot(u[None] - u[:, None] - mapped_x, v[None] - v[:, None] - mapped_y)
    reach = np.hypot(mapped_x, mapped_y)
    near = distance < tolerance + np.minimum(0.12 * reach, 6 * tolerance)
    flat = pairs.linear.reshape(len(pairs.linear), 4)
    norm = np.sqrt(np.abs(np.linalg.det(pairs.linear)))
    alike = (flat @ flat.T) / (2 * norm[:, None] * norm[None, :])  # cosine of the turn between
    scales = np.abs(np.log(norm)[:, None] - np.log(norm)[None, :])
    return np.asarray(near & (alike > 0.86) & (scales < 0.45))


def _grow(
    pairs: Pairs,
    members: NDArray[np.intp],
    free: NDArray[np.bool_],
    tolerance: float,
    *,
    reflected: bool,
) -> tuple[Transform, NDArray[np.intp]] | None:
    """Fit, take in what follows, fit again, until nothing changes."""
    transform = np.eye(3)
    for step in range(6):
        source, target = pairs.source[members], pairs.target[members]
        if np.ptp(source, axis=0).max() < 2:
            return None
        transform = fit_supported(source, target, reflected=reflected, weight=pairs.weight[members])
        if not is_plausible(transform):
            transform = fit_similarity(source, target, reflected=reflected)
        distance = np.linalg.norm(apply(transform, pairs.source) - pairs.target, axis=1)
        allowed = tolerance * (2.0 if step < 2 else 1.0)
        grown = np.flatnonzero((distance < allowed) & free)
        if len(grown) < 2:
            return None
        if step >= 2 and np.array_equal(grown, members):
            break
        members = grown
    return transform, members


def _places(points: Points, size: float) -> int:
    """Count distinct places among points; several key points may sit on one spot."""
    return len(np.unique(np.round(points / size), axis=0))
