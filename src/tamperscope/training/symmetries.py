"""Turns and mirrors finished panels with all that is known of them: eight views of each.

A symmetry is a number: bit 0 mirrors columns, bit 1 mirrors rows, bit 2 exchanges rows and columns,
in this order. Panels that are not square keep their sides: bit 2 is not drawn for them.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.sample import Matrix, Sample, Size

TRANSPOSED = 4


def draw_symmetry(rng: np.random.Generator, size: Size) -> int:
    """Draw one that keeps ``size`` (height, width)."""
    return int(rng.integers(8 if size[0] == size[1] else 4))


def turned(array: NDArray, symmetry: int) -> NDArray:
    """Show an array (height, width, ...) through a symmetry; a view, not a copy."""
    if symmetry & 1:
        array = array[:, ::-1]
    if symmetry & 2:
        array = array[::-1]
    return array.swapaxes(0, 1) if symmetry & TRANSPOSED else array


def symmetry_matrix(symmetry: int, size: Size) -> Matrix:
    """Map (x, y) of pixel centres of a panel of ``size`` to where :func:`turned` puts them."""
    height, width = size
    matrix = np.eye(3)
    if symmetry & 1:
        matrix = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
    if symmetry & 2:
        matrix = np.array([[1.0, 0, 0], [0, -1, height - 1], [0, 0, 1]]) @ matrix
    if symmetry & TRANSPOSED:
        matrix = matrix[[1, 0, 2]]
    return matrix


def turned_sample(sample: Sample, symmetry: int) -> Sample:
    """Show all panels of a forged sample through one symmetry; masks and links follow.

    Both of a pair alike: what was never turned against its original is not turned here.
    """
    sizes = [(panel.shape[0], panel.shape[1]) for panel in sample.panels]
    maps = [symmetry_matrix(symmetry, size) for size in sizes]
    links = tuple(
        replace(
            link,
            source=turned(link.source, symmetry),
            target=turned(link.target, symmetry),
            matrix=maps[link.target_panel] @ link.matrix @ np.linalg.inv(maps[link.source_panel]),
        )
        for link in sample.links
    )
    panels, sources, targets = (
        tuple(turned(array, symmetry) for array in arrays)
        for arrays in (sample.panels, sample.sources, sample.targets)
    )
    return replace(sample, panels=panels, sources=sources, targets=targets, links=links)


def exchanged(sample: Sample) -> Sample:
    """Put the second panel of a pair first."""
    links = tuple(
        replace(link, source_panel=1 - link.source_panel, target_panel=1 - link.target_panel)
        for link in sample.links
    )
    return replace(
        sample,
        panels=sample.panels[::-1],
        sources=sample.sources[::-1],
        targets=sample.targets[::-1],
        groups=sample.groups[::-1],
        links=links,
    )
