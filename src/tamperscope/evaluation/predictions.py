"""Where a prediction comes from: a folder of masks, a classical detector, or a network.

Each answers the same question, *how tampered is each pixel of this sample?*, so that one set of
protocols scores them all. A prediction that is missing, unreadable or of another size is an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from tamperscope.data.samples import AnySample, PairSample, Sample
from tamperscope.errors import TamperscopeError
from tamperscope.evaluation.real_sets import mark
from tamperscope.evaluation.scoring import Heatmap, Size
from tamperscope.images import read_pixels
from tamperscope.matching.match import Mask, PreparedPanel
from tamperscope.matching.prepare import prepare
from tamperscope.matching.reuse import match_between

if TYPE_CHECKING:
    import torch

    from tamperscope.models import Network

KEPT_PANELS = 64  # prepared panels that a detector remembers: a panel is in many pairs
NO_PAIRS = (
    "this network looks at single pictures and cannot compare two; write masks with a method for "
    "pairs and give them with --masks"
)
MATCHERS = ("keypoints", "dense-field-zm", "dense-field-pct", "dense-field-fmt")


class PredictionError(TamperscopeError):
    """A prediction is missing, unreadable, or does not fit its picture."""


@dataclass(frozen=True)
class Prediction:
    """What a method says about one picture."""

    heatmap: Heatmap  # (H, W) in [0, 1]
    graded: bool  # whether it may hold anything but 0 and 1
    planes: tuple[Mask, ...] | None = None  # separate regions, where the method tells them apart


class Predictor(Protocol):
    """A method under test."""

    def check(self, samples: Sequence[AnySample]) -> None:
        """Raise PredictionError now if some of these samples cannot be answered for."""

    def on_picture(self, sample: Sample, pixels: np.ndarray) -> Prediction:
        """Answer for one picture, uint8 (H, W, 3)."""

    def on_pair(self, pair: PairSample) -> tuple[Prediction, Prediction]:
        """Answer for both pictures of a pair."""


def marked(mask: Mask) -> Prediction:
    """Make a prediction of a decision."""
    return Prediction(mask.astype(np.float32), graded=False)


@dataclass(frozen=True)
class DetectorPredictor:
    """One of the classical detectors; picklable."""

    name: str  # one of real_sets.DETECTORS

    def check(self, samples: Sequence[AnySample]) -> None:
        """Refuse pairs for a detector that looks at one picture."""
        if self.name not in MATCHERS and any(isinstance(s, PairSample) for s in samples):
            raise PredictionError(
                f"{self.name} looks at single pictures and cannot compare two; for pairs take "
                f"one of {', '.join(MATCHERS)}"
            )

    def on_picture(self, sample: Sample, pixels: np.ndarray) -> Prediction:
        """Mark source and target alike."""
        panel = prepare(pixels, sample.kind or "photo", name=str(sample.image))
        return marked(mark(panel, self.name))

    def on_pair(self, pair: PairSample) -> tuple[Prediction, Prediction]:
        """Mark what the two pictures share."""
        kind = pair.kind or "photo"
        a, b = (_prepared(sample.image, kind) for sample in (pair.a, pair.b))
        masks = np.zeros(a.gray.shape, bool), np.zeros(b.gray.shape, bool)
        for match in match_between(a, b, (self.name,)):
            masks[0][match.source_mask] = True
            masks[1][match.target_mask] = True
        return marked(masks[0]), marked(masks[1])


@lru_cache(maxsize=KEPT_PANELS)
def _prepared(path: Path, kind: str) -> PreparedPanel:
    return prepare(read_pixels(path), kind, name=str(path))


@dataclass(frozen=True)
class UnionPredictor:
    """A network and a classical detector asked together: what either marks.

    A pixel is as tampered as the network finds it, and wholly where the detector marks it.
    """

    network: Predictor
    detector: Predictor

    def check(self, samples: Sequence[AnySample]) -> None:
        """Refuse what either refuses."""
        self.network.check(samples)
        self.detector.check(samples)

    def on_picture(self, sample: Sample, pixels: np.ndarray) -> Prediction:
        """Answer for one picture."""
        parts = (self.network.on_picture(sample, pixels), self.detector.on_picture(sample, pixels))
        return _either(*parts)

    def on_pair(self, pair: PairSample) -> tuple[Prediction, Prediction]:
        """Answer for both pictures of a pair."""
        seen, marked_too = self.network.on_pair(pair), self.detector.on_pair(pair)
        return _either(seen[0], marked_too[0]), _either(seen[1], marked_too[1])


def _either(a: Prediction, b: Prediction) -> Prediction:
    return Prediction(np.maximum(a.heatmap, b.heatmap), a.graded or b.graded)


@dataclass(frozen=True)
class NetworkPredictor:
    """A localizing network with its weights, on the device where they are."""

    network: "Network"
    precision: "torch.dtype"
    tile: int = 1024  # pixels; larger pictures are cut into overlapping tiles
    input_size: Size | None = None  # squeeze every picture to it first, as both papers do

    def check(self, samples: Sequence[AnySample]) -> None:
        """Refuse pairs: this network looks at one picture."""
        if any(isinstance(sample, PairSample) for sample in samples):
            raise PredictionError(NO_PAIRS)

    def on_picture(self, sample: Sample, pixels: np.ndarray) -> Prediction:
        """Probability of tampering per pixel of ``pixels``."""
        return Prediction(self.heatmap(pixels, str(sample.image)), graded=True)

    def heatmap(self, pixels: np.ndarray, name: str = "the picture") -> Heatmap:
        """Probability per pixel, float32 (H, W) of the size of uint8 ``pixels`` (H, W, 3).

        With ``input_size`` the picture is scaled to it (bilinear, without low-pass, whatever its
        proportions), and the logits are enlarged to the size of the picture with aligned corners.

        Raises:
            PredictionError: The network answered with NaN or infinity.
        """
        from tamperscope.models.network import enlarge  # torch: only networks need it
        from tamperscope.models.tiling import tiled_logits, whole_heatmap

        size = (pixels.shape[0], pixels.shape[1])
        seen, tile = pixels, self.tile
        if self.input_size is not None:  # shown whole, whatever the size of tiles
            seen = cv2.resize(pixels, self.input_size[::-1], interpolation=cv2.INTER_LINEAR)
            tile = max(self.input_size)
        logits = tiled_logits(self.network, seen, tile=tile, precision=self.precision)
        if not logits.isfinite().all():
            raise PredictionError(f"{name}: the network answered with NaN or infinity")
        if self.input_size is not None:
            grown = enlarge(logits[None, None], size)[0, 0].sigmoid().numpy()
            return np.asarray(grown)
        return whole_heatmap(logits, self.network.stride, size)

    def on_pair(self, pair: PairSample) -> tuple[Prediction, Prediction]:
        """Refused, see :meth:`check`."""
        raise PredictionError(NO_PAIRS)
