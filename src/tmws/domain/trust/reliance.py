"""Whether a claim may count before it was checked, and what that puts at risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tmws.domain.errors import InvalidInput
from tmws.domain.trust import rules
from tmws.domain.trust.integrity import HALF_LIFE_DAYS
from tmws.domain.trust.state import Step

LARGEST_STAKE = 100.0
TERM = timedelta(days=HALF_LIFE_DAYS)
"""How long a claim that nobody decides takes room in its author's budget: as long as the
penalty for a lie takes to halve, so that waiting is no cheaper way out than being caught."""

MOST_OF_WHAT_IS_LEFT = 0.5
"""Whoever relies on an agent takes at most so much of what all others leave of its budget, so
that nobody, and no few together, take all of it."""

PROVEN_AFTER_ALARM = 3.0
"""After an alarm so many whole observations have to speak for an agent again. Picks of its
own that were sure to hold weigh little, so they hardly shorten the way."""


class Answer(StrEnum):
    """Why a claim may count, or may not."""

    GRANTED = "granted"
    BOUND_TOO_LOW = "bound_too_low"
    OVER_BUDGET = "over_budget"
    OVER_SHARE = "over_share"
    AUDITS_OWED = "audits_owed"


@dataclass(frozen=True, slots=True)
class Stake:
    """What somebody lets a claim count for before it is checked.

    Attributes:
        claim_id: the claim as it was asked about first; it may have been sent again since.
        by: an agent's id, or an administrator's name.
        amount: 0 where it was refused, or let go.
        draw: what blurs the gate, alike for all who ask about the claim.
        since: when it was granted first, None where it never was.
    """

    claim_id: str
    by: str
    amount: float
    draw: float
    since: datetime | None = None

    @property
    def until(self) -> datetime | None:
        """When it takes room no longer, though its claim be undecided."""
        return None if self.since is None else self.since + TERM

    def is_over(self, *, at: datetime) -> bool:
        """Say whether it was granted, and so long ago that it takes no room any more."""
        return self.until is not None and at >= self.until


@dataclass(frozen=True, slots=True)
class Risk:
    """What is asked for, and what its author can be trusted with.

    Attributes:
        stake: what a false claim would cost; 1 is an ordinary claim.
        least: the bound that whoever relies on it asks for.
        draw: uniform in [0, 1); blurs `least`, once for each claim.
        carried: stake of the author's claims that others rely on unchecked already.
        owed: checks that it owes since an alarm.
        held: what of `carried` is whoever asks, under any of its names, for other claims.
    """

    stake: float
    least: float
    draw: float
    bound: float
    carried: float
    budget: float
    owed: int
    held: float

    @property
    def most(self) -> float:
        """The largest stake that is left for whoever asks."""
        left = self.budget - (self.carried - self.held)
        return max(0.0, MOST_OF_WHAT_IS_LEFT * left - self.held)

    def answer(self) -> Answer:
        """Say whether the claim may count."""
        if self.owed:
            return Answer.AUDITS_OWED
        if not rules.opens(self.bound, self.least, lambda: self.draw):
            return Answer.BOUND_TOO_LOW
        if self.carried + self.stake > self.budget:
            return Answer.OVER_BUDGET
        if self.stake > self.most:
            return Answer.OVER_SHARE
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


def severity(staked: float) -> float:
    """Return what a false claim costs of which others let so much count.

    Never less than one that nobody relied on: a friend's small stake makes no lie cheaper.
    """
    return min(LARGEST_STAKE, max(1.0, staked))


def audits_owed(path: Sequence[Step]) -> int:
    """Return how many checks an agent owes since its last alarm; `path` is oldest first."""
    proven = 0.0
    for step in reversed(path):
        if step.alarmed:
            return max(0, math.ceil(PROVEN_AFTER_ALARM - proven))
        proven += step.evidence.weight
    return 0
