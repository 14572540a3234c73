"""The Beta distribution: what counts of two outcomes say about a rate."""

from __future__ import annotations

import math

_TINY = 1e-300
_STEPS = 200
_PRECISION = 1e-12
_NEAREST = 1e-10
_NEAR = 1e-4
"""A step of such a share of what is left on its side leaves about the cube of it."""


def mean(a: float, b: float) -> float:
    """Return the mean of Beta(a, b), a probability."""
    return a / (a + b)


def quantile(q: float, a: float, b: float) -> float:
    """Return x with P(X <= x) = q for X ~ Beta(a, b), within 1e-9.

    Halley's steps on the regularised incomplete beta function, each inside what bisection
    has left: it cannot leave [0, 1], and most often ends after two or three.
    """
    low, high = 0.0, 1.0
    x = _guess(q, a, b)
    for _ in range(_STEPS):
        above = distribution(x, a, b) - q
        low, high = (low, x) if above > 0.0 else (x, high)
        step = above / max(_TINY, _front(x, a, b) / (x * (1.0 - x)))
        bend = (a - 1.0) / x - (b - 1.0) / (1.0 - x)
        nearer = x - step / (1.0 - 0.5 * max(-1.0, min(1.0, step * bend)))
        near = _NEAR * min(x, 1.0 - x)
        if not low < nearer < high:
            nearer, near = (low + high) / 2, 0.0
        if abs(nearer - x) <= max(near, _NEAREST):
            return nearer
        x = nearer
    return x


def distribution(x: float, a: float, b: float) -> float:
    """Return P(X <= x) for X ~ Beta(a, b), for a, b > 0.

    Continued fraction of the incomplete beta function (Abramowitz and Stegun,
    26.5.8), evaluated on the side where it converges quickly.
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = _front(x, a, b)
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(x, a, b) / a
    return 1.0 - front * _continued_fraction(1 - x, b, a) / b


def _guess(q: float, a: float, b: float) -> float:
    """Return about where a quantile is: by the normal one if the curve has a hump.

    Abramowitz and Stegun, 26.2.22 and 26.5.22; elsewhere the mean does.
    """
    if a < 1.0 or b < 1.0 or not 0.0 < q < 1.0:
        return mean(a, b)
    t = math.sqrt(-2.0 * math.log(min(q, 1.0 - q)))
    z = (2.30753 + t * 0.27061) / (1.0 + t * (0.99229 + t * 0.04481)) - t
    if q < 0.5:
        z = -z
    if a == b == 1.0:
        return q
    harmonic = 2.0 / (1.0 / (2.0 * a - 1.0) + 1.0 / (2.0 * b - 1.0))
    third = (z * z - 3.0) / 6.0
    shift = z * math.sqrt(third + harmonic) / harmonic if third + harmonic > 0.0 else 0.0
    skew = (1.0 / (2.0 * b - 1.0) - 1.0 / (2.0 * a - 1.0)) * (
        third + 5.0 / 6.0 - 2.0 / (3.0 * harmonic)
    )
    guess = a / (a + b * math.exp(2.0 * (shift - skew)))
    return guess if 0.0 < guess < 1.0 else mean(a, b)


def _front(x: float, a: float, b: float) -> float:
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta)


def _continued_fraction(x: float, a: float, b: float) -> float:
    """Evaluate the fraction by the modified Lentz method."""
    c, d = 1.0, _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d = 1 / d
    for m in range(1, _STEPS):
        for coefficient in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + coefficient * d)
            c = _away_from_zero(1 + coefficient / c)
            value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
