"""Blots with a known seam or a known erased area, made from pristine blots.

A *join* cuts a strip out and closes the gap, so that one straight seam crosses the panel; a *patch*
lays a rectangle from elsewhere in the blot over a place, which leaves partial seams on its four
sides. The level of the moved part is set so that the background jumps by a stated number of noise
deviations at the seam. An *erasure* paints a place with its surroundings, without their noise.
"""

import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tamperscope.evaluation.placing import Window
from tamperscope.evaluation.transforms import store_as_jpeg

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

JUMPS = (0.0, 1.0, 2.0, 4.0, 8.0)  # of the background, in noise deviations
STORAGES = ("as is", "JPEG 85", "0.75 and JPEG 85")
SHAPES = ("join", "patch")
FILLS = ("constant", "gradient", "blurred")
LEAST_SIDE = 64
LEAST_NOISE = 0.4  # grey levels; a blot without noise has no noise deviations to speak in
DARKEST, BRIGHTEST = 8, 247  # grey levels; outside of them lies the surround of a blot
DRAWS = 60


@dataclass(frozen=True)
class SeamCase:
    """What one sample shall show."""

    source: str
    change: str  # "join", "patch", "erased"
    storage: str  # one of STORAGES
    number: int
    jump: float | None = None  # in noise deviations; None for an erasure
    horizontal: bool = False  # the seam, for a join
    fill: str | None = None  # one of FILLS, for an erasure

    @property
    def key(self) -> str:
        """Unique name."""
        parts = (
            self.change, self.storage, self.source,
            "horizontal" if self.horizontal else "vertical",
            self.fill or f"{self.jump:g}",
            str(self.number),
        )  # fmt: skip
        return "/".join(parts)

    def generator(self, seed: int) -> np.random.Generator:
        """Random numbers of this case alone."""
        return np.random.default_rng([seed, zlib.crc32(self.key.encode())])


@dataclass(frozen=True, eq=False)
class SeamSample:
    """A changed blot; ``seams`` are (horizontal, place, start, end) in pixels of it."""

    pixels: Pixels
    seams: tuple[tuple[bool, float, float, float], ...]
    area: Mask | None = None  # erased


def make_seam_sample(case: SeamCase, pixels: Pixels, seed: int) -> SeamSample | None:
    """Change a pristine blot; None where no place for the change was found."""
    rng = case.generator(seed)
    make = {"join": _join, "patch": _patch, "erased": _erase}[case.change]
    if case.horizontal:
        made = make(case, np.ascontiguousarray(pixels.swapaxes(0, 1)), rng)
        made = None if made is None else _turned(made)
    else:
        made = make(case, pixels, rng)
    return None if made is None else _stored(made, case.storage)


def noise_deviation(gray: NDArray[np.floating]) -> float:
    """Robust noise of a picture in its own units: median second difference along both axes."""
    across = np.abs(gray[:, 2:] - 2 * gray[:, 1:-1] + gray[:, :-2])[1:-1]
    down = np.abs(gray[2:] - 2 * gray[1:-1] + gray[:-2])[:, 1:-1]
    # a median hides that most second differences of 8-bit backgrounds are 0, 1 or 2 levels
    trimmed = np.minimum(across, down)
    return float(np.sqrt(np.mean(np.sort(trimmed, axis=None)[: trimmed.size // 2] ** 2)) * 1.9)


def _join(case: SeamCase, pixels: Pixels, rng: np.random.Generator) -> SeamSample | None:
    height, width = pixels.shape[:2]
    for _ in range(DRAWS):
        gap = int(width * rng.uniform(0.08, 0.3))
        if width - gap < LEAST_SIDE:
            return None
        cut = int(rng.integers(width // 5, max(width - gap - width // 5, width // 5 + 1)))
        left, right = pixels[:, :cut], pixels[:, cut + gap :]
        if right.shape[1] < 24 or not _lit(left[:, -16:]) or not _lit(right[:, :16]):
            continue
        shifted = _levelled(left[:, -12:], right, right[:, :12], pixels, case, rng)
        if shifted is None:
            continue
        joined = np.concatenate([left, shifted], axis=1)
        return SeamSample(joined, ((False, float(cut), 0.0, float(height)),))
    return None


def _patch(case: SeamCase, pixels: Pixels, rng: np.random.Generator) -> SeamSample | None:
    height, width = pixels.shape[:2]
    for _ in range(DRAWS):
        h = max(int(height * rng.uniform(0.25, 0.6)), 32)
        w = max(int(width * rng.uniform(0.12, 0.4)), 32)
        if h > height - 24 or w > width - 24:
            return None
        x, y = int(rng.integers(12, width - w - 11)), int(rng.integers(12, height - h - 11))
        u, v = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
        if abs(u - x) < 12 and abs(v - y) < 12:
            continue
        around = pixels[y - 12 : y + h + 12, x - 12 : x + w + 12]
        piece = pixels[v : v + h, u : u + w]
        if not _lit(around) or not _lit(piece):
            continue
        rim = np.concatenate([around[:, :12].reshape(-1, 3), around[:, -12:].reshape(-1, 3)])
        shifted = _levelled(rim, piece, piece, pixels, case, rng)
        if shifted is None:
            continue
        made = pixels.copy()
        made[y : y + h, x : x + w] = shifted
        sides = (
            (False, float(x), float(y), float(y + h)),
            (False, float(x + w), float(y), float(y + h)),
            (True, float(y), float(x), float(x + w)),
            (True, float(y + h), float(x), float(x + w)),
        )
        return SeamSample(made, sides)
    return None


def _lit(pixels: Pixels) -> bool:
    """Whether a place lies on the blot, not on a black or white surround."""
    level = np.median(pixels)
    return bool(DARKEST < level < BRIGHTEST and np.mean(pixels.min(axis=2) >= BRIGHTEST) < 0.2)


def _levelled(
    near: Pixels,
    moved: Pixels,
    rim: Pixels,
    panel: Pixels,
    case: SeamCase,
    rng: np.random.Generator,
) -> Pixels | None:
    """Shift ``moved`` so that ``rim`` differs from ``near`` by the asked jump; None if clipped."""
    noise = noise_deviation(panel.mean(axis=2))
    if noise < LEAST_NOISE:
        return None
    assert case.jump is not None
    jump = case.jump * noise * float(rng.choice([-1, 1]))
    shift = float(np.median(near.mean(axis=-1)) - np.median(rim.mean(axis=-1))) + jump
    if abs(shift) > 40:  # a forger who has to change that much takes another strip
        return None
    values = moved.astype(np.float64) + shift
    if np.mean((values < 0) | (values > 255)) > 0.05:
        return None
    dither = rng.uniform(-0.5, 0.5, values.shape[:2])[..., None]  # a shift of 0.3 levels exists too
    return np.clip(np.round(values + dither), 0, 255).astype(np.uint8)


def _erase(case: SeamCase, pixels: Pixels, rng: np.random.Generator) -> SeamSample | None:
    height, width = pixels.shape[:2]
    if noise_deviation(pixels.mean(axis=2)) < LEAST_NOISE:
        return None
    for _ in range(DRAWS):
        h = max(int(height * rng.uniform(0.1, 0.3)), 20)
        w = max(int(width * rng.uniform(0.08, 0.25)), 20)
        if h > height - 16 or w > width - 16:
            return None
        box = Window(
            int(rng.integers(8, width - w - 7)), int(rng.integers(8, height - h - 7)), w, h
        )
        around = pixels[box.y - 8 : box.y + h + 8, box.x - 8 : box.x + w + 8]
        if not _lit(around) or around.mean(axis=2).std() < 1:
            continue
        made = pixels.copy()
        made[box.slices] = _filled(str(case.fill), pixels, box)
        area = np.zeros((height, width), dtype=bool)
        area[box.slices] = True
        return SeamSample(made, (), area)
    return None


def _filled(fill: str, pixels: Pixels, box: Window) -> Pixels:
    """Background without noise: one tone, a gradient between the sides, or a strong blur."""
    left, right = (
        np.median(pixels[box.slices[0], at : at + 6].reshape(-1, 3), axis=0)
        for at in (box.x - 6, box.x + box.width)
    )
    if fill == "constant":
        values = np.broadcast_to((left + right) / 2, (box.height, box.width, 3))
    elif fill == "gradient":
        t = np.linspace(0, 1, box.width)[None, :, None]
        values = np.broadcast_to(left * (1 - t) + right * t, (box.height, box.width, 3))
    else:
        values = cv2.GaussianBlur(pixels, (0, 0), 8)[box.slices].astype(np.float64)
    return np.round(values).astype(np.uint8)


def _turned(sample: SeamSample) -> SeamSample:
    area = None if sample.area is None else np.ascontiguousarray(sample.area.T)
    seams = tuple((not across, place, start, end) for across, place, start, end in sample.seams)
    return SeamSample(np.ascontiguousarray(sample.pixels.swapaxes(0, 1)), seams, area)


def _stored(sample: SeamSample, storage: str) -> SeamSample:
    pixels, seams, area = sample.pixels, sample.seams, sample.area
    if storage == "as is":
        return sample
    if storage.startswith("0.75"):
        height, width = (round(side * 0.75) for side in pixels.shape[:2])
        rows, columns = height / pixels.shape[0], width / pixels.shape[1]
        small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        pixels = np.asarray(small, dtype=np.uint8)
        seams = tuple(
            (True, place * rows, start * columns, end * columns)
            if across
            else (False, place * columns, start * rows, end * rows)
            for across, place, start, end in seams
        )
        if area is not None:
            drawn = cv2.resize(
                area.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
            )
            area = drawn.astype(bool)
    return SeamSample(store_as_jpeg(pixels, 85), seams, area)
