"""The changes that a duplicated region may have gone through, drawn class by class.

An :class:`Alteration` is a linear map (what happens to the geometry), a list of tone steps (what
happens to the pixels that were copied) and, last, whether the finished panel is stored as JPEG.
Points are (x, y) at pixel centres.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Matrix = NDArray[np.float64]

DIHEDRAL: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "identity": ((1, 0), (0, 1)),
    "rotate-90": ((0, -1), (1, 0)),
    "rotate-180": ((-1, 0), (0, -1)),
    "rotate-270": ((0, 1), (-1, 0)),
    "flip-horizontal": ((-1, 0), (0, 1)),
    "flip-vertical": ((1, 0), (0, -1)),
    "transpose": ((0, 1), (1, 0)),
    "transverse": ((0, -1), (-1, 0)),
}
GEOMETRY = ("rotation", "scale-down", "scale-up", "shear")
TONE = ("brightness", "contrast", "gamma", "inversion", "noise", "blur", "jpeg-60")
CLASSES = (*DIHEDRAL, *GEOMETRY, *TONE, "combined")


@dataclass(frozen=True)
class Alteration:
    """One drawn change; ``linear`` maps offsets in the source to offsets in the target."""

    name: str  # one of CLASSES
    linear: tuple[tuple[float, float], tuple[float, float]]
    tone: tuple[tuple[str, float], ...] = ()  # (step, amount), in order
    jpeg: int | None = None  # quality at which the finished panel is stored

    @property
    def matrix(self) -> Matrix:
        """``linear`` as an array (2, 2)."""
        return np.array(self.linear, dtype=np.float64)


def draw(name: str, rng: np.random.Generator) -> Alteration:
    """Draw an alteration of one class.

    Ranges: rotation 5-355 degrees at least 5 from any right angle; scale 0.5-0.9 or 1.1-2; shear
    0.05-0.15; brightness 20-60 levels; contrast and gamma by 1.25-1.8 up or down; noise of 4-12
    levels; Gaussian blur of 0.8-2 pixels; JPEG quality 60. ``combined`` takes one dihedral map, a
    rotation in half of the draws, a scale of 0.7-1.4, a tone change, noise of 2-6 levels and JPEG.
    """
    if name in DIHEDRAL:
        return Alteration(name, DIHEDRAL[name])
    if name in GEOMETRY:
        return Alteration(name, _as_tuple(_draw_geometry(name, rng)))
    if name == "jpeg-60":
        return Alteration(name, DIHEDRAL["identity"], jpeg=60)
    if name in TONE:
        return Alteration(name, DIHEDRAL["identity"], tone=(_draw_tone(name, rng),))
    if name != "combined":
        raise ValueError(f"alteration must be one of {CLASSES}, got {name!r}")
    linear = np.array(DIHEDRAL[str(rng.choice(list(DIHEDRAL)))], dtype=np.float64)
    if rng.random() < 0.5:
        linear = _draw_geometry("rotation", rng) @ linear
    linear = linear * math.exp(rng.uniform(math.log(0.7), math.log(1.4)))
    change = _draw_tone(str(rng.choice(["brightness", "contrast", "gamma"])), rng)
    return Alteration(name, _as_tuple(linear), (change, ("noise", float(rng.uniform(2, 6)))), 60)


def _draw_geometry(name: str, rng: np.random.Generator) -> Matrix:
    if name == "rotation":
        angle = math.radians(90 * int(rng.integers(4)) + rng.uniform(5, 85))
        c, s = math.cos(angle), math.sin(angle)
        return np.array([[c, -s], [s, c]])
    if name == "shear":
        amount = float(rng.uniform(0.05, 0.15) * rng.choice([-1, 1]))
        return np.array([[1, amount], [0, 1]] if rng.random() < 0.5 else [[1, 0], [amount, 1]])
    low, high = (0.5, 0.9) if name == "scale-down" else (1.1, 2.0)
    return np.eye(2) * math.exp(rng.uniform(math.log(low), math.log(high)))


def _draw_tone(name: str, rng: np.random.Generator) -> tuple[str, float]:
    up = bool(rng.random() < 0.5)
    factor = float(rng.uniform(1.25, 1.8))
    amounts = {
        "brightness": float(rng.uniform(20, 60)) * (1 if up else -1),
        "contrast": factor if up else 1 / factor,
        "gamma": factor if up else 1 / factor,
        "inversion": 1.0,
        "noise": float(rng.uniform(4, 12)),
        "blur": float(rng.uniform(0.8, 2.0)),
    }
    return name, amounts[name]


def _as_tuple(m: Matrix) -> tuple[tuple[float, float], tuple[float, float]]:
    return (float(m[0, 0]), float(m[0, 1])), (float(m[1, 0]), float(m[1, 1]))


def apply_tone(pixels: Pixels, alteration: Alteration, rng: np.random.Generator) -> Pixels:
    """Return changed pixels of the same shape; ``rng`` draws the noise."""
    values = pixels.astype(np.float32)
    for name, amount in alteration.tone:
        values = np.clip(_STEPS[name](values, amount, rng), 0, 255)
    return np.round(values).astype(np.uint8)


def _brightness(values: NDArray, amount: float, rng: np.random.Generator) -> NDArray:
    # away from the nearer end: a person who drives a panel into saturation has destroyed it
    clipped = np.mean((values + amount < 0) | (values + amount > 255))
    spared = np.mean((values - amount < 0) | (values - amount > 255))
    return values + (amount if clipped <= spared else -amount)


def _contrast(values: NDArray, amount: float, rng: np.random.Generator) -> NDArray:
    mean = values.mean()
    return (values - mean) * amount + mean


def _gamma(values: NDArray, amount: float, rng: np.random.Generator) -> NDArray:
    return 255 * (values / 255) ** amount


def _inversion(values: NDArray, amount: float, rng: np.random.Generator) -> NDArray:
    return 255 - values


def _noise(values: NDArray, amount: float, rng: np.random.Generator) -> NDArray:
    # the same in all channels: most panels are grey, and colour noise would give them colour
    drawn = rng.normal(0, amount, values.shape[:2]).astype(np.float32)
    return values + drawn[..., None]


def _blur(values: NDArray, amount: float, rng: np.random.Generator) -> NDArray:
    return cv2.GaussianBlur(values, (0, 0), amount, borderType=cv2.BORDER_REPLICATE)


_STEPS: dict[str, Callable[[NDArray, float, np.random.Generator], NDArray]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "gamma": _gamma,
    "inversion": _inversion,
    "noise": _noise,
    "blur": _blur,
}


def store_as_jpeg(pixels: Pixels, quality: int | None) -> Pixels:
    """Store and read back at ``quality``, as a panel saved once more would be; None: unchanged."""
    if quality is None:
        return pixels
    done, code = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    back = cv2.imdecode(code, cv2.IMREAD_COLOR) if done else None
    if back is None:
        raise ValueError(f"cannot store pixels {pixels.shape} as JPEG")
    return np.ascontiguousarray(back[..., ::-1], dtype=np.uint8)


def warp(pixels: Pixels, transform: Matrix, height: int, width: int) -> Pixels:
    """Draw ``pixels`` on a canvas; ``transform`` (3, 3) maps source points to canvas points.

    Cubic interpolation, after a Gaussian low-pass where the map shrinks. Exact for the eight
    right-angle maps with whole offsets. Outside the source the nearest border pixel is repeated:
    callers keep such places out of what they use.
    """
    scale = math.sqrt(abs(float(np.linalg.det(transform[:2, :2]))))
    if scale < 0.99:
        sigma = 0.5 * math.sqrt(1 / scale**2 - 1)
        smooth = cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        pixels = np.asarray(smooth, dtype=np.uint8)
    drawn = cv2.warpAffine(
        pixels, transform[:2], (width, height),
        flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(drawn, dtype=np.uint8)


def around(matrix: Matrix, source: tuple[float, float], target: tuple[float, float]) -> Matrix:
    """Return the (3, 3) map with linear part ``matrix`` that takes ``source`` to ``target``."""
    transform = np.eye(3)
    transform[:2, :2] = matrix
    transform[:2, 2] = np.asarray(target) - matrix @ np.asarray(source)
    return transform
