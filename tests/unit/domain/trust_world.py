"""A made-up world whose claims are known, for agents that are as good as they are told to be."""

from __future__ import annotations

import random
from datetime import timedelta

from tests.unit.domain.trust_logs import DAY
from tmws.domain.claims import Verdict
from tmws.domain.trust.evidence import Evidence, Task
from tmws.domain.trust.logistic import Belief, sigmoid
from tmws.domain.trust.model import LEVEL, Part
from tmws.domain.trust.state import Model

CLAIMS = [f"c{n:03}" for n in range(240)]


class World:
    """Claims of known difficulty, decided as chance and the agents' skills will have it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311  # repeatable, no secret
        self.model = Model()
        self.model.beliefs[LEVEL] = Belief(0.0, 0.01)
        self.hard: dict[str, float] = {}
        for claim in CLAIMS:
            self.add(claim, self.chance.gauss(0.0, 2.2))
        self._decided = 0

    def add(self, claim: str, hard: float) -> None:
        """Let there be a claim of this difficulty."""
        self.hard[claim] = hard
        self.model.beliefs[Part("claim", "", claim)] = Belief(hard, 0.05)

    def decide(self, agent: str, claim: str, skill: float) -> bool:
        """Have a claim decided as an agent of this skill would fare; say whether it rang."""
        held = self.chance.random() < sigmoid(skill - self.hard[claim])
        verdict = Verdict.SUPPORTED if held else Verdict.REFUTED
        self._decided += 1
        at = DAY + timedelta(minutes=self._decided)
        step = self.model.record(Evidence(f"e{self._decided}", agent, at, verdict, Task(claim)))
        return step is not None and step.alarmed

    def shuffled(self) -> list[str]:
        """Return all claims in random order."""
        return self.chance.sample(CLAIMS, len(CLAIMS))
