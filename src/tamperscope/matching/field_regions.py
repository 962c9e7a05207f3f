"""From a nearest-neighbour field to regions that follow one transform each.

The copies show as areas where the field is locally linear. As in D. Cozzolino, G. Poggi,
L. Verdoliva, "Efficient dense-field copy-move forgery detection", IEEE TIFS 10(11), 2015, section
V: median filter, then the error of a dense linear fit (DLF) over a disc around each node, then
thresholds on error, distance and size. What differs: nodes where nothing was found, and strays
that no near node agrees with, have no weight in the fit; the fitted Jacobian must be near a
similarity of plausible scale; neighbours join a region only where their fits agree.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from tamperscope.kernels.dense_field import NOTHING, NearestField
from tamperscope.matching.field_layers import DescribedPanel
from tamperscope.matching.match import Transform

REACH = 2  # nodes: how far apart linked nodes may lie, in rows and in columns

Points = NDArray[np.float64]  # (n, 2) as (x, y)


@dataclass(frozen=True)
class Rules:
    """What a region must fulfil; lengths in pixels of the panel."""

    median_radius: float = 4.0
    fit_radius: float = 7.0  # of the disc of the linear fit
    max_error: float = 1.5  # root mean square distance from the fit
    link_tolerance: float = 1.5  # of the distance between two near nodes' partners
    min_links: int = 12  # of the 24 nearest nodes
    min_share: float = 0.35  # of a disc's nodes that must have a partner
    scales: tuple[float, float] = (0.8, 2.4)  # of the fit; smaller ones are the other direction's
    max_stretch: float = 1.5  # ratio of the fit's singular values
    max_step: float = 2.5  # disagreement of two neighbours' fits
    min_area: float = 300.0  # of a region


@dataclass(frozen=True, eq=False)
class Region:
    """Connected nodes and their partners."""

    source: Points
    target: Points


@dataclass(frozen=True, eq=False)
class LinearFit:
    """The local linear fit at each node: target = position + jacobian @ (offset from the node)."""

    position: NDArray[np.float64]  # (rows, columns, 2) as (x, y)
    jacobian: NDArray[np.float64]  # (rows, columns, 2, 2)
    error: NDArray[np.float64]  # (rows, columns) root mean square; infinite where there is no fit


def target_positions(field: NearestField, target: DescribedPanel) -> NDArray[np.float64]:
    """Partners in pixels of the full-size target, (rows, columns, 2); NaN where none was found."""
    widths = np.array([layer.valid.shape[1] for layer in target.layers])
    heights = np.array([layer.valid.shape[0] for layer in target.layers])
    layer = np.maximum(field.layer, 0)
    x = (field.x + 0.5) * target.width / widths[layer] - 0.5
    y = (field.y + 0.5) * target.height / heights[layer] - 0.5
    positions = np.stack([x, y], axis=-1)
    positions[field.distance == NOTHING] = np.nan
    return positions


def links(
    positions: NDArray[np.float64], factors: NDArray[np.float64], stride: int, tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of near nodes whose partners' distance is what that of the nodes asks for.

    Args:
        positions: (rows, columns, 2) partners, NaN where there is none.
        factors: (rows, columns) scale of the layer each partner was found in.
        stride: Pixels between nodes.
        tolerance: Pixels by which the distances may differ.

    Returns:
        The nodes' numbers, row by row: the first of each pair, and the second.
    """
    rows, columns = factors.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    starts, ends = [], []
    for dy in range(REACH + 1):
        for dx in range(-REACH, REACH + 1):
            if dy == 0 and dx <= 0:
                continue
            here = np.s_[: rows - dy, max(-dx, 0) : columns - max(dx, 0)]
            there = np.s_[dy:, max(dx, 0) : columns + min(dx, 0)]
            gap = positions[there] - positions[here]
            length = np.hypot(gap[..., 0], gap[..., 1])
            expected = np.hypot(dx, dy) * stride * factors[here]
            # A comparison with NaN is false: a node without a partner is linked to none.
            link = np.abs(length - expected) <= tolerance
            link &= factors[there] == factors[here]
            starts.append(index[here][link])
            ends.append(index[there][link])
    return np.concatenate(starts), np.concatenate(ends)


def without_strays(
    positions: NDArray[np.float64], factors: NDArray[np.float64], stride: int, rules: Rules
) -> NDArray[np.float64]:
    """Partners, NaN where too few near nodes' partners lie as theirs do; least squares need it."""
    start, end = links(positions, factors, stride, rules.link_tolerance)
    count = np.bincount(np.concatenate([start, end]), minlength=factors.size)
    stray = count.reshape(factors.shape) < rules.min_links
    return np.where(stray[..., None], np.nan, positions)


def median_filtered(positions: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Median of each coordinate's displacement over a disc of nodes; NaN stays NaN."""
    if radius < 1:
        return positions
    missing = np.isnan(positions[..., 0])
    rows, columns = missing.shape
    result = np.empty_like(positions)
    footprint = disc(radius)
    for axis, nodes in enumerate((np.arange(columns)[None, :], np.arange(rows)[:, None])):
        values = np.where(missing, 0.0, positions[..., axis])
        # A missing node takes part with its nearest known neighbour's value.
        if missing.any() and not missing.all():
            nearest = ndimage.distance_transform_edt(
                missing, return_distances=False, return_indices=True
            )
            values = values[tuple(nearest)]
        result[..., axis] = (
            ndimage.median_filter(values - nodes, footprint=footprint, mode="nearest") + nodes
        )
    result[missing] = np.nan
    return result


def linear_fit(positions: NDArray[np.float64], stride: int, rules: Rules) -> LinearFit:
    """Fit ``positions`` linearly over a disc around each node by weighted least squares."""
    radius = max(round(rules.fit_radius / stride), 2)
    kernel = disc(radius).astype(np.float64)
    v, u = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64) * stride
    weight = (~np.isnan(positions[..., 0])).astype(np.float64)
    design = (np.ones_like(u), u, v)
    normal = np.empty((*weight.shape, 3, 3))
    for i in range(3):
        for j in range(i, 3):
            normal[..., i, j] = normal[..., j, i] = summed(weight, kernel * design[i] * design[j])
    count = normal[..., 0, 0]
    fitted = (count >= rules.min_share * kernel.sum()) & (weight > 0)
    # A node without a fit gets a solvable system; its result is thrown away.
    normal[~fitted] = np.eye(3)
    inverse = np.linalg.inv(normal + 1e-6 * np.eye(3))
    square = np.zeros_like(weight)
    position, jacobian = np.empty((*weight.shape, 2)), np.empty((*weight.shape, 2, 2))
    for axis in range(2):
        values = np.where(weight > 0, positions[..., axis], 0.0)
        right = np.stack([summed(values, kernel * part) for part in design], axis=-1)
        solution = np.einsum("...ij,...j->...i", inverse, right)
        square += summed(values**2, kernel) - np.einsum("...i,...i->...", solution, right)
        position[..., axis] = solution[..., 0]
        jacobian[..., axis, :] = solution[..., 1:]
    error = np.sqrt(np.maximum(square, 0) / np.maximum(count, 1))
    return LinearFit(position, jacobian, np.where(fitted, error, np.inf))


def summed(values: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate with ``kernel``; outside the grid lies nothing."""
    result = cv2.filter2D(values, cv2.CV_64F, kernel, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(result, np.float64)


def disc(radius: int) -> NDArray[np.bool_]:
    """Nodes within ``radius`` of the centre, (2 radius + 1, 2 radius + 1)."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x**2 + y**2 <= (radius + 0.5) ** 2


def accepted(fit: LinearFit, rules: Rules) -> NDArray[np.bool_]:
    """Nodes whose fit is good and near a similarity of plausible scale."""
    a, b = fit.jacobian[..., 0, 0], fit.jacobian[..., 0, 1]
    c, d = fit.jacobian[..., 1, 0], fit.jacobian[..., 1, 1]
    half_sum = np.hypot(a + d, c - b) / 2
    half_difference = np.hypot(a - d, c + b) / 2
    large, small = half_sum + half_difference, np.abs(half_sum - half_difference)
    scale = np.sqrt(large * small)
    return (
        (fit.error <= rules.max_error)
        & (large <= rules.max_stretch * small)
        & (scale >= rules.scales[0])
        & (scale <= rules.scales[1])
    )


def regions(
    field: NearestField,
    target: DescribedPanel,
    stride: int,
    rules: Rules,
    *,
    exclusion: float = 0.0,
) -> list[Region]:
    """Find the connected regions of a field that follow a transform, the largest first.

    Args:
        field: From the source into ``target``.
        target: The panel the field leads into.
        stride: Pixels between nodes.
        rules: What a region must fulfil.
        exclusion: Least distance between a node and its partner; 0 between two panels.
    """
    return connected(*good_nodes(field, target, stride, rules, exclusion), stride, rules)


def good_nodes(
    field: NearestField, target: DescribedPanel, stride: int, rules: Rules, exclusion: float
) -> tuple[LinearFit, NDArray[np.bool_]]:
    """Fit a field and tell at which nodes the fit is to be believed, (rows, columns).

    Arguments as in :func:`regions`.
    """
    positions = target_positions(field, target)
    factors = target.factors[np.maximum(field.layer, 0)]
    positions = without_strays(positions, factors, stride, rules)
    positions = median_filtered(positions, round(rules.median_radius / stride))
    fit = linear_fit(positions, stride, rules)
    good = accepted(fit, rules)
    if exclusion:
        nodes = node_places(good.shape, stride)
        good &= np.hypot(*np.moveaxis(fit.position - nodes, -1, 0)) >= exclusion
    return fit, good


def connected(fit: LinearFit, good: NDArray[np.bool_], stride: int, rules: Rules) -> list[Region]:
    """Connect good nodes whose fits continue each other into regions, the largest first."""
    nodes = node_places(good.shape, stride)
    labels = joined(fit, good, stride, rules.max_step)
    sizes = np.bincount(labels[labels >= 0]) if good.any() else np.zeros(0, int)
    enough = np.flatnonzero(sizes * stride**2 >= rules.min_area)
    order = enough[np.argsort(-sizes[enough], kind="stable")]
    return [Region(nodes[labels == i], fit.position[labels == i]) for i in order]


def node_places(size: tuple[int, int], stride: int) -> NDArray[np.float64]:
    """Where the nodes of (rows, columns) lie, (rows, columns, 2) as (x, y) in pixels."""
    rows, columns = size
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    return np.stack([x, y], axis=-1).astype(np.float64) * stride


def joined(
    fit: LinearFit, good: NDArray[np.bool_], stride: int, max_step: float
) -> NDArray[np.int64]:
    """Label connected good nodes whose fits continue each other; -1 elsewhere."""
    rows, columns = good.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    starts, ends = [], []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = np.s_[: rows - dy, max(-dx, 0) : columns - max(dx, 0)]
        there = np.s_[dy:, max(dx, 0) : columns + min(dx, 0)]
        step = np.array([dx, dy], np.float64) * stride
        gap = fit.position[there] - fit.position[here] - fit.jacobian[here] @ step
        link = good[here] & good[there] & (np.hypot(gap[..., 0], gap[..., 1]) <= max_step)
        starts.append(index[here][link])
        ends.append(index[there][link])
    start, end = np.concatenate(starts), np.concatenate(ends)
    graph = sparse.coo_array((np.ones(len(start), np.int8), (start, end)), (index.size, index.size))
    _, labels = sparse.csgraph.connected_components(graph, directed=False)
    labels = labels.reshape(rows, columns).astype(np.int64)
    labels[~good] = -1
    return labels


def fitted_similarity(source: Points, target: Points) -> Transform:
    """Fit a similarity by least squares, reflected or not, whichever fits better; (3, 3).

    S. Umeyama, IEEE TPAMI 13(4), 1991, without the restriction to proper rotations.
    """
    centre, image = source.mean(0), target.mean(0)
    a, b = source - centre, target - image
    u, singular, vt = np.linalg.svd(b.T @ a)
    scale = singular.sum() / max((a**2).sum(), 1e-12)
    linear = scale * (u @ vt)
    transform = np.eye(3)
    transform[:2, :2] = linear
    transform[:2, 2] = image - linear @ centre
    return transform


def residuals(transform: Transform, source: Points, target: Points) -> NDArray[np.float64]:
    """Distance of each target point from its source point's image."""
    moved = source @ transform[:2, :2].T + transform[:2, 2]
    return np.hypot(*(moved - target).T)
