"""Prepares a network for prediction: what training needs apart is multiplied together once.

- Batch normalisation is folded into the layer before it.
- LoMa's decoder: normalisation, projection, fusion and its normalisation are one matrix per scale.
- ForMa's decoder: each scale's projection and its share of the fusion are one matrix.

The answers are the same up to rounding (tests hold them to the recorded ones); weights files are
written from the network as it was, never from a prepared copy.
"""

import copy
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from tamperscope.models.efficientvmamba import ConvBranch, InvertedResidual
from tamperscope.models.forma import ShuffleDecoder
from tamperscope.models.layers import BatchNorm
from tamperscope.models.loma import SumDecoder, add_grown
from tamperscope.models.network import Network
from tamperscope.models.noise import EarlyConv, Noiseprint


def for_inference(network: Network) -> Network:
    """Return a copy of ``network`` that computes the same with fewer operations.

    The copy is in evaluation mode, takes no gradients and cannot be trained or saved as weights.
    """
    prepared = copy.deepcopy(network).eval().requires_grad_(False)
    for parent in list(prepared.modules()):
        fold = FOLDS.get(type(parent))
        if fold is not None:
            fold(parent)
        for name, child in list(parent.named_children()):
            merge = MERGED.get(type(child))
            if merge is not None and (not isinstance(child, ShuffleDecoder) or child.shuffles):
                setattr(parent, name, merge(child))
    return prepared.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class MergedSumDecoder(nn.Module):
    """:class:`tamperscope.models.loma.SumDecoder` with one matrix per scale."""

    def __init__(self, decoder: SumDecoder) -> None:
        super().__init__()
        gain, shift = affine(decoder.fuse_norm)
        blocks = decoder.fuse.weight.double().chunk(len(decoder.scales), dim=1)[::-1]
        weights = []
        bias = shift
        for block, scale, norm in zip(blocks, decoder.scales, decoder.norms, strict=True):
            before_gain, before_shift = affine(cast(BatchNorm, norm))
            linear = cast(nn.Linear, scale)
            fused = gain[:, None] * (block @ linear.weight.double())
            bias = bias + gain * (block @ linear.bias.double()) + fused @ before_shift
            weights.append(fused * before_gain)
        # Enlarging keeps constants, so all the biases can be added where there is least to add to.
        biases = [*[None] * (len(weights) - 1), bias]
        self.scales = nn.ModuleList(map(matrix, weights, biases))
        self.predict = decoder.predict

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Channels-last maps, fine to coarse -> (batch, 2, height / 4, width / 4) logits."""
        finest, *coarse = [scale(x) for scale, x in zip(self.scales, maps, strict=True)]
        return self.predict(add_grown(finest, coarse).relu_()).permute(0, 3, 1, 2)


class MergedShuffleDecoder(nn.Module):
    """:class:`tamperscope.models.forma.ShuffleDecoder` with one matrix per scale.

    The rows of each matrix are ordered (dy, dx, channel) instead of (channel, dy, dx), so that a
    pixel shuffle moves whole runs of channels.
    """

    def __init__(self, decoder: ShuffleDecoder) -> None:
        super().__init__()
        width, coarse_first = decoder.width, len(decoder.scales) - 1
        self.width, self.factors = width, decoder.factors
        gain, bias = affine(decoder.fuse_norm)
        fuse = gain[:, None] * decoder.fuse.weight.double()
        weights, biases = [], []
        for index, (scale, factor) in enumerate(zip(decoder.scales, self.factors, strict=True)):
            start = (coarse_first - index) * width
            block = fuse[:, start : start + width]
            linear = cast(nn.Linear, scale)
            cells = linear.weight.double().view(width, factor * factor, -1)
            weights.append(torch.einsum("oc,cpi->poi", block, cells).flatten(0, 1))
            per_pixel = linear.bias.double().view(width, factor * factor)
            biases.append((block @ per_pixel).t().flatten())
        self.noise: nn.Linear | None = None
        if decoder.noise is not None:
            block = fuse[:, len(self.factors) * width :]
            bias = bias + block @ decoder.noise.bias.double()
            self.noise = matrix(block @ decoder.noise.weight.double(), None)
        biases[-1] = biases[-1] + bias.repeat(self.factors[-1] ** 2)
        self.scales = nn.ModuleList(map(matrix, weights, biases))
        self.predict = decoder.predict

    def forward(self, maps: list[Tensor], noise: Tensor | None) -> Tensor:
        """As :meth:`ShuffleDecoder.forward`."""
        total = self.scales[0](maps[0])
        batch, rows, columns, width = total.shape
        for scale, x, factor in zip(self.scales[1:], maps[1:], self.factors[1:], strict=True):
            pixels = scale(x).view(batch, *x.shape[1:3], factor, factor, width)
            grid = total.view(batch, rows // factor, factor, columns // factor, factor, width)
            grid += pixels.permute(0, 1, 3, 2, 4, 5)
        if self.noise is not None:
            total += self.noise(noise)
        return self.predict(total.relu_()).permute(0, 3, 1, 2)


def affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Gain and shift per channel of a batch normalisation in evaluation, float64."""
    variance, mean = cast(Tensor, norm.running_var), cast(Tensor, norm.running_mean)
    gain = norm.weight.double() / (variance.double() + norm.eps).sqrt()
    return gain, norm.bias.double() - gain * mean.double()


def matrix(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Linear layer of these values, float32, without gradient."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight.detach().float().contiguous(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().float().contiguous(), requires_grad=False)
    return layer


def fold_inverted_residual(module: InvertedResidual) -> None:
    """Fold all three normalisations."""
    module.widen = fuse_linear_bn_eval(module.widen, module.widen_norm)
    module.depthwise = fuse_conv_bn_eval(module.depthwise, module.depthwise_norm)
    module.narrow = fuse_linear_bn_eval(module.narrow, module.narrow_norm)
    for name in ("widen_norm", "depthwise_norm", "narrow_norm"):
        setattr(module, name, nn.Identity())


def fold_conv_branch(module: ConvBranch) -> None:
    """Fold the normalisation into the depthwise convolution."""
    module.depthwise = fuse_conv_bn_eval(module.depthwise, module.norm)
    module.norm = nn.Identity()  # type: ignore[assignment]


def fold_stack(module: EarlyConv | Noiseprint) -> None:
    """Fold each normalisation into its convolution; Noiseprint++'s first and last have none."""
    first = 1 if isinstance(module, Noiseprint) else 0
    for index, norm in enumerate(module.norms):
        conv = module.convs[first + index]
        module.convs[first + index] = fuse_conv_bn_eval(
            cast(nn.Conv2d, conv), cast(nn.BatchNorm2d, norm)
        )
        module.norms[index] = nn.Identity()


FOLDS: dict[type[nn.Module], Callable[[Any], None]] = {
    InvertedResidual: fold_inverted_residual,
    ConvBranch: fold_conv_branch,
    EarlyConv: fold_stack,
    Noiseprint: fold_stack,
}
MERGED: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    SumDecoder: MergedSumDecoder,
    ShuffleDecoder: MergedShuffleDecoder,
}
