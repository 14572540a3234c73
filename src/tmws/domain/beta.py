"""The Beta distribution: what counts of two outcomes say about a rate."""

from __future__ import annotations

import math

_TINY = 1e-300
_STEPS = 200
_PRECISION = 1e-12
_NEAR = 1e-10


def mean(a: float, b: float) -> float:
    """Return the mean of Beta(a, b), a probability."""
    return a / (a + b)


def quantile(q: float, a: float, b: float) -> float:
    """Return x with P(X <= x) = q for X ~ Beta(a, b), within 1e-9.

    Newton's steps on the regularised incomplete beta function, each inside what
    bisection has left: it cannot leave [0, 1], and most often ends after a few.
    """
    low, high = 0.0, 1.0
    x = mean(a, b)
    for _ in range(_STEPS):
        above = distribution(x, a, b) - q
        low, high = (low, x) if above > 0.0 else (x, high)
        density = max(_TINY, _front(x, a, b) / (x * (1.0 - x)))
        nearer = x - above / density
        if not low < nearer < high:
            nearer = (low + high) / 2
        if abs(nearer - x) < _NEAR:
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
