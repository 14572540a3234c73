"""The arithmetic of one yes or no under a logistic curve, on plain floats.

A margin is how far a skill stands above a difficulty, in logits. What is known of it
is a normal distribution: mean and variance.
"""

from __future__ import annotations

import math
from typing import NamedTuple

# Gauss-Hermite rule for the standard normal with five nodes (Abramowitz and Stegun,
# 25.4.46): exact for polynomials up to degree nine. The middle node is the mode.
_NODES = (
    (1.355626179974266, 0.2220759220056126),
    (-1.355626179974266, 0.2220759220056126),
    (2.856970013872806, 0.01125741132772069),
    (-2.856970013872806, 0.01125741132772069),
)
_MIDDLE = 8 / 15
_NEWTON_STEPS = 30
_NEWTON_PRECISION = 1e-3
"""The quadrature corrects what is left, so the mode need not be exact."""

_PROBIT = math.pi / 8
"""A logistic curve averaged over N(m, v) is nearly sigmoid(m / sqrt(1 + pi v / 8))
(MacKay, 1992)."""


class Belief(NamedTuple):
    """A normal distribution over something measured in logits."""

    mean: float
    variance: float


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)), for any finite x without overflow."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def logit(p: float) -> float:
    """Return log(p / (1 - p)), for p inside (0, 1)."""
    return math.log(p / (1.0 - p))


def averaged(mean: float, variance: float) -> float:
    """Return the logit of the probability of a yes when the margin is this uncertain."""
    return mean / math.sqrt(1.0 + _PROBIT * variance)


def posterior(margin: Belief, supported: bool, weight: float = 1.0) -> Belief:
    """Return what is known of the margin once the outcome is.

    Mean and variance of the true posterior N(margin) x sigmoid^weight, by a five-point
    quadrature around its mode. A yes never lowers the mean, a no never raises it, and
    the variance never grows.

    Args:
        margin: what was known; variance > 0.
        supported: the outcome.
        weight: how much of one whole observation this is, > 0.
    """
    m, variance = (margin.mean if supported else -margin.mean), margin.variance
    mode = _mode(m, variance, weight)
    p = sigmoid(mode)
    spread = 1.0 / (1.0 / variance + weight * p * (1.0 - p))
    step, peak = math.sqrt(spread), (mode - m) ** 2
    total, first, second = _MIDDLE, 0.0, 0.0
    for node, share in _NODES:
        x = mode + step * node
        ratio = (sigmoid(x) / p) ** weight
        mass = share * ratio * math.exp((peak - (x - m) ** 2) / (2.0 * variance) + node * node / 2)
        total += mass
        first += mass * node
        second += mass * node * node
    first /= total
    mean = max(m, mode + step * first)
    return Belief(
        mean if supported else -mean, min(variance, spread * (second / total - first * first))
    )


def _mode(mean: float, variance: float, weight: float) -> float:
    """Return the peak of the posterior of a yes: Newton steps kept inside a bracket.

    Without the bracket the steps oscillate when the variance is large and the outcome
    a surprise.
    """
    low, high = mean, mean + weight * variance
    x = mean
    for _ in range(_NEWTON_STEPS):
        p = sigmoid(x)
        slope = (x - mean) / variance - weight * (1.0 - p)
        if slope > 0.0:
            high = x
        else:
            low = x
        previous = x
        x -= slope / (1.0 / variance + weight * p * (1.0 - p))
        if not low <= x <= high:
            x = (low + high) / 2.0
        if abs(x - previous) < _NEWTON_PRECISION:
            break
    return x
