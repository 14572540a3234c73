from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.trust_logs import DAY, refuted, supported
from tmws.domain.claims import Level, Verdict
from tmws.domain.trust import alarm, rules
from tmws.domain.trust.evidence import Task
from tmws.domain.trust.integrity import (
    NOTHING_STATED,
    Integrity,
    exposure_budget,
    relative_log_score,
)
from tmws.domain.trust.logistic import Belief
from tmws.domain.trust.model import UNCALIBRATED
from tmws.domain.trust.state import Model

probabilities = st.floats(0.0, 1.0)


def weigh(
    level: Level = Level.REPRODUCED,
    *,
    repeated: bool = False,
    counted_today: float = 0.0,
    own_pick: bool = False,
    probability: float = 0.5,
) -> float:
    return rules.weight(
        level,
        repeated=repeated,
        counted_today=counted_today,
        own_pick=own_pick,
        probability=probability,
    )


def test_a_verdict_weighs_by_its_level_and_nothing_when_it_is_a_repetition() -> None:
    assert weigh() == 0.75
    assert [weigh(level) for level in Level] == [0.25, 0.75, 0.9, 1.0]
    assert weigh(repeated=True) == 0.0


def test_a_day_holds_twenty_observations_of_a_type() -> None:
    assert weigh(counted_today=19.5) == 0.5
    assert weigh(counted_today=20.0) == 0.0
    assert weigh(counted_today=99.0) == 0.0


def test_an_own_pick_weighs_what_it_can_tell() -> None:
    assert weigh(own_pick=True, probability=0.5) == 0.75
    assert weigh(own_pick=True, probability=0.99) == pytest.approx(0.75 * 0.199, abs=1e-3)
    assert weigh(probability=0.99) == 0.75


def test_a_gate_is_blurred_and_never_opens_for_nothing() -> None:
    chance = random.Random(1)  # noqa: S311  # repeatable, no secret
    opened = [rules.opens(0.60, 0.60, chance.random) for _ in range(1000)]
    assert 400 < sum(opened) < 600
    assert all(rules.opens(0.64, 0.60, chance.random) for _ in range(100))
    assert not any(rules.opens(0.56, 0.60, chance.random) for _ in range(100))
    assert not rules.opens(0.0, 0.0, lambda: 0.0)


@given(probabilities, probabilities)
def test_saying_what_one_believes_scores_best(believed: float, said: float) -> None:
    def expected(stated: float) -> float:
        yes = relative_log_score(stated, 0.5, True)
        return believed * yes + (1 - believed) * relative_log_score(stated, 0.5, False)

    honest = min(0.99, max(0.01, believed))
    assert expected(honest) >= expected(said) - 0.06 * (honest != believed) - 1e-12


def test_a_false_claim_stated_as_certain_is_an_event_and_fades() -> None:
    lie = replace(refuted("e"), stated_confidence=0.97, severity=2.0)
    after = NOTHING_STATED.after(lie, 0.6)
    assert after.events == 1
    assert after.penalty == pytest.approx(2 * -relative_log_score(0.97, 0.6, False))
    assert after.advantage < 0
    assert after.penalty_at(DAY) == after.penalty
    assert after.penalty_at(DAY + timedelta(days=90)) == pytest.approx(after.penalty / 2)
    earlier = after.after(replace(lie, id="f", at=DAY - timedelta(days=9)), 0.6)
    assert earlier.at == DAY
    assert earlier.penalty == pytest.approx(2 * after.penalty)


def test_an_honest_doubt_is_no_event() -> None:
    doubt = replace(refuted("e"), stated_confidence=0.6)
    after = NOTHING_STATED.after(doubt, 0.6)
    assert (after.events, after.penalty, after.stated) == (0, 0.0, 1)
    foresight = after.after(replace(supported("f"), stated_confidence=0.99), 0.6)
    assert foresight.advantage > after.advantage


@pytest.mark.parametrize(
    "silent",
    [
        refuted("e"),
        replace(refuted("e"), stated_confidence=1.0, weight=0.0),
        replace(refuted("e"), stated_confidence=1.0, verdict=Verdict.INCONCLUSIVE),
    ],
)
def test_what_was_not_stated_or_not_decided_says_nothing(silent: object) -> None:
    assert NOTHING_STATED.after(silent, 0.5) == NOTHING_STATED  # type: ignore[arg-type]


def test_exposure_grows_with_the_bound_and_shrinks_with_lies() -> None:
    assert exposure_budget(0.0, 100, 0.0) == 0.0
    assert exposure_budget(0.8, 50, 0.0) == pytest.approx(32.0)
    assert exposure_budget(0.8, 50, 1.0) == pytest.approx(16.0)
    assert exposure_budget(0.8, 50, 0.0, stake=2.0) == pytest.approx(64.0)
    assert Integrity().penalty_at(DAY) == 0.0


def test_an_agent_that_turns_bad_rings_the_alarm_and_becomes_uncertain() -> None:
    model = Model()
    chance = random.Random(3)  # noqa: S311  # repeatable, no secret
    held = [chance.random() < 0.8 for _ in range(200)] + [False] * 30
    steps = []
    for n, yes in enumerate(held):
        claim = supported if yes else refuted
        steps.append(model.record(claim(f"e{n}", "ann", Task(f"c{n}"), n / 4)))
    rang = [n for n, step in enumerate(steps) if step is not None and step.alarmed]
    assert 200 <= rang[0] < 230
    step = steps[rang[0]]
    assert step is not None
    assert step.skill.variance >= alarm.WIDENED_VARIANCE
    watch = model.records["ann"].watch
    assert watch.alarms == len(rang)


def test_a_run_of_hard_claims_rings_no_alarm() -> None:
    model = Model()
    for n in range(30):
        model.record(supported(f"s{n}", "ann", Task(f"c{n}")))
    for n in range(400):
        model.record(refuted(f"p{n}", f"peer{n % 40}", Task(f"hard{n % 10}")))
    for n in range(10):
        step = model.record(refuted(f"h{n}", "ann", Task(f"hard{n}")))
        assert step is not None
        assert not step.alarmed


def test_the_threshold_is_what_the_simulation_asks_for() -> None:
    chance = random.Random(11)  # noqa: S311  # repeatable, no secret
    margins = [Belief(chance.gauss(0.0, 2.2), 0.4) for _ in range(300)]
    asked = alarm.threshold(margins, chance.random, runs=120)
    assert asked == pytest.approx(alarm.THRESHOLD, abs=0.8)
    strict = alarm.threshold(margins, chance.random, runs=60, false_alarms=0.01)
    loose = alarm.threshold(margins, chance.random, runs=60, false_alarms=0.5)
    assert loose < strict


@given(st.builds(Belief, st.floats(-8, 8), st.floats(0.01, 9)))
def test_a_failure_speaks_for_a_loss_and_a_success_against(margin: Belief) -> None:
    assert alarm.evidence_of_loss(margin, False, UNCALIBRATED) > 0
    assert alarm.evidence_of_loss(margin, True, UNCALIBRATED) < 0
