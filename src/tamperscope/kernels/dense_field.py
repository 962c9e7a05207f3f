"""Dense descriptors and the nearest-neighbour field between them: the border to the native code.

Two functions of the library ``dense_field`` (``csrc/dense_field.cpp``), with every size and type
checked here. Both work in whole numbers, so that their results do not depend on the number of
threads, the instruction set or the machine:

* :func:`describe` runs a bank of circular filters over every pixel and takes magnitudes;
* :func:`nearest_field` finds, for every node of a grid on the source, a pixel of the target with
  nearly the smallest descriptor distance (PatchMatch with first-order propagation).
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamperscope.errors import TamperscopeError
from tamperscope.kernels.native import load

IMAGE_ONE = 65535  # the whole number that stands for brightness 1
TAP_ONE = 2**28  # the whole number that stands for a filter weight of 1
SHRINK = 2.0**-20  # brings filter sums below 2^24, so that their squares add without rounding
DESCRIPTOR_ONE = 8192  # length of a descriptor
ABREAST = 4  # filters the library runs together; they must share a parity
MAX_BITS = 16
NOTHING = np.iinfo(np.int32).max  # distance of a node for which nothing was found

Descriptors = NDArray[np.int16]  # (height, width, depth), depth a multiple of 16


@dataclass(frozen=True, eq=False)
class FilterBank:
    """Real filters whose squared responses are summed per feature.

    Attributes:
        name: For messages.
        taps: (filters, 2 radius + 1, 2 radius + 1); each filter even or odd in x and in y, the
            absolute weights of each adding up to at most 1.
        feature: (filters,) the feature each one belongs to, 0..features-1.
    """

    name: str
    taps: NDArray[np.float64]
    feature: NDArray[np.int32]

    def __post_init__(self) -> None:
        filters, height, width = self.taps.shape
        if height != width or height % 2 == 0:
            raise ValueError(f"filters must be square and of odd size, got {height} x {width}")
        if self.feature.shape != (filters,) or filters == 0:
            raise ValueError(f"{filters} filters need as many features, got {self.feature.shape}")
        if set(self.feature.tolist()) != set(range(self.features)):
            raise ValueError("features must be numbered 0, 1, 2, ... without gaps")
        if np.abs(self.taps).sum(axis=(1, 2)).max() > 1:
            raise ValueError("the absolute weights of a filter must not add up to more than 1")

    @property
    def radius(self) -> int:
        """Pixels from the centre to the rim."""
        return self.taps.shape[1] // 2

    @property
    def features(self) -> int:
        """Number of features."""
        return int(self.feature.max()) + 1

    @property
    def depth(self) -> int:
        """Length of a descriptor in memory: the features, padded with zeros."""
        return -(-self.features // 16) * 16

    @cached_property
    def folded(self) -> "FoldedBank":
        """The bank as the library wants it."""
        return FoldedBank.of(self)


@dataclass(frozen=True, eq=False)
class FoldedBank:
    """A filter bank in whole numbers on one quadrant, in groups of equal parity."""

    dx: NDArray[np.int32]
    dy: NDArray[np.int32]
    parity: NDArray[np.int32]
    feature: NDArray[np.int32]
    taps: NDArray[np.float64]  # (filters, points)

    @classmethod
    def of(cls, bank: FilterBank) -> "FoldedBank":
        """Quantise, fold and sort by parity; ValueError where a filter has no parity."""
        r = bank.radius
        quadrant = bank.taps[:, r:, r:]
        dy, dx = np.nonzero(np.any(quadrant != 0, axis=0))
        # Multiples of 4, because a pixel on an axis is folded twice and the centre four times.
        whole = 4 * np.rint(quadrant[:, dy, dx] * (TAP_ONE / 4))
        whole /= np.where(dx == 0, 2, 1) * np.where(dy == 0, 2, 1)
        parities = np.array([_parity(taps, bank.name) for taps in bank.taps])
        rows, parity, feature = [], [], []
        for p in range(4):
            members = np.flatnonzero(parities == p)
            padding = -len(members) % ABREAST
            rows += [whole[members], np.zeros((padding, len(dx)))]
            parity += [p] * (len(members) + padding)
            feature += [*bank.feature[members], *[-1] * padding]
        return cls(
            dx.astype(np.int32),
            dy.astype(np.int32),
            np.array(parity, np.int32),
            np.array(feature, np.int32),
            np.ascontiguousarray(np.concatenate(rows)),
        )


def _parity(taps: NDArray[np.float64], name: str) -> int:
    """Bit 0: odd in x; bit 1: odd in y."""
    parity = 0
    for axis, bit in ((1, 1), (0, 2)):
        mirrored = np.flip(taps, axis)
        if not np.allclose(mirrored, taps, rtol=0, atol=1e-12):
            if not np.allclose(mirrored, -taps, rtol=0, atol=1e-12):
                raise ValueError(f"bank {name!r}: a filter is neither even nor odd on axis {axis}")
            parity |= bit
    return parity


@dataclass(frozen=True, eq=False)
class Description:
    """What :func:`describe` finds; all zero within the filters' radius of the border."""

    descriptors: Descriptors  # (height, width, depth), of length DESCRIPTOR_ONE
    strength: NDArray[np.float32]  # (height, width) length before normalisation, brightness units


@dataclass(frozen=True, eq=False)
class NearestField:
    """For each node, the best target pixel found; nodes lie at (stride * column, stride * row)."""

    x: NDArray[np.int32]  # (rows, columns), in pixels of the layer; -1 where nothing was found
    y: NDArray[np.int32]
    layer: NDArray[np.int32]
    distance: NDArray[np.int32]  # squared; NOTHING where nothing was found


@dataclass(frozen=True, eq=False)
class Target:
    """One layer to match into."""

    descriptors: Descriptors
    valid: NDArray[np.bool_]  # (height, width)


@dataclass(frozen=True)
class Search:
    """How hard :func:`nearest_field` searches."""

    stride: int = 1  # pixels of the source between nodes
    rounds: int = 8  # sweeps, alternately from the first and from the last node
    turned_draws: int = 4  # tries on a circle around a neighbour's partner, per node and round
    local_draws: int = 4  # random tries around the best so far, per node and round
    hash_draws: int = 4  # tries among targets of like descriptors, per node and round
    bits: int = 12  # of the hash of a descriptor: one per feature, above its median or not
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("stride", "rounds", "bits"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("turned_draws", "local_draws", "hash_draws", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.bits > MAX_BITS:
            raise ValueError(f"bits must be at most {MAX_BITS}, got {self.bits}")


@cache
def _library() -> ctypes.CDLL:
    library = load("dense_field")
    pointer, number, real = ctypes.c_void_p, ctypes.c_int, ctypes.c_double
    features: list[Any] = [pointer, *[number] * 4, *[pointer] * 2, number, *[pointer] * 3]
    features += [real, number, *[pointer] * 2, number, real, pointer, real, number]
    library.dense_field_features.argtypes = features
    match: list[Any] = [pointer, number, number, pointer, number, *[pointer] * 4, *[number] * 8]
    library.dense_field_match.argtypes = [*match, ctypes.c_uint64, number, pointer]
    return library


def describe(image: NDArray[np.uint16], bank: FilterBank, *, threads: int = 1) -> Description:
    """Describe the surroundings of every pixel, up to brightness and contrast.

    Args:
        image: (height, width), 65535 for brightness 1.
        bank: The filters; a feature is the root of the summed squared responses of its filters.
        threads: Threads to use; the result is the same for any number.

    Raises:
        MissingKernelError: The native library is not built.
    """
    height, width = _checked_image(image)
    descriptors = np.zeros((height, width, bank.depth), np.int16)
    strength = np.zeros((height, width), np.float32)
    _features(image, bank, threads, None, descriptors, strength)
    return Description(descriptors, strength)


def magnitudes(
    image: NDArray[np.uint16], bank: FilterBank, *, threads: int = 1
) -> NDArray[np.float64]:
    """Return the features before normalisation, (height, width, features), in brightness units.

    Zero within the filters' radius of the border; otherwise as :func:`describe`.
    """
    height, width = _checked_image(image)
    result = np.zeros((height, width, bank.features))
    _features(image, bank, threads, result, None, None)
    return result


def _checked_image(image: NDArray[np.uint16]) -> tuple[int, int]:
    if image.dtype != np.uint16 or image.ndim != 2 or image.size == 0:
        raise ValueError(f"need a uint16 image, got {image.dtype} of shape {image.shape}")
    return image.shape


def _features(
    image: NDArray[np.uint16],
    bank: FilterBank,
    threads: int,
    magnitudes: NDArray[np.float64] | None,
    descriptors: Descriptors | None,
    strength: NDArray[np.float32] | None,
) -> None:
    image = np.ascontiguousarray(image)
    folded = bank.folded
    failed = _library().dense_field_features(
        _address(image), *image.shape, bank.radius,
        len(folded.dx), _address(folded.dx), _address(folded.dy),
        len(folded.parity), _address(folded.parity), _address(folded.feature),
        _address(folded.taps), SHRINK, bank.features,
        _address(magnitudes), _address(descriptors), bank.depth, float(DESCRIPTOR_ONE),
        _address(strength), 1 / (IMAGE_ONE * TAP_ONE * SHRINK), _checked_threads(threads),
    )  # fmt: skip
    if failed:
        raise _no_memory(f"describing {image.shape[1]} x {image.shape[0]} pixels")


def nearest_field(
    descriptors: Descriptors,
    usable: NDArray[np.bool_],
    layers: Sequence[Target],
    search: Search,
    *,
    exclusion: int = 0,
    threads: int = 1,
) -> NearestField:
    """Find for every usable node of the source a near target descriptor.

    Args:
        descriptors: Of the source, (height, width, depth).
        usable: (height, width) pixels that may be a node.
        layers: The target at several sizes; the first has full size, which the others' positions
            refer to.
        search: How hard to search.
        exclusion: Least distance between a node and its target in pixels of the first layer, for a
            field within one panel; 0 for none.
        threads: Threads to use; the result is the same for any number.

    Raises:
        MissingKernelError: The native library is not built.
    """
    descriptors = _checked_descriptors(descriptors, usable)
    targets = [_checked_descriptors(layer.descriptors, layer.valid) for layer in layers]
    if not targets:
        raise ValueError("a field needs at least one target layer")
    depth = descriptors.shape[2]
    if any(target.shape[2] != depth for target in targets):
        raise ValueError(f"descriptors differ in depth: {depth} and {[t.shape for t in targets]}")
    if exclusion < 0:
        raise ValueError(f"exclusion must not be negative, got {exclusion}")
    masks = [np.ascontiguousarray(layer.valid).view(np.uint8) for layer in layers]
    nodes_usable = np.ascontiguousarray(usable).view(np.uint8)
    height, width = usable.shape
    rows, columns = -(-height // search.stride), -(-width // search.stride)
    nodes = np.empty((rows, columns, 4), np.int32)
    heights = np.array([target.shape[0] for target in targets], np.int32)
    widths = np.array([target.shape[1] for target in targets], np.int32)
    failed = _library().dense_field_match(
        _address(descriptors), height, width, _address(nodes_usable), len(targets),
        (ctypes.c_void_p * len(targets))(*map(_address, targets)),
        (ctypes.c_void_p * len(targets))(*map(_address, masks)),
        _address(heights), _address(widths), depth, search.stride, search.rounds,
        search.turned_draws, search.local_draws, search.hash_draws, search.bits, exclusion,
        search.seed, _checked_threads(threads), _address(nodes),
    )  # fmt: skip
    if failed:
        raise _no_memory(f"matching {width} x {height} pixels")
    return NearestField(*(np.ascontiguousarray(nodes[..., i]) for i in range(4)))


def _checked_descriptors(descriptors: Descriptors, mask: NDArray[np.bool_]) -> Descriptors:
    if descriptors.dtype != np.int16 or descriptors.ndim != 3 or descriptors.shape[2] % 16:
        raise ValueError(
            f"descriptors must be int16 (height, width, 16 k), got {descriptors.dtype} "
            f"{descriptors.shape}"
        )
    if mask.dtype != np.bool_ or mask.shape != descriptors.shape[:2] or mask.size == 0:
        raise ValueError(
            f"descriptors of shape {descriptors.shape} need a bool mask of the same height and "
            f"width, got {mask.dtype} {mask.shape}"
        )
    return np.ascontiguousarray(descriptors)


def _checked_threads(threads: int) -> int:
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    return threads


def _no_memory(what: str) -> TamperscopeError:
    return TamperscopeError(f"not enough memory (or threads) for {what}; use a smaller panel")


def _address(array: NDArray | None) -> int | None:
    return None if array is None else array.ctypes.data
