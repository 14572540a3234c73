"""What became of a pattern when it was applied."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from tmws.domain import beta
from tmws.domain.errors import InvalidInput

DURATION_WEIGHT = 0.2
"""Weight of the newest duration in the moving average (EWMA)."""

LONGEST_DURATION_SECONDS = 30 * 86400.0

WORD_WEIGHT = 0.25
"""What a use that nobody proved counts, beside one that a verdict proves."""

MOST_ON_ONES_WORD = 2.0
"""What all unproven uses of one agent count together for one pattern, at most."""

_CONFIDENCE_QUANTILE = 0.10


class UseOutcome(StrEnum):
    """How a use ended; `partial` counts half."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILURE = "failure"

    @property
    def good(self) -> float:
        """How much of it succeeded, 0 to 1."""
        return {"success": 1.0, "partial": 0.5, "failure": 0.0}[self.value]


@dataclass(frozen=True, slots=True)
class Prior:
    """What is expected of a pattern before its own record says more: a Beta distribution.

    Its mean follows the open patterns of the namespace, its strength is always that of two
    uses: a narrow prior of earlier patterns misjudges those that differ.

    Attributes:
        good, bad: evidence from uses of all patterns that every member may read.
    """

    good: float = 0.0
    bad: float = 0.0

    @property
    def parameters(self) -> tuple[float, float]:
        """The two parameters of the distribution, in sum 2."""
        mean = (1.0 + self.good) / (2.0 + self.good + self.bad)
        return 2.0 * mean, 2.0 * (1.0 - mean)


@dataclass(frozen=True, slots=True)
class Usage:
    """Statistics over all reported uses of one pattern.

    Attributes:
        proven_successes, proven_failures: uses whose outcome is bound to a claim
            that was checked; the others are only somebody's word.
        credit, credit_good: shares in uses of which only the receipt was named, and how
            much of them succeeded.
        evidence_good, evidence_bad: what all of it is worth: a proven use counts in full,
            an agent's word little, and not without end.
        duration_seconds: EWMA of the reported durations, None before the first.
    """

    successes: int = 0
    partials: int = 0
    failures: int = 0
    proven_successes: int = 0
    proven_failures: int = 0
    credit: float = 0.0
    credit_good: float = 0.0
    evidence_good: float = 0.0
    evidence_bad: float = 0.0
    duration_seconds: float | None = None
    last_used_at: datetime | None = None
    prior: Prior = field(default=Prior(), compare=False)

    @property
    def count(self) -> int:
        return self.successes + self.partials + self.failures

    @property
    def proven(self) -> int:
        return self.proven_successes + self.proven_failures

    @property
    def success_rate(self) -> float | None:
        """Share of uses that succeeded, a partial one as half; None without a use."""
        total = self.count + self.credit
        return (self.successes + self.partials / 2 + self.credit_good) / total if total else None

    @property
    def confidence(self) -> float:
        """Lower 10 % bound of the success rate by empirical Bayes, in [0, 1].

        Grows with evidence as well as with success: one lucky use does not outrank
        a long record, nor somebody's word a proven one.
        """
        good, bad = self.prior.parameters
        return beta.quantile(
            _CONFIDENCE_QUANTILE, good + self.evidence_good, bad + self.evidence_bad
        )

    def after(
        self,
        outcome: UseOutcome,
        *,
        duration_seconds: float | None,
        proven: bool,
        at: datetime,
        share: float = 1.0,
        own: Usage | None = None,
    ) -> Usage:
        """Return the statistics with one more use.

        Args:
            share: how much of the use is credited, in (0, 1]; below 1 it is no use of its
                own and its duration says nothing about this pattern.
            own: what the same agent had reported of the same pattern, None for nothing.

        Raises:
            InvalidInput: the duration is negative, not finite, or over 30 days.
        """
        worth = share if proven else _on_ones_word(share, own or Usage())
        whole = share >= 1.0
        success, failure = outcome is UseOutcome.SUCCESS, outcome is UseOutcome.FAILURE
        return replace(
            self,
            successes=self.successes + (whole and success),
            partials=self.partials + (whole and outcome is UseOutcome.PARTIAL),
            failures=self.failures + (whole and failure),
            proven_successes=self.proven_successes + (proven and success),
            proven_failures=self.proven_failures + (proven and failure),
            credit=self.credit + (0.0 if whole else share),
            credit_good=self.credit_good + (0.0 if whole else share * outcome.good),
            evidence_good=self.evidence_good + worth * outcome.good,
            evidence_bad=self.evidence_bad + worth * (1.0 - outcome.good),
            duration_seconds=_average(self.duration_seconds, duration_seconds if whole else None),
            last_used_at=at if self.last_used_at is None else max(at, self.last_used_at),
        )


def _on_ones_word(share: float, own: Usage) -> float:
    said = (own.count - own.proven + own.credit) * WORD_WEIGHT
    return min(share * WORD_WEIGHT, max(0.0, MOST_ON_ONES_WORD - said))


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
