"""Name the modality of a panel: blot or gel, microscopy, FACS, macroscopy, photo, or chart.

Hand-made features (:mod:`tamperscope.screening.appearance`) are standardised and clipped, then go
through a multinomial logistic regression. The table ``modality.npz`` is fitted by
``tools/fit_modality.py`` on pictures whose licences permit it and on drawn charts and blots;
``benchmarks/results/modality.json`` holds how well it does.
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

SET_ASIDE = 0.5
"""Least probability of a chart: what is called one is not screened, so doubt keeps it in."""


@dataclass(frozen=True, eq=False)
class Table:
    """What was fitted."""

    mean: NDArray[np.float32]  # (features,)
    scale: NDArray[np.float32]  # (features,)
    weights: NDArray[np.float32]  # (features, kinds)
    bias: NDArray[np.float32]  # (kinds,)

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities in the order of ``PANEL_KINDS``, (..., 6), of features (..., n)."""
        inputs = np.clip((features - self.mean) / self.scale, -CLIP, CLIP)
        logits = inputs @ self.weights + self.bias
        odds = np.exp(logits - logits.max(-1, keepdims=True))
        return odds / odds.sum(-1, keepdims=True)


def classify(pixels: NDArray[np.uint8]) -> tuple[str, float]:
    """Return the likeliest kind (one of ``records.PANEL_KINDS``) and its probability in [0, 1].

    Args:
        pixels: uint8 (height, width, 3), RGB, one panel.
    """
    shares = kind_probabilities(pixels)
    if shares["chart"] < SET_ASIDE:
        del shares["chart"]
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
        return Table(stored["mean"], stored["scale"], stored["weights"], stored["bias"])
