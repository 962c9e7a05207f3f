"""A network of pairs under test: two panels of a pair, or one panel with itself."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tamperscope.data.samples import AnySample, PairSample, Sample
from tamperscope.evaluation.predictions import KEPT_PANELS, Prediction, PredictionError
from tamperscope.images import read_pixels

if TYPE_CHECKING:
    from tamperscope.models.pair_reading import PairReader, ReadPanel


class PairNetworkPredictor:
    """Reads panels with a pair network; a panel of many pairs is encoded once while it is kept."""

    def __init__(self, reader: "PairReader") -> None:
        self.reader = reader
        self.kept: OrderedDict[Path, ReadPanel] = OrderedDict()

    def check(self, samples: Sequence[AnySample]) -> None:
        """Pairs and single panels can both be answered for."""

    def on_picture(self, sample: Sample, pixels: np.ndarray) -> Prediction:
        """Mark what the panel holds twice, or what was pasted into it."""
        heatmap = self.reader.alone(self.reader.read(pixels)).heatmap
        return answered(heatmap, str(sample.image))

    def on_pair(self, pair: PairSample) -> tuple[Prediction, Prediction]:
        """Mark what both panels share."""
        a, b = (self._panel(side.image) for side in (pair.a, pair.b))
        reading = self.reader.compare(a, b)
        return (
            answered(reading.first.heatmap, str(pair.a.image)),
            answered(reading.second.heatmap, str(pair.b.image)),
        )

    def _panel(self, path: Path) -> "ReadPanel":
        return recent(self.kept, path, lambda: self.reader.read(read_pixels(path)))


def recent(
    kept: "OrderedDict[Path, ReadPanel]", path: Path, read: "Callable[[], ReadPanel]"
) -> "ReadPanel":
    """Return what is kept under ``path``, or read it and let the one longest unused go."""
    if path not in kept:
        kept[path] = read()
        if len(kept) > KEPT_PANELS:
            kept.popitem(last=False)
    kept.move_to_end(path)
    return kept[path]


def answered(heatmap: np.ndarray, name: str) -> Prediction:
    """Make a prediction of a heatmap; PredictionError where it holds NaN."""
    if not np.isfinite(heatmap).all():
        raise PredictionError(f"{name}: the network answered with NaN or infinity")
    return Prediction(heatmap, graded=True)
