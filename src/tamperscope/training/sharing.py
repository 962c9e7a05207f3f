"""Batch normalisation over the samples of all processes, as if they were one batch.

    mean = sum over processes of sum(x) / N,     variance = sum of sum((x - mean)^2) / N

with N the values of a channel in all processes together. torch's own SyncBatchNorm runs on GPUs
only, and expects channels first, which the networks' maps are not. Ioffe and Szegedy, "Batch
Normalization", 2015, https://arxiv.org/abs/1502.03167.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tamperscope.models.layers import BatchNorm


class SumOverProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes; a gradient of the sum is one of every summand."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return the sum, in every process."""
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Each process' loss depends on every summand."""
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm(_BatchNorm):
    """Batch normalisation, (batch, channel, ...), with the statistics of all processes."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected (batch, channel, ...), got {tuple(input.shape)}")

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel; in evaluation as torch does."""
        if not self.training:
            return super().forward(x)
        exact = x.float()
        others = [axis for axis in range(x.ndim) if axis != 1]
        along = (-1, *[1] * (x.ndim - 2))  # shape of a value for each channel
        count = dist.get_world_size() * exact.numel() / exact.shape[1]
        mean = SumOverProcesses.apply(exact.sum(dim=others)) / count
        centred = exact - mean.view(along)
        variance = SumOverProcesses.apply(centred.square().sum(dim=others)) / count
        self._remember(mean.detach(), variance.detach() * count / max(count - 1, 1))
        scaled = centred * torch.rsqrt(variance + self.eps).view(along)
        if self.affine:
            scaled = scaled * self.weight.view(along) + self.bias.view(along)
        return scaled.to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if not self.track_running_stats:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        keep = self.momentum
        if keep is None:
            keep = 1 / float(self.num_batches_tracked)
        with torch.no_grad():
            for running, new in ((self.running_mean, mean), (self.running_var, variance)):
                assert running is not None
                running.lerp_(new, keep)


class SharedMapNorm(SharedBatchNorm):
    """The same for channels-last maps, as ``models.layers.BatchNorm``."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel over batch, height and width of all processes."""
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def share_statistics(network: nn.Module) -> None:
    """Let every batch normalisation of ``network`` see the batch of all processes, in place.

    Parameters and buffers stay the very same tensors, under the same names.
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if not isinstance(child, _BatchNorm):
                continue
            kind = SharedMapNorm if isinstance(child, BatchNorm) else SharedBatchNorm
            shared = kind(
                child.num_features, child.eps, child.momentum, child.affine,
                child.track_running_stats,
            )  # fmt: skip
            shared._parameters, shared._buffers = child._parameters, child._buffers
            setattr(parent, name, shared.train(child.training))
