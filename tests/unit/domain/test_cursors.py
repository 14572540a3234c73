"""Where a listing goes on, and what is refused as such a place."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.canonical import Json, digest
from tmws.domain.cursors import after_time_place, cursor_at, place_of, time_place
from tmws.domain.errors import InvalidInput

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
QUERY: Json = {"text": None, "category": "build"}


def forged(place: object) -> str:
    """Make what a caller can make who has read this file: the mark is no secret."""
    return base64.urlsafe_b64encode(json.dumps([digest(QUERY)[:12], place]).encode()).decode()


@given(MOMENTS, st.from_regex(r"pattern_[0-9a-z]{26}", fullmatch=True))
def test_a_listing_goes_on_exactly_where_it_stopped(at: datetime, item_id: str) -> None:
    cursor = cursor_at(time_place(at, item_id), query=QUERY)
    assert after_time_place(place_of(cursor, query=QUERY)) == (at, item_id)


def test_the_cursor_of_another_query_is_refused() -> None:
    with pytest.raises(InvalidInput, match="another query"):
        place_of(cursor_at(10, query=QUERY), query={"text": "other"})


@given(st.text(max_size=80))
def test_a_garbled_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        place_of(text, query=QUERY)


@pytest.mark.parametrize("value", ["[", "[1]", "[1,2,3]", "7", "null", "{}", "[" * 100_000])
def test_what_decodes_to_something_else_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput):
        place_of(base64.urlsafe_b64encode(value.encode()).decode(), query=QUERY)


@pytest.mark.parametrize(
    "place",
    [
        None,
        7,
        "x",
        [1],
        ["1", "pattern_1"],
        [1, 2],
        [10**30, "pattern_1"],
        [-(10**30), "pattern_1"],
        [1, "\u0000"],
        [1, "\ud800"],
        [1, "x" * 100],
    ],
)
def test_a_forged_place_is_refused_before_it_reaches_the_database(place: object) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        after_time_place(place_of(forged(place), query=QUERY))
