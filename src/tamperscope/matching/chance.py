"""Provisional."""

ALPHA = 0.01


def chance_of(evidence, kind, *, within):
    import math

    return min(1.0, 0.01 * math.exp(-(evidence - 60) / 20)), f"{kind}, provisional"
