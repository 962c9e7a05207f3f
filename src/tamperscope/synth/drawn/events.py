"""Events of a cytometer: mixtures of cell populations on axes that run from 0 to 1.

Fluorescence axes are logicle-like: negatives are wide and centred near 0.2 to 0.3, positives are
narrow; scatter axes are linear. Some events pile up on the edges, where the instrument clips.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamperscope.synth.drawn.chances import chance, log_uniform, pick


@dataclass(frozen=True)
class Population:
    """One kind of cell on two axes."""

    middle: tuple[float, float]  # x, y
    spread: tuple[float, float]
    tilt: float  # correlation
    share: float
    tail: float  # how far it smears towards higher values, in spreads


def draw_populations(rng: np.random.Generator) -> tuple[str, list[Population]]:
    """Draw what a plot shows: its kind (``scatter``, ``doublets``, ``markers``) and populations."""
    kind = pick(rng, {"scatter": 0.25, "doublets": 0.12, "markers": 0.63})
    if kind == "scatter":
        return kind, _scatter(rng)
    if kind == "doublets":
        return kind, _doublets(rng)
    return kind, _markers(rng)


def draw_events(
    rng: np.random.Generator, populations: list[Population], count: int
) -> list[NDArray[np.float32]]:
    """Draw (n, 2) events of each population, clipped to [0, 1]."""
    total = sum(p.share for p in populations)
    clip = chance(rng, 0.6)
    out = []
    for p in populations:
        n = max(3, round(count * p.share / total))
        normal = rng.standard_normal((n, 2), dtype=np.float32)
        heavy = np.float32(rng.uniform(0, 0.6))  # real populations have heavier tails than normal
        normal *= 1 + heavy * (rng.standard_exponential((n, 1), dtype=np.float32) - 1)
        if p.tail > 0:
            normal[:, 0] += np.float32(p.tail) * rng.standard_exponential(n, dtype=np.float32)
        turned = np.float32(np.sqrt(1 - p.tilt**2))
        y = np.float32(p.tilt) * normal[:, 0] + turned * normal[:, 1]
        events = np.stack(
            [normal[:, 0] * p.spread[0] + p.middle[0], y * p.spread[1] + p.middle[1]], 1
        )
        inside = ((events >= 0) & (events < 1)).all(axis=1)
        out.append(np.clip(events, 0, 0.999) if clip else events[inside])
    return [events.astype(np.float32) for events in out]


def _scatter(rng: np.random.Generator) -> list[Population]:
    found = [
        Population(
            (rng.uniform(0.04, 0.14), rng.uniform(0.02, 0.1)),
            (0.06, 0.05),
            0.3,
            rng.uniform(0.05, 0.5),
            0.5,
        ),
        Population(
            (rng.uniform(0.28, 0.45), rng.uniform(0.1, 0.25)),
            (rng.uniform(0.03, 0.07), rng.uniform(0.025, 0.05)),
            rng.uniform(0, 0.5),
            rng.uniform(0.3, 1),
            0,
        ),
    ]
    if chance(rng, 0.6):
        found.append(
            Population(
                (rng.uniform(0.45, 0.6), rng.uniform(0.25, 0.4)),
                (0.06, 0.06),
                0.3,
                rng.uniform(0.05, 0.3),
                0,
            )
        )
    if chance(rng, 0.55):
        found.append(
            Population(
                (rng.uniform(0.4, 0.65), rng.uniform(0.5, 0.8)),
                (0.09, 0.13),
                0.2,
                rng.uniform(0.1, 0.9),
                0,
            )
        )
    found.append(Population((0.5, 0.4), (0.25, 0.25), 0.4, rng.uniform(0.02, 0.2), 0))
    return found


def _doublets(rng: np.random.Generator) -> list[Population]:
    middle = rng.uniform(0.3, 0.5)
    lean = rng.uniform(0.85, 1.0)
    long = rng.uniform(0.08, 0.2)
    tight = rng.uniform(0.985, 0.998)
    return [
        Population((middle, middle * lean), (long, long * lean), tight, 1, rng.uniform(0, 0.8)),
        Population(
            (1.6 * middle, middle * lean * 1.15),
            (long, 0.8 * long),
            tight - 0.02,
            rng.uniform(0.02, 0.2),
            0,
        ),
        Population((0.08, 0.07), (0.05, 0.04), 0.7, rng.uniform(0.01, 0.2), 0.5),
    ]


def _markers(rng: np.random.Generator) -> list[Population]:
    low, high = rng.uniform(0.12, 0.34, size=2), rng.uniform(0.58, 0.85, size=2)
    wide = log_uniform(rng, 0.03, 0.1)
    found = []
    quadrants = rng.random(4) < [0.85, 0.55, 0.55, 0.35]
    if not quadrants.any():
        quadrants[0] = True
    for k in np.flatnonzero(quadrants):
        x, y = (high if k & 1 else low)[0], (high if k & 2 else low)[1]
        spread = wide * rng.uniform(0.6, 1.6, size=2)
        found.append(
            Population(
                (x + 0.04 * rng.standard_normal(), y + 0.04 * rng.standard_normal()),
                (float(spread[0]), float(spread[1])),
                float(np.clip(rng.normal(0.15, 0.35), -0.9, 0.95)),
                log_uniform(rng, 0.03, 1),
                rng.uniform(0, 2) if chance(rng, 0.3) else 0.0,
            )
        )
    if chance(rng, 0.4):  # a continuum between negative and positive
        x, y = 0.5 * (low + high)
        found.append(
            Population((x, y), (0.14, 0.14), rng.uniform(0.3, 0.97), rng.uniform(0.05, 0.5), 0)
        )
    found.append(Population((0.5, 0.5), (0.25, 0.25), 0.0, rng.uniform(0.003, 0.06), 0))
    return found
