"""What happens to finished panels: saved as JPEG, resized, caught on a screen, sent over a network.

A chain brings a panel from its canvas, which may be larger or smaller, to its final size. JPEG goes
through Pillow, and resizing too: both compute in whole numbers.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tamperscope.synth.geometry import blurred
from tamperscope.synth.sample import Pixels, Size

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SMOOTH = ("bilinear", "bicubic", "lanczos")
FULL_COLOUR, HALF_COLOUR = 0, 2  # Pillow's numbers for 4:4:4 and 4:2:0
CHAINS = ("none", "jpeg", "jpeg_twice", "resize", "screenshot", "social")

Step = tuple[str | float, ...]
"""A name and its numbers: resize (height, width, filter), jpeg (quality, subsampling, dx, dy),
sharpen (amount)."""


@dataclass(frozen=True)
class Post:
    """Weights of the chains, and their ranges."""

    none: float = 0.25
    jpeg: float = 0.25
    jpeg_twice: float = 0.1
    resize: float = 0.2
    screenshot: float = 0.1
    social: float = 0.1
    alike: float = 0.6  # chance that both panels of a pair go through the same chain
    quality: tuple[int, int] = (60, 95)  # of JPEG
    scale_range: tuple[float, float] = (0.75, 1.4)  # size of the canvas, in final panels

    def draw(self, size: Size, rng: np.random.Generator) -> "Chain":
        """Draw a chain that ends with panels of ``size``."""
        weights = np.array([getattr(self, name) for name in CHAINS])
        name = CHAINS[int(rng.choice(len(CHAINS), p=weights / weights.sum()))]
        build = {
            "none": _none, "jpeg": _jpeg, "jpeg_twice": _jpeg_twice, "resize": _resize,
            "screenshot": _screenshot, "social": _social,
        }[name]  # fmt: skip
        return build(self, size, rng)


@dataclass(frozen=True)
class Chain:
    """What one panel goes through."""

    name: str  # one of CHAINS
    canvas: Size  # size of the panel that goes in
    steps: tuple[Step, ...]

    def as_json(self) -> dict[str, object]:
        """Return JSON values."""
        return {
            "chain": self.name,
            "canvas": list(self.canvas),
            "steps": [list(s) for s in self.steps],
        }


def apply_chain(pixels: Pixels, chain: Chain) -> Pixels:
    """Return what a panel looks like after ``chain``; of its final size."""
    for step in chain.steps:
        if step[0] == "resize":
            pixels = resized(pixels, (int(step[1]), int(step[2])), str(step[3]))
        elif step[0] == "jpeg":
            pixels = through_jpeg(pixels, *(int(value) for value in step[1:]))
        elif step[0] == "sharpen":
            pixels = sharpened(pixels, int(step[1]))
        else:
            raise ValueError(f"no step is called {step[0]!r}")
    return pixels


def through_jpeg(pixels: Pixels, quality: int, subsampling: int, dx: int, dy: int) -> Pixels:
    """Save as JPEG and read back; (dx, dy) is where the panel lies in the grid of 8 x 8 blocks."""
    padded = np.pad(pixels, ((dy, 0), (dx, 0), (0, 0)), mode="edge") if dx or dy else pixels
    data = io.BytesIO()
    Image.fromarray(padded).save(data, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(data) as picture:
        back = np.asarray(picture)
    return np.ascontiguousarray(back[dy:, dx:])


def resized(pixels: Pixels, size: Size, method: str) -> Pixels:
    """Resize to (height, width) by one of FILTERS; shrinking averages, as good programs do."""
    if pixels.shape[:2] == tuple(size):
        return pixels
    picture = Image.fromarray(pixels).resize((size[1], size[0]), FILTERS[method])
    return np.asarray(picture)


def sharpened(pixels: Pixels, amount: int) -> Pixels:
    """Unsharp mask; ``amount`` in 1/256."""
    soft = blurred(pixels, 0.8).astype(np.int32)
    sharp = pixels + ((pixels.astype(np.int32) - soft) * amount >> 8)
    return np.clip(sharp, 0, 255).astype(np.uint8)


def _scaled(size: Size, factor: float) -> Size:
    return max(round(size[0] * factor), 16), max(round(size[1] * factor), 16)


def _jpeg_step(post: Post, rng: np.random.Generator, *, shifted: bool = False) -> Step:
    quality = int(rng.integers(post.quality[0], post.quality[1] + 1))
    colour = HALF_COLOUR if rng.random() < 0.5 else FULL_COLOUR
    place = (int(rng.integers(8)), int(rng.integers(8))) if shifted else (0, 0)
    return ("jpeg", quality, colour, *place)


def _resize_step(size: Size, rng: np.random.Generator) -> Step:
    return ("resize", *size, SMOOTH[int(rng.integers(len(SMOOTH)))])


def _none(post: Post, size: Size, rng: np.random.Generator) -> Chain:
    return Chain("none", size, ())


def _jpeg(post: Post, size: Size, rng: np.random.Generator) -> Chain:
    return Chain("jpeg", size, (_jpeg_step(post, rng),))


def _jpeg_twice(post: Post, size: Size, rng: np.random.Generator) -> Chain:
    return Chain("jpeg_twice", size, (_jpeg_step(post, rng), _jpeg_step(post, rng, shifted=True)))


def _resize(post: Post, size: Size, rng: np.random.Generator) -> Chain:
    canvas = _scaled(size, rng.uniform(*post.scale_range))
    before = (_jpeg_step(post, rng),) if rng.random() < 0.3 else ()
    after = (_jpeg_step(post, rng),) if rng.random() < 0.5 else ()
    return Chain("resize", canvas, (*before, _resize_step(size, rng), *after))


def _screenshot(post: Post, size: Size, rng: np.random.Generator) -> Chain:
    """Shown at the zoom of a viewer, caught as the screen has it, fitted into the figure."""
    canvas = _scaled(size, rng.uniform(*post.scale_range))
    shown: Step = ("resize", *_scaled(canvas, rng.uniform(1.1, 1.6)), "bilinear")
    after = (_jpeg_step(post, rng),) if rng.random() < 0.4 else ()
    return Chain("screenshot", canvas, (shown, _resize_step(size, rng), *after))


def _social(post: Post, size: Size, rng: np.random.Generator) -> Chain:
    """Shrunk, sharpened and compressed with half the colour, as messengers and networks do."""
    canvas = _scaled(size, rng.uniform(1.05, max(post.scale_range[1], 1.1)))
    steps: list[Step] = [("jpeg", int(rng.integers(85, 97)), FULL_COLOUR, 0, 0)]
    steps.append(_resize_step(size, rng))
    if rng.random() < 0.6:
        steps.append(("sharpen", int(rng.integers(40, 160))))
    steps.append(("jpeg", int(rng.integers(60, 88)), HALF_COLOUR, 0, 0))
    if rng.random() < 0.25:  # forwarded once more
        steps.append(("jpeg", int(rng.integers(60, 88)), HALF_COLOUR, 0, 0))
    return Chain("social", canvas, tuple(steps))
