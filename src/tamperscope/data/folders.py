"""Looks into dataset folders: images by name, always sorted, and an error where none are."""

from pathlib import Path

from tamperscope.errors import DatasetLayoutError
from tamperscope.images import SUFFIXES

IMAGE_SUFFIXES = frozenset({*SUFFIXES.values(), ".jpeg", ".tiff"})


def is_image(path: Path) -> bool:
    """Whether the name ends like an image; ``Thumbs.db`` and ``.DS_Store`` do not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def images_in(folder: Path) -> list[Path]:
    """Images directly in ``folder``, sorted by name.

    Raises:
        DatasetLayoutError: There is no such folder.
    """
    if not folder.is_dir():
        raise DatasetLayoutError(f"{folder} is missing or not a folder")
    return sorted(path for path in folder.iterdir() if is_image(path))


def images_below(folder: Path) -> list[Path]:
    """Images in ``folder`` and all folders in it, sorted."""
    if not folder.is_dir():
        raise DatasetLayoutError(f"{folder} is missing or not a folder")
    return sorted(path for path in folder.rglob("*") if is_image(path))


def first_folder(root: Path, *names: str) -> Path:
    """Return the first of the folders that is there.

    Raises:
        DatasetLayoutError: None is; the message names what was looked for.
    """
    for name in names:
        if (root / name).is_dir():
            return root / name
    wanted = " or ".join(f"{name!r}" for name in names)
    raise DatasetLayoutError(f"{root} has no folder {wanted}; give the folder that holds it")


def partner(image: Path, folder: Path, *endings: str) -> Path:
    """Return the file in ``folder`` named as ``image`` with one of ``endings`` for its suffix.

    Where none is there, the first is returned: :func:`tamperscope.data.samples.complete` then names
    it as missing.
    """
    choices = [folder / f"{image.stem}{ending}" for ending in endings]
    return next((path for path in choices if path.is_file()), choices[0])


def needed(samples: list, root: Path, what: str) -> list:
    """Return ``samples``; DatasetLayoutError where there are none, for that is never a dataset."""
    if not samples:
        raise DatasetLayoutError(f"{root} holds no {what}; give the folder drawn in the docs")
    return samples
