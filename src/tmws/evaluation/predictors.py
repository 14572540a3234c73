"""What the trust model is measured beside, and the model itself, behind one shape."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from tmws.domain import beta
from tmws.domain.claims import Verdict
from tmws.domain.trust.evidence import Evidence, Task
from tmws.domain.trust.refit import refit
from tmws.domain.trust.score import Mix, ability, expected_rate, mix_of, standing
from tmws.domain.trust.state import Model
from tmws.evaluation.outcomes import Outcome

START = datetime(2026, 1, 1, tzinfo=UTC)
CLAIMS_PER_DAY = 4.0
"""How time passes where a file has none: every agent has four claims decided a day."""

_EITHER_END = 1.6448536269514722
"""Normal quantile of 0.95: nine in ten lie between."""

FIRST_REFIT = 30
REFIT_GROWTH = 1.5
"""The replay fits again whenever the log has grown by half."""


class Shown(NamedTuple):
    """What a method says of an agent.

    Attributes:
        score: the usual methods' of what was answered, the model's of all claims of the file,
            as the product shows it.
        order: agents are compared by it.
        low, high: a 90 % interval of the share of yes once the rest is answered as well,
            None where the method has none.
    """

    score: float
    order: float
    low: float | None = None
    high: float | None = None


class Rest(NamedTuple):
    """What an agent answered so far, and what it has still to answer in this file.

    A file tells what came of so many claims, not the rate behind them. What was
    answered is known; of the rest, chance decides too.
    """

    yes: int
    answered: int
    tasks: Mapping[Task, int]

    @property
    def left(self) -> int:
        """How many claims are still to be answered."""
        return sum(self.tasks.values())

    def share(self, low: float, likely: float, high: float, chance: float) -> tuple[float, float]:
        """Return the ends of the 90 % interval of the share of yes in the end.

        Args:
            low, likely, high: how many of the rest will hold, on average, at either end
                of what is known of the agent and in the middle.
            chance: the variance of that number for an agent that is known.
        """
        luck = _EITHER_END * _EITHER_END * chance
        least = max(0.0, likely - math.sqrt((likely - low) ** 2 + luck))
        most = min(self.left, likely + math.sqrt((high - likely) ** 2 + luck))
        total = self.answered + self.left
        return (self.yes + least) / total, (self.yes + most) / total


class Predictor(Protocol):
    """Says how likely a claim is to hold, then learns whether it did."""

    def predict(self, outcome: Outcome) -> float:
        """Return the probability of a yes, before looking."""
        ...

    def learn(self, outcome: Outcome) -> None:
        """Take in the outcome."""
        ...

    def shown(self, rest: Mapping[str, Rest]) -> dict[str, Shown]:
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

    def shown(self, rest: Mapping[str, Rest]) -> dict[str, Shown]:
        return {a: Shown(self._score[a], self._score[a]) for a in rest}


class Beta:
    """The posterior of a rate under a uniform prior: Beta(1, 1)."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = defaultdict(lambda: (1, 1))

    def predict(self, outcome: Outcome) -> float:
        return beta.mean(*self._counts[outcome.agent])

    def learn(self, outcome: Outcome) -> None:
        yes, no = self._counts[outcome.agent]
        self._counts[outcome.agent] = (yes + outcome.supported, no + (not outcome.supported))

    def shown(self, rest: Mapping[str, Rest]) -> dict[str, Shown]:
        return {a: self._shown(*self._counts[a], rest[a]) for a in rest}

    def _shown(self, yes: int, no: int, rest: Rest) -> Shown:
        mean, left = beta.mean(yes, no), rest.left
        low, high = beta.quantile(0.05, yes, no), beta.quantile(0.95, yes, no)
        ends = rest.share(left * low, left * mean, left * high, left * mean * (1.0 - mean))
        return Shown(mean, mean, *ends)


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

    def shown(self, rest: Mapping[str, Rest]) -> dict[str, Shown]:
        """Agents compare by the lower end, to the two decimals that are shown.

        That is the lower end for the agent's own claims: where each answered others, who met
        easy ones has the higher share of yes without being better.
        """
        mix = mix_of(self.model)
        return {agent: self._shown(agent, mix, left) for agent, left in rest.items()}

    def _shown(self, agent: str, mix: Mix, rest: Rest) -> Shown:
        told = standing(self.model, agent, mix, self._now)
        low, high = self._ends(agent, rest)
        return Shown(told.score, round(low, 2), low, high)

    def _ends(self, agent: str, rest: Rest) -> tuple[float, float]:
        left = rest.left
        if not left:
            return rest.share(0.0, 0.0, 0.0, 0.0)
        mix = mix_of(replace(self.model, census=dict(rest.tasks)))
        known, line = ability(self.model, agent, mix, self._now), self.model.calibration
        told = standing(self.model, agent, mix, self._now)
        single = (Mix((p._replace(weight=1.0),), mix.level) for p in mix.points)
        rates = [expected_rate(known, one, line) for one in single]
        chance = sum(p.weight * r * (1.0 - r) for p, r in zip(mix.points, rates, strict=True))
        return rest.share(left * told.low, left * told.score, left * told.high, left * chance)

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
