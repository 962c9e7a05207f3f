"""How much of an input is read at most; what lies beyond is named in the report, never dropped."""

from dataclasses import dataclass

from tamperscope.images import MAX_FILE_BYTES, MAX_FRAMES, MAX_PIXELS


@dataclass(frozen=True)
class Limits:
    """Bounds on memory and time; every field may be raised by the caller."""

    pixels: int = MAX_PIXELS  # of one picture
    frames: int = MAX_FRAMES  # of one image file
    file_bytes: int = MAX_FILE_BYTES  # of one image, DOCX or zip entry, which is read as a whole
    pages: int = 500  # of one PDF
    objects: int = 100_000  # on one PDF page: beyond, drawings on it are not looked for
    zip_entries: int = 10_000  # in one archive
    zip_bytes: int = 4 * 1024**3  # that one archive may unpack to, nested archives included
    zip_ratio: int = 200  # unpacked to packed size of one entry above 10 MB
    zip_depth: int = 3  # archives inside archives

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"limit {name} must be at least 1, got {value}")
