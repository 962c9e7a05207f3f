"""One training step of each family of generators, and the state to go on from.

GAN: non-saturating logistic loss with R1 on real patches every 16 steps (Mescheder, Geiger,
Nowozin, 2018, https://arxiv.org/abs/1801.04406, equation 9; lazily as in StyleGAN2), on patches
made from the layouts of the real ones, and the distance to the layout. Diffusion:
squared error of v at times spread evenly over a batch, coarse coefficients weighing more than fine
ones. Both keep a running mean of the weights (half of it younger than 5 % of the patches seen,
at most 10,000), which is what is used.
"""

import copy
from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tamperscope.models import named_builder
from tamperscope.models.block_dct import to_blocks
from tamperscope.models.patch_diffusion import SIDE as DIFFUSION_SIDE
from tamperscope.models.patch_diffusion import PatchDiffusion, noise_share, signal
from tamperscope.models.patch_gan import SIDE as GAN_SIDE
from tamperscope.models.patch_gan import PatchCritic, PatchCriticConfig, PatchGan
from tamperscope.models.patch_network import PatchNetwork, enlarged, layout_of

GAN_RATE, GAN_BETAS = 2e-3, (0.0, 0.99)
R1, R1_EVERY = 0.05, 16
OFF_LAYOUT = 5.0  # weight of the mean distance to the layout, in [-1, 1]
DIFFUSION_RATE, WARM_STEPS, LONGEST_GRADIENT = 1e-3, 200, 1.0
LEAST_STRENGTH = 0.01  # of a band; grey levels themselves are 0.008 apart
HALF_LIFE, SHARE_OF_SEEN = 10_000, 0.05  # patches


class Trainer(Protocol):
    """A family of generators in training."""

    family: str

    @property
    def averaged(self) -> PatchNetwork:
        """What is used."""

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """All that is to be kept."""

    @property
    def optimizers(self) -> Mapping[str, torch.optim.Adam]:
        """One a network that learns."""

    def step(self, images: Tensor, labels: Tensor, number: int, rate: float) -> dict[str, float]:
        """Learn from images (batch, 3, height, width) in [-1, 1]; return the losses.

        Args:
            images: Real patches.
            labels: (batch,) int64.
            number: Of the step, from 0.
            rate: Factor of the learning rate.
        """


class GanTrainer:
    """Generator against discriminator."""

    family = "gan"

    def __init__(self, builder: str, images: Tensor, labels: Tensor) -> None:
        self.generator: PatchGan = named_builder(builder)()  # type: ignore[assignment]
        config = self.generator.config
        self.critic = PatchCritic(PatchCriticConfig(modalities=config.modalities))
        _, strengths = bands(to_blocks(images, GAN_SIDE), labels)
        _, painted = bands(to_blocks(images - enlarged(layout_of(images)), GAN_SIDE), labels)
        self.generator.strengths.copy_(painted)
        networks: tuple[nn.Module, ...] = (self.generator, self.critic)
        for network in networks:  # a fifth faster on a CPU
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.critic.strengths.copy_(strengths)
        self.averaged = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.modules = {
            "generator": self.generator, "critic": self.critic, "averaged": self.averaged,
        }  # fmt: skip
        self.optimizers = {
            name: torch.optim.Adam(self.modules[name].parameters(), GAN_RATE, GAN_BETAS)
            for name in ("generator", "critic")
        }

    def step(self, images: Tensor, labels: Tensor, number: int, rate: float) -> dict[str, float]:
        """Move the discriminator, then the generator."""
        for optimizer in self.optimizers.values():
            optimizer.param_groups[0]["lr"] = GAN_RATE * rate
        size = (images.shape[-2], images.shape[-1])
        # whole grey levels would tell real patches from made ones
        images = images + (torch.rand_like(images) - 0.5) * (2 / 255)
        layout = layout_of(images)
        with torch.no_grad():
            made = self.generator(self._noise(len(images), size), labels, layout)
        images.requires_grad_(number % R1_EVERY == 0)
        real, fake = self.critic(images, labels), self.critic(made, labels)
        loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        told = {"critic": loss.item(), "real": real.mean().item(), "fake": fake.mean().item()}
        if images.requires_grad:
            (slope,) = torch.autograd.grad(real.sum(), images, create_graph=True)
            steep = slope.square().sum(dim=(1, 2, 3)).mean()
            loss = loss + steep * (R1 / 2 * R1_EVERY)
            told["r1"] = steep.item()
        self._move("critic", loss)
        self.critic.requires_grad_(False)
        made = self.generator(self._noise(len(images), size), labels, layout)
        loss = F.softplus(-self.critic(made, labels)).mean()
        off = (layout_of(made) - layout).abs().mean()
        self._move("generator", loss + OFF_LAYOUT * off)
        self.critic.requires_grad_(True)
        return {**told, "generator": loss.item(), "off layout": off.item()}

    def _noise(self, count: int, size: tuple[int, int]) -> list[Tensor]:
        return [torch.randn(shape) for shape in self.generator.noise_shapes(count, size)]

    def _move(self, name: str, loss: Tensor) -> None:
        self.optimizers[name].zero_grad(set_to_none=True)
        loss.backward()
        self.optimizers[name].step()


class DiffusionTrainer:
    """The denoising network."""

    family = "diffusion"

    def __init__(self, builder: str, images: Tensor, labels: Tensor) -> None:
        self.network: PatchDiffusion = named_builder(builder)()  # type: ignore[assignment]
        fine = images - enlarged(layout_of(images))
        means, strengths = bands(to_blocks(fine, DIFFUSION_SIDE), labels)
        self.network.means.copy_(means)
        self.network.strengths.copy_(strengths)
        self.averaged = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.modules = {"generator": self.network, "averaged": self.averaged}
        self.optimizers = {"generator": torch.optim.Adam(self.network.parameters(), DIFFUSION_RATE)}
        place = torch.arange(DIFFUSION_SIDE)
        weights = (1 / (1.0 + place[:, None] + place)).flatten().repeat(3)
        self.weights = (weights / weights.mean())[:, None, None]

    def step(self, images: Tensor, labels: Tensor, number: int, rate: float) -> dict[str, float]:
        """Predict v of patches with noise."""
        optimizer = self.optimizers["generator"]
        optimizer.param_groups[0]["lr"] = DIFFUSION_RATE * rate * min(1, (number + 1) / WARM_STEPS)
        layout = layout_of(images)
        x = self.network.coefficients(images, labels, layout)
        t = (torch.randperm(len(x)) + torch.rand(len(x))) / len(x)
        noise = torch.randn_like(x)
        a, s = signal(t)[:, None, None, None], noise_share(t)[:, None, None, None]
        off = self.network(a * x + s * noise, t, labels, layout) - (a * noise - s * x)
        loss = (off.square() * self.weights).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        optimizer.step()
        return {"v": loss.item()}


def bands(blocks: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each coefficient, (modalities, bands), of patches of every modality."""
    own = [blocks[labels == label].transpose(0, 1).flatten(1) for label in labels.unique()]
    means = torch.stack([values.mean(dim=1) for values in own])
    strengths = torch.stack([values.std(dim=1) for values in own])
    return means, strengths.clamp_min(LEAST_STRENGTH)


def average(averaged: nn.Module, current: nn.Module, batch: int, seen: int) -> None:
    """Let the running mean of the weights follow after a step on ``batch`` patches."""
    half_life = min(HALF_LIFE, SHARE_OF_SEEN * seen)
    keep = 0.5 ** (batch / max(half_life, 1e-8))
    with torch.no_grad():
        for mean, now in zip(averaged.parameters(), current.parameters(), strict=True):
            mean.lerp_(now, 1 - keep)


def state_of(trainer: Trainer) -> dict[str, Tensor]:
    """Everything that a later run needs, as named tensors."""
    found = {
        f"{name}.{key}": tensor.detach().clone(memory_format=torch.contiguous_format)
        for name, module in trainer.modules.items()
        for key, tensor in module.state_dict().items()
    }
    for name, optimizer in trainer.optimizers.items():
        for number, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                found[f"adam.{name}.{number}.{key}"] = torch.as_tensor(value).clone(
                    memory_format=torch.contiguous_format
                )
    return found


def restore(trainer: Trainer, state: Mapping[str, Tensor]) -> None:
    """Put back what :func:`state_of` gave."""
    for name, module in trainer.modules.items():
        own = {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}
        module.load_state_dict(own)
    for name, optimizer in trainer.optimizers.items():
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            if key.startswith(f"adam.{name}."):
                number, what = key.removeprefix(f"adam.{name}.").split(".")
                moments.setdefault(int(number), {})[what] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})


TRAINERS = {trainer.family: trainer for trainer in (GanTrainer, DiffusionTrainer)}
