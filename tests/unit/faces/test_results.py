"""Results on the wire: the same JSON twice, and never too large."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.answers import text_of
from tmws.domain.claims import Verdict
from tmws.faces.mcp import results
from tmws.faces.mcp.results import LARGEST_BYTES, NOTE, compact, fitted, render

NARROW = "Lower `limit`."

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=30,
)
objects = st.dictionaries(st.text(max_size=8), values, max_size=8)


@given(data=objects)
def test_text_and_structured_content_say_the_same(data: dict[str, Any]) -> None:
    result = render(data, narrow=NARROW)
    assert json.loads(text_of(result)) == result.structured_content


@given(data=objects, largest=st.integers(900, 3000))
def test_a_result_never_exceeds_its_size(data: dict[str, Any], largest: int) -> None:
    fit = fitted(data, narrow=NARROW, largest=largest)
    assert len(compact(fit).encode()) <= largest
    assert fit == data or NARROW in fit[NOTE]


def test_moments_and_enumerations_become_json() -> None:
    result = render({"at": datetime(2026, 1, 2, tzinfo=UTC), "v": Verdict.REFUTED}, narrow="")
    assert text_of(result) == '{"at":"2026-01-02T00:00:00Z","v":"REFUTED"}'


def test_items_that_do_not_fit_are_left_out_with_the_cursor_that_would_skip_them() -> None:
    items = [{"id": number, "text": "x" * 990} for number in range(50)]
    fit = render({"items": items, "next_cursor": "after-50"}, narrow=NARROW).structured_content
    assert fit["items"] == items[:19]
    assert fit["next_cursor"] is None
    assert fit[NOTE] == "Only 19 of 50 items fit. Lower `limit`."


def test_one_item_that_is_too_long_is_cut_and_says_so() -> None:
    items = [{"text": "ä" * 30_000}, {"text": "b"}]
    fit = render({"items": items, "next_cursor": None}, narrow=NARROW).structured_content
    assert len(fit["items"]) == 1
    assert fit["items"][0]["text"].endswith("ä…")
    assert fit[NOTE] == (
        "Only 1 of 2 items fit. Long texts were cut and end in '…'. Lower `limit`."
    )


def test_a_long_text_keeps_as_much_as_fits() -> None:
    fit = render({"id": "a", "text": "x" * 50_000}, narrow=NARROW)
    assert LARGEST_BYTES - 10 < len(text_of(fit).encode()) <= LARGEST_BYTES


def test_many_small_values_are_left_out_as_a_whole() -> None:
    data = {"id": "a", "data": {str(number): number for number in range(10_000)}}
    fit = render(data, narrow=NARROW).structured_content
    assert fit == {
        "id": "a",
        "data": {},
        NOTE: f"Nested values were left out, they do not fit. {NARROW}",
    }


def test_the_largest_result_is_far_below_what_hosts_cut() -> None:
    assert results.LARGEST_BYTES == 20_000
