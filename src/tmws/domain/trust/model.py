"""The trust model: skill minus difficulty, in logits, each with its uncertainty.

An outcome is a yes with probability sigmoid(sharpness x (skill + affinity + conduct -
level - type - choice - claim - effort)). Every part of the sum is a `Belief`; one outcome
moves all that took part, each by its share of the uncertainty (assumed density filtering;
Minka, 2001). The first pass over a log is what happens online; `refit` makes further
passes, and only it learns how sharp claims are (Birnbaum, 1968).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

from tmws.domain.trust.evidence import Task
from tmws.domain.trust.logistic import Belief, averaged, belief, posterior, sigmoid

VERSION = "logit-5"
"""Changes whenever the same log would give other numbers."""

EARLIER = frozenset({"logit-1", "logit-2", "logit-3", "logit-4"})
"""Versions whose logs this one reads; it computes every score of theirs anew."""

Kind = Literal[
    "skill", "affinity", "conduct", "choice", "level", "type", "claim", "effort", "sharpness"
]


class Part(NamedTuple):
    """Names what a belief is about: the key under which it is kept.

    skill(agent); affinity(agent, type); conduct(agent), how much better or worse it
    does when others rely on it unchecked; level, of all claims; type(type);
    choice(agent), how hard the claims are that this agent brings up; claim(claim key);
    effort, logits per doubling of the estimated work. All these add up.

    sharpness(claim key), how well the claim tells strong from weak: the logarithm of the
    factor on their sum.
    """

    kind: Kind
    agent: str = ""
    topic: str = ""


PERSONAL = ("skill", "affinity", "conduct")
"""Kinds that describe who answers; the others describe what is asked."""

# Without the detour over keywords: each verdict makes five.
_part: Callable[[tuple[Kind, str, str]], Part] = partial(tuple.__new__, Part)

LEVEL = Part("level")
EFFORT = Part("effort")

USUAL_EFFORT_MINUTES = 30.0
_MOST_DOUBLINGS = 8.0


class Scales(NamedTuple):
    """Standard deviation of each kind of part before any evidence, in logits.

    Wide on purpose: a narrow prior fitted to last year's agents was measured to hurt.
    1.6 for a skill is worth about two made-up claims; `refit` learns the scales from
    the log, and never takes a skill's below `NARROWEST_SKILL`.
    """

    skill: float = 1.6
    affinity: float = 0.4
    conduct: float = 0.3
    choice: float = 2.2
    level: float = 2.0
    type: float = 0.8
    claim: float = 2.2
    effort: float = 0.5
    sharpness: float = 0.3
    newcomer: float = 0.0

    def prior(self, kind: Kind) -> Belief:
        """Return what is believed of a part of this kind that has no evidence yet."""
        scale: float = getattr(self, kind)
        return Belief(self.newcomer if kind == "skill" else 0.0, scale * scale)


DEFAULT_SCALES = Scales()
NARROWEST_SKILL = 1.0


class Calibration(NamedTuple):
    """The straight line that keeps predicted probabilities honest.

    Attributes:
        information: Fisher information of the outcomes it was learned from; the more
            there is, the smaller the steps. It begins as if there had been some, because a
            refit corrects most of what the first predictions missed by itself.
    """

    slope: float = 1.0
    offset: float = 0.0
    information: float = 200.0

    def probability(self, margin: Belief) -> float:
        """Return the probability of a yes at a margin of this mean and variance."""
        mean, variance = margin
        return sigmoid(self.slope * averaged(mean, variance) + self.offset)

    def after(self, margin: Belief, supported: bool, weight: float) -> Calibration:
        """Return the line after one step down the log loss."""
        slope, offset, information = self
        z = averaged(*margin)
        p = sigmoid(slope * z + offset)
        step = weight * (supported - p) / information
        return Calibration(
            _within(slope + step * z, _FLATTEST, _STEEPEST),
            _within(offset + step, -_LARGEST_OFFSET, _LARGEST_OFFSET),
            _within(information + weight * p * (1.0 - p), 0.0, _MOST_INFORMATION),
        )


UNCALIBRATED = Calibration()

_FLATTEST, _STEEPEST, _LARGEST_OFFSET = 0.5, 2.0, 1.0
_MOST_INFORMATION = 2000.0
"""The line never stops learning: agents and claims change."""


def _within(value: float, least: float, most: float) -> float:
    # What `min` and `max` say, at a third of their price.
    if value > most:
        return most
    return value if value > least else least


class Roles(NamedTuple):
    """Which parts an outcome of this agent on this task would speak about.

    Attributes:
        coefficients: sign and size with which each part enters the margin, before the
            claim's sharpness.
        personal: so many of the parts, the first ones, describe the agent.
        sharpness: names the claim's; None when the task has no claim of its own, so that
            its difficulty is one unknown draw from all claims.
    """

    parts: tuple[Part, ...]
    coefficients: tuple[float, ...]
    personal: int
    sharpness: Part | None


def roles(agent: str, task: Task, *, relied_on: bool = False) -> Roles:
    """Return the parts that take part: skill, then the affinity if the task has a type."""
    kind, claim, effort = task.type, task.claim, task.effort_minutes
    own = [_part(("skill", agent, ""))]
    if kind:
        own.append(_part(("affinity", agent, kind)))
    if relied_on:
        own.append(_part(("conduct", agent, "")))
    asked = [LEVEL]
    if kind:
        asked.append(_part(("type", "", kind)))
    if task.author is not None:
        asked.append(_part(("choice", task.author, "")))
    if claim is not None:
        asked.append(_part(("claim", "", claim)))
    signs = (1.0,) * len(own) + (-1.0,) * len(asked)
    if effort is not None:
        asked.append(EFFORT)
        signs += (-doublings(effort),)
    sharpness = None if claim is None else _part(("sharpness", "", claim))
    return Roles((*own, *asked), signs, len(own), sharpness)


def sharpened(coefficients: tuple[float, ...], sharpness: float) -> tuple[float, ...]:
    """Return what the parts count on a claim this sharp; 1.0 for an ordinary one."""
    if sharpness == 1.0:
        return coefficients
    return tuple([sharpness * c for c in coefficients])


def doublings(effort_minutes: float) -> float:
    """Return how many doublings above half an hour this is, at most eight either way."""
    steps = math.log2(effort_minutes / USUAL_EFFORT_MINUTES)
    return min(_MOST_DOUBLINGS, max(-_MOST_DOUBLINGS, steps))


def combined(beliefs: Sequence[Belief], coefficients: Sequence[float], noise: float) -> Belief:
    """Return the margin: the weighted sum of the parts plus noise of this variance."""
    mean, variance = 0.0, noise
    for (m, v), c in zip(beliefs, coefficients, strict=True):
        mean += c * m
        variance += c * c * v
    return belief((mean, variance))


def observed(
    beliefs: Sequence[Belief],
    coefficients: Sequence[float],
    margin: Belief,
    supported: bool,
    weight: float = 1.0,
) -> tuple[Belief, ...]:
    """Return what is believed of each part once the outcome is known.

    `margin` is `combined` of the same parts. A part that was certain stays, one that
    was uncertain takes its share of the surprise and of the certainty gained.
    """
    mean, variance = margin
    after_mean, after_variance = posterior(margin, supported, weight)
    move = (after_mean - mean) / variance
    shrink = (variance - after_variance) / (variance * variance)
    return tuple(
        [
            belief((m + c * v * move, v - c * c * v * v * shrink))
            for (m, v), c in zip(beliefs, coefficients, strict=True)
        ]
    )
