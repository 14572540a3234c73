"""Whether an unchecked claim may count: the order of the reasons, and where each one turns."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.trust_logs import DAY, supported
from tmws.domain.errors import InvalidInput
from tmws.domain.trust.logistic import Belief
from tmws.domain.trust.reliance import (
    LARGEST_STAKE,
    PROVEN_AFTER_ALARM,
    TERM,
    Answer,
    Risk,
    Stake,
    audits_owed,
    require_askable,
    severity,
)
from tmws.domain.trust.rules import GATE_NOISE
from tmws.domain.trust.state import Step

EVEN = 0.5
"""The draw that moves a threshold neither way."""
FINE = Risk(stake=1.0, least=0.5, draw=EVEN, bound=0.75, carried=1.0, budget=3.0, owed=0, held=0.0)
UNIT = st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)
STAKES = st.floats(0.01, LARGEST_STAKE)


RISKS = st.builds(
    lambda held, carried, **fields: Risk(**fields, carried=held + carried, held=held),
    held=st.just(0.0) | STAKES,
    carried=STAKES,
    stake=STAKES,
    least=UNIT,
    draw=UNIT,
    bound=UNIT,
    budget=STAKES,
    owed=st.integers(0, 3),
)


def step(weight: float, *, alarmed: bool = False) -> Step:
    evidence = replace(supported("alice"), weight=weight)
    return Step(evidence, 0.5, 0.0, Belief(0.0, 1.0), None, alarmed)


def test_a_claim_counts_up_to_the_last_of_the_budget() -> None:
    assert FINE.answer() is Answer.GRANTED
    over = math.nextafter(FINE.budget, math.inf)
    assert replace(FINE, carried=0.0, stake=over).answer() is Answer.OVER_BUDGET
    assert replace(FINE, budget=math.nextafter(2.0, 0.0)).answer() is Answer.OVER_BUDGET
    # What fits to the last is in the way of nobody but others who would rely on it, too.
    assert replace(FINE, budget=2.0).answer() is Answer.OVER_SHARE


def test_whoever_asks_takes_at_most_half_of_what_all_others_leave() -> None:
    assert FINE.most == 1.0
    assert replace(FINE, stake=math.nextafter(1.0, 2.0)).answer() is Answer.OVER_SHARE
    # What it holds already is part of its half, and takes nothing of what others leave.
    assert replace(FINE, held=0.75, carried=1.75).most == 0.25
    assert replace(FINE, held=0.75, carried=1.75).answer() is Answer.OVER_SHARE
    assert replace(FINE, held=0.75, carried=1.75, stake=0.25).answer() is Answer.GRANTED
    assert replace(FINE, carried=4.0).most == 0.0


@given(askers=st.lists(st.integers(0, 3), max_size=40), ask=st.floats(0.01, 3.0))
def test_however_many_ask_for_all_they_get_something_is_left_for_another(
    askers: list[int], ask: float
) -> None:
    taken = [0.0] * 4
    for asker in askers:
        risk = replace(FINE, stake=ask, carried=sum(taken), held=taken[asker])
        stake = min(ask, risk.most)
        if stake > 0.0:
            assert replace(risk, stake=stake).answer() is Answer.GRANTED
            taken[asker] += stake
    assert replace(FINE, carried=sum(taken)).most >= FINE.budget / 2**5 - 1e-9


def test_a_stake_takes_room_from_its_first_grant_until_its_term_is_over() -> None:
    stake = Stake("claim", "bob", 1.0, EVEN, DAY)
    assert timedelta(days=90) == TERM
    assert stake.until == DAY + TERM
    assert stake.is_over(at=DAY + TERM)
    assert not stake.is_over(at=DAY + TERM - timedelta(microseconds=1))


def test_what_was_never_granted_is_never_over() -> None:
    refused = Stake("claim", "bob", 0.0, EVEN)
    assert refused.until is None
    assert not refused.is_over(at=DAY + 9 * TERM)


@pytest.mark.parametrize(
    ("staked", "cost"),
    [(0.0, 1.0), (0.01, 1.0), (1.0, 1.0), (1.5, 1.5), (100.0, 100.0), (101, 100)],
)
def test_a_false_claim_costs_what_others_let_count_and_never_less_than_an_ordinary_one(
    staked: float, cost: float
) -> None:
    assert severity(staked) == cost


def test_the_bound_must_lie_above_what_is_asked_for_blurred_by_the_draw() -> None:
    assert replace(FINE, bound=0.5).answer() is Answer.BOUND_TOO_LOW
    assert replace(FINE, bound=math.nextafter(0.5, 1.0)).answer() is Answer.GRANTED
    assert replace(FINE, bound=0.5, draw=0.0).answer() is Answer.GRANTED
    assert replace(FINE, bound=0.5 + GATE_NOISE / 2, draw=0.99).answer() is Answer.BOUND_TOO_LOW


def test_checks_that_are_owed_come_before_the_bound_and_the_bound_before_the_budget() -> None:
    nothing_is_well = replace(FINE, owed=1, bound=0.0, carried=9.0)
    assert nothing_is_well.answer() is Answer.AUDITS_OWED
    assert replace(nothing_is_well, owed=0).answer() is Answer.BOUND_TOO_LOW


@given(risk=RISKS)
def test_who_risks_less_or_can_carry_more_is_not_refused_what_was_granted(risk: Risk) -> None:
    if risk.answer() is Answer.GRANTED:
        for better in (
            replace(risk, stake=risk.stake / 2),
            replace(risk, least=risk.least / 2),
            replace(risk, bound=(1.0 + risk.bound) / 2),
            replace(risk, carried=(risk.carried + risk.held) / 2),
            replace(risk, budget=risk.budget * 2),
        ):
            assert better.answer() is Answer.GRANTED


@pytest.mark.parametrize("stake", [0.0, -1.0, math.nextafter(100.0, 101.0), math.nan, math.inf])
def test_a_stake_that_is_none_is_refused_with_its_range(stake: float) -> None:
    with pytest.raises(InvalidInput, match="more than 0, at most 100"):
        require_askable(stake, 0.5)


@pytest.mark.parametrize("least", [0.0, 1.0, -0.1, 1.1, math.nan])
def test_a_bound_that_nothing_or_nobody_meets_is_refused(least: float) -> None:
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        require_askable(1.0, least)


def test_what_lies_at_the_edges_can_be_asked_for() -> None:
    require_askable(math.nextafter(0.0, 1.0), math.nextafter(0.0, 1.0))
    require_askable(LARGEST_STAKE, math.nextafter(1.0, 0.0))


def test_who_never_rang_an_alarm_owes_nothing() -> None:
    assert audits_owed([]) == 0
    assert audits_owed([step(1.0), step(0.1)]) == 0


@pytest.mark.parametrize(
    ("weights", "owed"),
    [
        ((), 3),
        ((1.0,), 2),
        ((0.5,), 3),
        ((1.0, 0.25, 0.75), 1),
        ((1.0, 1.0, 1.0), 0),
        ((1.0,) * 9, 0),
    ],
)
def test_after_an_alarm_as_much_is_owed_as_has_not_been_proven_since(
    weights: tuple[float, ...], owed: int
) -> None:
    earlier = [step(1.0), step(1.0), step(1.0, alarmed=True)]
    assert audits_owed([*earlier, *map(step, weights)]) == owed


def test_only_the_last_alarm_counts_and_three_whole_checks_end_it() -> None:
    assert PROVEN_AFTER_ALARM == 3.0
    twice = [step(1.0, alarmed=True), step(1.0), step(1.0), step(1.0, alarmed=True), step(1.0)]
    assert audits_owed(twice) == 2


def test_what_rang_the_alarm_proves_nothing_after_it() -> None:
    assert audits_owed([step(1.0), step(1.0, alarmed=True)]) == 3


def test_an_answer_is_called_what_the_ledger_calls_it() -> None:
    assert list(Answer) == ["granted", "bound_too_low", "over_budget", "over_share", "audits_owed"]
