"""Each agent's share of the server over HTTP, so that one cannot take the others' places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tmws.faces.mcp.identity import AgentUser

MEBIBYTE = 1024 * 1024
MOST_REQUESTS = 64
"""Of one agent at once, standing streams among them."""

MOST_BODY_BYTES = 16 * MEBIBYTE
LARGEST_BODY_BYTES = 4 * MEBIBYTE
"""What the SDK takes, and what a body counts that does not say its length."""


@dataclass(slots=True)
class _Taken:
    requests: int = 0
    body_bytes: int = 0


class Shares:
    """Answers 429 to an agent that has too much in hand already; stands behind the guard."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._taken: dict[str, _Taken] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it before its body is read."""
        user = scope.get("user")
        if not isinstance(user, AgentUser):  # the guard in front lets nobody else through
            await self._app(scope, receive, send)
            return
        size = _size(Headers(scope=scope))
        taken = self._taken.get(user.agent.id, _Taken())
        if taken.requests >= MOST_REQUESTS:
            await _refuse(f"{MOST_REQUESTS} requests at once", scope, receive, send)
        elif taken.body_bytes and taken.body_bytes + size > MOST_BODY_BYTES:
            await _refuse(f"{MOST_BODY_BYTES} bytes of requests at once", scope, receive, send)
        else:
            # Who leaves in the middle of a request is no fault that a log has to tell of.
            with self._holding(user.agent.id, size), suppress(ClientDisconnect):
                await self._app(scope, receive, send)

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
