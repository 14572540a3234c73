"""Whether an agent means what it says: stated confidence against what came of it.

Competence and honesty are different numbers. A weak agent that says "probably not"
is honest; a strong one that is certain of what is false is not. Outcomes alone cannot
tell a liar from a weaker agent, so this channel reads the stated probability.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import NamedTuple

from tmws.domain.claims import Verdict
from tmws.domain.trust.evidence import Evidence

NEAR_CERTAINTY = 0.95
"""A false claim stated with at least this probability is an integrity event."""

HALF_LIFE_DAYS = 90.0
"""A penalty counts half after so many days."""

_CLEAREST = 0.01
"""Stated 0 and 1 count as .01 and .99: nobody loses without bound by one word."""

_SECONDS_PER_DAY = 86400.0


class Integrity(NamedTuple):
    """An agent's record of stated confidence.

    Attributes:
        advantage: sum of relative log scores, above 0 when the agent knew better than
            its peers or the model what would hold.
        stated: how many decided claims came with a confidence.
        penalty: sum of the losses of false near-certain claims, each weighed by its
            severity, as it stood at `at`; decays.
        events: how many there were, ever.
    """

    advantage: float = 0.0
    stated: int = 0
    penalty: float = 0.0
    events: int = 0
    at: datetime | None = None

    def penalty_at(self, at: datetime) -> float:
        """Return the penalty as it counts at this moment."""
        if self.at is None or at <= self.at:
            return self.penalty
        days = (at - self.at).total_seconds() / _SECONDS_PER_DAY
        return self.penalty * math.exp2(-days / HALF_LIFE_DAYS)

    def after(self, evidence: Evidence, reference: float) -> Integrity:
        """Return the record once this verdict is known.

        Args:
            reference: the mean probability peers gave the same claim, or the model's
                prediction where nobody else said anything.
        """
        stated = evidence.stated_confidence
        if stated is None or evidence.verdict is Verdict.INCONCLUSIVE or evidence.weight == 0.0:
            return self
        supported = evidence.verdict is Verdict.SUPPORTED
        gain = relative_log_score(stated, reference, supported) * evidence.weight
        caught = not supported and stated >= NEAR_CERTAINTY
        latest = evidence.at if self.at is None else max(self.at, evidence.at)
        added = evidence.severity * max(0.0, -gain) if caught else 0.0
        return Integrity(
            self.advantage + evidence.severity * gain,
            self.stated + 1,
            self.penalty_at(latest) + added,
            self.events + caught,
            latest,
        )


NOTHING_STATED = Integrity()


def relative_log_score(stated: float, reference: float, supported: bool) -> float:
    """Return how much better the stated probability foresaw the outcome, in nats.

    Saying what one believes maximises it (a proper score); being relative, it does not
    reward easy claims.
    """
    return _log_score(stated, supported) - _log_score(reference, supported)


def _log_score(probability: float, supported: bool) -> float:
    p = min(1.0 - _CLEAREST, max(_CLEAREST, probability))
    return math.log(p if supported else 1.0 - p)


def exposure_budget(
    bound: float, effective_evidence: float, penalty: float, *, stake: float = 1.0
) -> float:
    """Return how much unverified stake an agent may carry at once.

    Grows with the square of what can be relied on and with the evidence behind it;
    halves with every nat of penalty. A newcomer may carry nothing unverified, and a
    burst of lies costs others at most this much.

    Args:
        bound: `Standing.bound`.
        effective_evidence: decided verdicts, each counted by its weight.
        stake: what one ordinary claim puts at risk.
    """
    return stake * bound * bound * effective_evidence * math.exp2(-penalty)
