"""What the matchers pass around: a prepared panel, a proposal, a verified match.

A *proposal* is what a key-point or dense-field matcher believes; a *match* is a proposal that
:mod:`tamperscope.matching.verify` has aligned, measured and held against chance. Points are (x, y)
in pixels of the panel; transforms are 3x3 and map source points to target points,
``target = transform @ (x, y, 1)``; masks are bool (height, width) of their panel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]  # (height, width), values in [0, 1]
Mask = NDArray[np.bool_]  # (height, width)
Transform = NDArray[np.float64]  # (3, 3)


@dataclass(frozen=True, eq=False)
class PreparedPanel:
    """One panel as the matchers see it; made by :func:`tamperscope.matching.prepare.prepare`."""

    gray: Gray  # brightness in [0, 1]; what surrounds letters and axes is continued into them
    usable: Mask  # False on letters, arrows, scale bars, saturated or empty areas
    kind: str  # modality, one of records.PANEL_KINDS: selects the null of the chance test
    name: str = ""  # for messages
    stored: Gray | None = None  # brightness with letters and axes in it; None: ``gray`` is that

    @property
    def seen(self) -> Gray:
        """Brightness of every pixel as it is stored, for what looks at the pixels' own noise."""
        return self.gray if self.stored is None else self.stored

    def __post_init__(self) -> None:
        if self.gray.shape != self.usable.shape or self.gray.ndim != 2:
            raise ValueError(f"gray {self.gray.shape} and usable {self.usable.shape} must agree")


@dataclass(frozen=True, eq=False)
class Proposal:
    """A transform that one detector suggests, with the places that support it."""

    detector: str  # "keypoints", "dense-field-zm", "dense-field-pct", "dense-field-fmt"
    transform: Transform  # source -> target; may include a reflection
    source: NDArray[np.float64]  # (n, 2) supporting points in the source panel
    target: NDArray[np.float64]  # (n, 2) their partners in the target panel


@dataclass(frozen=True, eq=False)
class Match:
    """A verified correspondence between two regions (of one panel, or of two)."""

    detector: str
    transform: Transform
    source_mask: Mask
    target_mask: Mask
    inliers: int  # supporting points that follow the transform
    correlation: float  # Pearson of the aligned regions, after the transform, no tone change
    correlation_tone: float  # the same after removing the best monotone tone curve
    chance: float  # share of the null that aligns at least this well, in [0, 1]
    chance_null: str  # which null, in words: "microscopy, 4,950 unrelated pairs"
    score: float  # in [0, 1], 1 - chance-like confidence; orders matches
    inverted: bool = False  # the tone curve falls: one region is the negative of the other
    also: tuple[str, ...] = ()  # other detectors that proposed the same alignment
