"""Identifiers sort by the time they were made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.ids import CHANCE_BYTES, new_id

CHANCE = st.binary(min_size=CHANCE_BYTES, max_size=CHANCE_BYTES)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC))


@given(MOMENTS, st.timedeltas(timedelta(milliseconds=2), timedelta(days=9)), CHANCE, CHANCE)
def test_a_later_identifier_sorts_behind(
    at: datetime, later: timedelta, first: bytes, second: bytes
) -> None:
    assert new_id("claim", at=at, chance=first) < new_id("claim", at=at + later, chance=second)


@given(MOMENTS, CHANCE, CHANCE)
def test_chance_alone_tells_them_apart(at: datetime, first: bytes, second: bytes) -> None:
    same = new_id("use", at=at, chance=first) == new_id("use", at=at, chance=second)
    assert same is (first == second)


@given(MOMENTS, CHANCE)
def test_the_form_is_a_kind_and_26_digits(at: datetime, chance: bytes) -> None:
    kind, _, digits = new_id("memory", at=at, chance=chance).partition("_")
    assert kind == "memory"
    assert len(digits) == 26
    assert set(digits) <= set("0123456789abcdefghjkmnpqrstvwxyz")


def test_time_and_chance_stand_where_the_ulid_has_them() -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=32**9)
    assert new_id("x", at=at, chance=bytes(10)) == "x_1000000000" + "0" * 16
    assert new_id("x", at=at, chance=b"\xff" * 10) == "x_1000000000" + "z" * 16
