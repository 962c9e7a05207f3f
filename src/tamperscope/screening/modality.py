"""Name the modality of a panel: blot or gel, microscopy, FACS, macroscopy, photo, or chart.

Hand-made features (:mod:`tamperscope.screening.appearance`) go through a small fitted network:
standardised and clipped, then affine maps with rectified units between them, then softmax. The
table ``modality.npz`` is fitted by ``tools/fit_modality.py`` on pictures whose licences permit it
and on drawn charts and blots; ``benchmarks/results/modality.json`` holds how well it does.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from tamperscope.records import PANEL_KINDS
from tamperscope.screening.appearance import describe_appearance

CLIP = 4.0
"""Standard deviations beyond which a feature says no more."""


@dataclass(frozen=True, eq=False)
class Table:
    """What was fitted; ``layers`` holds (weights, bias) from features to kinds."""

    mean: NDArray[np.float32]  # (features,)
    scale: NDArray[np.float32]  # (features,)
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities in the order of ``PANEL_KINDS``, (..., 6), of features (..., n)."""
        value = np.clip((features - self.mean) / self.scale, -CLIP, CLIP)
        for number, (weights, bias) in enumerate(self.layers):
            value = value @ weights + bias
            if number + 1 < len(self.layers):
                value = np.maximum(value, 0)
        value = np.exp(value - value.max(-1, keepdims=True))
        return value / value.sum(-1, keepdims=True)


def classify(pixels: NDArray[np.uint8]) -> tuple[str, float]:
    """Return the likeliest kind (one of ``records.PANEL_KINDS``) and its probability in [0, 1].

    Args:
        pixels: uint8 (height, width, 3), RGB, one panel.
    """
    shares = kind_probabilities(pixels)
    kind = max(shares, key=shares.__getitem__)
    return kind, shares[kind]


def kind_probabilities(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Return the probability of every kind; they add up to 1."""
    shares = shipped_table().probabilities(describe_appearance(pixels))
    return {kind: float(share) for kind, share in zip(PANEL_KINDS, shares, strict=True)}


@cache
def shipped_table() -> Table:
    """Read the fitted table that ships with the package."""
    with (
        files("tamperscope.screening").joinpath("modality.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        count = sum(name.startswith("weights") for name in stored.files)
        layers = tuple((stored[f"weights{i}"], stored[f"bias{i}"]) for i in range(count))
        return Table(stored["mean"], stored["scale"], layers)
