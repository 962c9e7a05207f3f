"""``tamperscope evaluate --dataset``: one method on one dataset, by the papers' protocol."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tamperscope.cli.output import progress_line
from tamperscope.errors import OutputError, WeightsError
from tamperscope.shipped import weights_of

if TYPE_CHECKING:
    from tamperscope.data.samples import AnySample
    from tamperscope.evaluation.measure import Setting
    from tamperscope.evaluation.predictions import Predictor

DETECTORS = (
    "keypoints", "dense-field-zm", "dense-field-pct", "dense-field-fmt", "seams", "pasted",
)  # fmt: skip
SIZES = ("native", "forma", "loma")
PAPER_SIZE = (512, 512)  # (height, width) at which both papers show a picture to their network
Command = TypeVar("Command", bound=Callable[..., Any])

OPTIONS = {
    "dataset": click.option(
        "--dataset", metavar="NAME", help="Dataset, as 'tamperscope datasets' lists it."
    ),
    "root": click.option("--root", type=click.Path(path_type=Path), help="Its folder (or file)."),
    "model": click.option(
        "--model",
        metavar="NAME",
        help="Score a network, or weights that come with the program, such as"
        " biotampernet_small_seams.",
    ),
    "weights": click.option(
        "--weights",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Weights of the network; not needed for those that come with the program.",
    ),
    "detector": click.option(
        "--detector",
        type=click.Choice(DETECTORS),
        help="Score a classical detector; with --model too, what either of both marks.",
    ),
    "masks": click.option(
        "--masks",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Score masks or heatmaps that another method wrote (PNG, or .npy).",
    ),
    "out": click.option(
        "--out",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Result file; NAME.cases.jsonl beside it holds every sample, and lets a stopped run "
        "continue.",
    ),
    "name": click.option(
        "--name", help="What to call the method in tables.  [default: made from it]"
    ),
    "only": click.option(
        "--only",
        type=click.Choice(["all", "tampered", "pristine"]),
        default="all",
        show_default=True,
        help="Which samples to score.",
    ),
    "limit": click.option(
        "--limit",
        type=click.IntRange(1),
        help="Samples of every set, spread evenly.  [default: all]",
    ),
    "sizes": click.option(
        "--sizes",
        type=click.Choice(SIZES),
        default="native",
        show_default=True,
        help="native: pictures as they are. forma: the network sees 512 x 512, scored at the size "
        "of the picture. loma: seen and scored at 512 x 512.",
    ),
    "threshold": click.option(
        "--threshold",
        type=click.FloatRange(0, 1),
        default=0.5,
        show_default=True,
        help="A heatmap marks pixels above it.",
    ),
    "legacy": click.option(
        "--legacy",
        is_flag=True,
        help="BioFors: treat missing and grey predictions as its scripts do, and print their "
        "arithmetic beside ours.",
    ),
    "resize_masks": click.option(
        "--resize-masks",
        is_flag=True,
        help="Bring truths of another size to the picture's, instead of leaving them out.",
    ),
    "seed": click.option("--seed", default=0, show_default=True, help="Of the bootstrap."),
    "jobs": click.option(
        "--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes."
    ),
    "device": click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where a network runs.",
    ),
    "tile": click.option(
        "--tile",
        type=click.IntRange(64),
        default=1024,
        show_default=True,
        help="A network sees larger pictures in tiles of so many pixels.",
    ),
    "overwrite": click.option(
        "--overwrite", is_flag=True, help="Start again over an earlier result."
    ),
}


def dataset_options(*, without: Sequence[str] = ()) -> Callable[[Command], Command]:
    """Give a command the options of :class:`Request`, but for some."""

    def decorate(command: Command) -> Command:
        for name, option in reversed(OPTIONS.items()):
            if name not in without:
                command = option(command)
        return command

    return decorate


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line."""

    dataset: str | None
    root: Path | None
    model: str | None
    weights: Path | None
    detector: str | None
    masks: Path | None
    out: Path | None
    name: str | None
    only: str
    limit: int | None
    sizes: str
    threshold: float
    legacy: bool
    resize_masks: bool
    seed: int
    jobs: int
    device: str
    tile: int
    overwrite: bool

    def check(self) -> None:
        """Refuse what is incomplete or contradicts itself."""
        for option, value in {
            "--dataset": self.dataset,
            "--root": self.root,
            "--out": self.out,
        }.items():
            if value is None:
                raise click.UsageError(f"{option} is missing")
        given = [n for n in ("model", "detector", "masks") if getattr(self, n) is not None]
        if len(given) != 1 and given != ["model", "detector"]:
            raise click.UsageError(
                "say what to score: --masks alone, or --model (with --weights), or --detector, or "
                "these two together"
            )
        if self.weights is not None and self.model is None:
            raise click.UsageError("--weights goes with --model")
        if self.model is not None and self.jobs > 1:
            raise click.UsageError("--jobs is for detectors and masks; a network uses all threads")

    def paths(self) -> tuple[str, Path, Path]:
        """Dataset, its root and the result file, which :meth:`check` found to be there."""
        assert self.dataset is not None
        assert self.root is not None
        assert self.out is not None
        return self.dataset, self.root, self.out


def run(request: Request) -> None:
    """Score one method on one dataset and write the result."""
    # heavy: OpenCV, SciPy and the matchers; torch only for a network
    from tamperscope.evaluation import measure, selection
    from tamperscope.evaluation.layout import as_text
    from tamperscope.evaluation.run import Job, score
    from tamperscope.evaluation.tables import tables_of

    request.check()
    dataset, root, out = request.paths()
    if out.exists() and not request.overwrite:
        raise OutputError(f"{out} exists; give --overwrite to replace it")
    setting = measure.Setting(
        dataset,
        request.threshold,
        PAPER_SIZE if request.sizes == "loma" else None,
        request.resize_masks,
        request.legacy,
    )
    samples = selection.collect(dataset, root, request.only, request.limit)
    predictor, facts = chosen_predictor(request, setting, list(samples.values()))
    job = Job(
        setting=setting,
        samples=samples,
        predictor=predictor,
        method=facts,
        part=request.only,
        limit=request.limit,
        sizes=request.sizes,
        seed=request.seed,
    )
    show = progress_line()
    try:
        result = score(
            job, out, jobs=request.jobs, overwrite=request.overwrite,
            report=lambda done, total: show(dataset, done, total),
        )  # fmt: skip
    except KeyboardInterrupt:
        click.echo("Stopped; the same command goes on where this one ended.", err=True)
        raise SystemExit(130) from None
    for entry in result["skipped"]:
        click.echo(f"left out {entry['key']}: {entry['why']}", err=True)
    if result["skipped"] and not request.resize_masks:
        click.echo("--resize-masks brings truths of another size to the picture's.", err=True)
    for table in tables_of([result], published=False):
        click.echo(as_text(table))
    click.echo(f"Result: {out}")


def chosen_predictor(
    request: Request, setting: "Setting", samples: "Sequence[AnySample]"
) -> "tuple[Predictor, dict[str, Any]]":
    """Make the method that was asked for, checked against the samples, and what a result says."""
    from tamperscope.evaluation.journal import code_fingerprint
    from tamperscope.evaluation.mask_folder import MaskFolder
    from tamperscope.evaluation.measure import may_lack
    from tamperscope.evaluation.predictions import DetectorPredictor, UnionPredictor

    if request.detector is not None:
        detector = DetectorPredictor(request.detector)
        if request.model is not None:
            network, facts = _network(request)
            union = UnionPredictor(network, detector)
            union.check(samples)
            code = code_fingerprint(("matching", "models", "kernels"))
            facts = {**facts, "detector": request.detector, "code": code}
            return union, {"name": request.name or f"{request.model} + {request.detector}", **facts}
        detector.check(samples)
        facts = {"kind": "detector", "detector": request.detector, "code": code_fingerprint()}
        return detector, {"name": request.name or request.detector, **facts}
    if request.masks is not None:
        assert request.root is not None
        folder = MaskFolder(request.masks, request.root, may_lack(setting))
        folder.check(samples)
        facts = {"kind": "masks", "files": folder.fingerprint(samples)}
        return folder, {"name": request.name or request.masks.resolve().name, **facts}
    predictor, facts = _network(request)
    predictor.check(samples)
    return predictor, {"name": request.name or request.model, **facts}


def _network(request: Request) -> "tuple[Predictor, dict[str, Any]]":
    assert request.model is not None
    weights = weights_of(request.model, request.weights)
    from tamperscope.evaluation.journal import code_fingerprint
    from tamperscope.evaluation.predictions import NetworkPredictor
    from tamperscope.runtime import pick_device
    from tamperscope.screening.localize import Localizer, Options, load_localizer

    pick_device(request.device)  # without PyTorch, or without that device: one line
    from tamperscope.models import PAIR_MODELS
    from tamperscope.models.weights import read_card

    if request.model in PAIR_MODELS or read_card(weights).builder in PAIR_MODELS:
        return _pair_network(request, weights)

    options = Options(request.model, weights, request.device, tile=request.tile)
    localizer = load_localizer(options)
    assert isinstance(localizer, Localizer)  # pairs were asked for above
    seen = None if request.sizes == "native" else PAPER_SIZE
    predictor = NetworkPredictor(localizer.network, localizer.precision, request.tile, seen)
    facts = {name: localizer.facts[name] for name in ("model", "weights", "device", "tile")}
    return predictor, {"kind": "network", **facts, "code": code_fingerprint(("models", "kernels"))}


def _pair_network(request: Request, weights: Path) -> "tuple[Predictor, dict[str, Any]]":
    from tamperscope.evaluation.journal import code_fingerprint
    from tamperscope.evaluation.pair_predictor import PairNetworkPredictor
    from tamperscope.models.checkpoints import sha256
    from tamperscope.models.pair_reading import PairReader
    from tamperscope.models.weights import load_weights, read_card
    from tamperscope.runtime import pick_device

    if request.sizes != "native":
        raise click.UsageError("--sizes is for the networks of ForMa and LoMa")
    card = read_card(weights)
    if request.weights is not None and card.builder != request.model:
        raise WeightsError(
            f"{weights} holds weights of {card.builder}, not of {request.model}; name "
            f"--model {card.builder}"
        )
    device = pick_device(request.device)
    network: Any = load_weights(weights).to(device)
    facts = {
        "kind": "network",
        "model": card.builder,
        "weights": {"file": weights.name, "sha256": sha256(weights), "card": asdict(card)},
        "device": device.type,
        "code": code_fingerprint(("models", "kernels")),
    }
    return PairNetworkPredictor(PairReader(network)), facts
