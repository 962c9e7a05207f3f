"""Per-pixel reductions over the three colour channels; NumPy's own over a short axis are slow."""

import numpy as np
from numpy.typing import NDArray


def channel_max(pixels: NDArray) -> NDArray:
    """Largest of the three channels, (..., 3) -> (...)."""
    return np.maximum(np.maximum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])


def channel_min(pixels: NDArray) -> NDArray:
    """Smallest of the three channels, (..., 3) -> (...)."""
    return np.minimum(np.minimum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])
