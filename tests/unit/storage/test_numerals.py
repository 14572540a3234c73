"""Numbers as text: the same bytes as Python's encoder writes, and the same doubles back."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmws.storage.numerals import read, written

_DOUBLES = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(_DOUBLES | st.integers(-(2**62), 2**62) | st.none(), max_size=8))
@example([1e-5, 9.999e-5, 1e-4, 0.0001234])
@example([1e15, 9.9e15, 1e16, 1.5e16, 1e22, 1.7976931348623157e308, 5e-324])
@example([-0.0, 10.00001, 0.1, 100.0])
def test_numbers_are_written_as_the_encoder_of_json_does(numbers: list[float | None]) -> None:
    assert written(numbers) == json.dumps(numbers, separators=(",", ":"))


@given(st.integers(0, 2**64 - 1))
def test_every_double_is_read_back_to_the_last_bit(bits: int) -> None:
    [number] = struct.unpack("d", struct.pack("Q", bits))
    if math.isfinite(number):
        [again] = read(written([number]))
        assert struct.pack("d", again) == struct.pack("d", number)
        assert struct.pack("d", read(repr(number))) == struct.pack("d", number)


@pytest.mark.parametrize("text", ["", "[1", "nonsense", "[01]"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)
