"""Copy-move and reuse by a dense field: every patch looks for its nearest neighbour.

D. Cozzolino, G. Poggi, L. Verdoliva, "Efficient dense-field copy-move forgery detection", IEEE TIFS
10(11), 2015, with their three features (``zm``, ``pct``, ``fmt``), extended to two panels and to
scaling (:mod:`tamperscope.matching.field_layers`). Finds what key points miss: copies in smooth or
weakly structured areas, and small ones.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache

import cv2
import numpy as np

from tamperscope.kernels.dense_field import IMAGE_ONE, NearestField, Search, nearest_field
from tamperscope.matching.field_layers import (
    MIN_STRUCTURE,
    DescribedPanel,
    describe_panel,
    reduced,
    whole_image,
)
from tamperscope.matching.field_regions import (
    Rules,
    fitted_similarity,
    regions,
    residuals,
    target_positions,
)
from tamperscope.matching.field_transforms import Supported, Votes, supported_transforms
from tamperscope.matching.match import Mask, PreparedPanel, Proposal, Transform
from tamperscope.matching.polar_features import filter_bank

SEED = 20150

MERGE_DISTANCE = 4.0  # pixels: regions whose points follow one transform this closely are one
MERGE_SHARE = 0.7  # of the points
MAX_PROPOSALS = 16
FAIR_DISTANCE = 1.0e6  # squared, of descriptors: a node this far from its partner counts half
KEPT = 6  # described panels kept in memory, at most some 60 MB each
MAX_PIXELS = 400_000  # of a panel; larger ones are reduced, and what is found mapped back


@dataclass(frozen=True)
class DenseFieldSettings:
    """Everything that decides what a dense field finds."""

    scales: tuple[float, ...] = (1.0, 1.26, 1.59, 2.0)  # reductions of the target
    min_structure: float = MIN_STRUCTURE  # of a patch: deviation from a plane, in brightness
    exclusion: int = 24  # pixels between a place and its copy within one panel
    max_nodes: int = 20_000  # of the source; larger panels get a larger stride
    search: Search = field(default_factory=lambda: Search(stride=2, rounds=6, seed=SEED))
    votes: Votes = field(default_factory=Votes)  # for proposals
    rules: Rules = field(default_factory=Rules)  # for masks


PROPOSING = DenseFieldSettings()
"""For screening: as many nodes as time allows; what it proposes is verified by someone else."""

PAIRING = DenseFieldSettings(max_nodes=8_000)
"""For two panels: what they share is larger than a copy inside one, and there are many pairs."""

MASKING = DenseFieldSettings(
    scales=(1.0, 1.41, 2.0),
    min_structure=0.003,
    max_nodes=1_000_000,
    search=Search(stride=1, rounds=8, seed=SEED),
    rules=Rules(fit_radius=6.0, min_area=600.0),
)
"""For a mask of one picture: every pixel, as in the paper."""

GROWTH = 7.0  # pixels by which a mask grows: what patches across the rim took from it


def propose_within(
    panel: PreparedPanel,
    features: str = "zm",
    *,
    threads: int = 1,
    settings: DenseFieldSettings = PROPOSING,
) -> list[Proposal]:
    """Propose transforms that map one part of a panel onto another, best supported first.

    Args:
        panel: The panel to search.
        features: ``zm``, ``pct`` or ``fmt``.
        threads: Threads to use; the result is the same for any number.
        settings: What to search for, and how hard.

    Raises:
        MissingKernelError: The native library is not built.
    """
    factor = reduction(panel.gray.size, panel.gray.size)
    small, one = reduced_and_described(panel, factor, features, threads, settings)
    found = voted(one, one, max(round(settings.exclusion / factor), 1), threads, settings)
    return [
        mapped_back(proposal, (small, panel), (small, panel))
        for proposal in proposals(f"dense-field-{features}", found, both_ways=True)
    ]


def propose_between(
    a: PreparedPanel,
    b: PreparedPanel,
    features: str = "zm",
    *,
    threads: int = 1,
    settings: DenseFieldSettings = PAIRING,
) -> list[Proposal]:
    """Propose transforms that map a part of panel ``a`` onto a part of panel ``b``.

    Arguments and errors as in :func:`propose_within`. The field runs in both directions; what only
    one of them finds is proposed too, since each sees only partners of its own size or larger.
    """
    factor = reduction(a.gray.size, b.gray.size)
    small_a, one = reduced_and_described(a, factor, features, threads, settings)
    small_b, two = reduced_and_described(b, factor, features, threads, settings)
    found = voted(one, two, 0, threads, settings)
    found += [reversed_support(s) for s in voted(two, one, 0, threads, settings)]
    return [
        mapped_back(proposal, (small_a, a), (small_b, b))
        for proposal in proposals(f"dense-field-{features}", found, both_ways=False)
    ]


def detect_mask(
    panel: PreparedPanel,
    features: str = "zm",
    *,
    threads: int = 1,
    settings: DenseFieldSettings = MASKING,
) -> Mask:
    """Mark every place of a picture that has a copy in it, source and target alike; (H, W).

    Arguments and errors as in :func:`propose_within`.
    """
    height, width = panel.gray.shape
    mask = np.zeros((height, width), np.uint8)
    one = described(panel, features, threads, settings)
    stride = stride_for(one, settings)
    search = replace(settings.search, stride=stride)
    found = field_between(one, one, search, settings.exclusion, threads)
    for region in regions(found, one, stride, settings.rules, exclusion=settings.exclusion):
        for points in (region.source, region.target):
            x, y = np.rint(points[:, 0]).astype(int), np.rint(points[:, 1]).astype(int)
            inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
            mask[y[inside], x[inside]] = 1
    far = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return (far <= GROWTH) if mask.any() else mask.astype(np.bool_)


def reduction(a: int, b: int) -> float:
    """By what factor to reduce two panels of ``a`` and ``b`` pixels, along a side; at least 1.

    One factor for both keeps their relative scale. A small panel beside a large one is spared, up
    to four times the pixels for the large one.
    """
    return max(1.0, (min(a, b) / MAX_PIXELS) ** 0.5, (max(a, b) / (4 * MAX_PIXELS)) ** 0.5)


def reduced_panel(panel: PreparedPanel, factor: float) -> PreparedPanel:
    """The panel itself, or one ``factor`` times smaller along each side."""
    if factor == 1.0:
        return panel
    height, width = panel.gray.shape
    size = max(round(height / factor), 1), max(round(width / factor), 1)
    gray = reduced(whole_image(panel.gray), size) / np.float32(IMAGE_ONE)
    usable = reduced(panel.usable.astype(np.uint16) * IMAGE_ONE, size) > IMAGE_ONE // 2
    return replace(panel, gray=gray.astype(np.float32), usable=usable, stored=None)


def mapped_back(
    proposal: Proposal,
    source: tuple[PreparedPanel, PreparedPanel],
    target: tuple[PreparedPanel, PreparedPanel],
) -> Proposal:
    """Turn a proposal between reduced panels into one between the panels as they are.

    Args:
        proposal: In pixels of the reduced panels.
        source: The source panel, reduced and as it is.
        target: The target panel, likewise.
    """
    if source[0] is source[1] and target[0] is target[1]:
        return proposal
    enlarge_source, enlarge_target = enlargement(*source), enlargement(*target)
    return replace(
        proposal,
        transform=enlarge_target @ proposal.transform @ np.linalg.inv(enlarge_source),
        source=proposal.source * enlarge_source.diagonal()[:2] + enlarge_source[:2, 2],
        target=proposal.target * enlarge_target.diagonal()[:2] + enlarge_target[:2, 2],
    )


def enlargement(small: PreparedPanel, full: PreparedPanel) -> Transform:
    """Map pixel centres of a reduced panel onto the full one's."""
    y, x = np.array(full.gray.shape) / np.array(small.gray.shape)
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def described(
    panel: PreparedPanel, features: str, threads: int, settings: DenseFieldSettings
) -> DescribedPanel:
    """Describe a panel as ``settings`` ask."""
    return describe_panel(
        panel,
        filter_bank(features),
        settings.scales,
        min_structure=settings.min_structure,
        threads=threads,
    )


@lru_cache(maxsize=KEPT)
def reduced_and_described(
    panel: PreparedPanel, factor: float, features: str, threads: int, settings: DenseFieldSettings
) -> tuple[PreparedPanel, DescribedPanel]:
    """Reduce and describe a panel; kept a while, since one panel meets many others in a row."""
    small = reduced_panel(panel, factor)
    return small, described(small, features, threads, settings)


def field_between(
    source: DescribedPanel,
    target: DescribedPanel,
    search: Search,
    exclusion: int,
    threads: int,
) -> NearestField:
    """Run the field from full-size ``source`` into every size of ``target``."""
    first = source.layers[0]
    return nearest_field(
        first.descriptors,
        first.valid,
        target.layers,
        search,
        exclusion=exclusion,
        threads=threads,
    )


def voted(
    source: DescribedPanel,
    target: DescribedPanel,
    exclusion: int,
    threads: int,
    settings: DenseFieldSettings,
) -> list[Supported]:
    """Transforms that the field from ``source`` into ``target`` supports."""
    stride = stride_for(source, settings)
    search = replace(settings.search, stride=stride)
    found = field_between(source, target, search, exclusion, threads)
    positions = target_positions(found, target)
    factors = target.factors[np.maximum(found.layer, 0)]
    weights = 1 / (1 + found.distance / FAIR_DISTANCE)
    rng = np.random.default_rng([SEED, *positions.shape])
    return supported_transforms(positions, factors, weights, stride, settings.votes, rng)


def stride_for(source: DescribedPanel, settings: DenseFieldSettings) -> int:
    """The smallest stride, from the settings' one on, that leaves at most ``max_nodes`` nodes."""
    stride = settings.search.stride
    while -(-source.height // stride) * -(-source.width // stride) > settings.max_nodes:
        stride += 1
    return stride


def reversed_support(found: Supported) -> Supported:
    """The same support, read from target to source."""
    inverse = np.linalg.inv(found.transform).astype(np.float64)
    return Supported(inverse, found.target, found.source, found.weight)


def proposals(detector: str, found: list[Supported], *, both_ways: bool) -> list[Proposal]:
    """Merge what follows one transform (or, ``both_ways``, its inverse), best supported first."""
    merged: list[Supported] = []
    for one in sorted(found, key=lambda s: -s.weight):
        readings = [one, reversed_support(one)] if both_ways else [one]
        for index, other in enumerate(merged):
            same = [r for r in readings if follows(other.transform, r)]
            if same:
                source = np.concatenate([other.source, same[0].source])
                target = np.concatenate([other.target, same[0].target])
                transform, weight = fitted_similarity(source, target), other.weight + one.weight
                merged[index] = Supported(transform, source, target, weight)
                break
        else:
            merged.append(one)
    merged.sort(key=lambda s: -s.weight)
    return [Proposal(detector, s.transform, s.source, s.target) for s in merged[:MAX_PROPOSALS]]


def follows(transform: Transform, found: Supported) -> bool:
    """Whether most of the supporting points follow ``transform``."""
    near = residuals(transform, found.source, found.target) <= MERGE_DISTANCE
    return bool(near.mean() >= MERGE_SHARE)
