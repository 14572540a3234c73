"""What the trust model is measured beside, and the model itself, behind one shape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from tmws.domain import beta
from tmws.domain.claims import Verdict
from tmws.domain.trust.evidence import Evidence
from tmws.domain.trust.refit import refit
from tmws.domain.trust.score import mix_of, standing
from tmws.domain.trust.state import Model
from tmws.evaluation.outcomes import Outcome

START = datetime(2026, 1, 1, tzinfo=UTC)
CLAIMS_PER_DAY = 4.0
"""How time passes where a file has none: every agent has four claims decided a day."""

FIRST_REFIT = 30
REFIT_GROWTH = 1.5
"""The replay fits again whenever the log has grown by half."""


class Shown(NamedTuple):
    """What a method says of an agent.

    Attributes:
        order: agents are compared by it.
        low, high: a 90 % interval, None where the method has none.
    """

    score: float
    order: float
    low: float | None = None
    high: float | None = None


class Predictor(Protocol):
    """Says how likely a claim is to hold, then learns whether it did."""

    def predict(self, outcome: Outcome) -> float:
        """Return the probability of a yes, before looking."""
        ...

    def learn(self, outcome: Outcome) -> None:
        """Take in the outcome."""
        ...

    def shown(self, agents: Sequence[str]) -> dict[str, Shown]:
        """Return what is said of these agents now."""
        ...


class Ewma:
    """A moving average of outcomes, starting at one half."""

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._score: dict[str, float] = defaultdict(lambda: 0.5)

    def predict(self, outcome: Outcome) -> float:
        return self._score[outcome.agent]

    def learn(self, outcome: Outcome) -> None:
        before = self._score[outcome.agent]
        self._score[outcome.agent] = before + self._weight * (outcome.supported - before)

    def shown(self, agents: Sequence[str]) -> dict[str, Shown]:
        return {a: Shown(self._score[a], self._score[a]) for a in agents}


class Beta:
    """The posterior of a rate under a uniform prior: Beta(1, 1)."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = defaultdict(lambda: (1, 1))

    def predict(self, outcome: Outcome) -> float:
        return beta.mean(*self._counts[outcome.agent])

    def learn(self, outcome: Outcome) -> None:
        yes, no = self._counts[outcome.agent]
        self._counts[outcome.agent] = (yes + outcome.supported, no + (not outcome.supported))

    def shown(self, agents: Sequence[str]) -> dict[str, Shown]:
        return {a: self._shown(*self._counts[a]) for a in agents}

    def _shown(self, yes: int, no: int) -> Shown:
        mean = beta.mean(yes, no)
        return Shown(mean, mean, beta.quantile(0.05, yes, no), beta.quantile(0.95, yes, no))


class Skill:
    """The product's own trust model, refitted as the product does it."""

    def __init__(self) -> None:
        self.model = Model()
        self._log: list[Evidence] = []
        self._next_refit = FIRST_REFIT
        self._answers: dict[str, int] = defaultdict(int)
        self._now = START

    def predict(self, outcome: Outcome) -> float:
        return self.model.predict(outcome.agent, outcome.task, self._moment(outcome))

    def learn(self, outcome: Outcome) -> None:
        evidence = evidence_of(outcome, len(self._log), self._moment(outcome))
        self._answers[outcome.agent] += 1
        self._now = max(self._now, evidence.at)
        self._log.append(evidence)
        self.model.record(evidence)
        if len(self._log) >= self._next_refit:
            self.model, _ = refit(self._log, calibration=self.model.calibration)
            self._next_refit = int(len(self._log) * REFIT_GROWTH)

    def shown(self, agents: Sequence[str]) -> dict[str, Shown]:
        """Agents compare by the lower end, to the two decimals that are shown."""
        mix = mix_of(self.model)
        said = {a: standing(self.model, a, mix, self._now) for a in agents}
        return {a: Shown(s.score, round(s.low, 2), s.low, s.high) for a, s in said.items()}

    def _moment(self, outcome: Outcome) -> datetime:
        if outcome.at is not None:
            return outcome.at
        return START + timedelta(days=self._answers[outcome.agent] / CLAIMS_PER_DAY)


def evidence_of(outcome: Outcome, number: int, at: datetime) -> Evidence:
    """Return the outcome as the product would have logged it."""
    return Evidence(
        id=f"{number:08d}",
        agent=outcome.agent,
        at=at,
        verdict=Verdict.SUPPORTED if outcome.supported else Verdict.REFUTED,
        task=outcome.task,
        stated_confidence=outcome.confidence,
    )
