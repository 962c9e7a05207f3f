"""Colour cameras and flat-bed scanners: light, lens, noise and tone of macroscopic pictures."""

import numpy as np

from tamperscope.synth.drawn.chances import log_uniform
from tamperscope.synth.drawn.noise import colour_blotches, scratches, sensor, specks
from tamperscope.synth.drawn.optics import blur, brightness, fringe, uneven_light, wide_blur
from tamperscope.synth.drawn.scene import Colour


def photograph(rng: np.random.Generator, light: Colour) -> Colour:
    """A phone or a camera: uneven light, white balance, soft lens, noise, a tone curve."""
    shape = light.shape[:2]
    light = light * uneven_light(rng, shape, log_uniform(rng, 0.05, 0.5))[:, :, None]
    light = light * np.exp(rng.normal(0, 0.06, size=3)).astype(np.float32)
    soft = log_uniform(rng, 0.3, 1.8)
    light = blur(light.astype(np.float32), soft)
    light = fringe(rng, light, 0.5)
    grey = brightness(light)
    noise = (
        sensor(rng, grey, photons=log_uniform(rng, 1200, 80000), read=log_uniform(rng, 3e-4, 4e-3))
        - grey
    )
    chroma = colour_blotches(rng, shape, 2.5)
    light = light + noise[:, :, None] + np.float32(log_uniform(rng, 0.0006, 0.008)) * chroma
    light = np.clip(light, 0, 1)
    curve = np.float32(rng.uniform(0, 0.6))  # towards an S, as cameras develop
    return light + curve * (light * light * (3 - 2 * light) - light)


def scan(rng: np.random.Generator, light: Colour) -> Colour:
    """A flat-bed scanner or a gel camera: even light, dust, lines along the scan."""
    shape = light.shape[:2]
    dirt = specks(rng, shape, int(rng.poisson(5)), 1.5) * rng.uniform(-0.3, 0.4)
    dirt = dirt + 0.1 * scratches(rng, shape, int(rng.poisson(0.4)))
    light = (
        light * uneven_light(rng, shape, log_uniform(rng, 0.02, 0.3))[:, :, None] + dirt[:, :, None]
    )
    light = light + np.float32(0.05) * wide_blur(light, 0.02 * max(shape) + 1)
    grey = brightness(light)
    soft = blur(grey, log_uniform(rng, 0.4, 1.2))
    noisy = sensor(
        rng, soft, photons=log_uniform(rng, 1000, 60000), row=log_uniform(rng, 1e-4, 3e-3)
    )
    return light + (noisy - grey)[:, :, None]
