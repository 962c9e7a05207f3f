"""What an operation has at hand: random numbers, its settings, and panels to draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from tamperscope.synth.postprocess import FULL_COLOUR, HALF_COLOUR, through_jpeg
from tamperscope.synth.sample import Pixels, Size, SourcePanel, UnfitError
from tamperscope.synth.settings import Settings
from tamperscope.synth.tone import grey, is_grey, mean_level

STORED_QUALITY = (60, 98)  # of the JPEG that panels come from
STRANGERS = 12  # panels that are drawn to find one of another group


class PanelSource(Protocol):
    """Gives pristine panels."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it has panels of."""

    @property
    def identity(self) -> str:
        """Text that changes when other panels would be drawn."""

    @property
    def skipped(self) -> Mapping[str, str]:
        """What could not be used so far, and why."""

    def draw(
        self, rng: np.random.Generator, size: Size, modality: str | None, *, sharp: bool = False
    ) -> SourcePanel:
        """Draw a panel of (height, width); ``None`` for any modality; ``sharp``: none enlarged.

        Raises:
            UnfitError: Nothing it has can show a panel of that size.
        """


class PatchGenerator(Protocol):
    """Makes pixels that were never photographed: a GAN, a diffusion model."""

    name: str
    modalities: tuple[str, ...]
    largest: int  # pixels, of a side
    identity: str  # text that changes when other patches would be made

    def generate(
        self, rng: np.random.Generator, size: Size, modality: str, like: Pixels | None = None
    ) -> Pixels:
        """Return uint8 (height, width, 3), decided by ``rng`` and what it shall be laid out like.

        ``like`` has the same size; only its coarse structure may be used.
        """


@dataclass(frozen=True, eq=False)
class Work:
    """One sample being made."""

    rng: np.random.Generator
    size: Size  # of the canvas
    modality: str
    settings: Settings
    source: PanelSource
    generators: Sequence[PatchGenerator] = ()
    look: tuple[str, ...] = ()  # "grey", "dark bands", "bright bands": how its panels are shown
    sharp: float = 0.0  # chance that a panel is neither enlarged nor stretched
    stored: float = 0.0  # chance that a panel was stored as JPEG before

    def panel(self, size: Size | None = None) -> SourcePanel:
        """Draw a panel of the canvas's size, or of another."""
        return self.kept(self.bare(size))

    def bare(self, size: Size | None = None) -> SourcePanel:
        """Draw a panel that was not stored yet."""
        sharp = self.sharp > 0 and self.rng.random() < self.sharp
        drawn = self.source.draw(self.rng, size or self.size, self.modality, sharp=sharp)
        return self._shown(drawn)

    def kept(self, panel: SourcePanel) -> SourcePanel:
        """The panel as it comes from its file: mostly a JPEG, where the recipe has it so."""
        if not self.stored or self.rng.random() >= self.stored:
            return panel
        # Seen whole, a picture lies on its grid of blocks; cut out of a larger one, anywhere on it.
        quality = int(self.rng.integers(STORED_QUALITY[0], STORED_QUALITY[1] + 1))
        colour = int(self.rng.choice([FULL_COLOUR, HALF_COLOUR]))
        place = self.rng.integers(0, 8, 2) if self.rng.random() < 0.5 else (0, 0)
        pixels = through_jpeg(panel.pixels, quality, colour, int(place[0]), int(place[1]))
        return replace(panel, pixels=pixels)

    def _shown(self, panel: SourcePanel) -> SourcePanel:
        """The panel in the look of the sample."""
        if not self.look:
            return panel
        pixels = panel.pixels
        if "grey" in self.look and not is_grey(pixels):
            pixels = grey(pixels)
        bright = mean_level(pixels) >= 128  # the background, and bands are dark on it
        if ("dark bands" if not bright else "bright bands") in self.look:
            pixels = 255 - pixels
        return replace(panel, pixels=pixels)

    def stranger(self, panel: SourcePanel, size: Size | None = None) -> SourcePanel:
        """Draw a panel of another original picture; UnfitError where there is none."""
        for _ in range(STRANGERS):
            other = self.panel(size)
            if other.group != panel.group:
                return other
        raise UnfitError(f"no {self.modality} panel of another group than {panel.group}")
