"""Runs a network and collects its inner tensors under the names of the recordings."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.kernels import selective_scan
from tamperscope.kernels.routes import atrous_scan, cross_scan
from tamperscope.models.ss2d import SS2D

COMMON = {  # recorded name: our module
    "patch_embed": "embedding",
    **{f"stage{s}.downsample": f"downsamples.{s}" for s in range(3)},
    **{f"stage{s}.block{b}": f"stages.{s}.{b}" for s in range(4) for b in range(9)},
}
SS2D_STEPS = {"op.in_proj": "in_proj", "op.conv2d": "conv", "op.out_norm": "out_norm", "op": ""}
VMAMBA = {"patch_embed.conv1": "embedding.conv1"}
EFFICIENT = {"patch_embed.conv": "embedding.conv"}
for stage in range(4):
    block = f"stages.{stage}.0"
    for recorded, ours in SS2D_STEPS.items():
        path = f"{block}.ss2d.{ours}".rstrip(".")
        VMAMBA[f"stage{stage}.block0.{recorded}"] = path
        EFFICIENT[f"stage{stage}.block0.{recorded}"] = path
    VMAMBA |= {
        f"stage{stage}.block0.norm": f"{block}.norm1",
        f"stage{stage}.block0.norm2": f"{block}.norm2",
        f"stage{stage}.block0.mlp.fc1": f"{block}.mlp.expand",
        f"stage{stage}.block0.mlp": f"{block}.mlp",
    }
    EFFICIENT |= {
        f"stage{stage}.block0.norm": f"{block}.norm",
        f"stage{stage}.block0.conv_branch": f"{block}.conv_branch",
        f"stage{stage}.block0.se_ssm": f"{block}.attention",
        f"stage{stage}.block0.se_conv": f"{block}.attention#1",
        f"stage{stage}.block0.ln": f"{block}.channel_norm",
        f"stage{stage}.block0.cab": f"{block}.channel_attention",
        f"stage{stage}.block0.conv_pw": f"{block}.widen_norm>relu",
        f"stage{stage}.block0.conv_dw": f"{block}.depthwise_norm>relu",
        f"stage{stage}.block0.se": f"{block}.squeeze",
        f"stage{stage}.block0.conv_pw2": f"{block}.narrow_norm",
    }
NOISE = {
    "modal_input": "<noise",
    "noiseprint.conv2": "noise.extractors.0.convs.1",
    "noiseprint.bn2": "noise.extractors.0.norms.0",
    "noiseprint": "noise.extractors.0",
    "bayar": "noise.extractors.1",
    "srm": "noise.extractors.2",
    **{f"modalmixer.block{index}": f"noise.blocks.{index}" for index in range(3)},
    "modalmixer": "noise",
}
OUT_NORMS = {f"c{index + 1}": f"out_norms.{index}" for index in range(4)}


def in_backbone(names: dict[str, str]) -> dict[str, str]:
    return {recorded: f"backbone.{ours}" for recorded, ours in names.items()}


WHERE = {
    "forma": {
        **in_backbone({**COMMON, **VMAMBA}),
        **OUT_NORMS,
        **NOISE,
        "decode.conv_modals": "decoder.noise",
        "decode.concat": "<decoder.fuse",
        "decode.fuse": "decoder.fuse_norm>relu",
    },
    "loma": {
        **in_backbone({**COMMON, **EFFICIENT}),
        **OUT_NORMS,
        **{f"decoder.bn_c{index + 1}": f"decoder.norms.{index}" for index in range(4)},
        "decoder.concat": "<decoder.fuse",
        "decoder.fuse": "decoder.fuse_norm>relu",
    },
    "vmamba_t": {**in_backbone({**COMMON, **VMAMBA}), "classifier.norm": "classifier.norm"},
}
# ``<`` takes the module's input, ``#1`` its second call, ``>relu`` the ReLU of its output.
STORED_NCHW = ("noise.extractors", "noise.blocks", "noise", "<noise")


def capture(
    network: nn.Module, kind: str, names: list[str], run: Callable[[], Tensor]
) -> dict[str, Tensor]:
    """Return the tensors called ``names`` (NCHW, as recorded) and ``logits`` of one run."""
    inputs: dict[str, list[Tensor]] = {}
    outputs: dict[str, list[Tensor]] = {}
    handles = []
    for path, module in network.named_modules():

        def keep(_module, arguments, result, path=path):
            inputs.setdefault(path, []).append(arguments[0])
            if isinstance(_module, nn.BatchNorm2d):
                result = result.clone()  # the ReLU after it works in place
            outputs.setdefault(path, []).append(result)

        handles.append(module.register_forward_hook(keep))
    try:
        with torch.no_grad():
            logits = run()
    finally:
        for handle in handles:
            handle.remove()
    found = {"logits": logits}
    for name in names:
        if name in WHERE[kind]:
            found[name] = looked_up(WHERE[kind][name], inputs, outputs)
    found |= scan_tensors(network, outputs)
    if kind == "vmamba_t":
        found["classifier.pooled"] = found["classifier.norm"].mean(dim=(2, 3))
    return found


def looked_up(
    where: str, inputs: dict[str, list[Tensor]], outputs: dict[str, list[Tensor]]
) -> Tensor:
    path, _, after = where.partition(">")
    path, _, call = path.partition("#")
    source = inputs if path.startswith("<") else outputs
    value = source[path.lstrip("<")][int(call or 0)]
    if not (path in STORED_NCHW or path.startswith(("noise.extractors", "noise.blocks"))):
        value = value.permute(0, 3, 1, 2)
    return F.relu(value) if after == "relu" else value


def scan_tensors(network: nn.Module, outputs: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    """Arguments and result of each selective scan, laid out again from what went into the core."""
    found: dict[str, Tensor] = {}
    scans = [(path, m) for path, m in network.named_modules() if isinstance(m, SS2D)]
    for index, (path, module) in enumerate(scans):
        scanned = outputs[f"{path}.act"][0].permute(0, 3, 1, 2).contiguous()
        sequences = (cross_scan if module.route == "cross" else atrous_scan)(scanned)
        with torch.no_grad():
            rows = torch.einsum("bkdl,kcd->bkcl", sequences, module.x_proj_weight)
            state, rank = module.A_logs.shape[1], module.dt_projs_weight.shape[2]
            dt, B, C = rows.split([rank, state, state], dim=2)
            delta = torch.einsum("bkrl,kdr->bkdl", dt, module.dt_projs_weight).flatten(1, 2)
            u = sequences.flatten(1, 2)
            y = selective_scan(
                u, delta, -module.A_logs.exp(), B, C, module.Ds,
                module.dt_projs_bias.flatten(), True,
            )  # fmt: skip
        found |= {f"scan{index}.{n}": t for n, t in zip("uBCy", (u, B, C, y), strict=True)}
        found[f"scan{index}.delta"] = delta
    return found
