"""Marks what a network takes for tampered: pictures, masks and ``localize.json``.

Two kinds of networks are asked alike: those of photographs (ForMa, LoMa), and those of panels
(BioTamperNet), to which each picture is a single panel. Where none is named, each picture goes to
the one that comes with the program for its kind. One picture is held at a time. What cannot
be read is recorded and the rest goes on; weights that do not fit stop the run before anything is
written. PyTorch is imported when the run starts, so that the classical part of this package works
where it is not installed.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from tamperscope.errors import MissingExtraError, OutputError, WeightsError
from tamperscope.records import Unread
from tamperscope.runtime import metadata, pick_device
from tamperscope.screening.documents import LoadedFigure, read_documents
from tamperscope.screening.limits import Limits
from tamperscope.screening.localize_chance import chance_of_marks
from tamperscope.screening.localize_files import Stems, write_pictures
from tamperscope.screening.modality import classify
from tamperscope.screening.network_chance import ALPHA, NetworkNull, null_of
from tamperscope.shipped import BLOTS, PHOTOGRAPHS, shipped_names, weights_of

if TYPE_CHECKING:
    import torch

    from tamperscope.models import Network
    from tamperscope.models.pair_reading import PairReader

FORMAT = "tamperscope-localize/2"
RECORD = "localize.json"
SCORE = (
    "largest probability of tampering of any pixel, before the heatmap is rounded to 8 bit (the "
    "maximum, as in MVSS-Net, Chen et al. 2021); an observation about the picture, not calibrated"
)
CHANCE = (
    "share of the unaltered panels of 'chance_null' in which this network marks something at least "
    "as strongly as its strongest mark in this picture; extrapolated where it exceeds them all; "
    "pictures of other styles are marked more often; null where no such panels were looked at"
)

SHOWN = 10  # pictures that the sentence on rare marks names
TILE = 1024  # pixels, for networks of photographs

Progress = Callable[[str, int, int | None], None]
"""Called with the picture, the number of its tiles done, and of how many."""


@dataclass(frozen=True)
class Options:
    """What is run, and how."""

    model: str | None = None  # a network, or weights that come with the program; None: as weights
    weights: Path | None = None  # None: those that come with the program
    device: str = "auto"  # auto, cpu or cuda
    precision: str = "auto"  # auto, float32 or bfloat16
    tile: int | None = None  # pixels of a tile of larger photographs; None: TILE
    threshold: float = 0.5  # pixels above it are marked

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must lie in [0, 1], got {self.threshold}")
        if self.tile is not None and self.tile < 64:
            raise ValueError(f"tile must be at least 64 pixels, got {self.tile}")


@dataclass(frozen=True)
class LocalizedImage:
    """One picture that the network saw."""

    source: str  # the file, as it was given
    page: int | None  # 1-based; None where the file holds one picture
    width: int
    height: int
    note: str | None  # what decoding changed: depth, transparency, orientation
    network: str  # file of the weights that were asked
    score: float  # SCORE says what it is
    kind: str  # modality, as the classifier sees it
    marked: float  # share of the pixels that the mask marks, in [0, 1]
    chance: float | None  # CHANCE says what it is
    chance_null: str | None  # which panels, in words
    tiles: int
    seconds: float  # network, blending and enlargement; not decoding and encoding
    files: dict[str, str]  # kind: name in the output folder


@dataclass
class Localization:
    """What a run did, as ``localize.json`` tells it."""

    images: list[LocalizedImage] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    interrupted: bool = False

    @property
    def rare(self) -> list[LocalizedImage]:
        """Pictures with a mark that unaltered panels seldom have, the rarest first."""
        rated = [(image.chance, image) for image in self.images if image.chance is not None]
        return [image for chance, image in sorted(rated, key=lambda r: r[0]) if chance <= ALPHA]


@dataclass(frozen=True)
class OneNetwork:
    """A network ready to run, with what the record says about it."""

    weights: Path
    facts: dict[str, Any]
    null: NetworkNull | None  # of its marks in unaltered panels, for weights that come with us

    @property
    def networks(self) -> list[dict[str, Any]]:
        """What the record says about the network, in a list."""
        return [self.facts]

    def pick(self, kind: str) -> Self:
        """Take itself: there is no other."""
        return self


@dataclass(frozen=True)
class Localizer(OneNetwork):
    """A network of photographs."""

    network: "Network"
    precision: "torch.dtype"
    tile: int

    def heatmap(
        self, pixels: np.ndarray, progress: Callable[[int, int], None]
    ) -> NDArray[np.float32]:
        """Probability per pixel, (H, W) in [0, 1], of uint8 (H, W, 3) pixels.

        Raises:
            WeightsError: The network answered with NaN or infinity.
        """
        from tamperscope.models.tiling import tiled_logits, whole_heatmap

        logits = tiled_logits(
            self.network, pixels, tile=self.tile, precision=self.precision, progress=progress
        )
        if not logits.isfinite().all():
            raise damaged(self.weights)
        return whole_heatmap(logits, self.network.stride, (pixels.shape[0], pixels.shape[1]))


@dataclass(frozen=True)
class PanelLocalizer(OneNetwork):
    """A network of panels: each picture is read as one panel, at its own size."""

    reader: "PairReader"

    def heatmap(
        self, pixels: np.ndarray, progress: Callable[[int, int], None]
    ) -> NDArray[np.float32]:
        """As :meth:`Localizer.heatmap`."""
        heatmap = self.reader.in_tiles(pixels, progress).heatmap
        if not np.isfinite(heatmap).all():
            raise damaged(self.weights)
        return heatmap


@dataclass(frozen=True)
class LocalizerByKind:
    """Blots and gels go to one network, all other pictures to the other."""

    blots: PanelLocalizer
    others: Localizer

    @property
    def networks(self) -> list[dict[str, Any]]:
        """What the record says about both."""
        return [self.blots.facts, self.others.facts]

    def pick(self, kind: str) -> Localizer | PanelLocalizer:
        """Choose by the modality of the picture."""
        return self.blots if kind == "blot" else self.others


AnyLocalizer = Localizer | PanelLocalizer | LocalizerByKind


def how_rare(done: Localization) -> str:
    """Say which pictures hold a mark that unaltered ones seldom have, the rarest first."""
    known = sum(image.chance is not None for image in done.images)
    unknown = "How strongly unaltered pictures are marked is not known"
    if not known:
        return f"{unknown} for these."
    rare, total = done.rare, f"{known} picture{'s' * (known > 1)}"
    names = ", ".join(image.files["overlay"] for image in rare[:SHOWN])
    more = f" and {len(rare) - SHOWN} more" if len(rare) > SHOWN else ""
    told = (
        f"{len(rare)} of {total} {'hold' if len(rare) > 1 else 'holds'} a mark that at most "
        f"{ALPHA:.0%} of unaltered panels show as strongly: {names}{more}."
        if rare
        else f"No mark in {total} is stronger than those of all but {ALPHA:.0%} of unaltered "
        "panels; the overlays show all marks."
    )
    rest = len(done.images) - known
    return told + (f" {unknown} for {rest} more." if rest else "")


def damaged(weights: Path) -> WeightsError:
    """Return the error for answers that are no numbers."""
    return WeightsError(
        f"{weights}: the network answered with NaN or infinity; its weights are damaged, or too "
        "large for the precision (try --precision float32)"
    )


def load_localizer(options: Options) -> AnyLocalizer:
    """Load what ``options`` names: a network, its weights, or neither.

    Where neither is named, the networks that come with the program are asked, each about its kind
    of pictures.

    Raises:
        MissingExtraError: PyTorch or safetensors is not installed.
        ModelNameError: No localizing network has this name.
        WeightsError: The weights are missing, broken, of another network, or hold NaN; or the
            options are not for their kind of network.
        DeviceError: The device is not there.
        MissingKernelError: The scan asked for does not exist or was not built.
    """
    if options.model is not None or options.weights is not None:
        return load_one(options)
    # What is only for photographs is only asked of their network.
    blots = load_one(replace(options, model=BLOTS, tile=None, precision="auto"))
    others = load_one(replace(options, model=PHOTOGRAPHS))
    assert isinstance(blots, PanelLocalizer)
    assert isinstance(others, Localizer)
    return LocalizerByKind(blots, others)


def load_one(options: Options) -> Localizer | PanelLocalizer:
    """Load the network or the weights that ``options`` names, and gather what the record says.

    Raises:
        What :func:`load_localizer` raises.
    """
    model = options.model
    weights = options.weights if model is None else weights_of(model, options.weights)
    assert weights is not None  # one of both is named
    device = pick_device(options.device)
    try:
        import safetensors  # noqa: F401 (asked for by name, so that the message is ours)
    except ImportError as error:
        raise MissingExtraError("weights need safetensors: pip install 'tamperscope[nets]'") from (
            error
        )
    from tamperscope.models import MODELS, PAIR_MODELS, unknown_model
    from tamperscope.models.checkpoints import sha256
    from tamperscope.models.inference import for_inference
    from tamperscope.models.pair_reading import PairReader
    from tamperscope.models.tiling import pick_precision, scan_in_use
    from tamperscope.models.weights import load_weights, read_card

    known = {**MODELS, **PAIR_MODELS}
    ours = options.weights is None and model in shipped_names()
    if model is not None and not ours and model not in known:
        raise unknown_model(model, known)
    card = read_card(weights)
    if card.builder not in known:
        raise WeightsError(
            f"{weights} holds weights of {card.builder}, which is a part of a network and "
            "localizes nothing"
        )
    if model is not None and not ours and card.builder != model:
        raise WeightsError(
            f"{weights} holds weights of {card.builder}, not of {model}; name "
            f"--model {card.builder}"
        )
    precision = pick_precision(options.precision)
    if card.builder in PAIR_MODELS:
        check_panel_options(options, card.builder)
    network: Any = load_weights(weights)
    digest = sha256(weights)
    facts = {
        "model": card.builder,
        "weights": {"file": weights.name, "sha256": digest, "card": asdict(card)},
        "device": device.type,
        "precision": str(precision).removeprefix("torch."),
        "scan": scan_in_use(device),
        "threshold": options.threshold,
    }
    null = null_of(digest)
    if card.builder in PAIR_MODELS:
        reader = PairReader(network.to(device))
        return PanelLocalizer(weights, {**facts, "tile": reader.tile}, null, reader)
    tile = options.tile or TILE
    ready = for_inference(network).to(device)
    return Localizer(weights, {**facts, "tile": tile}, null, ready, precision, tile)


def check_panel_options(options: Options, model: str) -> None:
    """Refuse what only networks of photographs do; WeightsError says what."""
    for name, given in (
        ("--tile", options.tile is not None),
        ("--precision bfloat16", options.precision == "bfloat16"),
    ):
        if given:
            raise WeightsError(
                f"{name} is for networks of photographs; {model} reads panels in tiles and numbers "
                "of its own"
            )


def localize(
    inputs: Sequence[Path],
    out: Path,
    localizer: AnyLocalizer,
    progress: Progress,
    limits: Limits | None = None,
) -> Localization:
    """Run the network over every picture of ``inputs``, and write the results to ``out``.

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
        write_record(out / RECORD, done, localizer.networks, time.perf_counter() - began)
    return done


def localize_figure(
    localizer: AnyLocalizer,
    item: LoadedFigure,
    out: Path,
    stems: Stems,
    progress: Progress,
) -> LocalizedImage:
    """Run the network over one picture and write its files."""
    figure, tiles = item.figure, 0
    name = figure.document if figure.page is None else f"{figure.document}, page {figure.page}"

    def show(count: int, total: int) -> None:
        nonlocal tiles
        tiles = total
        progress(name, count, total)

    began = time.perf_counter()
    kind = classify(item.pixels)[0]
    asked = localizer.pick(kind)
    heatmap = asked.heatmap(item.pixels, show)
    seconds = time.perf_counter() - began
    mask = heatmap > asked.facts["threshold"]
    chance, null = chance_of_marks(item.pixels, kind, heatmap, asked.null)
    stem = stems.fresh(figure.document, figure.page)
    try:
        files = write_pictures(out, stem, item.pixels, heatmap, mask)
    except OSError as error:
        raise unwritable(out, error) from error
    return LocalizedImage(
        source=figure.document,
        page=figure.page,
        width=figure.width,
        height=figure.height,
        note=figure.note,
        network=asked.weights.name,
        kind=kind,
        score=float(heatmap.max()),
        marked=float(mask.mean()),
        chance=chance,
        chance_null=null,
        tiles=tiles,
        seconds=round(seconds, 3),
        files=files,
    )


def write_record(
    path: Path, done: Localization, networks: list[dict[str, Any]], seconds: float
) -> None:
    """Write ``localize.json``."""
    record = {
        "format": FORMAT,
        "score": SCORE,
        "chance": CHANCE,
        "networks": networks,
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
