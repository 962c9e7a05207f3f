"""Opens what a training recipe names: sources of panels, forged streams, sets on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tamperscope.data.catalog import DATASETS, read_dataset
from tamperscope.data.samples import AnySample, Sample
from tamperscope.errors import RecipeError
from tamperscope.synth.drawn_source import DrawnSource
from tamperscope.synth.opening import DRAWN_NAME
from tamperscope.synth.pictures import Picture, valid_origins
from tamperscope.synth.recipe import find_recipe
from tamperscope.synth.sample import Size
from tamperscope.synth.sources import MixedSource, PictureSource
from tamperscope.synth.work import PanelSource
from tamperscope.training.recipe import Stream, root_of
from tamperscope.training.sets import set_streams
from tamperscope.training.streams import SampleStream, forged_streams

Opened = dict[tuple[object, ...], PanelSource]


@dataclass(frozen=True)
class Wanted:
    """What a network and its loss ask of every stream."""

    pairs: bool  # whether the network takes pairs; it takes single panels too
    seed: int
    extra: tuple[str, ...] = ()  # targets beside the masks
    cells: Mapping[Size, float] = field(default_factory=dict)  # pixels of a cell of those targets,
    # by the size of the panels; needed for partners only
    held_out: bool = False  # streams for validation


def open_streams(
    streams: Sequence[Stream], roots: Mapping[str, str], wanted: Wanted, where: str
) -> list[list[SampleStream]]:
    """Open streams; sources that several of them name are opened once.

    Args:
        streams: As the recipe says.
        roots: Folders by name.
        wanted: What is asked of all of them.
        where: Recipe and section, for errors.

    Returns:
        For each of them the one or two streams that it became, one for each form.

    Raises:
        RecipeError: A stream asks for what is not there, or makes pairs for a network that takes
            single panels.
        DatasetLayoutError: A folder is missing or laid out differently.
    """
    opened: Opened = {}
    found: list[list[SampleStream]] = []
    for place, stream in enumerate(streams):
        both = wanted.pairs if stream.truth == "auto" else stream.truth == "both"
        if stream.forge is None:
            if wanted.extra:
                raise RecipeError(
                    f"{where}[{place}]: the loss asks for {', '.join(wanted.extra)}, which only "
                    "the forge knows; give a stream with forge = NAME"
                )
            made: Sequence[SampleStream] = set_streams(
                stream,
                dataset_samples(stream, roots),
                wanted.seed,
                both,
                held_out=wanted.held_out,
            )
        else:
            source = open_source(stream, roots, opened)
            made = forged_streams(
                stream,
                find_recipe(str(stream.forge)),
                source,
                seed=wanted.seed + (place if wanted.held_out else 0),  # other panels in each
                both=both,
                extra=wanted.extra,
                cell=wanted.cells.get(panel_size(stream), 8.0),
                held_out=wanted.held_out,
            )
        if not wanted.pairs and any(one.form == 2 for one in made):
            raise RecipeError(
                f"{where}[{place}] makes pairs, and this network takes single panels; add "
                'form = "single", or name another recipe'
            )
        found.append(list(made))
    return found


def panel_size(stream: Stream) -> Size:
    """Return the size of the panels of a stream: its own, or that of its forge recipe."""
    return stream.size or find_recipe(str(stream.forge)).size


def open_source(stream: Stream, roots: Mapping[str, str], opened: Opened) -> PanelSource:
    """Open the sources of a stream, several of them mixed."""
    found = []
    for name in stream.sources:
        key = (name, stream.split, stream.modality, stream.uses)
        if key not in opened:
            opened[key] = one_source(name, stream, roots)
        found.append(opened[key])
    return found[0] if len(found) == 1 else MixedSource(tuple(found))


def one_source(name: str, stream: Stream, roots: Mapping[str, str]) -> PanelSource:
    """Open ``"drawn"``, the pristine pictures of a dataset, or a folder."""
    if name == DRAWN_NAME:
        return DrawnSource()
    root = root_of(name, roots)
    if name in DATASETS:
        return PictureSource(dataset_pictures(name, root, stream.split))
    return PictureSource.from_folder(
        root, split=stream.split, modality=stream.modality, uses=stream.uses
    )


def dataset_pictures(name: str, root: Path, split: str) -> list[Picture]:
    """Pristine pictures of a dataset, as the forge's sources list theirs; split by group."""
    samples = [s for s in read_dataset(name, root) if isinstance(s, Sample) and s.truth is None]
    pictures = [
        Picture(
            sample.image, sample.image.relative_to(root).as_posix(), str(sample.kind),
            sample.group or sample.image.stem, sample.group or sample.image.stem,
        )
        for sample in samples
        if sample.kind is not None
    ]  # fmt: skip
    if split != "all":
        valid = valid_origins(pictures)
        pictures = [p for p in pictures if (p.origin in valid) == (split == "valid")]
    if not pictures:
        raise RecipeError(
            f"dataset {name} below {root} has no pristine pictures of a known kind on the side "
            f"{split!r}; the forge cannot cut panels from it"
        )
    return pictures


def dataset_samples(stream: Stream, roots: Mapping[str, str]) -> list[AnySample]:
    """Samples of the dataset a stream names, of its split where the set has official ones."""
    name = str(stream.dataset)
    root = root_of(stream.root or name, roots)
    samples = read_dataset(name, root)
    if stream.split == "all" or not any(sample.split for sample in samples):
        if stream.split == "valid":
            raise RecipeError(f"dataset {name} at {root} has no split of its own; use split 'all'")
        return samples
    kept = [sample for sample in samples if sample.split == stream.split]
    if not kept:
        there = sorted({str(sample.split) for sample in samples})
        raise RecipeError(f"dataset {name} at {root} has the splits {', '.join(there)}")
    return kept
