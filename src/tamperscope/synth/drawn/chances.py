"""Small draws that every style needs."""

from collections.abc import Mapping

import numpy as np


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw from [low, high], every factor of two being as likely as any other."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Tell whether something of this probability happens."""
    return bool(rng.random() < probability)


def pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """Draw one name in proportion to its weight."""
    names = list(weights)
    shares = np.array([weights[name] for name in names])
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]
