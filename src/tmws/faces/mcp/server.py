"""The MCP server: one way in for every call, in both eras and on both transports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as wire
import structlog
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.subscriptions import ListenHandler

from tmws import __version__
from tmws.app import App
from tmws.domain.errors import LimitExceeded, TmwsError
from tmws.faces.mcp import errors, instructions, results
from tmws.faces.mcp.changes import Changes, Disabled
from tmws.faces.mcp.identity import CallerOf
from tmws.faces.mcp.registry import Call, Registry, Result, Tool
from tmws.faces.mcp.running import carried_through, progress_to
from tmws.faces.mcp.tools import REGISTRY

_log = structlog.get_logger()

Context = ServerRequestContext[Any, Any]

MOST_CALLS_AT_ONCE = 256
_BUSY = LimitExceeded(
    f"{MOST_CALLS_AT_ONCE} calls are being answered. Nothing was done. Retry after 1 s.",
    retryable=True,
    retry_after_seconds=1,
)


class McpServer(Server[None]):
    """Serves the tools of one application to callers that the transport knows."""

    def __init__(self, app: App, caller_of: CallerOf, registry: Registry = REGISTRY) -> None:
        self._app = app
        self._caller_of = caller_of
        self._running = 0
        self._registry = registry
        self._changes = Changes(app.tools.disabled)
        self.listeners = ListenHandler(self._changes.bus)
        super().__init__(
            "tmws",
            title="TMWS",
            version=__version__,
            instructions=instructions.for_tools(registry.names, app.profiles.names),
            lifespan=self._watched,
            # Never cached: a tool that was switched off must be gone from the next list.
            cache_hints={"tools/list": CacheHint(), "server/discover": CacheHint()},
            get_tool_input_schema=self._input_schema,
            on_list_tools=self._list,
            on_call_tool=self._call,
            on_subscriptions_listen=self.listeners,
        )
        self.add_notification_handler(
            "notifications/initialized", wire.NotificationParams, self._changes.follow
        )

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Promise 2025-era clients that they will hear of changed tools; the SDK's default no."""
        return super().create_initialization_options(
            notification_options or NotificationOptions(tools_changed=True),
            experimental_capabilities,
            extensions,
        )

    @asynccontextmanager
    async def _watched(self, _: Server[None]) -> AsyncIterator[None]:
        known = await self.refreshed()
        async with anyio.create_task_group() as group:
            group.start_soon(self._changes.watch, known, self._instruct)
            yield
            group.cancel_scope.cancel()

    async def refreshed(self) -> Disabled:
        """Return what is disabled now, once the instructions speak of nothing else."""
        disabled = await self._app.tools.disabled()
        self._instruct(disabled)
        return disabled

    def _instruct(self, disabled: Disabled) -> None:
        enabled = (name for name in self._registry.names if name not in disabled)
        self.instructions = instructions.for_tools(enabled, self._app.profiles.names)

    def _input_schema(self, name: str) -> dict[str, Any] | None:
        found = self._registry.find(name)
        return found.listing.input_schema if found else None

    async def _list(
        self, _: Context, params: wire.PaginatedRequestParams | None
    ) -> wire.ListToolsResult:
        try:
            page, following = self._registry.page(
                await self._app.tools.disabled(), params.cursor if params else None
            )
        except KeyError:
            raise errors.bad_cursor() from None
        except Exception:
            _log.exception("tools_list_failed")
            raise errors.internal() from None
        return wire.ListToolsResult(tools=page, next_cursor=following)

    async def _call(self, ctx: Context, params: wire.CallToolRequestParams) -> wire.CallToolResult:
        tool = self._registry.find(params.name)
        if tool is None:
            raise errors.unknown_tool()
        if self._running >= MOST_CALLS_AT_ONCE:
            return errors.refusal(_BUSY)
        self._running += 1
        try:
            return await self._carried(ctx, tool, params.arguments or {})
        finally:
            self._running -= 1

    async def _carried(
        self, ctx: Context, tool: Tool, given: dict[str, Any]
    ) -> wire.CallToolResult:
        try:
            caller = await self._caller_of(ctx)
            await self._require_enabled(tool)
            arguments = tool.parse(given)
            call = Call(self._app, caller, progress_to(ctx.session))
            result = await carried_through(tool.run(call, arguments))
            told = result.told() if isinstance(result, Result) else result
            return results.render(told, narrow=tool.narrow)
        except TmwsError as refused:
            return errors.refusal(refused)
        except Exception:
            _log.exception("tool_failed", tool=tool.name)
            raise errors.internal() from None

    async def _require_enabled(self, tool: Tool) -> None:
        """Read the switch itself, not what the watcher saw last: this is the control."""
        reason = (await self._app.tools.disabled()).get(tool.name)
        if reason is not None:
            raise errors.disabled(tool.name, reason)
