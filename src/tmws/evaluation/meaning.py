"""What meaning should weigh on somebody's data, where the usual weight is wrong for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

TRIED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The weights that are compared with the present one."""

# Nine are tried, so that one of them is two standard errors better by chance too often.
_SURE = 3.0


@dataclass(frozen=True, slots=True)
class Better:
    """A weight of meaning that finds more.

    Attributes:
        mrr, before: mean of 1 / place of the first relevant result, with it and at present.
    """

    weight: float
    mrr: float
    before: float


def better(now: Sequence[float], tried: Mapping[float, Sequence[float]]) -> Better | None:
    """Return the best weight that is surely better than the present one, None if none is.

    Args:
        now: 1 / place of the first relevant result of each question, at present.
        tried: the same by weight.
    """
    sure = {weight: fmean(then) for weight, then in tried.items() if _surely_more(then, now)}
    if not sure:
        return None
    best = max(sure, key=lambda weight: sure[weight])
    return Better(best, sure[best], fmean(now))


def reciprocal(places: Sequence[str], relevant: Sequence[str]) -> float:
    """Return 1 / place of the first relevant one, 0 if there is none."""
    hits = (1.0 / place for place, key in enumerate(places, 1) if key in relevant)
    return next(hits, 0.0)


def _surely_more(then: Sequence[float], now: Sequence[float]) -> bool:
    gains = [after - before for after, before in zip(then, now, strict=True)]
    if len(gains) < 2:
        return False
    return fmean(gains) > _SURE * stdev(gains) / math.sqrt(len(gains))
