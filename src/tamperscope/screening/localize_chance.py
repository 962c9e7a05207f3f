"""How rare the strongest mark of a picture is: held against marks in panels nobody changed.

A network marks something in almost every picture. What a screening does with the marks of a panel
is done here with those of a whole picture (:mod:`tamperscope.screening.network_chance`).
"""

import numpy as np
from numpy.typing import NDArray

from tamperscope.matching.prepare import prepare
from tamperscope.screening.annotations import annotation_mask
from tamperscope.screening.network_chance import NetworkNull
from tamperscope.screening.network_marks import strongest

MOST_PIXELS = 50_000_000
"""Larger pictures are not held against panels of some hundred pixels a side, nor fit in memory."""


def chance_of_marks(
    pixels: NDArray[np.uint8], kind: str, heatmap: NDArray[np.float32], null: NetworkNull | None
) -> tuple[float | None, str | None]:
    """Share of unaltered panels that are marked as strongly, and which panels, in words.

    Args:
        pixels: uint8 (height, width, 3), RGB.
        kind: Modality of the picture.
        heatmap: (height, width), of a network.
        null: Of that very network; None where there is none.

    Returns:
        Two None where it is not known: for other weights than ours, for modalities whose unaltered
        panels were not looked at, and for pictures of more than ``MOST_PIXELS``.
    """
    if null is None or kind not in null.cases or heatmap.size > MOST_PIXELS:
        return None, None
    panel = prepare(pixels, kind, annotation_mask(pixels))
    return null.chance(strongest(heatmap, panel), kind)
