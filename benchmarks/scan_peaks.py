"""What this machine can do at best: the limits that scan times are compared with.

Rates are measured with the kernel's own exp2 and softplus in loops that touch no memory, multiply-
adds in registers, and read-two-write-one traffic over arrays of a given size (the better of torch's
addition and the library's streaming stores).
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import torch

from tamperscope.kernels.native_scan import run_tasks

KINDS = {"exp2": 0, "softplus": 1, "multiply_add": 2, "copy": 3}


class PeakArguments(ctypes.Structure):
    """Mirrors ``struct Peaks`` in csrc/scan_peak.h."""

    _fields_ = [(name, ctypes.c_int64) for name in ("kind", "count", "repeats", "failed")] + [
        (name, ctypes.c_void_p) for name in ("a", "b", "to")
    ]


Clock = Callable[[], float]


def arithmetic_rate(kind: str, threads: int, clock: Clock) -> float:
    """Values per second of ``exp2``, ``softplus`` or ``multiply_add`` on ``threads`` threads."""
    count, repeats = 96 * 64, 2000
    to = torch.empty(threads)
    peak = PeakArguments(kind=KINDS[kind], count=count, repeats=repeats, to=to.data_ptr())
    start = clock()
    run_tasks("scan_peak", threads, peak)
    return threads * count * repeats / (clock() - start)


class Traffic:
    """Read-two-write-one traffic over arrays that total about ``size`` bytes."""

    def __init__(self, size: int, threads: int, clock: Clock) -> None:
        count = max(size // 12 // threads // 1024, 1) * 1024  # floats of one array and thread
        self.arrays = [torch.ones(threads * count) for _ in range(3)]
        self.threads, self.bytes, self.clock = threads, 12 * threads * count, clock
        self.repeats = max(1, 2**24 // (12 * threads * count))  # small arrays: many times
        addresses = dict(zip(("a", "b", "to"), (x.data_ptr() for x in self.arrays), strict=True))
        self.arguments = PeakArguments(
            kind=KINDS["copy"], count=count, repeats=self.repeats, **addresses
        )

    def rate(self) -> float:
        """Bytes per second of the better way to write."""
        a, b, to = self.arrays
        start = self.clock()
        for _ in range(self.repeats):
            torch.add(a, b, out=to)
        middle = self.clock()
        run_tasks("scan_peak", self.threads, self.arguments)
        end = self.clock()
        return self.repeats * self.bytes / min(middle - start, end - middle)


@dataclass(frozen=True)
class Limit:
    """Least time for one call, in seconds, and what it is made of."""

    traffic: float
    arithmetic: float

    @property
    def seconds(self) -> float:
        return max(self.traffic, self.arithmetic)


def scan_limit(
    rates: dict[str, float], elements: int, states: int, rank: int, moved_bytes: int
) -> Limit:
    """Limit of a forward scan: bytes over bandwidth, or its exponentials and multiply-adds.

    Every element (channel and step) needs one softplus, and per state one exponential and four
    multiply-adds; two more for skip and input, ``rank`` where the step size is projected.
    """
    arithmetic = elements * (
        1 / rates["softplus"]
        + states / rates["exp2"]
        + (4 * states + 2 + rank) / rates["multiply_add"]
    )
    return Limit(moved_bytes / rates["bytes"], arithmetic)
