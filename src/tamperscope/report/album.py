"""Puts pictures into the page itself, at a size that keeps the page one that can be mailed."""

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tamperscope.errors import OutputError, UnreadableInputError
from tamperscope.images import encode_jpeg, encode_png, read_pixels
from tamperscope.records import Box
from tamperscope.report import alignment
from tamperscope.report.evidence import shrunk

BUDGET = 10 << 20  # bytes of all pictures together, before base64 adds a third
LOSSLESS_AREA = 160 * 160  # pixels; a picture this small goes in without loss
JPEG_QUALITY = 88


@dataclass
class Album:
    """Turns files below ``out`` into ``data:`` addresses until ``budget`` bytes are spent.

    What no longer fits comes back as None; the page then says so and links the file instead.
    """

    out: Path
    budget: int = BUDGET

    def picture(self, path: str, side: int) -> str | None:
        """Address of the picture at ``path``, its longer side at most ``side`` pixels."""
        if self.budget <= 0:
            return None
        content, kind = self._encoded(path, side)
        if len(content) > self.budget:
            self.budget = 0
            return None
        self.budget -= len(content)
        return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"

    def _encoded(self, path: str, side: int) -> tuple[bytes, str]:
        pixels = self._pixels(path)
        file = self.out / path
        if file.suffix == ".jpg" and max(pixels.shape[:2]) <= side:
            return file.read_bytes(), "jpeg"  # compressing it again would only lose
        pixels = shrunk(pixels, side)
        if (pixels == pixels[..., :1]).all():
            pixels = pixels[..., 0]
        if pixels.shape[0] * pixels.shape[1] <= LOSSLESS_AREA:
            return encode_png(pixels), "png"
        return encode_jpeg(pixels, JPEG_QUALITY), "jpeg"

    def tones(self, path: str, within: Box) -> tuple[float, float]:
        """Luma in [0, 1] below and above which 0.5 % of the pixels lie, in a part of a picture."""
        luma = alignment.luma(self._pixels(path)[within.slices])
        darkest, brightest = np.percentile(luma, (0.5, 99.5))
        return float(darkest), float(brightest)

    def _pixels(self, path: str) -> alignment.Pixels:
        file = self._existing(path)
        try:
            return read_pixels(file)
        except UnreadableInputError as error:
            raise OutputError(f"{file} is no picture any more: {error}; screen again") from error

    def _existing(self, path: str) -> Path:
        file = self.out / path
        if not file.resolve().is_relative_to(self.out.resolve()):
            raise OutputError(f"findings.json names a picture outside {self.out}: {path}")
        if not file.is_file():
            raise OutputError(
                f"{file} is missing: the page is made from findings.json and evidence/"
            )
        return file
