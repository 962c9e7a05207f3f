"""The authors' state dicts to ours, every key on both sides accounted for.

``from_official("forma", state_dict)`` renames and, where the authors store a linear layer as a
1 x 1 convolution, drops the two axes of size one; values are never changed. Keys that are missing,
left over or of another shape are listed and refused. The names that are read were taken from the
state dicts that the authors' code builds (ForMa d774c12, LoMa dd9120f, VMamba 2ed52ea,
EfficientVMamba 0bc5ee2, TruFor ae54475).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tamperscope.errors import ModelNameError, WeightsError
from tamperscope.models.noise import srm_filters

Rename = tuple[str, str | Callable[[re.Match[str]], str]]  # (pattern, replacement), for re.sub

SHOWN = 6  # keys listed of each kind in an error; their number is always given
WRAPPERS = ("model", "state_dict", "network")  # where checkpoints keep the state dict
PREFIXES = ("module.", "model.", "network.")  # put before every key by training wrappers
SRM_KEY = "modal_extractor.srm.filters"  # constants; compared with ours and left out


def one_less(match: re.Match[str]) -> str:
    """Blocks of the later stages count from 1 in EfficientVMamba, after a permutation."""
    return f"stages.{match[1]}.{int(match[2]) - 1}.{match[3]}"


def noiseprint_layer(match: re.Match[str]) -> str:
    """Name layer i of the authors' flat sequence: 0 conv, 2 conv, 3 norm, 5 conv, 6 norm, ..."""
    index = int(match[2])
    if index == 0:
        return f"{match[1]}convs.0."
    kind, place = ("norms", index // 3 - 1) if index % 3 == 0 else ("convs", (index + 1) // 3)
    return f"{match[1]}{kind}.{place}."


SS2D: list[Rename] = [(r"\.op\.conv2d\.", ".ss2d.conv."), (r"\.op\.", ".ss2d.")]

VMAMBA: list[Rename] = [
    (r"patch_embed\.0\.", "embedding.conv1."),
    (r"patch_embed\.2\.", "embedding.norm1."),
    (r"patch_embed\.5\.", "embedding.conv2."),
    (r"patch_embed\.7\.", "embedding.norm2."),
    (r"layers\.(\d)\.downsample\.1\.", r"downsamples.\1.conv."),
    (r"layers\.(\d)\.downsample\.3\.", r"downsamples.\1.norm."),
    (r"layers\.(\d)\.blocks\.(\d+)\.norm\.", r"stages.\1.\2.norm1."),
    (r"layers\.(\d)\.blocks\.(\d+)\.", r"stages.\1.\2."),
    (r"\.fc1\.", ".expand."),
    (r"\.fc2\.", ".reduce."),
    *SS2D,
]

EFFICIENT: list[Rename] = [
    (r"patch_embed\.0\.", "embedding.conv."),
    (r"patch_embed\.2\.", "embedding.norm."),
    (r"layers\.([01])\.downsample\.", r"downsamples.\1."),
    (r"layers\.2\.11\.", "downsamples.2."),
    (r"layers\.([01])\.blocks\.(\d+)\.", r"stages.\1.\2."),
    (r"conv_branch\.0\.", "conv_branch.depthwise."),
    (r"conv_branch\.1\.", "conv_branch.norm."),
    (r"conv_branch\.3\.", "conv_branch.pointwise."),
    (r"\.se\.norm\.", ".attention.norm."),
    (r"\.se\.global_reduce\.", ".attention.reduce."),
    (r"\.se\.channel_select\.", ".attention.select."),
    (r"\.ln\.", ".channel_norm."),
    (r"\.cab\.cab\.0\.", ".channel_attention.compress."),
    (r"\.cab\.cab\.2\.", ".channel_attention.restore."),
    (r"\.cab\.cab\.3\.attention\.1\.", ".channel_attention.reduce."),
    (r"\.cab\.cab\.3\.attention\.3\.", ".channel_attention.expand."),
    (r"layers\.([23])\.(\d+)\.(conv_pw|conv_dw|se\.)", one_less),
    (r"\.conv_pw\.0\.", ".widen."),
    (r"\.conv_pw\.1\.", ".widen_norm."),
    (r"\.conv_dw\.0\.", ".depthwise."),
    (r"\.conv_dw\.1\.", ".depthwise_norm."),
    (r"\.se\.conv_reduce\.", ".squeeze.reduce."),
    (r"\.se\.conv_expand\.", ".squeeze.expand."),
    (r"\.conv_pw2\.0\.", ".narrow."),
    (r"\.conv_pw2\.1\.", ".narrow_norm."),
    *SS2D,
]

DECODER: list[Rename] = [
    (r"^decode\.", "decoder."),
    (r"\.linear_fuse\.conv\.", ".fuse."),
    (r"\.linear_fuse\.bn\.", ".fuse_norm."),
    (r"\.linear_pred\.", ".predict."),
    (r"\.linear_c(\d)\.proj\.", lambda match: f".scales.{int(match[1]) - 1}."),
    (r"\.bn_c(\d)\.", lambda match: f".norms.{int(match[1]) - 1}."),
    (r"^(?:backbone|encoder)\.outnorm(\d)\.", r"out_norms.\1."),
]

FORMA_NOISE: list[Rename] = [
    (r"\.conv_modals\.", ".noise."),
    (r"^modalmixer\.", "noise."),
    (r"\.convs\.(\d)\.0\.", r".convs.\1."),
    (r"\.convs\.(\d)\.1\.", r".norms.\1."),
    (r"^(modal_extractor\.noiseprint\.)(\d+)\.", noiseprint_layer),
    (r"^modal_extractor\.noiseprint\.", "noise.extractors.0."),
    (r"^modal_extractor\.bayar\.", "noise.extractors.1."),
]


@dataclass(frozen=True)
class Official:
    """A network of the authors: which of our builders it becomes, and how its keys are renamed."""

    builder: str
    renames: list[Rename]


OFFICIAL = {
    "forma": Official("forma_base", [*DECODER, *FORMA_NOISE, *VMAMBA]),
    "loma": Official("loma_base", [*DECODER, (r"^encoder\.", "backbone."), *EFFICIENT]),
    "vmamba_t": Official("vmamba_t", [(r"^(?!classifier)", "backbone."), *VMAMBA]),
    "efficientvmamba_b": Official(
        "efficientvmamba_b", [(r"^(?!classifier)", "backbone."), *EFFICIENT]
    ),
    "noiseprintpp": Official("noiseprintpp", [(r"^()(\d+)\.", noiseprint_layer)]),
}


def from_official(name: str, checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Translate a state dict of the authors, or a checkpoint around one.

    Args:
        name: ``forma``, ``loma``, ``vmamba_t``, ``efficientvmamba_b`` or ``noiseprintpp``.
        checkpoint: Their keys; may be wrapped (``model``, ``state_dict``, ``network``) and all
            keys may carry a prefix of a training wrapper (``module.``).

    Returns:
        Our keys, complete for the builder ``OFFICIAL[name].builder``; tensors are not copied.

    Raises:
        ModelNameError: There is no such name.
        WeightsError: Keys are missing, left over or misshapen; the message lists them.
    """
    if name not in OFFICIAL:
        raise ModelNameError(
            f"No conversion is called {name!r}. There are: {', '.join(sorted(OFFICIAL))}."
        )
    official = OFFICIAL[name]
    state_dict = unwrapped(checkpoint)
    filters = state_dict.pop(SRM_KEY, None) if name == "forma" else None
    renamed: dict[str, Tensor] = {}
    sources: dict[str, str] = {}
    for key, tensor in state_dict.items():
        ours = rename(key, official.renames)
        if ours in renamed:
            raise WeightsError(f"{name}: {sources[ours]!r} and {key!r} both become {ours!r}")
        renamed[ours], sources[ours] = tensor, key
    ours_complete = fitted(name, renamed, sources, expected_tensors(official.builder))
    if name == "forma":
        check_srm(filters)
    return ours_complete


def rename(key: str, renames: list[Rename]) -> str:
    """Apply every rule in turn."""
    for pattern, replacement in renames:
        key = re.sub(pattern, replacement, key)
    return key


def unwrapped(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Find the state dict inside a checkpoint and drop prefixes that all keys share.

    Raises:
        WeightsError: No dictionary of tensors is in it.
    """
    inner: Mapping[str, Any] = checkpoint
    while True:
        wrapper = next((w for w in WRAPPERS if isinstance(inner.get(w), Mapping)), None)
        if wrapper is None:
            break
        inner = inner[wrapper]
    odd = [key for key, value in inner.items() if not isinstance(value, Tensor)]
    if odd or not inner:
        raise WeightsError(
            f"no state dict found: {listed(odd) or 'nothing'} "
            f"is not a tensor, and none of {', '.join(WRAPPERS)} holds one"
        )
    state_dict = dict(inner)
    while prefix := next((p for p in PREFIXES if all(k.startswith(p) for k in state_dict)), None):
        state_dict = {key[len(prefix) :]: value for key, value in state_dict.items()}
    return state_dict


def check_srm(filters: Tensor | None) -> None:
    """Make sure that the constants of ForMa's SRM layer are the ones we build.

    Raises:
        WeightsError: They are missing or differ.
    """
    expected = srm_filters().expand(3, 3, 5, 5)
    if filters is None:
        raise WeightsError(f"this is not a state dict of forma: 1 missing ({SRM_KEY})")
    if filters.shape != expected.shape or not torch.allclose(filters.float(), expected, atol=1e-6):
        raise WeightsError(f"forma: {SRM_KEY} does not hold the published SRM filters")


def expected_tensors(builder: str) -> dict[str, Tensor]:
    """Keys, shapes and types of the network that ``builder`` makes, without its memory."""
    from tamperscope.models import named_builder  # that module imports this one's neighbours

    with torch.device("meta"):
        return named_builder(builder)().state_dict()


def fitted(
    name: str,
    renamed: dict[str, Tensor],
    sources: dict[str, str],
    expected: dict[str, Tensor],
) -> dict[str, Tensor]:
    """Return ``renamed`` in the order and shapes of ``expected``, or list what does not fit."""
    problems = []
    if missing := [key for key in expected if key not in renamed]:
        problems.append(f"{len(missing)} missing ({listed(missing)}, by our names)")
    if extra := [sources[key] for key in renamed if key not in expected]:
        problems.append(f"{len(extra)} not of this network ({listed(extra)})")
    fitting: dict[str, Tensor] = {}
    misshapen = []
    for key, wanted in expected.items():
        if key not in renamed:
            continue
        tensor = renamed[key]
        if tensor.shape == (*wanted.shape, 1, 1) and wanted.ndim == 2:
            tensor = tensor[..., 0, 0]
        if tensor.shape != wanted.shape:
            misshapen.append(f"{sources[key]} {tuple(tensor.shape)}, not {tuple(wanted.shape)}")
        fitting[key] = tensor.to(wanted.dtype)
    if misshapen:
        problems.append(f"{len(misshapen)} of another shape ({listed(misshapen)})")
    if problems:
        raise WeightsError(f"this is not a state dict of {name}: " + "; ".join(problems))
    return fitting


def listed(items: list[str]) -> str:
    """Join the first few, and say how many more there are."""
    more = f", and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more
