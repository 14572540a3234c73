"""Tells every connected client that the list of tools changed.

One watcher per process reads the switches and publishes on a bus. Clients of
2026-07-28 hear it on the stream they opened for it, older ones on their connection.
This is courtesy: what a call may do is decided when it arrives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import anyio
import mcp_types as wire
import structlog
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ServerEvent, ToolsListChanged

_log = structlog.get_logger()

POLL_SECONDS = 0.1

Disabled = Mapping[str, str]
"""Name of a disabled tool, and why."""


class Changes:
    """Publishes when the set of disabled tools becomes another one."""

    def __init__(self, disabled: Callable[[], Awaitable[Disabled]]) -> None:
        self.bus = InMemorySubscriptionBus()
        self._disabled = disabled
        self._following: set[str] = set()

    async def watch(self, known: Disabled, told: Callable[[Disabled], None]) -> None:
        """Poll until cancelled; `told` hears of each change before any client does."""
        readable = True
        while True:
            await anyio.sleep(POLL_SECONDS)
            try:
                found = await self._disabled()
            except Exception:  # the store may come back; calls are refused meanwhile
                if readable:
                    _log.exception("tool_switches_unreadable")
                readable = False
                continue
            readable = True
            if found.keys() != known.keys():
                told(found)
                await self.bus.publish(ToolsListChanged())
            known = found

    async def follow(
        self, ctx: ServerRequestContext[Any, Any], _: wire.NotificationParams | None
    ) -> None:
        """Handle `notifications/initialized` for as long as the connection lasts.

        The SDK runs this in a task of the connection and cancels it when that ends,
        so there is no list of sessions to keep.
        """
        connection = _connection(ctx)
        if connection in self._following:
            return
        send, receive = anyio.create_memory_object_stream[ServerEvent](1)

        def note(event: ServerEvent) -> None:
            # One pending notice says as much as many.
            with suppress(anyio.WouldBlock):
                send.send_nowait(event)

        self._following.add(connection)
        unsubscribe = self.bus.subscribe(note)
        try:
            async for _event in receive:
                await ctx.session.send_tool_list_changed()
        finally:
            unsubscribe()
            self._following.discard(connection)
            send.close()
            receive.close()


def _connection(ctx: ServerRequestContext[Any, Any]) -> str:
    return "stdio" if ctx.request is None else ctx.request.headers.get("mcp-session-id", "")
