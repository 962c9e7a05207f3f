"""Drawn panels as a source: they need no data at all."""

from collections.abc import Mapping

import numpy as np

from tamperscope.synth.drawn import MODALITIES, draw_panel
from tamperscope.synth.sample import Size, SourcePanel, UnfitError


class DrawnSource:
    """Draws every panel anew; each is an original of its own."""

    identity = "drawn"
    modalities = MODALITIES
    skipped: Mapping[str, str] = {}

    def draw(
        self, rng: np.random.Generator, size: Size, modality: str | None, *, sharp: bool = False
    ) -> SourcePanel:
        """Draw a panel of (height, width), always sharp; UnfitError for what cannot be drawn."""
        kind = modality or MODALITIES[int(rng.integers(len(MODALITIES)))]
        if kind not in MODALITIES:
            raise UnfitError(f"{kind} panels cannot be drawn")
        number = int(rng.integers(2**63))
        pixels = draw_panel(kind, np.random.default_rng(number), size).pixels
        name = f"drawn/{kind}/{number:016x}"
        return SourcePanel(pixels, kind, name, name)
