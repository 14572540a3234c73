"""The arithmetic of one yes or no under a logistic curve, on plain floats.

A margin is how far a skill stands above a difficulty, in logits. What is known of it
is a normal distribution: mean and variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

# Gauss-Hermite rule for the standard normal with five nodes (Abramowitz and Stegun,
# 25.4.46): exact for polynomials up to degree nine. The middle node is the mode.
# Weights are divided by the normal density relative to its peak, which the sum needs.
_NODES = tuple(
    (node, weight * math.exp(node * node / 2))
    for node, weight in (
        (1.355626179974266, 0.2220759220056126),
        (-1.355626179974266, 0.2220759220056126),
        (2.856970013872806, 0.01125741132772069),
        (-2.856970013872806, 0.01125741132772069),
    )
)
_MIDDLE = 8 / 15
_DEEPEST = 1e-300
"""Below this probability the curve is exponential to the last bit."""

_LEAST_DOUBT = 1e-12
"""Many outcomes that were sure to come still have a mean."""

_NEWTON_STEPS = 30
_NEWTON_PRECISION = 1e-2
"""The quadrature corrects what is left, so the mode need not be exact."""

_PROBIT = math.pi / 8
"""A logistic curve averaged over N(m, v) is nearly sigmoid(m / sqrt(1 + pi v / 8))
(MacKay, 1992)."""


class Belief(NamedTuple):
    """A normal distribution over something measured in logits."""

    mean: float
    variance: float


belief: Callable[[tuple[float, float]], Belief] = partial(tuple.__new__, Belief)
"""The same without the detour over keywords: each verdict makes a dozen."""


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)), for any finite x without overflow."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def log_sigmoid(x: float) -> float:
    """Return log(sigmoid(x)), also where sigmoid(x) is too small or too near 1 for a float."""
    if x >= 0.0:
        return 0.0 - math.log1p(math.exp(-x))
    return x - math.log1p(math.exp(x))


def logit(p: float) -> float:
    """Return log(p / (1 - p)), for p inside (0, 1)."""
    return math.log(p / (1.0 - p))


def doubt(p: float) -> float:
    """Return p (1 - p), what an outcome this likely tells; never quite nothing."""
    told = p * (1.0 - p)
    return told if told > _LEAST_DOUBT else _LEAST_DOUBT


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
    mean, variance = margin
    m = mean if supported else -mean
    mode, p = _mode(m, variance, weight)
    if p < _DEEPEST:
        # A normal times an exponential is that normal, moved.
        moved = m + weight * variance
        return belief((moved if supported else -moved, variance))
    spread = 1.0 / (1.0 / variance + weight * p * (1.0 - p))
    step, off, curve = math.sqrt(spread), mode - m, -0.5 / variance
    total, first, second, exp = _MIDDLE, 0.0, 0.0, math.exp
    for node, share in _NODES:
        reach = step * node
        x = mode + reach
        # `sigmoid(x)`, written out: the call would cost as much as the rest of the line.
        held = 1.0 / (1.0 + exp(-x)) if x >= 0.0 else (e := exp(x)) / (1.0 + e)
        # The prior's density at the node over that at the mode; `share` holds the rule's.
        mass = share * exp(curve * reach * (reach + 2.0 * off))
        ratio = held / p
        mass *= ratio if weight == 1.0 else ratio**weight
        total += mass
        first += mass * node
        second += mass * node * node
    first /= total
    moved = max(m, mode + step * first)
    certain = min(variance, spread * (second / total - first * first))
    return belief((moved if supported else -moved, certain))


def _mode(mean: float, variance: float, weight: float) -> tuple[float, float]:
    """Return the peak of the posterior of a yes, and the probability of a yes there.

    Newton steps kept inside a bracket: without it they oscillate when the variance is
    large and the outcome a surprise.
    """
    low, high = mean, mean + weight * variance
    precision = 1.0 / variance
    x, p, exp = mean, sigmoid(mean), math.exp
    for _ in range(_NEWTON_STEPS):
        slope = (x - mean) * precision - weight * (1.0 - p)
        if slope > 0.0:
            high = x
        else:
            low = x
        previous = x
        x -= slope / (precision + weight * p * (1.0 - p))
        if not low <= x <= high:
            x = (low + high) / 2.0
        p = 1.0 / (1.0 + exp(-x)) if x >= 0.0 else (e := exp(x)) / (1.0 + e)
        if abs(x - previous) < _NEWTON_PRECISION:
            break
    return x, p
