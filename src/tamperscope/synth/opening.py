"""Opens sources of panels by what a user calls them."""

from collections.abc import Sequence
from pathlib import Path

from tamperscope.synth.drawn_source import DrawnSource
from tamperscope.synth.sources import MixedSource, PictureSource
from tamperscope.synth.work import PanelSource

DRAWN_NAME = "drawn"


def open_sources(
    names: Sequence[str],
    *,
    split: str = "all",
    modality: str | None = None,
    uses: Sequence[str] = ("redistribute",),
) -> PanelSource:
    """Open ``"drawn"`` and folders of pictures; several are mixed.

    Args:
        names: At least one.
        split: Side of the pictures; see :func:`tamperscope.synth.pictures.list_pictures`. Drawn
            panels are new ones each time and belong to no side.
        modality: Of all pictures in folders without a manifest.
        uses: Of the pictures of a corpus.

    Raises:
        DatasetLayoutError: A folder is missing, or holds nothing that can be used.
    """
    if not names:
        raise ValueError("no source of panels was named")
    opened: list[PanelSource] = [
        DrawnSource()
        if name == DRAWN_NAME
        else PictureSource.from_folder(Path(name), split=split, modality=modality, uses=uses)
        for name in names
    ]
    return opened[0] if len(opened) == 1 else MixedSource(tuple(opened))
