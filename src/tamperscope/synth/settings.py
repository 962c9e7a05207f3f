"""What a recipe says of one operation: chances and ranges of all that is drawn for it."""

from dataclasses import dataclass, field

from tamperscope.synth.blending import Blending
from tamperscope.synth.geometry import Geometry
from tamperscope.synth.shapes import Shapes
from tamperscope.synth.tone import Tone


@dataclass(frozen=True)
class Look:
    """Chances of how panels are shown; drawn once for a sample, as a figure has one style."""

    grey: float = 0.1  # colour taken out
    grey_blot: float = 0.6  # the same for blots and gels, which are published in grey
    dark_bands: float = 0.6  # of the grey blots; the others have bright bands on black
    sharp: float = 0.0  # that a panel shows a picture's own pixels, or fewer, never enlarged ones
    stored: float = 0.0  # that a panel was stored as JPEG before anything is done; each by itself


@dataclass(frozen=True)
class Settings:
    """Of one operation; what an operation has no use for it ignores."""

    weight: float = 1.0  # against the other operations
    modalities: tuple[str, ...] = ()  # panels it is used on; empty: all that it can be used on
    generators: tuple[str, ...] = ()  # of patches, names or files; empty: all that come with it
    like_panel: float = 0.5  # chance that a generated patch is laid out like a part of its panel
    copies: tuple[int, int] = (1, 1)  # how many times a region is copied, how many patches laid
    fit: float = 0.0  # chance that a copy is laid where its surroundings look most like its own
    share: tuple[float, float] = (0.3, 0.9)  # of a panel that overlaps with the other
    geometry: Geometry = field(default_factory=Geometry)
    tone: Tone = field(default_factory=Tone)
    shapes: Shapes = field(default_factory=Shapes)
    blending: Blending = field(default_factory=Blending)
