"""Networks and their weights; no files but weights.

``create_model("forma_base")`` builds a network with fresh, seeded weights;
``tamperscope.models.weights.load_weights(path)`` builds the one a file belongs to.
"""

import difflib
from collections.abc import Callable
from typing import Any

import torch

from tamperscope.errors import ModelNameError
from tamperscope.models.biotampernet import (
    BioTamperNet,
    biotampernet_base,
    biotampernet_small,
    biotampernet_test,
)
from tamperscope.models.efficientvmamba import EfficientVMambaClassifier, efficientvmamba_b
from tamperscope.models.forma import ForMa, forma_base, forma_small, forma_test
from tamperscope.models.loma import LoMa, loma_base, loma_small, loma_test
from tamperscope.models.network import ConfiguredModule, Network
from tamperscope.models.noise import Noiseprint, noiseprintpp
from tamperscope.models.pair_network import PairNetwork
from tamperscope.models.patch_diffusion import patch_diffusion, patch_diffusion_test
from tamperscope.models.patch_gan import patch_gan, patch_gan_test
from tamperscope.models.patch_network import PatchNetwork
from tamperscope.models.vmamba import VMambaClassifier, vmamba_t

__all__ = [
    "GENERATORS",
    "MODELS",
    "PAIR_MODELS",
    "PARTS",
    "BioTamperNet",
    "ConfiguredModule",
    "EfficientVMambaClassifier",
    "ForMa",
    "LoMa",
    "Network",
    "Noiseprint",
    "PairNetwork",
    "PatchNetwork",
    "VMambaClassifier",
    "create_model",
    "list_models",
    "named_builder",
]

MODELS: dict[str, Callable[..., Network]] = {
    build.__name__: build
    for build in (forma_base, forma_small, forma_test, loma_base, loma_small, loma_test)
}

# Networks that take two panels, or one as a pair with itself.
PAIR_MODELS: dict[str, Callable[..., PairNetwork]] = {
    build.__name__: build for build in (biotampernet_base, biotampernet_small, biotampernet_test)
}

# What a localizing network may start from; weights files may hold these as well.
PARTS: dict[str, Callable[..., ConfiguredModule]] = {
    build.__name__: build for build in (vmamba_t, efficientvmamba_b, noiseprintpp)
}

# What makes patches that no camera took; the forge lays them into panels.
GENERATORS: dict[str, Callable[..., PatchNetwork]] = {
    build.__name__: build
    for build in (patch_gan, patch_gan_test, patch_diffusion, patch_diffusion_test)
}


def list_models() -> list[str]:
    """Names of the localizing networks, those that take one image, sorted."""
    return sorted(MODELS)


def create_model(name: str, *, seed: int = 0, **changes: Any) -> Any:
    """Build a network with fresh weights: localizing, for pairs, or a generator of patches.

    Args:
        name: One of MODELS, PAIR_MODELS or GENERATORS.
        seed: Decides the weights; torch's own random state is left as it was.
        changes: Fields of the network's config to change, as for the paper's ablations.

    Raises:
        ModelNameError: No model has this name.
    """
    builders: dict[str, Callable[..., ConfiguredModule]] = {**MODELS, **PAIR_MODELS, **GENERATORS}
    if name not in builders:
        raise unknown_model(name, builders)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = builders[name](**changes)
    network.builder = name
    return network


def named_builder(name: str) -> Callable[..., ConfiguredModule]:
    """Return the builder called ``name``, of a network, a generator or a part.

    Raises:
        ModelNameError: There is none.
    """
    builders: dict[str, Callable[..., ConfiguredModule]] = {
        **MODELS, **PAIR_MODELS, **GENERATORS, **PARTS,
    }  # fmt: skip
    if name not in builders:
        raise unknown_model(name, builders)
    return builders[name]


def unknown_model(name: str, known: dict[str, Any]) -> ModelNameError:
    """Return the error for a wrong name, with the nearest right one."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(known))}."
    return ModelNameError(f"No model is called {name!r}. {hint}")
