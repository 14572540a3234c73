"""The MCP server as an ASGI application for streamable HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mcp.server.auth.middleware.bearer_auth import RequireAuthMiddleware
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.types import Receive, Scope, Send

from tmws.app import App
from tmws.faces.mcp import identity
from tmws.faces.mcp.server import McpServer
from tmws.faces.mcp.shares import LARGEST_BODY_BYTES, Shares

MOST_SESSIONS = 1000
"""Of the older era; each is kept for half an hour after its last request."""


class McpEndpoint:
    """Answers MCP requests that carry a valid bearer token; others get 401.

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
        self._guarded = AuthenticationMiddleware(guarded, backend=identity.Bearer(app))

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
