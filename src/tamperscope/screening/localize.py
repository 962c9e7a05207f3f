"""Marks what a localizing network takes for tampered: pictures, masks and ``localize.json``.

One picture is held at a time. What cannot be read is recorded and the rest goes on; weights that
do not fit stop the run before anything is written. PyTorch is imported when the run starts, so that
the classical part of this package works where it is not installed.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tamperscope.errors import MissingExtraError, OutputError, WeightsError
from tamperscope.records import Unread
from tamperscope.runtime import metadata, pick_device
from tamperscope.screening.documents import LoadedFigure, read_documents
from tamperscope.screening.limits import Limits
from tamperscope.screening.localize_files import Stems, write_pictures

if TYPE_CHECKING:
    import torch

    from tamperscope.models import Network

FORMAT = "tamperscope-localize/1"
RECORD = "localize.json"
SCORE = (
    "largest probability of tampering of any pixel, before the heatmap is rounded to 8 bit (the "
    "maximum, as in MVSS-Net, Chen et al. 2021); an observation about the picture, not calibrated"
)

Progress = Callable[[str, int, int | None], None]
"""Called with the picture, the number of its tiles done, and of how many."""


@dataclass(frozen=True)
class Options:
    """What is run, and how."""

    model: str  # one of tamperscope.models.list_models()
    weights: Path
    device: str = "auto"  # auto, cpu or cuda
    precision: str = "auto"  # auto, float32 or bfloat16
    tile: int = 1024  # pixels; larger images are cut into tiles of this size
    threshold: float = 0.5  # pixels above it are marked

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must lie in [0, 1], got {self.threshold}")
        if self.tile < 64:
            raise ValueError(f"tile must be at least 64 pixels, got {self.tile}")


@dataclass(frozen=True)
class LocalizedImage:
    """One picture that the network saw."""

    source: str  # the file, as it was given
    page: int | None  # 1-based; None where the file holds one picture
    width: int
    height: int
    note: str | None  # what decoding changed: depth, transparency, orientation
    score: float  # SCORE says what it is
    marked: float  # share of the pixels that the mask marks, in [0, 1]
    tiles: int
    seconds: float  # network, blending and enlargement; not decoding and encoding
    files: dict[str, str]  # kind: name in the output folder


@dataclass
class Localization:
    """What a run did, as ``localize.json`` tells it."""

    images: list[LocalizedImage] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    interrupted: bool = False


@dataclass(frozen=True)
class Localizer:
    """A network ready to run, with what the record says about it."""

    network: "Network"
    options: Options
    precision: "torch.dtype"
    facts: dict[str, Any]

    def heatmap(
        self, pixels: np.ndarray, progress: Callable[[int, int], None]
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Heatmap uint8 and mask bool, both (H, W), and the score of uint8 (H, W, 3) pixels.

        Raises:
            WeightsError: The network answered with NaN or infinity.
        """
        from tamperscope.models.tiling import heatmap_bands, tiled_logits

        tile, threshold = self.options.tile, self.options.threshold
        logits = tiled_logits(
            self.network, pixels, tile=tile, precision=self.precision, progress=progress
        )
        if not logits.isfinite().all():
            raise WeightsError(
                f"{self.options.weights}: the network answered with NaN or infinity; its weights "
                "are damaged, or too large for the precision (try --precision float32)"
            )
        size = (pixels.shape[0], pixels.shape[1])
        heat, mask = np.empty(size, np.uint8), np.empty(size, bool)
        score = 0.0
        for rows, band in heatmap_bands(logits, self.network.stride, size):
            heat[rows] = np.rint(band * 255)
            mask[rows] = band > threshold
            score = max(score, float(band.max()))
        return heat, mask, score


def load_localizer(options: Options) -> Localizer:
    """Load the network that ``options`` names, and gather what the record says about it.

    Raises:
        MissingExtraError: PyTorch or safetensors is not installed.
        ModelNameError: No localizing network has this name.
        WeightsError: The weights are missing, broken, of another network, or hold NaN.
        DeviceError: The device is not there.
        MissingKernelError: The scan asked for does not exist or was not built.
    """
    device = pick_device(options.device)
    try:
        import safetensors  # noqa: F401 (asked for by name, so that the message is ours)
    except ImportError as error:
        raise MissingExtraError("weights need safetensors: pip install 'tamperscope[nets]'") from (
            error
        )
    from tamperscope.models import MODELS, unknown_model
    from tamperscope.models.checkpoints import sha256
    from tamperscope.models.inference import for_inference
    from tamperscope.models.tiling import pick_precision, scan_in_use
    from tamperscope.models.weights import load_weights, read_card

    if options.model not in MODELS:
        raise unknown_model(options.model, MODELS)
    card = read_card(options.weights)
    if card.builder != options.model:
        raise WeightsError(
            f"{options.weights} holds weights of {card.builder}, not of {options.model}; name "
            f"--model {card.builder}"
            if card.builder in MODELS
            else f"{options.weights} holds weights of {card.builder}, which is a part of a network "
            "and localizes nothing"
        )
    network: Any = load_weights(options.weights)
    precision = pick_precision(options.precision)
    facts = {
        "model": options.model,
        "weights": {
            "file": options.weights.name,
            "sha256": sha256(options.weights),
            "card": asdict(card),
        },
        "device": device.type,
        "precision": str(precision).removeprefix("torch."),
        "scan": scan_in_use(device),
        "tile": options.tile,
        "threshold": options.threshold,
        "score": SCORE,
    }
    return Localizer(for_inference(network).to(device), options, precision, facts)


def localize(
    inputs: Sequence[Path],
    out: Path,
    localizer: Localizer,
    progress: Progress,
    limits: Limits | None = None,
) -> Localization:
    """Run the network over every picture of ``inputs`` and write the results to ``out``.

    Args:
        inputs: Image files, folders, and whatever else ``read_documents`` reads.
        out: An existing folder; ``localize.json`` is written last, also after Ctrl-C or an error.
        localizer: From :func:`load_localizer`.
        progress: Told about every tile.
        limits: How much is read at most.

    Raises:
        OutputError: The folder cannot be written to.
        WeightsError: The network answers with NaN or infinity.
    """
    began = time.perf_counter()
    done = Localization()
    stems = Stems()
    try:
        for item in read_documents(inputs, limits=limits):
            if isinstance(item, Unread):
                done.unread.append(item)
            else:
                done.images.append(localize_figure(localizer, item, out, stems, progress))
    except KeyboardInterrupt:
        done.interrupted = True
    finally:
        write_record(out / RECORD, done, localizer.facts, time.perf_counter() - began)
    return done


def localize_figure(
    localizer: Localizer, item: LoadedFigure, out: Path, stems: Stems, progress: Progress
) -> LocalizedImage:
    """Run the network over one picture and write its files."""
    figure, tiles = item.figure, 0
    name = figure.document if figure.page is None else f"{figure.document}, page {figure.page}"

    def show(count: int, total: int) -> None:
        nonlocal tiles
        tiles = total
        progress(name, count, total)

    began = time.perf_counter()
    heat, mask, score = localizer.heatmap(item.pixels, show)
    seconds = time.perf_counter() - began
    stem = stems.fresh(figure.document, figure.page)
    try:
        files = write_pictures(out, stem, item.pixels, heat, mask)
    except OSError as error:
        raise unwritable(out, error) from error
    return LocalizedImage(
        source=figure.document,
        page=figure.page,
        width=figure.width,
        height=figure.height,
        note=figure.note,
        score=score,
        marked=float(mask.mean()),
        tiles=tiles,
        seconds=round(seconds, 3),
        files=files,
    )


def write_record(path: Path, done: Localization, facts: dict[str, Any], seconds: float) -> None:
    """Write ``localize.json``."""
    record = {
        "format": FORMAT,
        **facts,
        "images": [asdict(image) for image in done.images],
        "unread": [asdict(item) for item in done.unread],
        "interrupted": done.interrupted,
        "seconds": round(seconds, 3),
        "runtime": metadata(),
    }
    try:
        path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise unwritable(path.parent, error) from error


def unwritable(out: Path, error: OSError) -> OutputError:
    """Return the error for a folder that takes no more files."""
    return OutputError(f"--out {out}: cannot be written to: {error.strerror or error}")
