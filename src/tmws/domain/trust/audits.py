"""Which claim to verify next: the one that says most about the agent.

An agent that picks its own claims can pick what flatters it. The service picks at
random among the most informative, and now and then among all, so that no agent can
tell which of its claims will be checked. As soon as an agent is suspected of a loss, those
claims tell most that would show it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from tmws.domain.trust.alarm import expected_evidence
from tmws.domain.trust.evidence import Task
from tmws.domain.trust.logistic import Belief, sigmoid
from tmws.domain.trust.model import Calibration
from tmws.domain.trust.score import Ability, Mix, width
from tmws.domain.trust.state import NEWCOMER, Model

AMONG = 15
"""So many of the most informative claims are equally likely to be picked."""

UNIFORM_SHARE = 0.10
"""Share of audits drawn from all open claims, whatever they would tell."""

PRECISE_ENOUGH = 0.10
"""Width of the 90 % interval at which a score counts as settled."""

_MOST_AUDITS = 500


class Candidate(NamedTuple):
    """An open claim and what verifying it would be worth.

    Attributes:
        information: expected fall in the variance of the agent's skill, in square
            logits; of an agent suspected of a loss, expected evidence of it, in nats.
        probability: how likely the claim is to hold.
    """

    name: str
    information: float
    probability: float


def information(skill: Belief, margin: Belief, sharpness: float = 1.0) -> float:
    """Return how much variance one outcome at this margin takes off the skill.

    Fisher information of a logistic outcome, damped by what is not known of the task.
    """
    p = sigmoid(margin.mean)
    squared = sharpness * sharpness
    seen = squared * p * (1.0 - p)
    task = max(0.0, margin.variance / squared - skill.variance)
    told = seen / (1.0 + seen * task)
    return skill.variance * skill.variance * told / (1.0 + skill.variance * told)


def ranked(
    model: Model, agent: str, open_claims: Mapping[str, Task], at: datetime
) -> list[Candidate]:
    """Return the open claims, the most informative first; ties by name."""
    skill, line = model.skill(agent, at), model.calibration
    suspected = model.suspects(agent, at)
    anchor = model.records.get(agent, NEWCOMER).watch.anchor
    candidates = []
    for name, task in open_claims.items():
        margin, sharpness = model.margin(agent, task, at), model.sharpness(task)
        probability = line.probability(margin)
        if suspected:
            held = Belief(margin.mean + sharpness * (anchor - skill.mean), margin.variance)
            told = expected_evidence(held, line, sharpness=sharpness)
        else:
            told = information(skill, margin, sharpness)
        candidates.append(Candidate(name, told, probability))
    return sorted(candidates, key=lambda c: (-c.information, c.name))


def most_at_stake(ranking: Sequence[Candidate], stakes: Mapping[str, float]) -> list[Candidate]:
    """Return the candidates that somebody builds on, by what would be lost if they do not hold.

    That is the stake times how likely it is lost, so that stakes on what is sure to hold push
    aside little; ties as they were ranked.
    """
    built_on = [each for each in ranking if each.name in stakes]
    return sorted(built_on, key=lambda c: -stakes[c.name] * (1.0 - c.probability))


def pick(ranking: Sequence[Candidate], draw: Callable[[], float]) -> Candidate | None:
    """Return the claim to verify next, None when none is open.

    Args:
        draw: numbers uniform in [0, 1) that the agent cannot foresee.
    """
    if not ranking:
        return None
    among = len(ranking) if draw() < UNIFORM_SHARE else min(AMONG, len(ranking))
    return ranking[int(draw() * among)]


def audits_until_settled(
    ability: Ability, mix: Mix, calibration: Calibration, *, enough: float = PRECISE_ENOUGH
) -> int | None:
    """Return how many well chosen audits narrow the 90 % interval below `enough`.

    Assumes claims as uncertain and as sharp as the mix is on average and as likely to
    hold as not; None when 500 would not be enough.
    """
    unsure = sum(p.weight * p.difficulty.variance for p in mix.points)
    seen = 0.25 * sum(p.weight * p.sharpness * p.sharpness for p in mix.points)
    told = seen / (1.0 + seen * unsure)
    # Audits are of the mix, where skill, level and what is unfamiliar only show together.
    variance = ability.skill.variance + ability.unfamiliar + mix.level.variance
    settled = replace(mix, level=Belief(mix.level.mean, 0.0))
    for audits in range(_MOST_AUDITS + 1):
        narrowed = Belief(ability.skill.mean, variance / (1.0 + audits * variance * told))
        known = replace(ability, skill=narrowed, unfamiliar=0.0)
        if width(known, settled, calibration) < enough:
            return audits
    return None
