"""The words between the server and PID 1: round trips, and every way to break them."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.execution import ExecutionRequest, Limits
from tmws.domain.snapshots import SnapshotFile
from tmws.sandbox.frames import (
    KEPT_BYTES,
    MAX_ANSWER_HEADER_BYTES,
    STDERR,
    STDOUT,
    Answer,
    AnswerReader,
    BrokenFrame,
    Demultiplexer,
    Refusal,
    encode_request,
)

HEADER: dict[str, Any] = {
    "ended_by": None,
    "exit_code": 0,
    "signal": None,
    "oom_kills": 0,
    "wall_seconds": 0.5,
    "cpu_seconds": 0.25,
    "peak_memory_bytes": 4096,
    "totals": [3, 2, 1],
    "kept": [3, 2, 1],
}
contents = st.binary(max_size=300)
files = st.lists(
    st.builds(
        lambda path, content, executable: SnapshotFile(
            path, content, sha256(content).hexdigest(), executable
        ),
        st.text(min_size=1, max_size=20),
        contents,
        st.booleans(),
    ),
    max_size=5,
)


def framed(header: object, bodies: bytes = b"") -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(encoded).to_bytes(4, "big") + encoded + bodies


def in_pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(data[start : start + size])
        start += size
    return [*pieces, data[start:]]


@given(argv=st.lists(st.text(max_size=20), min_size=1, max_size=5), files=files)
def test_a_request_says_where_each_file_begins(argv: list[str], files: list[SnapshotFile]) -> None:
    request = ExecutionRequest(tuple(argv), tuple(files), Limits())
    frame = b"".join(encode_request(request))
    size = int.from_bytes(frame[:4], "big")
    header, body = json.loads(frame[4 : 4 + size]), frame[4 + size :]
    assert header["argv"] == argv
    for file, (path, length, executable) in zip(files, header["files"], strict=True):
        assert (path, body[:length], executable) == (file.path, file.content, file.executable)
        body = body[length:]
    assert not body


@given(sizes=st.lists(st.integers(1, 40), max_size=20))
def test_an_answer_may_arrive_in_any_pieces(sizes: list[int]) -> None:
    reader = AnswerReader()
    answers = [reader.feed(piece) for piece in in_pieces(framed(HEADER, b"outerr"), sizes)]
    complete = [answer for answer in answers if answer is not None]
    assert isinstance(complete[0], Answer)
    assert (complete[0].stdout, complete[0].stderr, complete[0].report) == (b"out", b"er", b"r")
    assert asdict(complete[0])["peak_memory_bytes"] == 4096


def test_a_refusal_carries_its_words() -> None:
    assert AnswerReader().feed(framed({"refused": "no such file"})) == Refusal("no such file")


@pytest.mark.parametrize(
    "change",
    [
        {"ended_by": "luck"},
        {"ended_by": 1},
        {"ended_by": []},
        {"exit_code": 256},
        {"exit_code": -1},
        {"exit_code": True},
        {"exit_code": "0"},
        {"exit_code": 0.0},
        {"signal": 0},
        {"signal": 65},
        {"oom_kills": -1},
        {"oom_kills": None},
        {"wall_seconds": -1},
        {"wall_seconds": float("nan")},
        {"wall_seconds": float("inf")},
        {"wall_seconds": "1"},
        {"cpu_seconds": True},
        {"peak_memory_bytes": 2**63},
        {"totals": [1, 2]},
        {"totals": [1, 2, -3]},
        {"totals": {}},
        {"kept": [KEPT_BYTES + 1, 0, 0]},
        {"kept": [0, 0, 2**40]},
        {"kept": [0, 0, True]},
        {"refused": 1},
    ],
    ids=str,
)
def test_a_header_of_another_form_is_no_answer(change: dict[str, Any]) -> None:
    with pytest.raises(BrokenFrame):
        AnswerReader().feed(framed(HEADER | change, b"outerr"))


@pytest.mark.parametrize("field", HEADER)
def test_a_header_that_lacks_a_field_is_no_answer(field: str) -> None:
    header = {name: value for name, value in HEADER.items() if name != field}
    with pytest.raises(BrokenFrame):
        AnswerReader().feed(framed(header, b"outerr"))


@pytest.mark.parametrize(
    "frame",
    [
        framed(b"{"),
        framed(b"[]"),
        framed(b"null"),
        framed(b"\xff\xfe"),
        framed(b"[" * 60_000),
        (MAX_ANSWER_HEADER_BYTES + 1).to_bytes(4, "big"),
        b"\xff\xff\xff\xff",
        framed(HEADER, b"outerr+more"),
    ],
    ids=["cut", "list", "null", "bytes", "deep", "long", "longest", "followed"],
)
def test_nonsense_is_no_answer(frame: bytes) -> None:
    with pytest.raises(BrokenFrame):
        AnswerReader().feed(frame)


@given(data=st.binary(max_size=2000))
def test_any_bytes_end_as_an_answer_as_waiting_or_as_broken(data: bytes) -> None:
    try:
        found = AnswerReader().feed(data)
    except BrokenFrame:
        return
    assert found is None or isinstance(found, Refusal)


@given(
    payloads=st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), contents), max_size=8),
    sizes=st.lists(st.integers(1, 50), max_size=30),
)
def test_a_multiplexed_stream_comes_apart_as_it_was_put_together(
    payloads: list[tuple[int, bytes]], sizes: list[int]
) -> None:
    stream = b"".join(
        bytes([number, 0, 0, 0]) + len(content).to_bytes(4, "big") + content
        for number, content in payloads
    )
    demultiplexer = Demultiplexer()
    found = [one for piece in in_pieces(stream, sizes) for one in demultiplexer.feed(piece)]
    assert found == payloads


@given(data=st.binary(max_size=200))
def test_any_bytes_come_apart_or_are_broken(data: bytes) -> None:
    try:
        found = Demultiplexer().feed(data)
    except BrokenFrame:
        return
    assert sum(len(content) + 8 for _, content in found) <= len(data)


def test_an_announcement_beyond_reason_is_refused_before_it_is_collected() -> None:
    with pytest.raises(BrokenFrame):
        Demultiplexer().feed(b"\1\0\0\0\xff\xff\xff\xff")
