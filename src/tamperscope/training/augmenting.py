"""Changes to whole photographs of a dataset, so that a network does not learn their history.

With the chances and ranges of ForMa's and LoMa's code, three pictures in four are changed, before
they are brought to the size of the network:

    shrink       chance 3/4, to between half the size and all of it, with the mask
    JPEG         chance 3/4, quality 50 to 95
    disturb      chance 1/4, one of: blur, shrink and enlarge, noise, brightness, gamma

Mirrors and right angles are the stream's ``symmetries``. The authors' rarer changes (ISO noise,
tone curves, sharpening, elastic and grid distortion) are left out.
"""

import cv2
import numpy as np

from tamperscope.synth.geometry import blurred
from tamperscope.synth.postprocess import FULL_COLOUR, HALF_COLOUR, through_jpeg
from tamperscope.synth.sample import Mask, Pixels

CHANGED, SHRUNK, STORED, DISTURBED = 0.75, 0.75, 0.75, 0.25
QUALITY = (50, 95)
LEAST_SIDE = 32  # pixels that shrinking leaves


def augment_photograph(pixels: Pixels, mask: Mask, rng: np.random.Generator) -> tuple[Pixels, Mask]:
    """Return a photograph and its mask as they might have come; the size may shrink."""
    if rng.random() >= CHANGED:
        return pixels, mask
    if rng.random() < SHRUNK:
        pixels, mask = shrunk(pixels, mask, rng.uniform(0.5, 1.0))
    if rng.random() < STORED:
        quality = int(rng.integers(QUALITY[0], QUALITY[1] + 1))
        colour = HALF_COLOUR if rng.random() < 0.5 else FULL_COLOUR
        pixels = through_jpeg(pixels, quality, colour, 0, 0)
    if rng.random() < DISTURBED:
        pixels = disturbed(pixels, rng)
    return pixels, mask


def shrunk(pixels: Pixels, mask: Mask, scale: float) -> tuple[Pixels, Mask]:
    """Shrink a picture and its mask, bilinear."""
    height, width = (max(round(side * scale), LEAST_SIDE) for side in mask.shape)
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    marked = cv2.resize(mask.astype(np.uint8) * 255, (width, height))
    return small, marked > 127


def disturbed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Blur, coarsen, add noise, or change brightness or gamma."""
    way = int(rng.integers(5))
    if way == 0:
        return blurred(pixels, rng.uniform(0.5, 2.0))
    if way == 1:
        height, width = pixels.shape[:2]
        scale = rng.uniform(0.25, 0.75)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST))
    if way == 2:
        noisy = pixels + rng.normal(0, rng.uniform(3, 10), pixels.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    if way == 3:
        levels = np.arange(256) * rng.uniform(0.8, 1.2) + rng.uniform(-51, 51)
    else:
        levels = 255 * (np.arange(256) / 255) ** rng.uniform(0.8, 1.2)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)[pixels]
