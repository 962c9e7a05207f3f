"""Where training starts: pretrained parts put into a fresh network, every tensor accounted for.

ForMa starts from VMamba-T, whose third stage is one block shorter (2/2/8/2 against 2/2/9/2), and
from Noiseprint++; LoMa starts from EfficientVMamba-B, which has no channel-attention blocks. What a
part is allowed to leave fresh is written down here; anything else that does not fit is an error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from tamperscope.errors import WeightsError
from tamperscope.models.convert import listed
from tamperscope.models.forma import ForMa
from tamperscope.models.loma import LoMa


@dataclass(frozen=True)
class Start:
    """How one part fits one kind of network."""

    network: type[nn.Module]
    ours: str  # prefix of the tensors that the part fills
    theirs: str  # prefix of the part's tensors that are used
    fresh: str  # pattern of the tensors under ``ours`` that the part does not have
    unused: str  # pattern of the part's tensors that the network has no place for


STARTS = {
    "vmamba_t": Start(
        ForMa, "backbone.", "backbone.", r"backbone\.stages\.2\.8\.", r"classifier\."
    ),
    "efficientvmamba_b": Start(
        LoMa,
        "backbone.",
        "backbone.",
        r"backbone\.stages\.[01]\.\d\.channel_(norm|attention)\.",
        r"classifier\.",
    ),
    "noiseprintpp": Start(ForMa, "noise.extractors.0.", "", r"$^", r"$^"),
}


def start_from(network: nn.Module, part: str, tensors: Mapping[str, Tensor]) -> list[str]:
    """Copy a converted part into ``network``, in place; return the keys that it filled.

    Args:
        network: ForMa or LoMa, of the published widths.
        part: ``vmamba_t``, ``efficientvmamba_b`` or ``noiseprintpp``.
        tensors: What ``convert.from_official(part, ...)`` returned.

    Raises:
        WeightsError: The part is not one this network starts from, or tensors do not fit.
    """
    start = STARTS.get(part)
    if start is None or not isinstance(network, start.network):
        fitting = [name for name, s in STARTS.items() if isinstance(network, s.network)]
        raise WeightsError(
            f"{type(network).__name__} does not start from {part!r}; "
            f"it can start from: {', '.join(fitting) or 'nothing'}"
        )
    own = {key: t for key, t in network.state_dict().items() if key.startswith(start.ours)}
    offered = {
        start.ours + key.removeprefix(start.theirs): tensor
        for key, tensor in tensors.items()
        if not re.match(start.unused, key)
    }
    problems = [key for key in own if key not in offered and not re.match(start.fresh, key)]
    problems += [key for key, tensor in offered.items() if key not in own]
    problems += [key for key, t in offered.items() if key in own and t.shape != own[key].shape]
    if problems:
        raise WeightsError(f"{part} does not fit this network: {listed(problems)}")
    for key, tensor in offered.items():
        own[key].copy_(tensor)
    return list(offered)
