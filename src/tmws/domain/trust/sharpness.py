"""How well a claim tells strong agents from weak ones.

Where a claim is sharp, nearly all agents above its difficulty succeed and nearly all below
fail; where it is blunt, anybody may do either. Sharpness is the slope of the two-parameter
logistic model (Birnbaum, 1968), learned beside the difficulty from everybody's answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from tmws.domain.trust.logistic import Belief, sigmoid

FEWEST_ANSWERS = 2
"""One answer tells how hard a claim is, and nothing of how sharp."""

_NEWTON_STEPS = 8
_PRECISION = 1e-3
_LONGEST_STEP = 0.5
_FARTHEST = 1.5
"""Between a fifth and four and a half times as sharp as usual."""

_PROBIT = math.pi / 8


def _within(value: float, most: float) -> float:
    return max(-most, min(most, value))


class Answer(NamedTuple):
    """One outcome on a claim, and how its agent stands without what this outcome told.

    Attributes:
        standing: everything that takes part but the claim's own difficulty.
    """

    standing: Belief
    supported: bool
    weight: float


def learned(
    answers: Sequence[Answer], *, difficulty: Belief, sharpness: Belief, start: float
) -> Belief:
    """Return what these answers say of a claim's log sharpness.

    The most likely pair of difficulty and log sharpness under these priors, by Fisher
    scoring; the variance is what remains once the difficulty is not known either.

    Args:
        difficulty, sharpness: what is believed without these answers.
        start: about how hard the claim is with them.
    """
    slope, hard = sharpness.mean, start
    variance = sharpness.variance
    for _ in range(_NEWTON_STEPS):
        pull = (sharpness.mean - slope) / sharpness.variance
        push = (difficulty.mean - hard) / difficulty.variance
        own, both, other = 1.0 / sharpness.variance, 0.0, 1.0 / difficulty.variance
        factor = math.exp(slope)
        for (mean, unsure), supported, weight in answers:
            spread = math.sqrt(1.0 + _PROBIT * factor * factor * unsure)
            margin = factor * (mean - hard) / spread
            p = sigmoid(margin)
            by_slope, by_hard = margin / (spread * spread), -factor / spread
            miss, told = weight * (supported - p), weight * p * (1.0 - p)
            pull += miss * by_slope
            push += miss * by_hard
            own += told * by_slope * by_slope
            both += told * by_slope * by_hard
            other += told * by_hard * by_hard
        determinant = own * other - both * both
        step = (other * pull - both * push) / determinant
        further = (own * push - both * pull) / determinant
        slope = _within(slope + _within(step, _LONGEST_STEP), _FARTHEST)
        hard += _within(further, 2.0 * _LONGEST_STEP)
        variance = other / determinant
        if max(abs(step), abs(further)) < _PRECISION:
            break
    return Belief(slope, variance)
