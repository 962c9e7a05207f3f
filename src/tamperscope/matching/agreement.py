"""How much two aligned pictures have in common, and where.

*Evidence* is the information that one picture holds about the other, in nats, beyond what growing
a region where two pictures agree picks out anyway, summed over octave bands:

    sum over bands of  n/2 log((1 - r0^2) / (1 - r^2)) where r > r0,
                 less  G n/2 (k q - r)^2               where r < k q

with r the correlation in the band, q the strength of its weaker side to that of its stronger one
and n the number of independent samples. r0 is what a region grown for agreeing reaches anyway, or
(1 + s)/2 if that is higher, with s the correlation at the best other shift of the two sides against
each other: where lattices, lanes and stripes agree, they agree after one more period as well. The
second line is for places of one picture, and speaks against look-alikes such as two lanes of a gel:
where both hold equally strong fine detail, a copy shares it. Where one of them was blurred or got
noise, q is small and nothing is held against it. Two pictures may have been stored in different
ways, so nothing is held against them either.

Where blurring one side makes the two more alike, the first line is taken of the sides made equally
sharp, if that is more; the second line is always of the sides as they are.

n is not the number of pixels:

* two unrelated pictures whose power sits at the same few frequencies (stripes, lattices, lanes,
  anything smooth) correlate by chance with variance ``sum |A|^2 |B|^2 / (sum |A|^2 sum |B|^2)``
  over frequencies (M. S. Bartlett, "On the theoretical specification and sampling properties of
  autocorrelated time series", 1946, for two dimensions); its inverse is the first bound of n;
* where a few places hold all the contrast (one band on empty ground), only these places count:
  the participation ratio of the local power is the second factor;
* along an edge nothing changes, and one edge goes with any other of its curvature (the rim of a
  dish with itself, turned): a place counts by how evenly its gradients take all directions,
  ``4 det(S) / tr(S)^2`` of the structure tensor S (W. Foerstner, E. Guelch, "A fast operator for
  detection and precise location of distinct points", ISPRS 1987).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tamperscope.matching.match import Gray, Mask

MOST_BANDS = 6
LEAK = 0.1  # share of a band that shows in the next coarser one, aliased by the reduction
SMALLEST_LEVEL = 10  # samples: shorter side of the coarsest level that is measured
EDGE_WINDOW = (15, 15)  # samples of a level over which directions of gradients are compared
EVEN_WINDOW = (9, 9)  # samples of a level over which contrast is evened out
USUAL = (0.65, 0.9, 0.97)
"""What look-alikes reach where a region was grown for agreeing: finest band, next one, coarser.
Chosen on one half of the corpus (``--split tune``): lanes, wells and ladders are alike in their
coarse bands, and copies are so in the fine ones too."""
SHARED = 0.6  # k: least share of q that the correlation of a copy reaches, under JPEG 60 too
PENALTY = 10.0  # G
SAME_SHIFT = 3  # samples of a level up to which a shift is not another alignment
LEAST_OVERLAP = 0.4  # of the mask with itself, for a shift to be looked at
MOST_MISSED = 1000.0  # samples of one band that can speak against a copy
LARGEST_R = 0.995  # a correlation is not believed beyond this
BLURS = (0.5, 0.8, 1.2, 1.8, 2.6)  # samples, standard deviation: tried on either side
LEAST_GAIN = 0.01  # correlation that a blur must bring
NOISE = 1.0 / 255  # quantisation and light compression: fainter local contrast counts less
LIKE_WINDOW = (9, 9)  # samples; applied twice, for a tapered window of the local correlation


@dataclass(frozen=True)
class Band:
    """What two pictures share in one octave of spatial frequency."""

    correlation: float
    samples: float  # independent ones
    balance: float  # of the strengths of the two sides, weaker to stronger, in [0, 1]
    elsewhere: float = 0.0  # correlation at the best other shift of the two against each other


@dataclass(frozen=True)
class Agreement:
    """What two aligned pictures share inside a mask."""

    evidence: float  # nats
    correlation: float  # Pearson of grey values
    bands: tuple["Band", ...]  # finest first


def noise_level(gray: Gray) -> float:
    """Estimate the standard deviation of the noise, in brightness.

    J. Immerkaer, "Fast noise variance estimation", CVIU 64(2), 1996, with the median in place of
    the mean, so that structure counts less.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    response = cv2.filter2D(gray, cv2.CV_32F, kernel)[1:-1, 1:-1]
    if response.size == 0:
        return 0.0
    return float(np.median(np.abs(response)) / 0.6745 / 6.0)


def local_likeness(source: Gray, target: Gray, inside: Mask, valid: Mask) -> tuple[Gray, Mask]:
    """Correlate two aligned pictures locally.

    Args:
        source: First picture, (height, width).
        target: Second one, aligned and not inverted.
        inside: Where both have pixels.
        valid: Where both are usable.

    Returns:
        The correlation, and where it counts: both are usable and one holds something, or one is
        empty where the other is not.
    """
    weight = inside.astype(np.float32)
    a, b = (cv2.GaussianBlur(g, (5, 5), 1.0) for g in (source, target))

    def smooth(values: NDArray) -> NDArray:
        return cv2.blur(cv2.blur(values * weight, LIKE_WINDOW), LIKE_WINDOW)

    total = np.maximum(smooth(np.ones_like(a)), 1e-3)
    mean_a, mean_b = smooth(a) / total, smooth(b) / total
    var_a = np.maximum(smooth(a * a) / total - mean_a**2, 0)
    var_b = np.maximum(smooth(b * b) / total - mean_b**2, 0)
    cov = smooth(a * b) / total - mean_a * mean_b
    floor_a = (NOISE + 0.6 * noise_level(source)) ** 2
    floor_b = (NOISE + 0.6 * noise_level(target)) ** 2
    something = (var_a > floor_a) | (var_b > floor_b)
    empty = np.minimum(var_a / floor_a, var_b / floor_b) < 0.25
    full = np.maximum(var_a / floor_a, var_b / floor_b) > 4
    likeness = cov / np.sqrt((var_a + 0.25 * floor_a) * (var_b + 0.25 * floor_b))
    return likeness, np.asarray((something & valid) | (empty & full & inside))


def measure(source: Gray, target: Gray, mask: Mask, *, within: bool) -> Agreement:
    """Measure what two aligned pictures share inside ``mask``; ``target`` not inverted.

    ``within`` tells that both are places of one picture.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    cut = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    inside = mask[cut]
    weight = inside.astype(np.float32)
    a, b = (_filled(picture[cut], weight) for picture in (source, target))
    correlation = pearson(source[mask], target[mask])
    bands = _bands(a, b, weight)
    evidence = gain_of(bands)
    smoothed = _equally_sharp(a, b, inside)
    if smoothed is not None:
        evidence = max(evidence, gain_of(_bands(*smoothed, weight)))
    if within:
        evidence -= penalty_of(bands)
    return Agreement(evidence, correlation, bands)


def _bands(a: Gray, b: Gray, weight: Gray) -> tuple[Band, ...]:
    """Measure every octave, finest first."""
    bands: list[Band] = []
    floor = NOISE
    while min(a.shape) >= SMALLEST_LEVEL and len(bands) < MOST_BANDS:
        coarse_a, coarse_b = cv2.pyrDown(a), cv2.pyrDown(b)
        size = (a.shape[1], a.shape[0])
        fine_a = a - cv2.pyrUp(coarse_a, dstsize=size)
        fine_b = b - cv2.pyrUp(coarse_b, dstsize=size)
        bands.append(_band(fine_a, fine_b, weight, floor))
        finer = max(float(np.sqrt(np.mean(np.square(fine)))) for fine in (fine_a, fine_b))
        floor = max(NOISE, LEAK * finer)
        a, b, weight = coarse_a, coarse_b, (cv2.pyrDown(weight) > 0.5).astype(np.float32)
    return tuple(bands)


def _equally_sharp(a: Gray, b: Gray, inside: Mask) -> tuple[Gray, Gray] | None:
    """Blur the side that makes the two more alike by it; None where neither does.

    A copy that was blurred, enlarged or denoised is weaker the finer the detail, inside of an
    octave too, and correlates less for it. The same blur on the other side undoes that.
    """

    def likeness(one: Gray, other: Gray) -> float:
        return pearson(detail(one)[inside], detail(other)[inside])

    best, chosen = likeness(a, b) + LEAST_GAIN, None
    for blurred in (0, 1):
        for sigma in BLURS:
            sides = [a, b]
            sides[blurred] = cv2.GaussianBlur(sides[blurred], (0, 0), sigma)
            alike = likeness(*sides)
            if alike <= best:
                break  # more of it helps even less
            best, chosen = alike, (sides[0], sides[1])
    return chosen


def detail(picture: Gray) -> Gray:
    """What the two finest octaves hold."""
    half = cv2.pyrDown(picture)
    quarter = cv2.pyrDown(half)
    size = (half.shape[1], half.shape[0])
    coarse = cv2.pyrUp(cv2.pyrUp(quarter, dstsize=size), dstsize=picture.shape[::-1])
    return np.asarray(picture - coarse)


def gain_of(bands: tuple[Band, ...]) -> float:
    """Nats by which bands agree better than usual; see the module."""
    total = 0.0
    for level, band in enumerate(bands):
        r = min(band.correlation, LARGEST_R)
        usual = max(USUAL[min(level, len(USUAL) - 1)], (1 + min(band.elsewhere, LARGEST_R)) / 2)
        if r > usual:
            total += 0.5 * band.samples * math.log((1 - usual**2) / (1 - r**2))
    return total


def penalty_of(bands: tuple[Band, ...]) -> float:
    """Nats that speak against a copy inside one picture; see the module."""
    total = 0.0
    for band in bands:
        missing = max(SHARED * band.balance - min(band.correlation, LARGEST_R), 0.0)
        total += 0.5 * min(band.samples, MOST_MISSED) * PENALTY * missing**2
    return total


def pearson(a: NDArray, b: NDArray) -> float:
    """Pearson correlation; 0 where one side is constant."""
    a, b = a.astype(np.float64) - a.mean(), b.astype(np.float64) - b.mean()
    power = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / power if power > 1e-12 else 0.0


def _filled(picture: Gray, weight: Gray) -> Gray:
    """Continue a picture smoothly outside of its mask, so that the rim makes no contrast."""
    inside = weight > 0
    if inside.all():
        return picture
    mean = float(picture[inside].mean())
    total, value = weight, (picture - mean) * weight
    filled = np.where(inside, picture - mean, 0).astype(np.float32)
    todo = ~inside
    for width in (5, 11, 25, 61):
        near = cv2.blur(total, (width, width), borderType=cv2.BORDER_CONSTANT)
        around = cv2.blur(value, (width, width), borderType=cv2.BORDER_CONSTANT)
        reached = todo & (near > 0.02)
        filled[reached] = around[reached] / near[reached]
        todo &= ~reached
    return filled + np.float32(mean)


def _band(a: Gray, b: Gray, weight: Gray, floor: float) -> Band:
    """Measure one band of both pictures; what is fainter than ``floor`` counts less."""
    strengths = sorted(float(np.vdot(band * weight, band)) for band in (a, b))
    total = np.maximum(cv2.blur(weight, EVEN_WINDOW), 1e-3)
    a, power_a = _evened(a, weight, total, floor)
    b, power_b = _evened(b, weight, total, floor)
    evenness = evenness_of(a, b)
    directed = np.sqrt(evenness)
    a, b = a * directed, b * directed
    power = float(np.vdot(a, a)) * float(np.vdot(b, b))
    inside = weight > 0
    if power < 1e-12 or not inside.any():
        return Band(0.0, 0.0, 0.0)
    r = float(np.vdot(a, b)) / np.sqrt(power)
    waves_a, waves_b = fft.rfft2(a), fft.rfft2(b)
    elsewhere = _elsewhere(waves_a * np.conj(waves_b), weight) / np.sqrt(power)
    spectrum_a, spectrum_b = np.abs(waves_a) ** 2, np.abs(waves_b) ** 2
    twice = np.full(spectrum_a.shape[1], 2.0, np.float32)
    twice[0] = 1.0
    if a.shape[1] % 2 == 0:
        twice[-1] = 1.0
    together = float(np.sum(spectrum_a * spectrum_b * twice, dtype=np.float64))
    apart = float(np.sum(spectrum_a * twice, dtype=np.float64))
    apart *= float(np.sum(spectrum_b * twice, dtype=np.float64))
    modes = apart / max(together, 1e-30)
    local = np.sqrt(power_a * power_b)[inside]
    taking_part = float(local.sum()) ** 2 / max(len(local) * float(np.sum(local**2)), 1e-30)
    taking_part *= float((local * evenness[inside]).sum()) / max(float(local.sum()), 1e-30)
    samples = max(modes * float(inside.mean()), 1.0) * taking_part
    balance = float(np.sqrt(strengths[0] / max(strengths[1], 1e-12)))
    return Band(r, samples, balance, float(elsewhere))


def evenness_of(a: Gray, b: Gray) -> Gray:
    """How evenly the gradients around each place take all directions, in [0, 1]; 0 on an edge."""
    xx = yy = xy = np.float32(0)
    for picture in (a, b):
        dx = cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=3)
        dy = cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=3)
        xx, yy, xy = xx + dx * dx, yy + dy * dy, xy + dx * dy
    xx, yy, xy = (cv2.blur(part, EDGE_WINDOW) for part in (xx, yy, xy))
    even = 4 * (xx * yy - xy * xy) / np.maximum((xx + yy) ** 2, np.float32(1e-20))
    return np.asarray(np.clip(even, 0, 1))


def _elsewhere(cross: NDArray, weight: Gray) -> float:
    """Largest cross-correlation at a shift, as if all of the mask still overlapped."""
    shape = (int(weight.shape[0]), int(weight.shape[1]))
    correlation = fft.irfft2(cross, shape)
    overlap = fft.irfft2(np.abs(fft.rfft2(weight)) ** 2, shape) / max(float(weight.sum()), 1.0)
    allowed = overlap > LEAST_OVERLAP
    for rows in (slice(None, SAME_SHIFT + 1), slice(-SAME_SHIFT, None)):
        for columns in (slice(None, SAME_SHIFT + 1), slice(-SAME_SHIFT, None)):
            allowed[rows, columns] = False
    if not allowed.any():
        return 0.0
    return max(float(np.max(correlation[allowed] / overlap[allowed])), 0.0)


def _evened(band: Gray, weight: Gray, total: Gray, floor: float) -> tuple[Gray, Gray]:
    """Divide a band by its local strength; returns it and the power that is left, locally."""
    power = np.maximum(cv2.blur(band * band * weight, EVEN_WINDOW), 0) / total
    even = band / np.sqrt(power + floor**2) * weight
    return even, power / (power + floor**2)
