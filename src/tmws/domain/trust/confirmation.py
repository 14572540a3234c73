"""What others' verdicts say about the claims that an agent brings up itself.

Who picks its own claims can pick ones that cannot fail, and no outcome of its own shows
that. Others who answer the same check of the same workspace do. As far as nobody did, an
agent can be relied on like one of average skill, never more: many sure claims are no way
past those who do real work, and honest agents lose next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from tmws.domain.trust.logistic import Belief
from tmws.domain.trust.model import LEVEL, Part
from tmws.domain.trust.rules import told
from tmws.domain.trust.score import Mix, Standing, standing
from tmws.domain.trust.state import Model

_REPEATED_BY_ANYBODY = 0.999
"""How surely a check of the same snapshot, with the same programs, ends as it did before."""

KNOWN_ANSWER = told(_REPEATED_BY_ANYBODY)
"""Share of its weight that a verdict keeps when another agent had the same one before."""


class Answered(NamedTuple):
    """What verdicts on one task weighed: an agent's own, and everybody else's."""

    own: float
    others: float


def confirmed_share(tasks: Iterable[Answered]) -> float:
    """Return how much of an agent's evidence is about tasks that others answered too, 0 to 1.

    An answer of others confirms at most as much as it weighs itself, so a verdict that
    was only asked for again confirms next to nothing.
    """
    own = shared = 0.0
    for task in tasks:
        own += task.own
        shared += min(task.own, task.others)
    return shared / own if own else 0.0


def held_back(
    shown: Standing, model: Model, agent: str, mix: Mix, at: datetime, *, confirmed: float
) -> Standing:
    """Return the standing with the bound that the confirmed share of the evidence allows.

    Skill above the average counts by that share. Score and interval stay as they are.
    """
    name = Part("skill", agent)
    skill, average = model.belief(name), model.scales.newcomer
    if skill.mean <= average:
        return shown
    parts = (LEVEL, Part("conduct", agent), *(_affinity(agent, p.type) for p in mix.points))
    held = Model(scales=model.scales, calibration=model.calibration, records=model.records)
    held.beliefs = {part: model.beliefs[part] for part in parts if part in model.beliefs}
    held.beliefs[name] = Belief(average + (skill.mean - average) * confirmed, skill.variance)
    return replace(shown, bound=min(shown.bound, standing(held, agent, mix, at).bound))


def _affinity(agent: str, type: str) -> Part:
    return Part("affinity", agent, type)
