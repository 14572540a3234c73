"""What counts as a trend, and how time is cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.analytics import (
    FALSE_SHARE,
    FEWEST_USES,
    WEEK,
    Cause,
    Direction,
    Outcomes,
    Tally,
    Trend,
    Windows,
    grouped,
    over_time,
    span_of,
    trends,
    week_of,
)
from tmws.domain.errors import InvalidInput

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
seen = st.builds(
    lambda recent, good, before, well: Windows(
        recent, min(good, recent), before, min(well, before)
    ),
    *(st.integers(0, 40) for _ in range(4)),
)


def told(windows: Windows, *, tested: int = 1) -> list[tuple[Direction, Cause]]:
    return [(each.direction, each.cause) for each in trends({"p": windows}, tested=tested)]


def test_much_more_use_is_a_rise_and_much_less_a_decay() -> None:
    assert told(Windows(recent=14, recent_good=13, before=3, before_good=3)) == [
        (Direction.RISING, Cause.USE)
    ]
    assert told(Windows(recent=3, recent_good=3, before=14, before_good=13)) == [
        (Direction.DECAYING, Cause.USE)
    ]


def test_as_much_use_with_less_success_is_a_decay() -> None:
    assert told(Windows(recent=12, recent_good=3, before=12, before_good=11)) == [
        (Direction.DECAYING, Cause.SUCCESS)
    ]


@given(seen)
def test_a_few_uses_are_never_a_trend(windows: Windows) -> None:
    if windows.recent + windows.before < FEWEST_USES:
        assert told(windows) == []


@given(st.integers(0, 400))
def test_a_raw_difference_is_no_trend_among_many_patterns(tested: int) -> None:
    """Five uses after none: one in thirty-two, so among many it happens all the time."""
    assert told(Windows(recent=5, recent_good=5), tested=tested + 2) == []


@given(st.dictionaries(st.text("abcdef", min_size=1), seen, max_size=12), st.integers(0, 50))
def test_what_passes_is_surer_than_its_share_of_false_discoveries(
    windows: dict[str, Windows], others: int
) -> None:
    found = trends(windows, tested=len(windows) + others)
    for trend in found:
        limit = FALSE_SHARE * len(found) / (3 * (len(windows) + others))
        assert trend.chance <= limit * (1 + 1e-9)
    assert list(found) == sorted(found, key=lambda each: (each.chance, each.pattern_id))


@given(seen)
def test_more_use_is_no_weaker_a_rise(windows: Windows) -> None:
    def rise(recent: int) -> float:
        grown = Windows(recent, 0, windows.before, 0)
        return min(
            (t.chance for t in trends({"p": grown}, tested=1) if t.direction is Direction.RISING),
            default=1.0,
        )

    assert rise(windows.recent + 1) <= rise(windows.recent)


def test_a_trend_is_told_with_how_sure_it_is() -> None:
    [trend] = trends({"p": Windows(recent=20)}, tested=1)
    assert trend == Trend("p", Direction.RISING, Cause.USE, Windows(recent=20), 2.0**-20)


def test_time_is_cut_at_mondays_and_covers_what_was_asked_for() -> None:
    span = span_of(None, at=NOW)
    assert (span.start.weekday(), span.start.hour, span.bucket) == (0, 0, WEEK)
    assert span.start <= NOW - timedelta(weeks=12) < span.start + WEEK
    assert span.starts[-1] <= NOW < span.starts[-1] + WEEK


@given(st.integers(0, 3660))
def test_a_look_back_is_at_most_a_few_dozen_stretches(days: int) -> None:
    span = span_of(timedelta(days=days), at=NOW)
    assert 1 <= len(span.starts) <= 26
    assert span.start <= NOW - timedelta(days=days)
    assert span.starts[-1] + span.bucket > NOW


@pytest.mark.parametrize("since", [NOW + timedelta(days=1), timedelta(days=3700), datetime.min])
def test_another_time_is_refused(since: datetime | timedelta) -> None:
    asked = since.replace(tzinfo=UTC) if isinstance(since, datetime) else since
    with pytest.raises(InvalidInput, match="last ten years"):
        span_of(asked, at=NOW)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_weeks_follow_one_another(at: datetime) -> None:
    assert week_of(at + WEEK) == week_of(at) + 1
    assert week_of(datetime(1970, 1, 1, tzinfo=UTC)) == 0


def test_stretches_without_a_use_are_told_as_well() -> None:
    span = span_of(timedelta(weeks=2), at=NOW)
    told = over_time(span, {1: Outcomes(successes=2)})
    assert [bucket.outcomes.uses for bucket in told] == [0, 2, 0]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.builds(Tally, *[st.integers(0, 9)] * 6))))
def test_groups_add_up_to_the_whole(parts: list[tuple[str, Tally]]) -> None:
    groups = grouped(parts)
    assert sum((tally for _, tally in groups), Tally()) == sum((t for _, t in parts), Tally())
    assert len({name for name, _ in groups}) == len(groups)


def test_a_partial_success_is_half_of_one() -> None:
    success = Outcomes(successes=1, partials=2, failures=1).success
    assert success is not None
    assert success.value == 0.5
    assert Outcomes().success is None
