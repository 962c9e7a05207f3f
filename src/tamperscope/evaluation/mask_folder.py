"""Masks and heatmaps that another method wrote, found by name.

The picture ``tampered/Sp_1.jpg`` of a dataset is answered by the first of these that is there, in
the folder of masks; leading folders may be left out as long as no file answers for two pictures:

    tampered/Sp_1.png  tampered/Sp_1.npy  tampered/Sp_1.heatmap.png  tampered/Sp_1.mask.png  ...
    Sp_1.png           Sp_1.npy           Sp_1.heatmap.png           Sp_1.mask.png           ...

The two pictures of a pair lie in a folder of their own, as BioFors' scripts want them:
``DOCUMENT/A.png__B.png/A.png`` and ``DOCUMENT/A.png__B.png/B.png``.

Files are 8 bit: 0 and 255, or 0 and 1, for a mask; anything between for a heatmap. A ``.npy`` array
is (H, W), float in [0, 1] for a heatmap, bool or whole numbers (not 0 marks) for a mask; or
(N, H, W) with a plane for each region.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from tamperscope.data.masks import luminance
from tamperscope.data.samples import AnySample, PairSample, Sample
from tamperscope.errors import UnreadableInputError
from tamperscope.evaluation.predictions import Prediction, PredictionError, marked
from tamperscope.images import iter_frames, read_file, read_pixels

ENDINGS = (".png", ".npy", ".heatmap.png", ".mask.png", ".tif", ".tiff", ".bmp")
SHOWN = 5  # missing files that one message names


@dataclass(frozen=True)
class MaskFolder:
    """A folder of masks or heatmaps of other methods; picklable."""

    folder: Path
    root: Path  # of the dataset
    may_lack: bool = False  # as in BioFors' scripts; :meth:`find` then returns None
    _names: dict[str, None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise PredictionError(f"--masks {self.folder}: there is no such folder")
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                self._names[path.relative_to(self.folder).as_posix()] = None
        if not self._names:
            raise PredictionError(f"--masks {self.folder}: the folder is empty")

    def find(self, sample: Sample, pair: PairSample | None = None) -> Path | None:
        """Name the file that answers for ``sample``, as one of ``pair`` if given; None: none."""
        for name in self._candidates(sample, pair):
            if name in self._names:
                return self.folder / name
        return None

    def _candidates(self, sample: Sample, pair: PairSample | None) -> Iterator[str]:
        for folder in self._folders(sample):
            if pair is None:
                inner = [folder]
            else:
                a, b = pair.a.image.name, pair.b.image.name
                inner = [folder / f"{a}__{b}", folder / f"{b}__{a}"]
            for place in inner:
                for ending in ENDINGS:
                    yield (place / f"{sample.image.stem}{ending}").as_posix()

    def _folders(self, sample: Sample) -> Iterator[PurePosixPath]:
        """Folders of the picture below the dataset, the whole path first, then shorter ones."""
        parts: tuple[str, ...] = ()
        if sample.image.is_relative_to(self._base):
            parts = sample.image.relative_to(self._base).parts[:-1]
        for skipped in range(len(parts) + 1):
            yield PurePosixPath(*parts[skipped:])

    @cached_property
    def _base(self) -> Path:
        return self.root.parent if self.root.is_file() else self.root

    def check(self, samples: Sequence[AnySample]) -> None:
        """Find every file before anything is scored.

        Raises:
            PredictionError: Some are missing (and ``may_lack`` is not set), all are, or one would
                answer for two pictures.
        """
        answers: dict[Path, str] = {}
        missing = []
        tampered = False
        for what, found, labelled in self._all(samples):
            if found is None:
                missing.append(what)
                tampered |= labelled
            elif answers.setdefault(found, what) != what:
                raise PredictionError(
                    f"{found} would answer for {answers[found]} and for {what}; lay the masks out "
                    "in the folders of the dataset, or score one part of it with --only"
                )
        if missing and (not answers or not self.may_lack):
            pristine = bool(answers) and not tampered
            hint = "; --only tampered leaves the pristine ones out" if pristine else ""
            raise PredictionError(self._lacks(missing, len(answers)) + hint)

    def _all(self, samples: Sequence[AnySample]) -> Iterator[tuple[str, Path | None, bool]]:
        """What is asked for, the file that answers, and whether it is tampered."""
        for sample in samples:
            if isinstance(sample, PairSample):
                where = f"{sample.a.image.name}__{sample.b.image.name}"
                for side in (sample.a, sample.b):
                    yield f"{side.image} in {where}", self.find(side, sample), True
            else:
                yield str(sample.image), self.find(sample), sample.truth is not None

    def _lacks(self, missing: list[str], found: int) -> str:
        shown = ", ".join(missing[:SHOWN])
        more = f" and {len(missing) - SHOWN:,} more" if len(missing) > SHOWN else ""
        looked = " or ".join(f"NAME{ending}" for ending in ENDINGS[:4])
        hint = "" if found else f"; it holds for instance {next(iter(self._names))}"
        return (
            f"--masks {self.folder} lacks {len(missing):,} of {found + len(missing):,} "
            f"predictions: none for {shown}{more} (looked for {looked}){hint}"
        )

    def fingerprint(self, samples: Sequence[AnySample]) -> str:
        """Hash of names, sizes and times of the files: other files, another measurement."""
        digest = hashlib.sha256()
        for _, path, _ in self._all(samples):
            if path is not None:
                stat = path.stat()
                name = path.relative_to(self.folder).as_posix()
                digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]

    def on_picture(self, sample: Sample, pixels: np.ndarray) -> Prediction:
        """Read the file for one picture."""
        return self._read(sample, None, (pixels.shape[0], pixels.shape[1]))

    def on_pair(self, pair: PairSample) -> tuple[Prediction, Prediction]:
        """Read the two files for a pair."""
        a, b = (
            self._read(side, pair, read_pixels(side.image).shape[:2]) for side in (pair.a, pair.b)
        )
        return a, b

    def _read(self, sample: Sample, pair: PairSample | None, size: tuple[int, ...]) -> Prediction:
        path = self.find(sample, pair)
        if path is None:
            raise PredictionError(f"--masks {self.folder}: nothing for {sample.image}")
        prediction = read_prediction(path)
        if prediction.heatmap.shape != size:
            height, width = prediction.heatmap.shape
            raise PredictionError(
                f"{path} is {width} x {height}, its picture {sample.image} {size[1]} x {size[0]} "
                "pixels; bring predictions to the size of the picture"
            )
        return prediction


def read_prediction(path: Path) -> Prediction:
    """Read a mask or heatmap; see the text of the module.

    Raises:
        PredictionError: It is not an 8-bit image or a plain array, or its values lie outside the
            range.
    """
    if path.suffix.lower() == ".npy":
        return _from_array(path)
    try:
        frame = next(iter_frames(read_file(path), str(path)))
    except UnreadableInputError as error:
        raise PredictionError(str(error)) from error
    if frame.missing is not None:
        raise PredictionError(f"{path}: {frame.missing}")
    if frame.note is not None and "samples" in frame.note:
        raise PredictionError(f"{path}: {frame.note}; write masks and heatmaps with 8 bit")
    values = luminance(frame.pixels)
    if values.max() <= 1:
        return marked(values == 1)
    return _graded(values.astype(np.float32) / np.float32(255))


def _from_array(path: Path) -> Prediction:
    try:
        values = np.load(io.BytesIO(read_file(path)), allow_pickle=False)
    except (ValueError, EOFError, UnreadableInputError) as error:
        raise PredictionError(f"{path} is not a plain .npy array: {error}") from error
    if values.ndim not in (2, 3) or values.dtype.kind not in "biuf" or values.size == 0:
        raise PredictionError(f"{path} holds {values.dtype} {values.shape}, not a mask or heatmap")
    if values.ndim == 3:
        planes = tuple(plane != 0 for plane in values)
        union = marked(np.any(values != 0, axis=0))
        return Prediction(union.heatmap, graded=False, planes=planes)
    if values.dtype.kind != "f":
        return marked(values != 0)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise PredictionError(f"{path}: a heatmap holds numbers in [0, 1], nothing else")
    return _graded(values.astype(np.float32))


def _graded(heatmap: np.ndarray) -> Prediction:
    return Prediction(heatmap, graded=bool(np.any((heatmap > 0) & (heatmap < 1))))
