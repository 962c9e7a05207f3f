"""Copy-move and reuse by a dense field: every patch looks for its nearest neighbour.

D. Cozzolino, G. Poggi, L. Verdoliva, "Efficient dense-field copy-move forgery detection", IEEE TIFS
10(11), 2015, with their three features (``zm``, ``pct``, ``fmt``), extended to two panels and to
scaling (:mod:`tamperscope.matching.field_layers`). Finds what key points miss: copies in smooth or
weakly structured areas, and small ones.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from tamperscope.kernels.dense_field import Search, nearest_field
from tamperscope.matching.field_layers import MIN_STRENGTH, DescribedPanel, describe_panel
from tamperscope.matching.field_regions import (
    Points,
    Region,
    Rules,
    fitted_similarity,
    regions,
    residuals,
)
from tamperscope.matching.match import Mask, PreparedPanel, Proposal
from tamperscope.matching.polar_features import filter_bank

SEED = 20150

MERGE_DISTANCE = 4.0  # pixels: regions whose points follow one transform this closely are one
MERGE_SHARE = 0.7  # of the points
MAX_PROPOSALS = 16


@dataclass(frozen=True)
class DenseFieldSettings:
    """Everything that decides what a dense field finds."""

    scales: tuple[float, ...] = (1.0, 1.26, 1.59, 2.0)  # reductions of the target
    min_strength: float = MIN_STRENGTH  # of a patch's structure, in brightness
    exclusion: int = 24  # pixels between a place and its copy within one panel
    search: Search = field(default_factory=lambda: Search(stride=4, rounds=6, seed=SEED))
    rules: Rules = field(default_factory=Rules)


PROPOSING = DenseFieldSettings()
"""For screening: one node in 16 pixels; what it proposes is verified by someone else."""

MASKING = DenseFieldSettings(
    scales=(1.0, 1.41, 2.0),
    min_strength=0.004,
    search=Search(stride=1, rounds=8, seed=SEED),
    rules=Rules(fit_radius=6.0, min_area=600.0),
)
"""For a mask of one picture: every pixel, as in the paper."""

GROWTH = 10.0  # pixels by which a mask grows: what the median and the fit took from its rim


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
    found = within(panel, features, threads, settings)
    return proposals(f"dense-field-{features}", found, both_ways=True)


def propose_between(
    a: PreparedPanel,
    b: PreparedPanel,
    features: str = "zm",
    *,
    threads: int = 1,
    settings: DenseFieldSettings = PROPOSING,
) -> list[Proposal]:
    """Propose transforms that map a part of panel ``a`` onto a part of panel ``b``.

    Arguments and errors as in :func:`propose_within`. The field runs in both directions; what only
    one of them finds is proposed too, since each sees only partners of its own size or larger.
    """
    bank = filter_bank(features)
    described = [
        describe_panel(
            panel, bank, settings.scales, min_strength=settings.min_strength, threads=threads
        )
        for panel in (a, b)
    ]
    found = directed(described[0], described[1], 0, threads, settings)
    found += [swapped(r) for r in directed(described[1], described[0], 0, threads, settings)]
    return proposals(f"dense-field-{features}", found, both_ways=False)


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
    mask = np.zeros(panel.gray.shape, np.uint8)
    for region in within(panel, features, threads, settings):
        for points in (region.source, region.target):
            x, y = np.rint(points).astype(int).T
            inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
            mask[y[inside], x[inside]] = 1
    far = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return (far <= GROWTH) if mask.any() else mask.astype(np.bool_)


def within(
    panel: PreparedPanel, features: str, threads: int, settings: DenseFieldSettings
) -> list[Region]:
    """Regions of a panel that have a copy in it."""
    described = describe_panel(
        panel,
        filter_bank(features),
        settings.scales,
        min_strength=settings.min_strength,
        threads=threads,
    )
    return directed(described, described, settings.exclusion, threads, settings)


def directed(
    source: DescribedPanel,
    target: DescribedPanel,
    exclusion: int,
    threads: int,
    settings: DenseFieldSettings,
) -> list[Region]:
    """Regions of ``source`` that the field maps smoothly into ``target``."""
    first = source.layers[0]
    found = nearest_field(
        first.descriptors,
        first.valid,
        target.layers,
        settings.search,
        exclusion=exclusion,
        threads=threads,
    )
    return regions(found, target, settings.search.stride, settings.rules, exclusion=exclusion)


def swapped(region: Region) -> Region:
    """The same region, read the other way round."""
    return Region(region.target, region.source)


def proposals(detector: str, found: list[Region], *, both_ways: bool) -> list[Proposal]:
    """Merge regions that follow one transform (or, ``both_ways``, its inverse) and fit it."""
    merged: list[Region] = []
    for region in sorted(found, key=lambda r: -len(r.source)):
        for index, other in enumerate(merged):
            transform = fitted_similarity(other.source, other.target)
            fitting = [r for r in ([region, swapped(region)] if both_ways else [region])
                       if follows(transform, r.source, r.target)]  # fmt: skip
            if fitting:
                merged[index] = Region(
                    np.concatenate([other.source, fitting[0].source]),
                    np.concatenate([other.target, fitting[0].target]),
                )
                break
        else:
            merged.append(region)
    merged.sort(key=lambda r: -len(r.source))
    return [
        Proposal(detector, trimmed_similarity(r.source, r.target), r.source, r.target)
        for r in merged[:MAX_PROPOSALS]
    ]


def follows(transform: np.ndarray, source: Points, target: Points) -> bool:
    """Whether most points follow ``transform``."""
    near = residuals(transform, source, target) <= MERGE_DISTANCE
    return bool(near.mean() >= MERGE_SHARE)


def trimmed_similarity(source: Points, target: Points) -> np.ndarray:
    """Fit a similarity, twice more without the worst fitting quarter."""
    transform = fitted_similarity(source, target)
    for _ in range(2):
        distance = residuals(transform, source, target)
        keep = distance <= np.quantile(distance, 0.75)
        transform = fitted_similarity(source[keep], target[keep])
    return transform
