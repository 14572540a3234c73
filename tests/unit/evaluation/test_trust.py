from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.evaluation.population import simulated
from tmws.domain.trust.evidence import Task
from tmws.domain.trust.logistic import sigmoid
from tmws.evaluation.chance import seeded
from tmws.evaluation.metrics import accuracy, quantile, rank_correlation, reliability
from tmws.evaluation.outcomes import Outcome
from tmws.evaluation.predictors import Rest
from tmws.evaluation.trust import evaluate, shuffled, true_rates


def test_accuracy_of_a_known_case() -> None:
    found = accuracy([0.9, 0.8, 0.3, 0.1], [1, 1, 1, 0])
    assert found.brier == pytest.approx((0.01 + 0.04 + 0.49 + 0.01) / 4)
    assert found.log_loss == pytest.approx(0.4095, abs=0.0001)
    assert found.auc == 1.0
    assert found.ece == pytest.approx((0.1 + 0.2 + 0.7 + 0.1) / 4)


def test_ties_count_half_and_one_sided_outcomes_say_nothing_of_order() -> None:
    assert accuracy([0.5, 0.5], [0, 1]).auc == 0.5
    assert accuracy([0.2, 0.7], [1, 1]).auc == 0.5


def test_a_constant_one_half_has_a_brier_score_of_a_quarter() -> None:
    assert accuracy([0.5] * 10, [0, 1] * 5).brier == 0.25
    assert reliability([0.5] * 10, [0, 1] * 5) == [(0.5, 0.5, 0.0, 1.0)]


def test_rank_correlation_shares_the_places_of_ties() -> None:
    assert rank_correlation([1, 2, 3], [10, 20, 30]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert rank_correlation([1, 1, 2], [1, 2, 3]) == pytest.approx(0.866, abs=0.001)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0.0


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([5, 1, 3], 0.5) == 3
    assert quantile([5, 1, 3], 0.9) == 5


def test_an_order_goes_in_rounds_and_keeps_every_outcome() -> None:
    outcomes = simulated(4, 5)[:-2]
    order = shuffled(outcomes, seeded(1))
    rounds = [[o.agent for o in order[n : n + 4]] for n in (0, 4, 8)]
    assert all(sorted(names) == sorted(true_rates(outcomes)) for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1
    assert sorted(order, key=repr) == sorted(outcomes, key=repr)


def test_knowing_how_hard_claims_are_beats_counting() -> None:
    outcomes = simulated(20, 60)
    report = evaluate(outcomes, seeds=1)
    skill, counted, recent = (report.of(m) for m in ("skill", "Beta(1,1)", "EWMA .2"))
    assert skill.accuracy.brier < 0.9 * counted.accuracy.brier < 0.9 * recent.accuracy.brier
    assert (report.agents, report.claims, report.outcomes) == (20, 60, 1200)
    assert [m.claims for m in skill.moments] == [3, 5, 10, 20, 30, 50]
    assert all(0.7 < (m.coverage or 0) <= 1 for m in skill.moments)
    assert recent.moments[0].coverage is None


def test_agents_that_answered_different_claims_are_ordered_by_their_own() -> None:
    """Their true rate is about the claims they met, of which counting sees a part."""
    chance = seeded(3)
    hard = [chance.gauss(0.0, 2.5) for _ in range(240)]
    skills = [chance.gauss(0.0, 0.5) for _ in range(20)]
    outcomes = [
        Outcome(f"a{a:02}", Task(f"c{c:03}"), chance.random() < sigmoid(skill - hard[c]))
        for a, skill in enumerate(skills)
        for c in range(len(hard))
        if chance.random() < 0.15
    ]
    report = evaluate(outcomes, seeds=4)
    skill_rank, counted = (
        {m.claims: m.rank or 0.0 for m in report.of(method).moments}
        for method in ("skill", "Beta(1,1)")
    )
    assert all(skill_rank[n] > counted[n] - 0.03 for n in (10, 20, 30))


def test_the_same_file_gives_the_same_figures() -> None:
    outcomes = simulated(6, 20)
    assert evaluate(outcomes) == evaluate(outcomes)
    assert evaluate(outcomes).seeds == 20


def test_intervals_of_many_agents_are_looked_at_in_more_orders_than_predictions() -> None:
    outcomes = [
        Outcome(f"a{n:02}", Task(f"c{c}"), (n + c) % 3 > 0) for n in range(30) for c in range(4)
    ]
    report = evaluate(outcomes)
    assert (report.seeds, report.lives) == (10, 20)
    assert report.of("skill").accuracy.count == 10 * len(outcomes)
    told = evaluate(outcomes, seeds=20)
    assert (told.seeds, told.lives) == (20, 20)
    for method in ("skill", "Beta(1,1)"):
        assert report.of(method).moments == told.of(method).moments


def test_a_file_with_times_is_replayed_once_in_their_order() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    outcomes = [replace(o, at=start + timedelta(hours=n)) for n, o in enumerate(simulated(5, 12))]
    report = evaluate(outcomes[::-1])
    assert report.seeds == 1
    assert report == evaluate(outcomes)


def test_agents_with_few_claims_count_as_long_as_they_have_some() -> None:
    outcomes = [
        o for o in simulated(6, 60) if o.agent != "agent00" or str(o.task.claim) < "claim004"
    ]
    report = evaluate(outcomes, seeds=1)
    assert [m.agents for m in report.of("skill").moments] == [6, 5, 5, 5, 5, 5]


def test_outcomes_of_one_moment_come_in_more_than_one_order() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    outcomes = [replace(o, at=start + timedelta(days=int(o.agent[-2:]))) for o in simulated(6, 20)]
    report = evaluate(outcomes, seeds=3)
    assert report.seeds == 3
    assert report.of("Beta(1,1)").moments[0].error > report.of("Beta(1,1)").moments[-1].error


def test_a_large_file_is_replayed_in_fewer_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmws.evaluation.trust.MOST_REPLAYED", 100)
    assert evaluate(simulated(5, 12)).seeds == 1


def test_once_everything_is_answered_an_interval_is_the_share_itself() -> None:
    report = evaluate(simulated(4, 10), seeds=1)
    for method in ("skill", "Beta(1,1)"):
        last = report.of(method).moments[-1]
        assert (last.claims, last.coverage) == (10, 1.0)
        assert last.width == pytest.approx(0.0)


def test_the_rest_of_a_file_is_foretold_with_its_chance() -> None:
    rest = Rest(yes=3, answered=5, tasks={Task("c1"): 1, Task("c2"): 4})
    assert rest.left == 5
    assert rest.share(1.0, 2.0, 3.0, 0.0) == (0.4, 0.6)
    low, high = rest.share(1.0, 2.0, 3.0, 1.0)
    assert low == pytest.approx(0.3 + 0.2 - (1 + 1.6448536**2) ** 0.5 / 10)
    assert high == pytest.approx(0.3 + 0.2 + (1 + 1.6448536**2) ** 0.5 / 10)
    assert rest.share(0.0, 0.1, 5.0, 9.0) == (0.3, 0.8)
