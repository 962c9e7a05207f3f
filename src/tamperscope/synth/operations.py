"""The operations by name: what each makes, of how many panels, and of which modalities.

The list is a literal; recipes, command line, documentation and tests read it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tamperscope.synth import (
    copying,
    erasing,
    generated,
    negatives,
    reprocessing,
    retouching,
    reusing,
    seams,
)  # fmt: skip
from tamperscope.synth.sample import MODALITIES, Forgery
from tamperscope.synth.work import Work


@dataclass(frozen=True)
class Operation:
    """One entry of the list."""

    make: Callable[[Work], Forgery]
    kind: str  # of what it makes
    panels: int  # 1 or 2
    modalities: tuple[str, ...] = MODALITIES

    @property
    def title(self) -> str:
        """First line of the function's docstring."""
        return (self.make.__doc__ or "").partition("\n")[0]


BLOTS = ("blot",)
IN_SECTIONS = ("blot", "microscopy")

OPERATIONS: dict[str, Operation] = {
    "copy-move": Operation(copying.copy_move, "copy-move", 1),
    "overlap": Operation(reusing.overlap, "duplicate", 2),
    "paste": Operation(copying.paste, "duplicate", 2),
    "whole": Operation(reusing.whole, "duplicate", 2),
    "splice": Operation(copying.splice, "splice", 1),
    "lane-removed": Operation(seams.remove_lane, "seam", 1, BLOTS),
    "lane-inserted": Operation(seams.insert_lane, "seam", 1, BLOTS),
    "erase": Operation(erasing.erase, "erase", 1),
    "retouch": Operation(retouching.retouch, "retouch", 1),
    "reprocess": Operation(reprocessing.reprocess, "splice", 1),
    "generated-patch": Operation(generated.generated_patch, "generated", 1),
    "pristine": Operation(negatives.pristine, "pristine", 1),
    "unrelated": Operation(negatives.unrelated, "pristine", 2),
    "neighbours": Operation(negatives.neighbours, "pristine", 2),
    "serial": Operation(negatives.serial, "pristine", 2, IN_SECTIONS),
    "shaded": Operation(negatives.shaded, "pristine", 1),
    "laddered": Operation(negatives.laddered, "pristine", 1, BLOTS),
    "ruled": Operation(negatives.ruled, "pristine", 1, BLOTS),
    "periodic": Operation(negatives.periodic, "pristine", 1),
    "periodic-pair": Operation(negatives.periodic_pair, "pristine", 2),
    "annotated": Operation(negatives.annotated, "pristine", 1),
    "annotated-pair": Operation(negatives.annotated_pair, "pristine", 2),
}
