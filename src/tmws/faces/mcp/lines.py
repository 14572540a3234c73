"""What a client sends on standard input, bounded in size and in pace.

A line is held only up to a size, and nothing more is read from a client that leaves its
answers unread: what it asks would otherwise pile up here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Protocol

from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    jsonrpc_message_adapter,
)

from tmws.domain.records import plain

MOST_LINE_BYTES = 4 * 1024 * 1024
MOST_UNREAD = 32
_ENDS_BYTES = 256
_LONGEST_REASON = 100
# Clients write the id of a request first or last.
_ID = re.compile(rb'"id"\s*:\s*([0-9]{1,15})\s*[,}]')


class TooLong:
    """A line of which only the ends are left; `id` is its request's, if they tell it."""

    def __init__(self, ends: bytes) -> None:
        self.id = _id_in(ends)

    def answer(self) -> SessionMessage:
        """Return what the client is told."""
        words = f"The message is longer than {MOST_LINE_BYTES} bytes. Send less at once."
        return _refusal(self.id, INVALID_REQUEST, words)


def objection(line: bytes) -> SessionMessage | None:
    """Return what the client is told of a line that is no message, None of one that is.

    The SDK would drop it without a word, and whoever asked would wait. Half a character of
    two (`\\ud83d`) is enough for that, and models write one now and then.
    """
    try:
        jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError as error:
        if not line.strip():
            return None
        reason = "".join(str(error).splitlines()[1:2]).partition("[type=")[0].strip()
        told = plain(reason[:_LONGEST_REASON])
        words = f"The message is no JSON-RPC: {told}. Send it again as UTF-8 JSON."
        return _refusal(_id_in(line[:_ENDS_BYTES] + line[-_ENDS_BYTES:]), PARSE_ERROR, words)
    return None


def _id_in(ends: bytes) -> int | None:
    found = _ID.search(ends)
    return int(found[1]) if found else None


def _refusal(request_id: int | None, code: int, words: str) -> SessionMessage:
    error = ErrorData(code=code, message=words)
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=request_id, error=error))


class Cutter:
    """Cuts what arrives into lines."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._ends: bytes | None = None

    def feed(self, data: bytes) -> list[bytes | TooLong]:
        """Return the lines that are complete now."""
        *ended, rest = data.split(b"\n")
        complete = []
        for part in ended:
            self._hold(part)
            complete.append(self._taken())
        self._hold(rest)
        return complete

    def _hold(self, part: bytes) -> None:
        self._held += part
        if len(self._held) > MOST_LINE_BYTES or self._ends is not None:
            self._ends = self._ends or bytes(self._held[:_ENDS_BYTES])
            del self._held[:-_ENDS_BYTES]

    def _taken(self) -> bytes | TooLong:
        line = bytes(self._held)
        ends, self._ends = self._ends, None
        self._held = bytearray()
        return line if ends is None else TooLong(ends + line)


class Sink(Protocol):
    """Where the SDK's session sends what the client is to read."""

    async def send(self, item: SessionMessage, /) -> None: ...
    async def aclose(self) -> None: ...


class Unread:
    """Passes answers on, and lets no more be asked while many wait for the client to read."""

    def __init__(self) -> None:
        self._sink: asyncio.Future[Sink] = asyncio.get_running_loop().create_future()
        self._waiting = 0
        self._room = asyncio.Event()
        self._room.set()

    def before(self, sink: Sink) -> Unread:
        """Stand before what the client reads from."""
        self._sink.set_result(sink)
        return self

    async def paced(self, lines: AsyncIterator[bytes | TooLong]) -> AsyncIterator[bytes]:
        """Yield the lines, each once the client has read most of its answers."""
        async for line in lines:
            await self._room.wait()
            refused = line.answer() if isinstance(line, TooLong) else objection(line)
            if refused is not None:
                await self.send(refused)
            elif isinstance(line, bytes):
                yield line

    async def send(self, item: SessionMessage, /) -> None:
        """Hand one message over, once the ones before it are."""
        self._waiting += 1
        if self._waiting >= MOST_UNREAD:
            self._room.clear()
        try:
            await (await self._sink).send(item)
        finally:
            self._waiting -= 1
            if self._waiting < MOST_UNREAD:
                self._room.set()

    async def aclose(self) -> None:
        await (await self._sink).aclose()

    async def __aenter__(self) -> Unread:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.aclose()
