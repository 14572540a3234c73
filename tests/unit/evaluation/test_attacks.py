from __future__ import annotations

import pytest

from tests.unit.evaluation.population import simulated
from tmws.domain.trust.evidence import Task
from tmws.evaluation.attacks import changed, farmed
from tmws.evaluation.chance import seeded
from tmws.evaluation.outcomes import Outcome
from tmws.evaluation.population import folds, population


def test_nobody_farms_by_answers_it_has_not_given() -> None:
    """Where all claims are equally hard, none is easier for who farms than any other."""
    chance = seeded(3)
    people = population(
        [
            Outcome(f"agent{a:02}", Task(f"claim{c:03}"), chance.random() < 0.35)
            for a in range(20)
            for c in range(150)
        ]
    )
    found = farmed(people, folds(people, chance), chance, peers=None)
    assert found is not None
    assert found.agents == 20
    assert abs(found.beta_lift) < 0.02
    assert found.lift < 0.02


def test_of_very_many_changes_some_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    people = population(simulated(20, 80))
    world = folds(people, seeded(1))
    every = changed(people, world, seeded(1))
    monkeypatch.setattr("tmws.evaluation.attacks.MOST_PAIRS", 20)
    monkeypatch.setattr("tmws.evaluation.attacks.MOST_STILL", 20)
    some = changed(people, world, seeded(1))
    assert every is not None
    assert some is not None
    assert every.pairs > 40
    assert 0 < some.pairs <= 20
    assert some.watched == every.watched
