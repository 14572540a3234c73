"""What became of a pattern when it was applied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tmws.domain import beta
from tmws.domain.errors import InvalidInput

DURATION_WEIGHT = 0.2
"""Weight of the newest duration in the moving average (EWMA)."""

LONGEST_DURATION_SECONDS = 30 * 86400.0

_CONFIDENCE_QUANTILE = 0.10


class UseOutcome(StrEnum):
    """How a use ended; `partial` counts half."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Usage:
    """Statistics over all reported uses of one pattern.

    Attributes:
        proven_successes, proven_failures: uses whose outcome is bound to a claim
            that was checked; the others are only somebody's word.
        duration_seconds: EWMA of the reported durations, None before the first.
    """

    successes: int = 0
    partials: int = 0
    failures: int = 0
    proven_successes: int = 0
    proven_failures: int = 0
    duration_seconds: float | None = None
    last_used_at: datetime | None = None

    @property
    def count(self) -> int:
        return self.successes + self.partials + self.failures

    @property
    def success_rate(self) -> float | None:
        """Share of uses that succeeded, a partial one as half; None without a use."""
        return (self.successes + self.partials / 2) / self.count if self.count else None

    @property
    def confidence(self) -> float:
        """Lower 10 % bound of the success rate under a Beta(1, 1) prior, in [0, 1].

        Grows with evidence as well as with success: one lucky use does not outrank
        a long record.
        """
        good = self.successes + self.partials / 2
        return beta.quantile(_CONFIDENCE_QUANTILE, 1 + good, 1 + self.count - good)

    def after(
        self,
        outcome: UseOutcome,
        *,
        duration_seconds: float | None,
        proven: bool,
        at: datetime,
    ) -> Usage:
        """Return the statistics with one more use.

        Raises:
            InvalidInput: the duration is negative, not finite, or over 30 days.
        """
        success, failure = outcome is UseOutcome.SUCCESS, outcome is UseOutcome.FAILURE
        return replace(
            self,
            successes=self.successes + success,
            partials=self.partials + (outcome is UseOutcome.PARTIAL),
            failures=self.failures + failure,
            proven_successes=self.proven_successes + (proven and success),
            proven_failures=self.proven_failures + (proven and failure),
            duration_seconds=_average(self.duration_seconds, duration_seconds),
            last_used_at=at if self.last_used_at is None else max(at, self.last_used_at),
        )


def _average(average: float | None, newest: float | None) -> float | None:
    if newest is None:
        return average
    if not 0 <= newest <= LONGEST_DURATION_SECONDS:
        raise InvalidInput(
            f"duration_seconds {newest} is refused: give 0 to {LONGEST_DURATION_SECONDS:.0f}."
        )
    if average is None:
        return newest
    return DURATION_WEIGHT * newest + (1 - DURATION_WEIGHT) * average
