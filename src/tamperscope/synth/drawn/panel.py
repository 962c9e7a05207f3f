"""One panel of a modality: choose a style, draw it, write on it, publish it."""

import numpy as np

from tamperscope.synth.drawn.annotations import annotate
from tamperscope.synth.drawn.brightfield import BRIGHTFIELD
from tamperscope.synth.drawn.chances import chance, pick
from tamperscope.synth.drawn.facs import FACS
from tamperscope.synth.drawn.fluorescence import FLUORESCENCE
from tamperscope.synth.drawn.gels import GELS
from tamperscope.synth.drawn.histology import HISTOLOGY
from tamperscope.synth.drawn.plates import PLATES
from tamperscope.synth.drawn.publish import compress, gutter, quantise, resample
from tamperscope.synth.drawn.scene import DrawnPanel, Styles
from tamperscope.synth.drawn.western import WESTERN


def _share(styles: Styles, share: float) -> Styles:
    total = sum(weight for weight, _ in styles.values())
    return {name: (share * weight / total, draw) for name, (weight, draw) in styles.items()}


STYLES: dict[str, Styles] = {
    "blot": {**_share(WESTERN, 0.42), **_share(GELS, 0.58)},
    "microscopy": {
        **_share(FLUORESCENCE, 0.45),
        **_share(BRIGHTFIELD, 0.32),
        **_share(HISTOLOGY, 0.23),
    },
    "facs": _share(FACS, 1.0),
    "macroscopy": _share(PLATES, 1.0),
}
"""Modality -> style -> (weight, function)."""

MODALITIES = tuple(STYLES)
SMALLEST, LARGEST = 16, 2048  # pixels of a side


def draw_panel(modality: str, rng: np.random.Generator, size: tuple[int, int]) -> DrawnPanel:
    """Draw one panel.

    Args:
        modality: One of ``MODALITIES``.
        rng: Generator; its state decides everything.
        size: (height, width) in pixels, each 16 to 2048.

    Raises:
        ValueError: No such modality, or a size outside the range.
    """
    if modality not in STYLES:
        raise ValueError(f"modality must be one of {MODALITIES}, got {modality!r}")
    height, width = (int(side) for side in size)
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        raise ValueError(f"a drawn panel needs sides of 16 to 2048 pixels, got {height} x {width}")
    styles = STYLES[modality]
    name = pick(rng, {style: weight for style, (weight, _) in styles.items()})
    return draw_style(modality, name, rng, (height, width))


def draw_style(
    modality: str, name: str, rng: np.random.Generator, size: tuple[int, int]
) -> DrawnPanel:
    """Draw one panel of a given style; see :func:`draw_panel`."""
    scene = STYLES[modality][name][1](rng, size)
    changes: dict[str, object] = {}
    if not scene.digital:
        scene.light, changes = resample(rng, scene.light)
        changes |= gutter(rng, scene)
    pixels = quantise(scene.light)
    after = chance(rng, 0.3)  # crisp labels, put over a picture that was compressed before
    stored: dict[str, object] = {}
    if after:
        pixels, stored = compress(rng, pixels)
    pixels, marks, written = annotate(rng, pixels, modality, scene)
    if not after:
        pixels, stored = compress(rng, pixels)
    parameters = {"style": name, **scene.parameters, **changes, **stored, **written}
    return DrawnPanel(pixels, marks, scene.objects, modality, parameters)
