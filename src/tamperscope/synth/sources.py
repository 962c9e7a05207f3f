"""Sources of pristine panels: pictures on disk, or several sources mixed."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tamperscope.errors import UnreadableInputError
from tamperscope.images import read_pixels
from tamperscope.synth.pictures import Picture, fingerprint, list_pictures
from tamperscope.synth.sample import MODALITIES, Pixels, Size, SourcePanel, UnfitError
from tamperscope.synth.tone import content, is_grey, spread
from tamperscope.synth.work import PanelSource

LARGEST_ZOOM = 2.0  # panel pixels per picture pixel; more is blur
WIDEST_STRETCH = 2.0  # one axis against the other; journals stretch blots like that
LEAST_SIDE = 48  # pixels of a picture
LEAST_SPREAD = 2.0  # grey levels of a picture
BLOCK = 8  # pixels, of JPEG
CONTENT = (4.0, 0.03)  # grey levels that so many of a panel's blocks must spread
PICTURES_TRIED = 16
WINDOWS_TRIED = 4
CACHE_BYTES = 1 << 30


class PictureSource:
    """Cuts panels out of pictures on disk, and keeps the pictures it has decoded.

    ``skipped`` tells what could not be used and why, by the name of the picture. One thread at a
    time.
    """

    def __init__(self, pictures: Sequence[Picture], *, cache_bytes: int = CACHE_BYTES) -> None:
        self.pictures = tuple(pictures)
        self.skipped: dict[str, str] = {}
        self._by_modality = {
            kind: [p for p in self.pictures if p.modality == kind] for kind in MODALITIES
        }
        self._cache: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        self._held, self._limit = 0, cache_bytes

    @classmethod
    def from_folder(
        cls,
        root: Path,
        *,
        split: str = "all",
        modality: str | None = None,
        uses: Sequence[str] = ("redistribute",),
        cache_bytes: int = CACHE_BYTES,
    ) -> "PictureSource":
        """Open a corpus or a folder; see :func:`tamperscope.synth.pictures.list_pictures`."""
        found = list_pictures(root, split=split, modality=modality, uses=uses)
        return cls(found, cache_bytes=cache_bytes)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What there are pictures of."""
        return tuple(kind for kind, own in self._by_modality.items() if own)

    @property
    def identity(self) -> str:
        """Hash of what there is: other pictures, other samples."""
        return fingerprint(self.pictures)

    def draw(
        self, rng: np.random.Generator, size: Size, modality: str | None, *, sharp: bool = False
    ) -> SourcePanel:
        """Cut a panel of (height, width) out of a picture of ``modality``.

        ``sharp``: at the picture's own pixels or reduced, never enlarged or stretched.

        Raises:
            UnfitError: No picture that was tried is large enough and shows anything.
        """
        own = self.pictures if modality is None else self._by_modality.get(modality, [])
        why = f"no {modality or ''} pictures"
        for _ in range(PICTURES_TRIED if own else 0):
            picture = own[int(rng.integers(len(own)))]
            pixels = self._pixels(picture)
            if pixels is None:
                why = f"{picture.name}: {self.skipped[picture.name]}"
                continue
            for _ in range(WINDOWS_TRIED):
                seen = (pixels.shape[0], pixels.shape[1])
                window = draw_sharp(seen, size, rng) if sharp else draw_window(seen, size, rng)
                if window is None:
                    why = f"{picture.name} is too small for a panel of {size[1]} x {size[0]}"
                    break
                panel = cut(pixels, window, size)
                if content(panel, CONTENT[0]) >= CONTENT[1]:
                    return SourcePanel(panel, picture.modality, picture.name, picture.group)
                why = f"{picture.name} shows nothing where it was cut"
        raise UnfitError(why)

    def preload(self) -> None:
        """Decode pictures until the cache is full: processes forked later share them."""
        for picture in self.pictures:
            if self._held >= self._limit:
                return
            self._pixels(picture)

    def _pixels(self, picture: Picture) -> NDArray[np.uint8] | None:
        """Pixels of a picture, (H, W) of a grey one; None, and why in ``skipped``, if unfit."""
        if picture.name in self.skipped:
            return None
        kept = self._cache.get(picture.name)
        if kept is not None:
            self._cache.move_to_end(picture.name)
            return kept
        try:
            pixels = np.ascontiguousarray(read_pixels(picture.path))
        except UnreadableInputError as error:
            self.skipped[picture.name] = f"unreadable: {error}"
            return None
        why = unfit(pixels)
        if why is not None:
            self.skipped[picture.name] = why
            return None
        if is_grey(pixels):
            pixels = pixels[..., 0].copy()  # a third to keep and to resize
        self._cache[picture.name] = pixels
        self._held += pixels.nbytes
        while self._held > self._limit and len(self._cache) > 1:
            self._held -= self._cache.popitem(last=False)[1].nbytes
        return pixels

    def __getstate__(self) -> dict[str, object]:
        """Leave the cache behind: another process decodes for itself."""
        return {**self.__dict__, "_cache": OrderedDict(), "_held": 0}


def unfit(pixels: Pixels) -> str | None:
    """Say why a picture cannot serve, or None if it can."""
    if min(pixels.shape[:2]) < LEAST_SIDE:
        return f"too small: a side below {LEAST_SIDE} pixels"
    if spread(pixels) < LEAST_SPREAD:
        return "constant: nothing to be seen on it"
    return None


def draw_window(
    picture: Size, size: Size, rng: np.random.Generator
) -> tuple[int, int, int, int] | None:
    """Draw the part of a picture that becomes a panel: (x0, y0, x1, y1); None if too small.

    Between a third of the picture and all of it; enlarged at most LARGEST_ZOOM times, stretched at
    most WIDEST_STRETCH times.
    """
    largest = [side / wanted for side, wanted in zip(picture, size, strict=True)]  # rows, columns
    least = 1 / LARGEST_ZOOM
    if min(largest) < least or min(largest) * WIDEST_STRETCH < least:
        return None
    top = min(min(largest), 4.0)
    bottom = max(least, top / 3)
    scale = top if rng.random() < 0.25 else math.exp(rng.uniform(math.log(bottom), math.log(top)))
    stretch = math.exp(rng.uniform(-0.2, 0.2))
    if rng.random() < 0.25:  # as much of a long strip as may be squeezed in
        stretch = min(WIDEST_STRETCH, max(largest) / min(largest))
        stretch = stretch if largest[0] > largest[1] else 1 / stretch
    scales = (max(scale * math.sqrt(stretch), least), max(scale / math.sqrt(stretch), least))
    height, width = (
        min(max(round(s * wanted), 1), side)
        for s, wanted, side in zip(scales, size, picture, strict=True)
    )
    y, x = int(rng.integers(picture[0] - height + 1)), int(rng.integers(picture[1] - width + 1))
    return x, y, x + width, y + height


def draw_sharp(
    picture: Size, size: Size, rng: np.random.Generator
) -> tuple[int, int, int, int] | None:
    """Draw a window that is neither enlarged nor stretched: (x0, y0, x1, y1); None if too small.

    As often as not the picture's own pixels, and half of these on the grid of blocks that a JPEG
    has; else reduced, at most as far as all of the picture's height or width is seen.
    """
    top = min(side / wanted for side, wanted in zip(picture, size, strict=True))
    if top < 1:
        return None
    scale = 1.0 if rng.random() < 0.5 else math.exp(rng.uniform(0, math.log(top)))
    height, width = (
        min(round(scale * wanted), side) for wanted, side in zip(size, picture, strict=True)
    )
    y, x = int(rng.integers(picture[0] - height + 1)), int(rng.integers(picture[1] - width + 1))
    if scale == 1 and rng.random() < 0.5:
        y, x = y - y % BLOCK, x - x % BLOCK
    return x, y, x + width, y + height


def cut(pixels: NDArray[np.uint8], window: tuple[int, int, int, int], size: Size) -> Pixels:
    """Return the window of a picture, (H, W, 3) or grey (H, W), as a panel of (height, width)."""
    x0, y0, x1, y1 = window
    part = pixels[y0:y1, x0:x1]
    if part.shape[:2] != tuple(size):
        shrinks = part.shape[0] >= size[0] and part.shape[1] >= size[1]
        method = Image.Resampling.HAMMING if shrinks else Image.Resampling.BICUBIC
        # a gap near 1 averages whole pixels first where it shrinks by 2 or more: half the time
        picture = Image.fromarray(part).resize((size[1], size[0]), method, reducing_gap=1.1)
        part = np.asarray(picture)
    if part.ndim == 2:
        return np.repeat(part[..., None], 3, axis=2)
    return np.ascontiguousarray(part)


@dataclass(frozen=True, eq=False)
class MixedSource:
    """Several sources; for a modality each that has it is as likely."""

    sources: tuple[PanelSource, ...]

    @property
    def modalities(self) -> tuple[str, ...]:
        """What any of them has."""
        there = {kind for source in self.sources for kind in source.modalities}
        return tuple(kind for kind in MODALITIES if kind in there)

    @property
    def identity(self) -> str:
        """What the sources are, in their order."""
        return "+".join(source.identity for source in self.sources)

    @property
    def skipped(self) -> dict[str, str]:
        """What could not be used and why, of all sources."""
        return {name: why for source in self.sources for name, why in source.skipped.items()}

    def draw(
        self, rng: np.random.Generator, size: Size, modality: str | None, *, sharp: bool = False
    ) -> SourcePanel:
        """Draw a panel from one of the sources."""
        able = [s for s in self.sources if modality is None or modality in s.modalities]
        if not able:
            raise UnfitError(f"no source has {modality} panels")
        return able[int(rng.integers(len(able)))].draw(rng, size, modality, sharp=sharp)
