"""How far an agent's next claim can be relied on, from the verdicts so far.

A Beta posterior over the rate at which the agent's claims hold. Only verdicts move
it; a check that could not decide moves nothing but its own counter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tmws.domain import beta
from tmws.domain.claims import Verdict

PRIOR_SUPPORTED = 1.0
PRIOR_REFUTED = 1.0
"""Beta(1, 1): before any verdict every rate is as likely as any other."""

INTERVAL = 0.90
"""Share of the posterior between `low` and `high`."""


@dataclass(frozen=True, slots=True)
class TrustScore:
    """An agent's record of final verdicts and what it says.

    Attributes:
        supported, refuted: verdicts that decided.
        inconclusive: checks that could not decide; shown, never counted against.
    """

    supported: int = 0
    refuted: int = 0
    inconclusive: int = 0

    @property
    def decided(self) -> int:
        return self.supported + self.refuted

    @property
    def score(self) -> float:
        """Mean of the posterior: the probability that the next claim holds."""
        return beta.mean(*self._posterior)

    @property
    def low(self) -> float:
        """Lower end of the 90 % interval: what a gate should rely on."""
        return beta.quantile((1 - INTERVAL) / 2, *self._posterior)

    @property
    def high(self) -> float:
        """Upper end of the 90 % interval."""
        return beta.quantile((1 + INTERVAL) / 2, *self._posterior)

    @property
    def _posterior(self) -> tuple[float, float]:
        return PRIOR_SUPPORTED + self.supported, PRIOR_REFUTED + self.refuted

    def after(self, verdict: Verdict) -> TrustScore:
        """Return the score once this verdict is known."""
        match verdict:
            case Verdict.SUPPORTED:
                return replace(self, supported=self.supported + 1)
            case Verdict.REFUTED:
                return replace(self, refuted=self.refuted + 1)
            case Verdict.INCONCLUSIVE:
                return replace(self, inconclusive=self.inconclusive + 1)

    def explanation(self) -> str:
        """Say in a sentence or two where the score comes from."""
        if not self.decided:
            return (
                "Unknown: no claim has been decided yet, so every rate is as likely as any "
                "other. Have claims verified to earn a record."
            )
        unfinished = (
            f" {self.inconclusive} more could not be decided and count for nothing."
            if self.inconclusive
            else ""
        )
        return (
            f"{self.supported} of {self.decided} decided claims held; with one held and one "
            f"failed claim assumed beforehand that is {self.score:.2f}, and 90 % sure to lie "
            f"between {self.low:.2f} and {self.high:.2f}.{unfinished}"
        )


NO_RECORD = TrustScore()
