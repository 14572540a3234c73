"""A server with toy tools and an application that is nothing but a tool switch."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from tmws.domain.added_profiles import NONE_ADDED, AddedProfiles
from tmws.domain.agents import Agent, Role
from tmws.domain.errors import NotFound
from tmws.faces.mcp.registry import Arguments, Call, Registry, tool

ALICE = Agent("agent_alice", "alice", Role.AGENT, ("default",), datetime(2026, 1, 1, tzinfo=UTC))


@dataclass
class Switches:
    """The tool switch of a fake application."""

    off: dict[str, str] = field(default_factory=dict)
    broken: bool = False

    async def disabled(self) -> dict[str, str]:
        if self.broken:
            raise OSError("disk on fire at /secret/path")
        return dict(self.off)


@dataclass
class FakeApp:
    tools: Switches = field(default_factory=Switches)
    profiles: AddedProfiles = NONE_ADDED


@dataclass
class Trace:
    """What the toy tools went through."""

    started: asyncio.Event = field(default_factory=asyncio.Event)
    cleaned: asyncio.Event = field(default_factory=asyncio.Event)


class Echo(Arguments):
    text: Annotated[str, Field(max_length=40_000)]
    times: Annotated[int, Field(ge=1, le=3)] = 1


class Nothing(Arguments):
    pass


def toys(trace: Trace) -> Registry:
    @tool(title="Echo", read_only=True, destructive=False, idempotent=True, narrow="Say less.")
    async def echo(call: Call, arguments: Echo) -> dict[str, Any]:
        """Say the same again."""
        await call.progress("saying it")
        return {"text": arguments.text * arguments.times, "caller": call.caller.name}

    @tool(title="Linger", read_only=True, destructive=False, idempotent=True, narrow="")
    async def linger(_call: Call, _: Nothing) -> dict[str, Any]:
        """Wait until cancelled, then clean up across several steps of the loop."""
        trace.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _step in range(3):
                await asyncio.sleep(0)
            trace.cleaned.set()
        return {}

    @tool(title="Crash", read_only=True, destructive=False, idempotent=True, narrow="")
    async def crash(_call: Call, _: Nothing) -> dict[str, Any]:
        """Fail in a way nobody foresaw."""
        raise OSError("disk on fire at /secret/path")

    @tool(title="Refuse", read_only=True, destructive=False, idempotent=True, narrow="")
    async def refuse(_call: Call, _: Nothing) -> dict[str, Any]:
        """Refuse as a service does."""
        raise NotFound("No such thing. Look for another.")

    return Registry([echo, linger, crash, refuse])
