"""A made-up population whose skills and difficulties are known."""

from __future__ import annotations

from tmws.domain.trust.evidence import Task
from tmws.domain.trust.logistic import sigmoid
from tmws.evaluation.chance import seeded
from tmws.evaluation.outcomes import Outcome


def simulated(agents: int, claims: int, *, seed: int = 1) -> list[Outcome]:
    """Return every agent's answer to every claim; half of the agents are strong."""
    chance = seeded(seed)
    hard = [chance.gauss(0.0, 2.0) for _ in range(claims)]
    skills = [1.5 if a % 2 else -1.5 for a in range(agents)]
    return [
        Outcome(
            f"agent{a:02}",
            Task(f"claim{c:03}"),
            chance.random() < sigmoid(skills[a] + chance.gauss(0.0, 0.1) - hard[c]),
        )
        for a in range(agents)
        for c in range(claims)
    ]
