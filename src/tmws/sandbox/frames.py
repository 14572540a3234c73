"""The words between this process and PID 1 of a slot; `init.py` describes them.

Pure: bytes in, values out. What arrives is checked as if an enemy had sent it, because
a broken frame must end as "no result", never as a verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tmws.domain.execution import MEBIBYTE, ExecutionRequest
from tmws.domain.reports import MAX_REPORT_BYTES

READY = b"R"
# Said to a PID 1 that waits: its owner is still there.
STILL_HERE = bytes(4)
STDOUT = 1
STDERR = 2
KEPT_BYTES = 64 * 1024
REPORT_BYTES = MAX_REPORT_BYTES
MAX_ANSWER_HEADER_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 4 + MAX_ANSWER_HEADER_BYTES + 2 * KEPT_BYTES + REPORT_BYTES
# Docker cuts at 32 KiB; whatever is much longer is not Docker's.
MAX_MULTIPLEXED_BYTES = 16 * MEBIBYTE
_BATCH_BYTES = 256 * 1024


class BrokenFrame(ValueError):
    """The other side said something that it never says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What PID 1 saw of one run; `ended_by` is None, `timeout` or `output`."""

    ended_by: str | None
    exit_code: int | None
    signal: int | None
    oom_kills: int
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    stdout_bytes: int
    stderr_bytes: int
    stdout: bytes
    stderr: bytes
    report: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """PID 1 could not carry the request out; nothing was judged."""

    words: str


def encode_request(request: ExecutionRequest) -> Iterator[bytes]:
    """Yield the request in pieces of convenient size; the files are not copied twice."""
    header = json.dumps(
        {
            "argv": request.argv,
            "files": [(file.path, len(file.content), file.executable) for file in request.files],
            "wall_seconds": request.limits.wall_seconds,
            "output_bytes": request.limits.output_bytes,
            "kept_bytes": KEPT_BYTES,
            "report_bytes": REPORT_BYTES,
        }
    ).encode()
    batch = [len(header).to_bytes(4, "big"), header]
    size = len(header)
    for file in request.files:
        batch.append(file.content)
        size += len(file.content)
        if size >= _BATCH_BYTES:
            yield b"".join(batch)
            batch, size = [], 0
    yield b"".join(batch)


class Demultiplexer:
    """Takes Docker's attach stream apart: 1 byte stream, 3 zero, 4 length, payload."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the payloads that are complete now, each with its stream's number.

        Raises:
            BrokenFrame: this is no attach stream.
        """
        self._buffer += data
        complete = []
        while len(self._buffer) >= 8:
            number, padding = self._buffer[0], bytes(self._buffer[1:4])
            size = int.from_bytes(self._buffer[4:8], "big")
            if number not in (STDOUT, STDERR) or padding != bytes(3):
                raise BrokenFrame("the engine's stream has an unknown header")
            if size > MAX_MULTIPLEXED_BYTES:
                raise BrokenFrame(f"the engine's stream announces {size} bytes at once")
            if len(self._buffer) < 8 + size:
                break
            complete.append((number, bytes(self._buffer[8 : 8 + size])))
            del self._buffer[: 8 + size]
        return complete


class AnswerReader:
    """Puts one answer together from the pieces in which it arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Answer | Refusal | None:
        """Return the answer once it is complete.

        Raises:
            BrokenFrame: too long, not of the agreed form, or followed by more.
        """
        self._buffer += data
        if len(self._buffer) > MAX_ANSWER_BYTES:
            raise BrokenFrame(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
        if len(self._buffer) < 4:
            return None
        size = int.from_bytes(self._buffer[:4], "big")
        if size > MAX_ANSWER_HEADER_BYTES:
            raise BrokenFrame(f"the answer announces a header of {size} bytes")
        if len(self._buffer) < 4 + size:
            return None
        header = _parsed(bytes(self._buffer[4 : 4 + size]))
        if "refused" in header:
            return Refusal(_text(header, "refused"))
        return self._answer(header, 4 + size)

    def _answer(self, header: dict[str, Any], start: int) -> Answer | None:
        kept = _counts(header, "kept", (KEPT_BYTES, KEPT_BYTES, REPORT_BYTES))
        totals = _counts(header, "totals", None)
        missing = start + sum(kept) - len(self._buffer)
        if missing > 0:
            return None
        if missing < 0:
            raise BrokenFrame("the answer is followed by more")
        bodies = []
        for size in kept:
            bodies.append(bytes(self._buffer[start : start + size]))
            start += size
        return Answer(
            ended_by=_one_of(header, "ended_by", (None, "timeout", "output")),
            exit_code=_whole_or_none(header, "exit_code", 0, 255),
            signal=_whole_or_none(header, "signal", 1, 64),
            oom_kills=_whole(header, "oom_kills"),
            wall_seconds=_seconds(header, "wall_seconds"),
            cpu_seconds=_seconds(header, "cpu_seconds"),
            peak_memory_bytes=_whole(header, "peak_memory_bytes"),
            stdout_bytes=totals[0],
            stderr_bytes=totals[1],
            stdout=bodies[0],
            stderr=bodies[1],
            report=bodies[2],
        )


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BrokenFrame("the answer's header is not JSON") from error
    if not isinstance(header, dict):
        raise BrokenFrame("the answer's header is not an object")
    return header


def _text(header: dict[str, Any], name: str) -> str:
    value = header.get(name)
    if not isinstance(value, str):
        raise BrokenFrame(f"the answer's {name} is not text")
    return value


def _one_of(header: dict[str, Any], name: str, allowed: tuple[str | None, ...]) -> str | None:
    value = header.get(name, "")
    if not (value is None or isinstance(value, str)) or value not in allowed:
        raise BrokenFrame(f"the answer's {name} is unknown")
    return value


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _whole(header: dict[str, Any], name: str) -> int:
    value = header.get(name)
    if not _is_count(value):
        raise BrokenFrame(f"the answer's {name} is not a count")
    return int(value)  # type: ignore[arg-type]


def _whole_or_none(header: dict[str, Any], name: str, least: int, most: int) -> int | None:
    if name in header and header[name] is None:
        return None
    value = _whole(header, name)
    if not least <= value <= most:
        raise BrokenFrame(f"the answer's {name} is out of range")
    return value


def _seconds(header: dict[str, Any], name: str) -> float:
    value = header.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise BrokenFrame(f"the answer's {name} is not a duration")
    return float(value)


def _counts(header: dict[str, Any], name: str, most: tuple[int, ...] | None) -> list[int]:
    values = header.get(name)
    if not isinstance(values, list) or len(values) != 3 or not all(map(_is_count, values)):
        raise BrokenFrame(f"the answer's {name} are not three counts")
    if most is not None and any(value > limit for value, limit in zip(values, most, strict=True)):
        raise BrokenFrame(f"the answer's {name} are over the limit")
    return values
