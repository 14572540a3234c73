"""What one agent may keep and write: never more, and given back as time goes by."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmws.domain.errors import InvalidInput, LimitExceeded
from tmws.domain.quotas import (
    MOST_DAILY_WRITES,
    MOST_MIB,
    NOTHING_ELSE,
    Allowed,
    Need,
    Quota,
    Used,
    ahead,
    need_of_note,
)

DAY = 86_400_000_000
LONGEST_MESSAGE = 300 - len("LIMIT_EXCEEDED: ") - len(" It may work when tried again.")

_QUOTAS = st.builds(Quota, st.integers(1, 2**41), st.integers(1, 10**8))
_BOUNDS = st.none() | st.integers(500, 1000)
_NEEDS = st.builds(Need, st.integers(0, 2**26), st.integers(1, 500))


def taken(quota: Quota, used: Used, need: Need) -> Used:
    """Return what is used after a need that fits in."""
    quota.require_room(used, need)
    spent = Used(need.stored_bytes, need.writes * quota.spacing_microseconds)
    return Used.together([used, spent])


@given(_QUOTAS, st.lists(st.tuples(_NEEDS, st.integers(0, DAY)), max_size=50))
def test_whatever_is_asked_for_and_when_no_more_is_ever_used_than_may_be(
    quota: Quota, asked: list[tuple[Need, int]]
) -> None:
    used = Used()
    for need, later in asked:
        used = Used(used.stored_bytes, max(0, used.ahead_microseconds - later))
        before = used
        try:
            used = taken(quota, used, need)
        except LimitExceeded:
            assert used == before
        assert used.stored_bytes <= quota.stored_bytes
        assert quota.written(used) <= quota.daily_writes
        assert ahead(used.ahead_microseconds, at_microseconds=0) == used.ahead_microseconds


@given(st.integers(1, 5000))
def test_as_many_fit_into_a_day_as_the_quota_says_at_once_or_one_by_one(most: int) -> None:
    quota = Quota(1, most)
    at_once = taken(quota, Used(), Need(writes=most))
    assert quota.written(at_once) == most
    with pytest.raises(LimitExceeded):
        quota.require_room(at_once, Need())
    last = Used(0, (most - 1) * quota.spacing_microseconds)
    assert taken(quota, last, Need()) == at_once


def test_who_waits_as_long_as_was_said_may_write_again() -> None:
    quota = Quota(1, 20_000)
    full = taken(quota, Used(), Need(writes=20_000))
    with pytest.raises(LimitExceeded, match="Retry after 5 s") as refused:
        quota.require_room(full, Need())
    assert refused.value.retryable
    waited = int((refused.value.retry_after_seconds or 0.0) * 1e6)
    quota.require_room(Used(0, full.ahead_microseconds - waited), Need())


@given(st.integers(1, DAY))
@example(DAY - 999_999)
def test_nobody_writes_a_microsecond_too_early(early: int) -> None:
    quota, day = Quota(1, 500), Need(writes=500)
    with pytest.raises(LimitExceeded) as refused:
        quota.require_room(Used(0, early), day)
    assert refused.value.retryable
    waited = int((refused.value.retry_after_seconds or 0.0) * 1e6)
    assert 0 <= waited - early < 1_000_000
    quota.require_room(Used(), day)


def test_what_can_never_fit_is_not_to_be_tried_again() -> None:
    with pytest.raises(LimitExceeded, match="501 at once are more than the 500") as refused:
        Quota(2**20, 500).require_room(Used(), Need(writes=501))
    assert not refused.value.retryable


@given(_QUOTAS, st.integers(0, 2**45), st.integers(1, 2**26), st.integers(1, 10**8))
def test_a_refusal_is_short_and_names_the_way_out(
    quota: Quota, stored: int, size: int, writes: int
) -> None:
    full = Used(quota.stored_bytes + stored, quota.daily_writes * quota.spacing_microseconds)
    for need in (Need(size, writes), Need(writes=writes)):
        with pytest.raises(LimitExceeded, match="tmws agents quota") as refused:
            quota.require_room(full, need)
        assert len(refused.value.message) <= LONGEST_MESSAGE


def test_storage_is_filled_to_the_last_byte() -> None:
    quota, used = Quota(5000, 500), Used(stored_bytes=4000)
    quota.require_room(used, Need(1000))
    with pytest.raises(LimitExceeded, match="Not stored"):
        quota.require_room(used, Need(1001))


def test_full_storage_hinders_nothing_that_stores_nothing() -> None:
    Quota(4096, 500).require_room(Used(stored_bytes=5000), Need())


@pytest.mark.parametrize(("until", "left"), [(0, 0), (1000, 0), (1001, 1), (DAY + 1001, 0)])
def test_a_clock_that_went_wrong_locks_nobody_out(until: int, left: int) -> None:
    assert ahead(until, at_microseconds=1000) == left


def test_a_note_is_counted_by_its_bytes_not_its_letters() -> None:
    assert need_of_note("é").stored_bytes - need_of_note("e").stored_bytes == 1


def test_a_note_takes_the_4_kib_of_its_row_beside_its_text() -> None:
    assert need_of_note("four") == Need(4 * 1024 + 4, writes=1)


@given(st.lists(st.builds(Allowed, _BOUNDS, _BOUNDS)))
def test_the_least_that_was_allowed_any_of_an_agents_names_holds_for_all(
    names: list[Allowed],
) -> None:
    together = Allowed.together(names)
    for bound in ("mib", "daily_writes"):
        said = [value for each in names if (value := getattr(each, bound)) is not None]
        assert getattr(together, bound) == (min(said) if said else None)
    assert Allowed.together([*names, NOTHING_ELSE]) == together


def test_what_nothing_was_said_about_is_what_all_may_have() -> None:
    of_all = Quota(2**30, 1000)
    assert of_all.but(NOTHING_ELSE) is of_all
    assert of_all.but(Allowed(mib=3)) == Quota(3 * 2**20, 1000)
    assert of_all.but(Allowed(daily_writes=500)) == Quota(2**30, 500)


@pytest.mark.parametrize(
    ("allowed", "what"),
    [
        (Allowed(mib=0), "0 MiB is refused: give 1 to 1048576"),
        (Allowed(mib=MOST_MIB + 1), "1048577 MiB is refused"),
        (Allowed(daily_writes=499), "499 writes a day is refused: give 500 to 100000000"),
        (Allowed(1, MOST_DAILY_WRITES + 1), "100000001 writes a day"),
    ],
)
def test_what_no_setting_could_say_is_allowed_nobody(allowed: Allowed, what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        allowed.require_sound()
    Allowed(MOST_MIB, MOST_DAILY_WRITES).require_sound()
