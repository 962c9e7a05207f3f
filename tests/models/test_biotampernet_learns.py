"""Slow: about a minute on one idle core. Run with ``-m slow``."""

import cv2
import numpy as np
import pytest
import torch

from tamperscope.models import create_model
from tamperscope.training.pair_losses import biotampernet_loss

SIZE = 64
PAIRS = 16


def texture(rng):
    """Blobs of a random size and colour."""
    noise = rng.normal(size=(SIZE, SIZE)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), rng.uniform(1.0, 4.0))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    tint = rng.uniform(0.4, 1.0, 3).astype(np.float32)
    return np.clip(smooth[..., None] * tint + rng.normal(0, 0.02, (SIZE, SIZE, 3)), 0, 1)


def pair(seed):
    """Two textures, the second with an ellipse of the first; where it was taken from and lies."""
    rng = np.random.default_rng([seed, 0])
    first, second = texture(rng), texture(rng)
    half = rng.integers(10, 19, 2)
    ellipse = np.zeros((SIZE, SIZE), np.uint8)
    centre = [int(rng.integers(h, SIZE - h)) for h in half]
    cv2.ellipse(ellipse, centre, [int(h) for h in half], 0, 0, 360, 1, -1)
    shift = [int(rng.integers(h - c, SIZE - h - c + 1)) for c, h in zip(centre, half, strict=True)]
    move = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
    there = cv2.warpAffine(ellipse, move, (SIZE, SIZE), flags=cv2.INTER_NEAREST).astype(bool)
    moved = cv2.warpAffine(first.astype(np.float32), move, (SIZE, SIZE))
    second[there] = moved[there]
    return first, second, ellipse.astype(bool), there


def batch(seeds):
    first, second, source, target = map(np.stack, zip(*map(pair, seeds), strict=True))
    images = (torch.from_numpy(x).float().permute(0, 3, 1, 2) for x in (first, second))
    return (*images, torch.from_numpy(source), torch.from_numpy(target))


def overlap(mask, truth):
    found = mask[:, 0] > 0
    return ((found & truth).sum() / (found | truth).sum()).item()


@pytest.mark.slow
def test_sixteen_pairs_can_be_learned_by_heart():
    network = create_model("biotampernet_small", drop_path=0.0).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.01)
    steps = 200
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    first, second, source, target = batch(range(PAIRS))
    order = np.random.default_rng(0)
    for _ in range(steps):
        chosen = torch.from_numpy(order.permutation(PAIRS)[:8])
        logits = network(first[chosen], second[chosen])
        loss = biotampernet_loss(logits, source[chosen], target[chosen])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        answers = network.eval()(first, second)
    assert overlap(answers.first.mask, source) > 0.9
    assert overlap(answers.second.mask, target) > 0.9
