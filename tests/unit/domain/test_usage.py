"""Statistics of use: every count, and the moving average of durations."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.errors import InvalidInput
from tmws.domain.usage import (
    LONGEST_DURATION_SECONDS,
    MOST_ON_ONES_WORD,
    WORD_WEIGHT,
    Prior,
    Usage,
    UseOutcome,
)
from tmws.testing.clock import START

USES = st.lists(
    st.tuples(
        st.sampled_from(UseOutcome),
        st.none() | st.floats(0, LONGEST_DURATION_SECONDS),
        st.booleans(),
    ),
    max_size=40,
)
Uses = list[tuple[UseOutcome, float | None, bool]]


def counted(uses: Uses) -> Usage:
    usage = Usage()
    for outcome, duration, proven in uses:
        usage = usage.after(outcome, duration_seconds=duration, proven=proven, at=START)
    return usage


@given(USES)
def test_every_use_is_counted_once_and_in_its_place(uses: Uses) -> None:
    usage = counted(uses)
    outcomes = [outcome for outcome, _, _ in uses]
    assert usage.count == len(uses)
    assert usage.successes == outcomes.count(UseOutcome.SUCCESS)
    assert usage.partials == outcomes.count(UseOutcome.PARTIAL)
    assert usage.failures == outcomes.count(UseOutcome.FAILURE)
    assert usage.proven_successes == uses_proven(uses, UseOutcome.SUCCESS)
    assert usage.proven_failures == uses_proven(uses, UseOutcome.FAILURE)


def uses_proven(uses: Uses, wanted: UseOutcome) -> int:
    return sum(proven for outcome, _, proven in uses if outcome is wanted)


@given(USES)
def test_the_average_duration_is_the_weighted_sum_of_all(uses: Uses) -> None:
    durations = [duration for _, duration, _ in uses if duration is not None]
    average = counted(uses).duration_seconds
    if not durations:
        assert average is None
        return
    # The oracle is the closed form: weight 0.2 of the newest, fading by 0.8 a step.
    first, *rest = durations
    expected = first * 0.8 ** len(rest) + sum(
        0.2 * 0.8 ** (len(rest) - 1 - age) * duration for age, duration in enumerate(rest)
    )
    assert average is not None
    assert average == pytest.approx(expected)
    assert min(durations) - 1e-6 <= average <= max(durations) + 1e-6


@given(USES)
def test_rate_and_confidence_stay_probabilities(uses: Uses) -> None:
    usage = counted(uses)
    assert 0 <= usage.confidence <= 1
    assert usage.success_rate is None if not uses else 0 <= (usage.success_rate or 0) <= 1


@given(USES)
def test_a_success_never_lowers_confidence_and_a_failure_never_raises_it(uses: Uses) -> None:
    usage = counted(uses)
    better = counted([*uses, (UseOutcome.SUCCESS, None, False)])
    worse = counted([*uses, (UseOutcome.FAILURE, None, False)])
    assert worse.confidence <= usage.confidence <= better.confidence


def test_one_lucky_use_does_not_outrank_a_long_record() -> None:
    lucky = proven_uses(1, 0)
    proven = proven_uses(45, 5)
    assert (lucky.success_rate or 0) > (proven.success_rate or 0)
    assert lucky.confidence < proven.confidence


def proven_uses(good: int, bad: int) -> Usage:
    outcomes = [UseOutcome.SUCCESS] * good + [UseOutcome.FAILURE] * bad
    return counted([(outcome, None, True) for outcome in outcomes])


def test_a_proven_use_says_more_than_somebodys_word() -> None:
    said = counted([(UseOutcome.SUCCESS, None, False)])
    assert Usage().confidence < said.confidence < proven_uses(1, 0).confidence
    assert said.success_rate == proven_uses(1, 0).success_rate == 1.0


@given(st.integers(1, 200))
def test_however_often_one_agent_says_it_its_word_is_worth_two_proven_uses(times: int) -> None:
    usage = own = Usage()
    for _ in range(times):
        told = {"duration_seconds": None, "proven": False, "at": START, "own": own}
        usage = usage.after(UseOutcome.SUCCESS, **told)  # type: ignore[arg-type]
        own = own.after(UseOutcome.SUCCESS, **told)  # type: ignore[arg-type]
    assert usage.evidence_good == min(times * WORD_WEIGHT, MOST_ON_ONES_WORD)
    assert usage.confidence <= proven_uses(2, 0).confidence
    assert usage.count == times


@given(st.lists(st.tuples(st.sampled_from(UseOutcome), st.floats(0.01, 0.99)), max_size=20))
def test_shares_are_credit_and_no_uses_of_their_own(shares: list[tuple[UseOutcome, float]]) -> None:
    usage = Usage()
    for outcome, share in shares:
        usage = usage.after(outcome, duration_seconds=9.0, proven=False, at=START, share=share)
    assert (usage.count, usage.proven, usage.duration_seconds) == (0, 0, None)
    assert usage.credit == pytest.approx(sum(share for _, share in shares))
    assert usage.success_rate is None or 0 <= usage.success_rate <= 1


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_prior_follows_its_namespace_and_stays_as_weak_as_two_uses(
    good: float, bad: float
) -> None:
    a, b = Prior(good, bad).parameters
    assert a + b == pytest.approx(2.0)
    assert a > 0
    assert b > 0
    assert (a >= b) is (good >= bad) or a == pytest.approx(b)


def test_in_a_namespace_where_things_fail_less_is_expected() -> None:
    hopeful, wary = Usage(prior=Prior(90, 10)), Usage(prior=Prior(10, 90))
    assert hopeful.confidence > Usage().confidence > wary.confidence


def test_a_partial_use_counts_half() -> None:
    assert Usage(successes=1, partials=2, failures=1).success_rate == 0.5
    assert Usage().success_rate is None


def test_the_last_use_is_the_latest_not_the_one_reported_last() -> None:
    later = Usage(last_used_at=START.replace(year=START.year + 1))
    assert later.after(
        UseOutcome.SUCCESS, duration_seconds=None, proven=False, at=START
    ).last_used_at == (later.last_used_at)


@pytest.mark.parametrize(
    "duration", [-0.001, math.nan, math.inf, -math.inf, LONGEST_DURATION_SECONDS + 1]
)
def test_an_impossible_duration_is_refused(duration: float) -> None:
    with pytest.raises(InvalidInput, match="duration_seconds"):
        Usage().after(UseOutcome.SUCCESS, duration_seconds=duration, proven=False, at=START)
