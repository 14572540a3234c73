"""Whether a claim may count before it was checked, and what that puts at risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tmws.domain.errors import InvalidInput
from tmws.domain.trust import rules
from tmws.domain.trust.state import Step

LARGEST_STAKE = 100.0
PROVEN_AFTER_ALARM = 3.0
"""After an alarm so many whole observations have to speak for an agent again. Picks of its
own that were sure to hold weigh little, so they hardly shorten the way."""


class Answer(StrEnum):
    """Why a claim may count, or may not."""

    GRANTED = "granted"
    BOUND_TOO_LOW = "bound_too_low"
    OVER_BUDGET = "over_budget"
    AUDITS_OWED = "audits_owed"


@dataclass(frozen=True, slots=True)
class Risk:
    """What is asked for, and what its author can be trusted with.

    Attributes:
        stake: what a false claim would cost; 1 is an ordinary claim.
        least: the bound that whoever relies on it asks for.
        draw: uniform in [0, 1); blurs `least`, once for each claim.
        carried: stake of the author's claims that others rely on unchecked already.
        owed: checks that it owes since an alarm.
    """

    stake: float
    least: float
    draw: float
    bound: float
    carried: float
    budget: float
    owed: int

    def answer(self) -> Answer:
        """Say whether the claim may count."""
        if self.owed:
            return Answer.AUDITS_OWED
        if not rules.opens(self.bound, self.least, lambda: self.draw):
            return Answer.BOUND_TOO_LOW
        if self.carried + self.stake > self.budget:
            return Answer.OVER_BUDGET
        return Answer.GRANTED


def require_askable(stake: float, least: float) -> None:
    """Return if this can be asked for.

    Raises:
        InvalidInput: the stake or the bound is out of range.
    """
    if not 0.0 < stake <= LARGEST_STAKE:
        raise InvalidInput(f"stake {stake} is refused: more than 0, at most {LARGEST_STAKE:.0f}.")
    if not 0.0 < least < 1.0:
        raise InvalidInput(f"least {least} is refused: a bound between 0 and 1.")


def audits_owed(path: Sequence[Step]) -> int:
    """Return how many checks an agent owes since its last alarm; `path` is oldest first."""
    proven = 0.0
    for step in reversed(path):
        if step.alarmed:
            return max(0, math.ceil(PROVEN_AFTER_ALARM - proven))
        proven += step.evidence.weight
    return 0
