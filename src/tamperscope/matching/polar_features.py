"""Circular patch features that do not change under rotation and reflection, as filter banks.

Each feature is the magnitude of a moment of the disc around a pixel,

    A = integral over the unit disc of I(r, t) R(r) exp(-i m t),        feature = |A|,

with angular order ``m`` and a radial function ``R``. Turning the image multiplies A by a phase and
mirroring it conjugates A, so that |A| stays; one field of such features finds turned and mirrored
copies alike. Three families, named as in D. Cozzolino, G. Poggi, L. Verdoliva, "Efficient
dense-field copy-move forgery detection", IEEE TIFS 10(11), 2015:

* ``zm``: Zernike moments (F. Zernike, 1934; A. Khotanzad, Y. Hong, IEEE TPAMI 12(5), 1990);
* ``pct``: polar cosine transform, R = cos(pi n r^2) (P.-T. Yap, X. Jiang, A. Kot, IEEE TPAMI 32(7),
  2010);
* ``fmt``: Fourier-Mellin transform, R = exp(-i w ln r) / r between two radii, whose magnitudes
  also change less under scaling (Y. Sheng, H. Arsenault, JOSA A 3(6), 1986). The magnitudes at
  +m and -m trade places under reflection; the root of their summed squares does not.

What differs from the paper: an odd-sized disc centred on a pixel, so that flips and right-angle
turns map pixels onto pixels; basis functions integrated over each pixel's square; and no mean
brightness among the features, for the descriptor to survive changes of brightness and contrast.

Moments are scaled so that the squares of orthonormal ones add up to at most the mean of I^2.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tamperscope.kernels.dense_field import FilterBank

Radial = Callable[[NDArray[np.float64]], NDArray[np.float64]]

FEATURES = ("zm", "pct", "fmt")

SUBPIXELS = 8  # per side of a pixel, to integrate over its square; even: none lies on the centre
ZERNIKE_ORDER = 6  # highest n; the paper takes 5
COSINE_ORDER = 4  # highest n + m; the paper takes 3
MELLIN_ORDERS = (3, 5)  # highest radial frequency and highest m
MELLIN_INNER = 1.5  # pixels: inner radius of the Fourier-Mellin window
RADIUS = {"zm": 8, "pct": 8, "fmt": 12}  # pixels from the centre to the rim


@dataclass(frozen=True)
class Moment:
    """One feature: an angular order and the radial functions whose responses it sums up."""

    name: str
    order: int  # angular, m >= 0
    radials: tuple[Radial, ...]


def zernike_radial(n: int, m: int) -> Radial:
    """R_nm of the Zernike polynomials, R_nm(1) = 1; ``n >= m >= 0``, ``n - m`` even."""
    if m < 0 or n < m or (n - m) % 2:
        raise ValueError(f"Zernike polynomials need n >= m >= 0 and n - m even, got {n}, {m}")

    def radial(r: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.zeros_like(r)
        for k in range((n - m) // 2 + 1):
            weight = (-1) ** k * math.comb(n - k, k) * math.comb(n - 2 * k, (n - m) // 2 - k)
            total += weight * r ** (n - 2 * k)
        return total

    return radial


def zernike_moments(order: int = ZERNIKE_ORDER) -> list[Moment]:
    """All Zernike moments up to ``order`` but the mean."""
    return [
        Moment(f"zm {n},{m}", m, (zernike_radial(n, m),))
        for n in range(1, order + 1)
        for m in range(n % 2, n + 1, 2)
    ]


def cosine_radial(n: int) -> Radial:
    """cos(pi n r^2)."""
    return lambda r: np.cos(math.pi * n * r**2)


def cosine_moments(order: int = COSINE_ORDER) -> list[Moment]:
    """All polar cosine transforms with ``n + m <= order`` but the mean."""
    return [
        Moment(f"pct {n},{m}", m, (cosine_radial(n),))
        for n in range(order + 1)
        for m in range(order + 1 - n)
        if n + m > 0
    ]


def mellin_moments(orders: tuple[int, int] = MELLIN_ORDERS, inner: float = 0.12) -> list[Moment]:
    """All Fourier-Mellin magnitudes up to a radial frequency and an angular order.

    Args:
        orders: Highest radial frequency, in turns over the window, and highest m.
        inner: Inner radius of the window as a share of the disc's.
    """
    span = -math.log(inner)

    def wave(k: int, quarter: float) -> Radial:
        def radial(r: NDArray[np.float64]) -> NDArray[np.float64]:
            depth = np.log(np.maximum(r, inner)) / span  # -1 at the inner rim, 0 at the outer
            wave = np.cos(2 * math.pi * k * depth - quarter) / np.maximum(r, inner)
            return np.where(r > inner, wave, 0.0)

        return radial

    return [
        Moment(f"fmt {k},{m}", m, tuple(wave(k, q) for q in ((0.0, math.pi / 2) if k else (0.0,))))
        for k in range(orders[0] + 1)
        for m in range(orders[1] + 1)
    ]


def disc_taps(
    radial: Radial, m: int, radius: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Integrate R(r) cos(m t) and R(r) sin(m t) over the pixels of a disc.

    The unit disc spans ``2 radius + 1`` pixels; each result is (2 radius + 1, 2 radius + 1) with y
    down. The pair is scaled to sqrt(integral of its squares) = 1 / sqrt(pi), and a response to
    constant brightness is removed, as far as it is not the moment itself.
    """
    size = 2 * radius + 1
    fine = ((np.arange(size * SUBPIXELS) + 0.5) / SUBPIXELS - size / 2) / (size / 2)
    y, x = np.meshgrid(fine, fine, indexing="ij")
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    inside = r <= 1
    values = np.where(inside, radial(r), 0.0)
    if m == 0 and np.ptp(values[inside]):
        values = np.where(inside, values - values[inside].mean(), 0.0)
    area = (fine[1] - fine[0]) ** 2
    values *= math.sqrt((2 if m else 1) / (math.pi * (values**2).sum() * area))
    pair = []
    for wave in (np.cos(m * angle), np.sin(m * angle)):
        product = values * wave
        if m:  # what the square grid leaves over
            product = np.where(inside, product - product[inside].mean(), 0.0)
        whole = (product * area).reshape(size, SUBPIXELS, size, SUBPIXELS)
        pair.append(whole.sum(axis=(1, 3)))
    return pair[0], pair[1]


@cache
def filter_bank(features: str, radius: int | None = None) -> FilterBank:
    """Build the bank of ``features`` (``zm``, ``pct`` or ``fmt``) for a disc of ``radius`` pixels.

    Raises:
        ValueError: No features have that name.
    """
    if features not in FEATURES:
        raise ValueError(f"features must be one of {', '.join(FEATURES)}, got {features!r}")
    radius = RADIUS[features] if radius is None else radius
    if features == "zm":
        moments = zernike_moments()
    elif features == "pct":
        moments = cosine_moments()
    else:
        moments = mellin_moments(inner=MELLIN_INNER / (radius + 0.5))
    return bank_of(features, moments, radius)


def bank_of(name: str, moments: list[Moment], radius: int) -> FilterBank:
    """Turn moments into filters: a cosine and, for m > 0, a sine for each radial function."""
    taps, feature = [], []
    for index, moment in enumerate(moments):
        for radial in moment.radials:
            pair = disc_taps(radial, moment.order, radius)
            for part in pair[: 2 if moment.order else 1]:
                # Moments of several radial functions share the feature's weight.
                taps.append(part / math.sqrt(len(moment.radials)))
                feature.append(index)
    return FilterBank(name, np.array(taps), np.array(feature, np.int32))
