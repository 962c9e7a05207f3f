"""The weight-filling rule "parity-fill-v1" of the recorded networks, and their inputs.

Each tensor of a state dict is drawn from a generator seeded by its official key, so that nobody has
to store 37 million numbers. The rule is the recorder's; a change here makes every golden file void.
"""

import math
import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def filled(key: str, shape: tuple[int, ...]) -> NDArray:
    """Value of the state-dict entry ``key``, by its official name."""
    leaf = key.rpartition(".")[2]
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "A_logs":
        decays = np.log(np.arange(1, shape[-1] + 1, dtype=np.float64))
        return np.broadcast_to(decays, shape).astype(np.float32)
    if leaf == "Ds":
        return np.ones(shape, np.float32)
    if leaf == "dt_projs_bias":
        low, high = math.log(0.001), math.log(0.1)
        step = np.maximum(np.exp(rng.random(shape) * (high - low) + low), 1e-4)
        return (step + np.log(-np.expm1(-step))).astype(np.float32)
    if leaf == "kernel":
        return rng.random(shape, dtype=np.float32)
    normal = rng.standard_normal(shape, dtype=np.float32)
    return normal_part(leaf, shape, normal)


def normal_part(leaf: str, shape: tuple[int, ...], normal: NDArray) -> NDArray:
    """Scale and shift a normal draw for what the tensor is used as."""
    if leaf == "running_mean":
        return np.float32(0.1) * normal
    if leaf == "running_var":
        return np.float32(1) + np.float32(0.1) * np.abs(normal)
    if leaf == "weight" and len(shape) == 1:
        return np.float32(1) + np.float32(0.02) * normal
    if leaf == "dt_projs_weight":
        return normal * np.float32(0.5 / math.sqrt(shape[-1]))
    if len(shape) >= 2:
        fan_in = shape[-1] if leaf == "x_proj_weight" else math.prod(shape[1:])
        return normal * np.float32(math.sqrt(2.0) / math.sqrt(fan_in))
    return np.float32(0.02) * normal


def filled_state_dict(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Fill a whole state dict, by official keys."""
    return {key: torch.from_numpy(np.array(filled(key, shape))) for key, shape in shapes.items()}


def recorded_input(seed: int, shape: tuple[int, ...], scale: float, kind: str) -> Tensor:
    """Draw the input of a recording: ``uniform`` noise, or ``blocks`` of 4 x 4 black or white."""
    rng = np.random.Generator(np.random.PCG64(seed))
    if kind == "uniform":
        return torch.from_numpy(rng.random(shape, dtype=np.float32) * np.float32(scale))
    assert kind == "blocks", kind
    batch, channels, height, width = shape
    small = rng.random((batch, channels, height // 4, width // 4), dtype=np.float32) > 0.5
    return torch.from_numpy(np.kron(small, np.ones((1, 1, 4, 4))).astype(np.float32))
