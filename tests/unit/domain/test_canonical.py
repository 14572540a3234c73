"""One byte string per value."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.canonical import Json, canonical_bytes, digest, sha256_hex
from tmws.domain.errors import InvalidInput

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES | st.floats(allow_nan=False, allow_infinity=False) | st.floats(2**53, 1e22))
def test_what_was_written_reads_back_and_writes_the_same(value: Json) -> None:
    written = canonical_bytes(value)
    assert canonical_bytes(json.loads(written)) == written


@given(VALUES | st.floats(allow_nan=False, allow_infinity=False))
def test_every_value_is_written_as_the_reference_writes_it(value: Json) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


class _Word(StrEnum):
    SAID = "said"


class _Pair(NamedTuple):
    left: float
    right: _Word


def test_a_type_made_of_one_that_json_has_is_written_like_that() -> None:
    value: OrderedDict[str, Json] = OrderedDict(
        {"pair": _Pair(1.0, _Word.SAID), "flag": HTTPStatus.OK, "a": False}
    )
    assert canonical_bytes(value) == b'{"a":false,"flag":200,"pair":[1,"said"]}'


@given(st.dictionaries(TEXT, st.integers(0, 9), min_size=2, max_size=6))
def test_the_order_of_keys_says_nothing(value: dict[str, int]) -> None:
    backwards = dict(reversed(value.items()))
    assert digest(value) == digest(backwards)


def test_the_example_of_the_rfc_comes_out_as_printed() -> None:
    # RFC 8785 §3.2.3 and §3.2.2, the parts that implementations get wrong.
    value: Json = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
    }
    assert canonical_bytes(value).decode() == (
        '{"\\r":"Carriage Return","numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/","€":"Euro Sign"}'
    )


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        2**53 + 1,
        -(10**21),
        10**400,
        "\ud800",
        {"\udfff": 1},
        {"a": object()},
        {1: 2},
        {1: 2, "a": 3},
    ],
)
def test_what_json_cannot_say_alike_everywhere_is_refused(value: Json) -> None:
    with pytest.raises(InvalidInput, match="no canonical JSON form"):
        canonical_bytes(value)


def test_a_value_nested_beyond_reason_is_refused_not_followed() -> None:
    value: Json = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InvalidInput, match="no canonical JSON form"):
        canonical_bytes(value)


def test_a_digest_is_lower_case_hex() -> None:
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(None) == sha256_hex(b"null")
