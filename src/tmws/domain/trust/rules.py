"""Rules against gaming: what a verdict weighs, and when a bound is to be believed."""

from __future__ import annotations

import math
from collections.abc import Callable

from tmws.domain.claims import Level

LEVEL_WEIGHTS = {
    Level.OBSERVED: 0.25,
    Level.REPRODUCED: 0.75,
    Level.PINNED: 0.9,
    Level.INDEPENDENT: 1.0,
}
"""How far a verdict of each level is a whole observation.

A verdict that is right with probability r tells (2r - 1)^2 of what a certain one does:
r = .75 for a run that was merely seen, .93 for one that was repeated, .974 for one whose
tests the claimant could not touch, 1 for answers that another process compared.
"""

MOST_PER_TYPE_AND_DAY = 20.0
"""An agent's evidence of one type counts for at most so many observations a day."""

GATE_NOISE = 0.03
"""A gate's threshold moves by up to so much either way, anew for each request."""


def weight(
    level: Level,
    *,
    repeated: bool,
    counted_today: float,
    own_pick: bool = False,
    probability: float = 0.5,
) -> float:
    """Return what a verdict weighs, 0 to 1.

    Args:
        repeated: the agent, or another identity of the same owner, had this very claim
            decided before. Agents never decide: what counts is what the sandbox saw.
        counted_today: what the agent's verdicts of this type weigh so far today.
        own_pick: the agent brought the claim up itself; see `told`.
        probability: how likely the claim was to hold, before it was checked.
    """
    if repeated:
        return 0.0
    share = told(probability) if own_pick else 1.0
    left = max(0.0, MOST_PER_TYPE_AND_DAY - counted_today)
    return min(LEVEL_WEIGHTS[level] * share, left)


def told(probability: float) -> float:
    """Return what an agent's own pick can tell of it, 1 for a coin toss.

    The outcome's standard deviation relative to its most. A claim that is sure to hold
    tells next to nothing, so picking easy ones is no way up; one that fails against
    all odds weighs little too, but makes the next ones weigh more.
    """
    return 2.0 * math.sqrt(probability * (1.0 - probability))


def opens(bound: float, threshold: float, draw: Callable[[], float]) -> bool:
    """Does a gate with this threshold open for an agent with this bound?

    The threshold is blurred, so that nobody can sit exactly on it. A bound of 0 opens
    nothing.

    Args:
        draw: a number uniform in [0, 1) that the agent cannot foresee.
    """
    blurred = threshold + GATE_NOISE * (2.0 * draw() - 1.0)
    return bound > max(0.0, blurred)
