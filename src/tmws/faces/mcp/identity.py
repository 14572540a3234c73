"""Who calls: what the transport proves, never what a message says.

On stdio the launcher's environment names the agent once; over HTTP each request
carries a bearer token. Arguments, other headers, `_meta` and `clientInfo` are
whatever the sender likes, and nothing here reads them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.context import ServerRequestContext
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
)
from starlette.requests import HTTPConnection

from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import BackendUnavailable, InvalidInput, PermissionDenied
from tmws.faces.mcp import errors

_log = structlog.get_logger()

Context = ServerRequestContext[Any, Any]
CallerOf = Callable[[Context], Awaitable[Agent]]


async def launched_as(app: App) -> CallerOf:
    """Return the rule that every call is the agent's whom the environment names.

    Without one it is the local user's own agent, made on first use. The secret is
    checked now and at each call, so that one which was replaced stops working, and so is
    whether an administrator disabled the agent.

    Raises:
        InvalidInput: only one of name and secret is set.
        PermissionDenied: they do not belong together, or the agent is disabled.
    """
    name, secret = app.settings.agent_id, app.settings.agent_secret
    if not name and not secret:
        agent = await app.agents.local()
        await app.agents.require_enabled(agent)
        _log.warning(
            "acting_as_local_agent",
            name=agent.name,
            hint="set TMWS_AGENT_ID and TMWS_AGENT_SECRET to be another",
        )
        return _while_enabled(app, agent)
    if not name or not secret:
        missing = "TMWS_AGENT_SECRET" if name else "TMWS_AGENT_ID"
        raise InvalidInput(
            f"{missing} is not set. Set TMWS_AGENT_ID and TMWS_AGENT_SECRET both, or neither to "
            "act as the local user. 'tmws agents create NAME' makes an agent."
        )
    await app.agents.authenticate(name, secret.get_secret_value())

    async def named(_: Context) -> Agent:
        return await app.agents.authenticate(name, secret.get_secret_value())

    return named


def _while_enabled(app: App, agent: Agent) -> CallerOf:
    async def local(_: Context) -> Agent:
        await app.agents.require_enabled(agent)
        return agent

    return local


class AgentUser(AuthenticatedUser):
    """An agent as starlette's user; the SDK binds sessions to its id."""

    def __init__(self, agent: Agent) -> None:
        # The token itself is not kept: nothing after this needs it.
        super().__init__(AccessToken(token="", client_id=agent.id, scopes=[], subject=agent.id))
        self.agent = agent


class Unanswered(AuthenticationError):
    """The store, which knows who holds which secret, does not answer."""


class Bearer(AuthenticationBackend):
    """Knows an agent by the token in the Authorization header, checked on every request."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Return who sends this request, or None for nobody known.

        Raises:
            AuthenticationError: an administrator disabled the agent.
            Unanswered: it cannot be known now.
        """
        scheme, _, token = conn.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        try:
            agent = await self._app.agents.bearer(token.strip())
        except PermissionDenied as disabled:
            raise AuthenticationError(f"{disabled.code}: {disabled.message}") from disabled
        except BackendUnavailable as error:
            raise Unanswered(f"{error.code}: {error.message}") from error
        return None if agent is None else (AuthCredentials(), AgentUser(agent))


async def by_bearer(ctx: Context) -> Agent:
    """Return the agent whose token came with this request."""
    user = ctx.request.scope.get("user") if ctx.request is not None else None
    if not isinstance(user, AgentUser):
        raise errors.internal()  # the guard in front lets nobody else through
    return user.agent
