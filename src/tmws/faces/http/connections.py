"""Connections that cost the server no more than their request: slow clients are let go.

uvicorn waits for ever for a request that never ends and for a reader that never reads.
Here a whole request has to arrive within its time, and what was answered has to be taken.
When all places are taken, whoever has been waited for longest makes room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from uvicorn.server import Protocols

_log = structlog.get_logger()

MOST_CONNECTIONS = 512
REQUEST_SECONDS = 30.0
"""For head and body together, from the connection's start or the answer before."""

STALLED_SECONDS = 30.0
"""How long more may be waiting to be read by a client than is buffered for it."""

MOST_EARLY_BYTES = 256 * 1024
"""Of requests behind the one that is being answered; hardly a client sends any."""


class BoundedConnection(H11Protocol):
    """One client's connection, and since when it is waited for."""

    _waited_since: float = 0.0
    _stalled_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._waited_since = self.loop.time()
        if len(self.connections) > MOST_CONNECTIONS:
            waiting = [each for each in bounded(self.connections) if each.is_waited_for]
            first = min(waiting, key=lambda each: each._waited_since, default=self)
            first.let_go("all places are taken")

    def data_received(self, data: bytes) -> None:
        # uvicorn reads on while it answers, to hear of a hang-up, and holds all that comes.
        early = 0 if self.is_waited_for else len(self.conn.trailing_data[0]) + len(data)
        if early > MOST_EARLY_BYTES:
            self.let_go("more requests came than are answered")
        else:
            super().data_received(data)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._waited_since = self.loop.time()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled_since = None

    @property
    def is_waited_for(self) -> bool:
        """Say whether the client has still to send a whole request, or to take its answer."""
        if getattr(self.cycle, "response_complete", True):  # before the first there is no cycle
            return True
        return self.cycle.more_body or self.transport.is_closing()

    def require_life(self) -> None:
        """Let go of a client that sends or reads too slowly."""
        now = self.loop.time()
        if self._stalled_since is not None and now - self._stalled_since > STALLED_SECONDS:
            self.let_go("the answer is not read")
        elif self.is_waited_for and now - self._waited_since > REQUEST_SECONDS:
            self.let_go("no whole request came")

    def let_go(self, why: str) -> None:
        """End the connection at once; what it still had to get is dropped."""
        _log.debug("connection_let_go", why=why)
        self.connections.discard(self)  # its end is told later, and its place is needed now
        self.transport.abort()


def bounded(connections: Iterable[Protocols]) -> list[BoundedConnection]:
    """Return those that are ours: all, as long as no other protocol is served."""
    return [each for each in connections if isinstance(each, BoundedConnection)]
