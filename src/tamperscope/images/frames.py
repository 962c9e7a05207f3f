"""What decoding yields, and the rules all formats share: size, depth, transparency, orientation."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tamperscope.errors import UnreadableInputError

MAX_PIXELS = 200_000_000
"""Pixels one picture may have: 0.6 GB as 8-bit RGB, and about as much again while decoding."""

FULL_RANGE = 2**15
"""A 16-bit frame whose bright end lies above this is taken to use the whole range."""

QUANTILE_SAMPLES = 4_000_000
"""The ends of a tone scale are measured on about this many samples; more changes nothing."""

TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # EXIF orientation: stored -> upright
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@dataclass(frozen=True)
class Frame:
    """One picture of a file."""

    pixels: np.ndarray  # uint8 (H, W, 3), RGB; hidden pixels keep their stored values
    alpha: np.ndarray | None = None  # mask, True where at least half opaque; None where all is
    note: str | None = None  # what decoding changed, in words
    index: int = 0  # 0-based place in the file
    missing: str | None = None  # what of the picture could not be read, in words


def check_size(width: int, height: int, name: str, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse a picture without pixels, or with more than ``max_pixels``."""
    if width < 1 or height < 1:
        raise UnreadableInputError(f"{name} has no pixels ({width} x {height})")
    if width * height > max_pixels:
        raise UnreadableInputError(
            f"{name} has {width:,} x {height:,} pixels ({width * height / 1e6:,.0f} megapixels), "
            f"over the limit of {max_pixels / 1e6:,g} megapixels"
        )


def to_8_bit(samples: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Reduce samples of any depth to uint8, and say how; uint8 comes back untouched.

    Unsigned 16-bit samples whose 99.9 % point lies above half the range are divided by 257. All
    others (12 bit stored in 16, signed, 32 bit, floats) are stretched linearly from their 0.1 % to
    their 99.9 % point, over all channels together, so that no frame comes out black.
    """
    if samples.dtype == np.uint8:
        return samples, None
    if samples.dtype == bool:
        return samples.astype(np.uint8) * 255, None
    if samples.dtype.kind not in "iuf":
        raise ValueError(f"samples of type {samples.dtype} have no tone scale")
    kind = "float" if samples.dtype.kind == "f" else "integer"
    depth = f"{samples.dtype.itemsize * 8}-bit {kind}"
    some = samples.reshape(-1)[:: max(samples.size // QUANTILE_SAMPLES, 1)]
    some = some[np.isfinite(some)]
    low, high = np.quantile(some, (0.001, 0.999)) if some.size else (0.0, 0.0)
    if samples.dtype == np.uint16 and high >= FULL_RANGE:
        return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8), (
            f"{depth} samples divided by 257"
        )
    scale = 255.0 / (high - low) if high > low else 0.0
    scaled = np.nan_to_num((samples.astype(np.float32) - np.float32(low)) * np.float32(scale))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8), (
        f"{depth} samples stretched from {low:g}..{high:g} to 0..255"
    )


def frame_of(samples: np.ndarray, note: str | None = None) -> Frame:
    """Make a frame of (H, W), or (H, W, C) grey, grey + alpha, RGB or RGBA, of any depth."""
    if samples.ndim == 2:
        samples = samples[..., None]
    channels = samples.shape[2]
    if channels not in (1, 2, 3, 4):
        raise ValueError(f"{channels} channels are neither grey nor RGB")
    colour, alpha = (samples[..., :-1], samples[..., -1]) if channels in (2, 4) else (samples, None)
    pixels, depth_note = to_8_bit(colour)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    frame = Frame(np.ascontiguousarray(pixels), note=join(note, depth_note))
    return frame if alpha is None else _with_alpha(frame, alpha)


def upright(frame: Frame, orientation: int) -> Frame:
    """Turn a stored frame as its EXIF orientation (1 to 8) says; other values change nothing."""
    turn = TURNS.get(orientation)
    if turn is None:
        return frame
    return replace(
        frame,
        pixels=np.ascontiguousarray(turn(frame.pixels)),
        alpha=None if frame.alpha is None else np.ascontiguousarray(turn(frame.alpha)),
        note=join(frame.note, f"turned upright (EXIF orientation {orientation})"),
    )


def join(*notes: str | None) -> str | None:
    """Put notes into one; None where there is none."""
    return "; ".join(note for note in notes if note) or None


def one_line(error: BaseException) -> str:
    """Say an error of a foreign library in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _with_alpha(frame: Frame, alpha: np.ndarray) -> Frame:
    opaque = 1.0 if alpha.dtype.kind in "fb" else float(np.iinfo(alpha.dtype).max)
    visible = alpha >= opaque / 2
    if visible.all():
        return frame
    if not visible.any():
        return replace(frame, note=join(frame.note, "fully transparent; shown as if opaque"))
    return replace(frame, alpha=visible, note=join(frame.note, "partly transparent"))
