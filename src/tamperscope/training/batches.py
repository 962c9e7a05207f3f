"""Which samples a step is made of, and the batches that worker processes make of them.

A step and a slot decide a sample: which stream it is of, and its number there. So the position in
the data is the number of the step, and batches are the same for any number of workers, of
processes, and of times the training was stopped.

    kind of a step      drawn by the streams' shares: all its samples have one panel, or all two,
                        and all panels one size
    streams of a step   drawn so that each has its share, rounded up or down, in every step
    number of a sample  step * batch + slot
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamperscope.models.matches import panel_matches
from tamperscope.synth.sample import Size
from tamperscope.training.streams import Example, SampleStream

PLAN = 7  # of the random numbers of a step: [seed, PLAN, step]
Rows = tuple[int, int, int]
"""Step, first slot, and the slot behind the last: one batch."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples of one form and size, as arrays."""

    panels: tuple[NDArray[np.uint8], ...]  # one or two of (batch, height, width, 3)
    masks: tuple[NDArray[np.bool_], ...]  # of (batch, height, width)
    targets: Mapping[str, tuple[np.ndarray, ...]]  # by name: of each panel (batch, ...)
    replaced: int = 0  # samples that could not be made and were replaced
    matches: NDArray[np.float32] | None = None  # within the panels, for a network that reads them

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.masks[0])


@dataclass(frozen=True, eq=False)
class Plan:
    """What each step is made of."""

    streams: tuple[SampleStream, ...]
    seed: int
    batch: int  # samples of a step
    matches: bool = False  # whether to look for matches within single panels, here and not in the
    # network: several processes make batches

    def slots(self, step: int) -> list[SampleStream]:
        """Streams of the samples of a step, slot by slot."""
        rng = np.random.default_rng([self.seed, PLAN, step])
        shares: dict[tuple[int, Size], float] = {}
        for stream in self.streams:
            kind = (stream.form, stream.size)
            shares[kind] = shares.get(kind, 0.0) + stream.share
        kinds = sorted(shares)
        weights = np.array([shares[kind] for kind in kinds])
        kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
        able = [stream for stream in self.streams if (stream.form, stream.size) == kind]
        edges = np.cumsum([stream.share for stream in able]) / shares[kind]
        points = (np.arange(self.batch) + rng.random()) / self.batch
        chosen = np.minimum(np.searchsorted(edges, points, side="right"), len(able) - 1)
        return [able[int(place)] for place in rng.permutation(chosen)]

    def make(self, rows: Rows) -> Batch:
        """Make the batch of some slots of a step."""
        step, first, last = rows
        slots = self.slots(step)
        return stacked(
            [slots[slot].example(step * self.batch + slot) for slot in range(first, last)],
            matches=self.matches,
        )


def stacked(examples: Sequence[Example], *, matches: bool = False) -> Batch:
    """Make one batch of examples that are alike; with ``matches`` within their panels."""
    count = len(examples[0].panels)
    found = panel_matches(e.panels[0] for e in examples) if matches else None
    return Batch(
        tuple(np.stack([e.panels[i] for e in examples]) for i in range(count)),
        tuple(np.stack([e.masks[i] for e in examples]) for i in range(count)),
        {
            name: tuple(np.stack([e.targets[name][i] for e in examples]) for i in range(count))
            for name in examples[0].targets
        },
        sum(e.replaced for e in examples),
        found,
    )


def rows_of(
    first_step: int, steps: int, batch: int, *, rank: int, processes: int, accumulate: int
) -> Iterator[Rows]:
    """Yield the batches of one process, in order: ``accumulate`` of them for every step."""
    each = batch // processes
    part = each // accumulate
    for step in range(first_step, steps):
        for start in range(rank * each, (rank + 1) * each, part):
            yield step, start, start + part
