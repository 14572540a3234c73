"""Agents as a file shows them, and the world one of them acts in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import fmean

from tmws.domain.trust import rules
from tmws.domain.trust.evidence import Task
from tmws.domain.trust.model import PERSONAL
from tmws.domain.trust.refit import refit
from tmws.domain.trust.score import Mix, Standing, mix_of, standing
from tmws.domain.trust.state import Model
from tmws.evaluation.chance import Chance
from tmws.evaluation.outcomes import Outcome
from tmws.evaluation.predictors import CLAIMS_PER_DAY, START, evidence_of

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Population:
    """Who answered what.

    Attributes:
        answers: by agent and claim.
        tasks: by claim.
        rates: each agent's share of yes over all its claims.
    """

    answers: Mapping[str, Mapping[str, bool]]
    tasks: Mapping[str, Task]
    rates: Mapping[str, float]

    def claims(self, agent: str) -> list[str]:
        """Return the claims this agent answered, in order of their names."""
        return sorted(self.answers[agent])


@dataclass(frozen=True, slots=True)
class Fold:
    """Agents to measure, and the world as the other agents left it."""

    world: Model
    mix: Mix
    agents: tuple[str, ...]
    peers: tuple[str, ...]

    def copy(self) -> Model:
        """Return the world for one agent to act in; the fold stays as it is."""
        known = self.world
        return Model(known.scales, known.calibration, dict(known.beliefs))

    def standing(self, model: Model, agent: str, at: datetime) -> Standing:
        """Return what is shown of an agent, over the fold's own mix."""
        return standing(model, agent, self.mix, at)


def population(outcomes: Sequence[Outcome]) -> Population:
    """Return the shared claims of these outcomes, the last answer of each counting."""
    answers: dict[str, dict[str, bool]] = {}
    tasks = {}
    for o in outcomes:
        if o.task.claim is not None:
            answers.setdefault(o.agent, {})[o.task.claim] = o.supported
            tasks[o.task.claim] = o.task
    rates = {agent: fmean(held.values()) for agent, held in sorted(answers.items())}
    return Population(answers, tasks, rates)


def folds(people: Population, chance: Chance) -> list[Fold]:
    """Return the agents in folds of equal size, each with its world fitted."""
    names = sorted(people.answers)
    chance.shuffle(names)
    return [
        _fold(people, tuple(names[i::FOLDS]), tuple(n for n in names if n not in names[i::FOLDS]))
        for i in range(FOLDS)
    ]


def everywhere(people: Population) -> Fold:
    """Return everybody in one world that all of them fitted, also who is measured in it."""
    names = tuple(sorted(people.answers))
    fitted = _fold(people, (), names)
    beliefs = {p: b for p, b in fitted.world.beliefs.items() if p.kind not in PERSONAL}
    world = replace(fitted.world, beliefs=beliefs)
    return replace(fitted, world=world, agents=names, peers=())


def _fold(people: Population, agents: tuple[str, ...], peers: tuple[str, ...]) -> Fold:
    outcomes = [
        Outcome(peer, people.tasks[claim], held)
        for peer in peers
        for claim, held in sorted(people.answers[peer].items())
    ]
    world, _ = refit(evidence_of(o, n, START) for n, o in enumerate(outcomes))
    return Fold(world, mix_of(world), agents, peers)


class Life:
    """One agent's claims, decided one after another."""

    def __init__(self, model: Model, agent: str) -> None:
        self.model, self.agent = model, agent
        self._count = 0

    @property
    def now(self) -> datetime:
        return START + timedelta(days=self._count / CLAIMS_PER_DAY)

    def decide(
        self, task: Task, held: bool, *, own_pick: bool = False, relied_on: bool = False
    ) -> bool:
        """Have one claim decided; return whether the alarm rang."""
        weight = rules.told(self.model.predict(self.agent, task, self.now)) if own_pick else 1.0
        outcome = Outcome(self.agent, task, held)
        evidence = evidence_of(outcome, self._count, self.now)
        self._count += 1
        step = self.model.record(replace(evidence, weight=weight, relied_on=relied_on))
        return step is not None and step.alarmed


def everybody(folds: Sequence[Fold]) -> Iterator[tuple[Fold, str]]:
    """Return every agent once, with the fold it is measured in."""
    return ((fold, agent) for fold in folds for agent in fold.agents)
