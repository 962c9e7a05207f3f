"""What lies between the specimen and the sensor: blur, uneven light, fringes."""

import cv2
import numpy as np

from tamperscope.synth.drawn.fields import coordinates, smooth_field
from tamperscope.synth.drawn.scene import Colour, Plane


def blur(plane: Plane, sigma: float) -> Plane:
    """Gaussian point-spread function; below a tenth of a pixel there is nothing to do."""
    if sigma < 0.1:
        return plane
    return cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)


def wide_blur(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur of many pixels, made on a smaller picture."""
    step = int(sigma // 3)
    if step < 2:
        return blur(plane, sigma)
    height, width = plane.shape[:2]
    small = (max(2, width // step), max(2, height // step))
    less = cv2.resize(plane, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(blur(less, sigma / step), (width, height), interpolation=cv2.INTER_LINEAR)


def defocus(plane: Plane, radius: float) -> Plane:
    """Blur with a disc, as a lens out of focus does."""
    reach = int(np.ceil(radius))
    rows, columns = coordinates((2 * reach + 1, 2 * reach + 1))
    disc = np.clip(radius + 0.5 - np.hypot(rows - reach, columns - reach), 0, 1)
    return cv2.filter2D(plane, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT_101)


def vignette(rng: np.random.Generator, shape: tuple[int, int], loss: float) -> Plane:
    """Gain that falls by about ``loss`` from somewhere near the middle to the corners."""
    rows, columns = coordinates(shape)
    half = 0.5 * float(np.hypot(*shape))
    middle = rng.normal(0.5, 0.12, size=2)
    squared = ((rows - middle[0] * shape[0]) / half) ** 2
    return np.float32(1) - np.float32(loss) * (
        squared + ((columns - middle[1] * shape[1]) / half) ** 2
    )


def uneven_light(rng: np.random.Generator, shape: tuple[int, int], amount: float) -> Plane:
    """Gain around 1: a slope, a vignette and slow clouds, together about ``amount``."""
    rows, columns = coordinates(shape)
    slope = rng.normal(0, 0.5, size=2)
    tilted = slope[0] * (rows / shape[0] - 0.5) + slope[1] * (columns / shape[1] - 0.5)
    clouds = 0.3 * smooth_field(rng, shape, rng.uniform(0.4, 1.2) * max(shape))
    gain = vignette(rng, shape, amount) + np.float32(amount) * (tilted + clouds)
    return np.maximum(gain, 0.05).astype(np.float32)


def brightness(light: Colour) -> Plane:
    """Mean of the three channels; a matrix product is the fastest way to it."""
    return light @ np.full(3, 1 / 3, np.float32)


def fringe(rng: np.random.Generator, light: Colour, largest: float) -> Colour:
    """Shift red and blue against green by up to ``largest`` pixels (lateral colour)."""
    size = light.shape[1::-1]
    shifted = [light[:, :, 1]]
    for channel in (0, 2):
        right, down = rng.uniform(-largest, largest, size=2)
        move = np.array([[1, 0, right], [0, 1, down]], np.float64)
        plane = np.ascontiguousarray(light[:, :, channel])
        shifted.append(cv2.warpAffine(plane, move, size, borderMode=cv2.BORDER_REFLECT_101))
    return np.stack([shifted[1], shifted[0], shifted[2]], axis=2)
