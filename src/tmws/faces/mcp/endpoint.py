"""The MCP server as an ASGI application for streamable HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import mcp_types as wire
from mcp.server.auth.middleware.bearer_auth import RequireAuthMiddleware
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.authentication import AuthenticationError
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tmws.app import App
from tmws.faces.mcp import identity
from tmws.faces.mcp.server import McpServer
from tmws.faces.mcp.shares import LARGEST_BODY_BYTES, Shares

MOST_SESSIONS = 1000
"""Of the older era; each is kept for half an hour after its last request."""


class McpEndpoint:
    """Answers MCP requests that carry a valid bearer token; others get 401.

    An agent that an administrator disabled gets 403 with an error that its client shows: it
    opens no session, and those that it has open answer nothing more. While the store that knows
    the tokens does not answer, all get 503.

    Stateful with event streams: answering in plain JSON would lose progress and, in
    the newer era, cancellation. `running` must be entered once around its use.
    """

    def __init__(
        self, app: App, *, allowed_hosts: Sequence[str], allowed_origins: Sequence[str]
    ) -> None:
        self._server = McpServer(app, identity.by_bearer)
        self._manager = StreamableHTTPSessionManager(
            self._server,
            max_request_body_size=LARGEST_BODY_BYTES,
            max_sessions=MOST_SESSIONS,
            security_settings=TransportSecuritySettings(
                allowed_hosts=list(allowed_hosts), allowed_origins=list(allowed_origins)
            ),
        )
        guarded = RequireAuthMiddleware(
            Shares(StreamableHTTPASGIApp(self._manager)), required_scopes=[]
        )
        self._guarded = AuthenticationMiddleware(
            guarded, backend=identity.Bearer(app), on_error=_shut_out
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, as ASGI has it."""
        await self._guarded(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep sessions and the watcher of the tool list alive inside the block."""
        async with self._manager.run():
            yield

    def hang_up(self) -> None:
        """Tell those who listen for changes that the server is leaving."""
        self._server.listeners.close()


def _shut_out(_: HTTPConnection, error: AuthenticationError) -> Response:
    """Say why nothing is answered in the words that a client takes for an answer."""
    code, status = wire.INVALID_REQUEST, 403
    if isinstance(error, identity.Unanswered):
        code, status = wire.INTERNAL_ERROR, 503
    said = {"code": code, "message": str(error)}
    # Its body was not read, so it is not known which request this answers.
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": said}, status_code=status)
