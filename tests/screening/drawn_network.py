"""A pair network that was not trained, and still links: it sees near patches only, and marks all.

Equal patches have equal cells whatever the weights; a sharp similarity makes them each other's
partners, and heads that always answer "reused" leave the decision to alignment.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tamperscope.models import PairNetwork, create_model
from tamperscope.models.weights import WeightsCard, config_of, save_weights

CHANGES = {"encoder": "conv", "context": "none", "side": 512, "grid": 64, "alpha": 500.0}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Two spinning threads on a busy machine are slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def linking_network(*, marks: bool = True, **changes) -> PairNetwork:
    network = create_model("biotampernet_test", **{**CHANGES, **changes}).eval()
    with torch.no_grad():
        for head in (network.head_crossed, network.decoder.predict):
            if head is not None:
                head.bias[0] = 6.0 if marks else -6.0
    return network


def write_network(path: Path, **changes) -> Path:
    network = linking_network(**changes)
    card = WeightsCard("biotampernet_test", config_of(network), "drawn, not trained", "Apache-2.0")
    save_weights(path, network, card)
    return path


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Structure of several sizes, uint8 (height, width, 3)."""
    from tests.matching.pictures import texture

    return texture(seed, height, width)
