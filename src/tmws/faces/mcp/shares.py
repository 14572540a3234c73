"""Each agent's share of the server over HTTP, so that one cannot take the others' places."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tmws.faces.mcp.identity import AgentUser

MEBIBYTE = 1024 * 1024
MOST_REQUESTS = 64
"""Of one agent at once, standing streams among them."""

MOST_BODY_BYTES = 16 * MEBIBYTE
MOST_SESSIONS_OF_ONE = 250
IDLE_SECONDS = 1800.0
"""When the SDK ends a session that nobody uses."""

LARGEST_BODY_BYTES = 4 * MEBIBYTE
"""What the SDK takes, and what a body counts that does not say its length."""

_OK = 200
# A handshake comes without a version, or with one of these.
_OLDER = frozenset({None, *HANDSHAKE_PROTOCOL_VERSIONS})


@dataclass(slots=True)
class _Taken:
    requests: int = 0
    body_bytes: int = 0


class Shares:
    """Answers 429 to an agent that has too much in hand already; stands behind the guard."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._taken: dict[str, _Taken] = {}
        self._sessions: dict[str, _Sessions] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it before its body is read."""
        user = scope.get("user")
        if not isinstance(user, AgentUser):  # the guard in front lets nobody else through
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        size = _size(headers)
        sessions = self._sessions.setdefault(user.agent.id, _Sessions())
        if (most := self._exceeded(user.agent.id, size)) or (most := sessions.exceeded(headers)):
            await _refuse(most, scope, receive, send)
            return
        # Who leaves in the middle of a request is no fault that a log has to tell of.
        with self._holding(user.agent.id, size), suppress(ClientDisconnect):
            await self._app(scope, receive, sessions.noting(scope, send))

    def _exceeded(self, agent_id: str, size: int) -> str | None:
        taken = self._taken.get(agent_id, _Taken())
        if taken.requests >= MOST_REQUESTS:
            return f"{MOST_REQUESTS} requests at once"
        if taken.body_bytes and taken.body_bytes + size > MOST_BODY_BYTES:
            return f"{MOST_BODY_BYTES} bytes of requests at once"
        return None

    @contextmanager
    def _holding(self, agent_id: str, size: int) -> Iterator[None]:
        taken = self._taken.setdefault(agent_id, _Taken())
        taken.requests += 1
        taken.body_bytes += size
        try:
            yield
        finally:
            taken.requests -= 1
            taken.body_bytes -= size
            if not taken.requests:
                del self._taken[agent_id]


class _Sessions:
    """The sessions of the older era that one agent opened and used of late."""

    def __init__(self) -> None:
        self._used: dict[str, float] = {}

    def exceeded(self, headers: Headers) -> str | None:
        """Note that a session is used; say what a request for one more would exceed."""
        now = time.monotonic()
        self._used = {name: at for name, at in self._used.items() if now - at < IDLE_SECONDS}
        named = headers.get(MCP_SESSION_ID_HEADER)
        if named in self._used:
            self._used[named] = now
        opens = named is None and headers.get(MCP_PROTOCOL_VERSION_HEADER) in _OLDER
        full = opens and len(self._used) >= MOST_SESSIONS_OF_ONE
        return f"{MOST_SESSIONS_OF_ONE} sessions" if full else None

    def noting(self, scope: Scope, send: Send) -> Send:
        """Return the sender that takes note of a session which the answer opens or ends."""

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                named = Headers(raw=message["headers"]).get(MCP_SESSION_ID_HEADER)
                if scope["method"] == "DELETE" and message["status"] == _OK:
                    self._used.pop(Headers(scope=scope).get(MCP_SESSION_ID_HEADER, ""), None)
                elif named is not None:
                    self._used[named] = time.monotonic()
            await send(message)

        return noted


def _size(headers: Headers) -> int:
    """Return what the body may cost; who does not say it pays for the largest."""
    said = headers.get("content-length", "")
    if said.isascii() and said.isdigit():
        return min(int(said[:12]), LARGEST_BODY_BYTES)
    return LARGEST_BODY_BYTES if "transfer-encoding" in headers else 0


async def _refuse(most: str, scope: Scope, receive: Receive, send: Send) -> None:
    answer = PlainTextResponse(
        f"An agent may have {most} in hand. Let some end, then send it again.\n",
        status_code=429,
        # The body was not read, and nobody waits for it.
        headers={"Retry-After": "1", "Connection": "close"},
    )
    await answer(scope, receive, send)
