"""Why a score is what it is: one gain per piece of evidence, and they add up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from tmws.domain.trust.audits import audits_until_settled
from tmws.domain.trust.evidence import Correction, Evidence, Restoration
from tmws.domain.trust.logistic import Belief, logit
from tmws.domain.trust.score import Ability, Mix, ability, expected_rate
from tmws.domain.trust.state import Model, Step

LARGEST = 5


class Gain(NamedTuple):
    """What one verdict did to the score, in logits.

    Attributes:
        difficulty: the skill at which the claim is a coin toss, in logits.
        probability: how likely a yes was before it was known.
    """

    evidence: Evidence
    difficulty: float
    probability: float
    logits: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """logit(score) = prior + every gain + aging.

    Attributes:
        prior: logit of a newcomer's score over the same mix.
        gains: one per verdict that counted, oldest first.
        aging: what the time since the newest verdict took away in certainty.
        audits: well chosen audits until the interval is narrower than .1; None when
            500 would not be enough.
        withdrawn: corrections of this agent's evidence, each with its reason; `restored`
            those that were taken back.
    """

    prior: float
    score: float
    gains: tuple[Gain, ...]
    aging: float
    audits: int | None
    withdrawn: tuple[Correction, ...]
    restored: tuple[Restoration, ...]

    @property
    def largest(self) -> tuple[Gain, ...]:
        """The five verdicts that moved the score most, the biggest first."""
        return tuple(sorted(self.gains, key=lambda g: -abs(g.logits))[:LARGEST])

    @property
    def remainder(self) -> float:
        """What all verdicts beside the largest did together, in logits."""
        return math.fsum([g.logits for g in self.gains] + [-g.logits for g in self.largest])


def explain(
    model: Model,
    agent: str,
    steps: Sequence[Step],
    mix: Mix,
    at: datetime,
    *,
    corrections: Sequence[Correction] = (),
    restorations: Sequence[Restoration] = (),
) -> Explanation:
    """Return why the agent's score over this mix is what it is at this moment.

    Args:
        steps: the agent's path as `record` or `refit` returned it, oldest first.
        corrections: withdrawals of this agent's evidence; `restorations` what ended others.
    """
    line = model.calibration
    walked = Ability(model.scales.prior("skill"), {}, model.scales.prior("affinity"))
    prior = before = logit(expected_rate(walked, mix, line))
    affinities: dict[str, Belief] = {}
    gains = []
    for step in steps:
        if step.affinity is not None:
            affinities[step.evidence.task.type] = step.affinity
        walked = Ability(step.skill, affinities, walked.unmet)
        after = logit(expected_rate(walked, mix, line))
        gains.append(Gain(step.evidence, step.difficulty, step.probability, after - before))
        before = after
    now = ability(model, agent, mix, at)
    score = logit(expected_rate(now, mix, line))
    return Explanation(
        prior=prior,
        score=score,
        gains=tuple(gains),
        aging=score - before,
        audits=audits_until_settled(now, mix, line),
        withdrawn=tuple(corrections),
        restored=tuple(restorations),
    )
