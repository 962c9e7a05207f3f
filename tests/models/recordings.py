"""Reads golden files and builds our networks with the weights that were recorded."""

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tamperscope.models import named_builder
from tamperscope.models.convert import OFFICIAL, SRM_KEY, from_official
from tamperscope.models.noise import srm_filters
from tests.models.fill import filled_state_dict, recorded_input

FOLDER = Path(__file__).parent / "golden"
LOGITS_TOLERANCE = 3e-4  # absolute; float32 noise is 1e-5 to 3e-5
INNER_TOLERANCE = 1e-4  # of the largest magnitude; float32 noise is ten times smaller


@dataclass(frozen=True, eq=False)
class Recording:
    """One golden file of a network."""

    path: Path
    kind: str  # key of convert.OFFICIAL
    image: Tensor
    names: list[str]  # recorded tensors
    arrays: dict[str, NDArray]

    def sample(self, name: str, tensor: Tensor) -> NDArray:
        """Pick from ``tensor`` what was recorded of ``name``."""
        assert tuple(tensor.shape) == tuple(self.arrays[f"{name}__shape"]), name
        return tensor.reshape(-1)[:: int(self.arrays[f"{name}__step"])].numpy()


def read(path: Path) -> Recording:
    with np.load(path) as file:
        arrays = dict(file)
    meta = json.loads(str(arrays["meta_json"]))
    shape = tuple(meta["input_shape"])
    image = recorded_input(meta["input_seed"], shape, meta["input_scale"], meta["input_kind"])
    np.testing.assert_array_equal(image.numpy().reshape(-1)[:8], arrays["input_head"])
    assert math.isclose(image.double().sum().item(), float(arrays["input_sum"]), rel_tol=1e-9)
    return Recording(path, meta["network"], image, meta["captured"], arrays)


@cache
def official_state_dict(kind: str) -> dict[str, Tensor]:
    """The filled state dict under the authors' keys, shaped by the recorded tables."""
    with np.load(FOLDER / "state_dicts.npz") as file:
        table = json.loads(str(file[kind]))
    filled = filled_state_dict({key: tuple(shape) for key, shape in table if key != SRM_KEY})
    if kind == "forma":
        filled[SRM_KEY] = srm_filters().expand(3, 3, 5, 5)
    return {key: filled[key] for key, _ in table}


@cache
def recorded_network(kind: str) -> nn.Module:
    """Our network with the filled weights, in evaluation mode; shared, do not change it."""
    with torch.device("meta"):
        network = named_builder(OFFICIAL[kind].builder)()
    network.to_empty(device="cpu")
    network.load_state_dict(from_official(kind, official_state_dict(kind)))
    return network.eval()
