"""What counts of two outcomes say about rates: intervals, differences, exact tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

Z_90 = 1.6448536269514722
"""Normal quantile of 0.95: nine in ten lie between."""


class Interval(NamedTuple):
    """Two ends, and what was seen itself."""

    value: float
    low: float
    high: float


def wilson(good: float, count: float, *, z: float = Z_90) -> Interval | None:
    """Return the score interval of a rate (Wilson, 1927), None without any observation.

    Args:
        good: how many of `count` were good; halves are allowed.
        z: normal quantile; the default makes a two-sided 90 % interval.
    """
    if count <= 0:
        return None
    rate = good / count
    share = z * z / count
    middle = (rate + share / 2) / (1 + share)
    half = z / (1 + share) * math.sqrt(rate * (1 - rate) / count + share / (4 * count))
    return Interval(rate, max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half)))


def difference(first: Interval, second: Interval) -> Interval:
    """Return the interval of the first rate minus the second.

    Newcombe's hybrid score interval (1998, method 10): it keeps its coverage where
    counts are small and rates lie at 0 or 1, and never leaves [-1, 1].
    """
    value = first.value - second.value
    down = math.hypot(first.value - first.low, second.high - second.value)
    up = math.hypot(first.high - first.value, second.value - second.low)
    return Interval(value, max(-1.0, value - down), min(1.0, value + up))


def binomial_tail(at_least: int, count: int) -> float:
    """Return how probable it is that a fair coin falls on one side so often, or more."""
    if at_least <= 0:
        return 1.0
    ways = sum(math.comb(count, k) for k in range(at_least, count + 1))
    return float(Fraction(ways, 1 << count))


def hypergeometric_tail(at_most: int, drawn: int, good: int, count: int) -> float:
    """Return the probability of at most so many good ones among those drawn.

    Fisher's exact test, one-sided: `good` of all `count` are good, and `drawn` of them
    were taken without looking.
    """
    first = max(0, drawn - (count - good))
    ways = sum(
        math.comb(good, k) * math.comb(count - good, drawn - k)
        for k in range(first, min(at_most, good, drawn) + 1)
    )
    return float(Fraction(ways, math.comb(count, drawn)))


def discoveries(chances: Sequence[float], *, tested: int, false_share: float) -> float:
    """Return the largest chance that still counts as a discovery, 0.0 when none does.

    Benjamini and Hochberg (1995): among what passes, at most `false_share` is expected
    to be there by chance alone, however many were tested.

    Args:
        chances: those that might pass; the others of the `tested` are larger.
    """
    passing = 0.0
    for rank, chance in enumerate(sorted(chances), start=1):
        if chance <= false_share * rank / max(tested, 1):
            passing = chance
    return passing
