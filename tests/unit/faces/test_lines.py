"""Lines of standard input: whole however they are cut on the way, and never longer than held."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import JSONRPCError

from tmws.faces.mcp.lines import MOST_LINE_BYTES, Cutter, TooLong, objection

LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=8)


@given(LINES, st.lists(st.integers(0, 300), max_size=8))
def test_lines_come_out_whole_wherever_they_are_cut(lines: list[bytes], cuts: list[int]) -> None:
    sent = b"".join(line + b"\n" for line in lines)
    places = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    cutter = Cutter()
    found = [
        line for start, end in itertools.pairwise(places) for line in cutter.feed(sent[start:end])
    ]
    assert found == lines


@pytest.mark.parametrize(
    ("head", "tail", "named"),
    [
        (b'{"jsonrpc":"2.0","id":7,"params":"', b'"}', 7),
        (b'{"params":"', b'","jsonrpc":"2.0","id": 8}', 8),
        (b'{"params":"', b'"}', None),
        (b'{"id":"text","params":"', b'"}', None),
    ],
)
def test_of_a_line_that_is_too_long_the_request_is_answered(
    head: bytes, tail: bytes, named: int | None
) -> None:
    cutter = Cutter()
    block = b"x" * 65_536
    assert cutter.feed(b"{}\n" + head) == [b"{}"]
    for _ in range(2 * MOST_LINE_BYTES // len(block)):
        assert cutter.feed(block) == []
    too_long, after = cutter.feed(tail + b"\n[]\n")
    assert isinstance(too_long, TooLong)
    assert after == b"[]"
    message = too_long.answer().message
    assert isinstance(message, JSONRPCError)
    assert message.id == named


def test_the_longest_line_is_taken() -> None:
    line = b"x" * MOST_LINE_BYTES
    assert Cutter().feed(line + b"\n") == [line]
    assert isinstance(Cutter().feed(line + b"x\n")[0], TooLong)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"\\ud83d"}}', 7),
        (b'{"jsonrpc":"2.0","method":"x","params":{"a":"\xff"},"id":8}', 8),
        (b'{"jsonrpc":"2.0","id":9,"method":"x","params":{"a":' + b"[" * 9999 + b"}}", 9),
        (b'{"jsonrpc":"2.0","id":10}', 10),
        (b'{"id":"text"', None),
        (b"nonsense\x1b[31m", None),
    ],
)
def test_of_a_line_that_is_no_message_whoever_waits_is_answered(
    line: bytes, named: int | None
) -> None:
    refused = objection(line)
    assert refused is not None
    assert isinstance(refused.message, JSONRPCError)
    assert refused.message.id == named
    assert refused.message.error.message.isprintable()
    assert len(refused.message.error.message) <= 300


def test_messages_and_empty_lines_are_not_objected_to() -> None:
    ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    assert [objection(line) for line in (ping, b"", b" \r")] == [None] * 3
