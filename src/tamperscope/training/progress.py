"""What a run tells while it goes: where it is, where its time goes, how long it still takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from tamperscope.training.schedules import Plateau

PARTS = ("data", "forward", "backward", "update")
"""Parts of a step: waiting for its samples; the network and its loss; gradients; new weights."""


@dataclass
class Position:
    """Where a run is; everything a checkpoint holds beside tensors. JSON values."""

    step: int = 0
    seconds: float = 0.0  # of all runs that led here
    replaced: int = 0  # samples that could not be made and were replaced
    best: float | None = None  # score
    best_step: int = 0
    scores: dict[str, Any] = field(default_factory=dict)  # of the best weights, by stream
    waited: int = 0  # validations in a row without a better score
    plateau: Plateau = field(default_factory=Plateau)
    journal: int = 0  # bytes of metrics.jsonl
    scaler: dict[str, Any] = field(default_factory=dict)  # of mixed precision with 16 bit
    ended: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Position":
        """Undo :meth:`as_json`."""
        return cls(**{**values, "plateau": Plateau(**values["plateau"])})


class Clock:
    """Seconds that each part of a step took.

    Args:
        device: Where the network computes. Work on a GPU is waited for only if ``exact``, since
            waiting costs time itself.
        exact: Whether to wait.
    """

    def __init__(self, device: torch.device, *, exact: bool = False) -> None:
        self.waits = exact and device.type == "cuda"
        self.restart()

    def restart(self) -> None:
        """Begin to count anew."""
        self.spent = dict.fromkeys(PARTS, 0.0)
        self.began = time.perf_counter()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside for one of PARTS."""
        began = time.perf_counter()
        yield
        if self.waits:
            torch.cuda.synchronize()
        self.spent[name] += time.perf_counter() - began

    @property
    def seconds(self) -> float:
        """Seconds since the start, validations and all."""
        return time.perf_counter() - self.began

    def shares(self) -> dict[str, float]:
        """Share of each part in the time of all of them."""
        total = sum(self.spent.values())
        return {name: round(spent / total, 4) for name, spent in self.spent.items()}


@dataclass(frozen=True)
class Tick:
    """One report of a run that goes on."""

    step: int
    steps: int
    loss: float  # mean over the steps since the last report
    rate: float
    samples_per_second: float
    seconds_left: float  # at the pace of this run so far, validations and all
    shares: dict[str, float]
