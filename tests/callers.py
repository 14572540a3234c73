"""A caller that is known from the start, where a test needs no transport."""

from __future__ import annotations

from tmws.domain.agents import Agent
from tmws.faces.mcp.identity import CallerOf, Context


def always(agent: Agent) -> CallerOf:
    """Return the rule that every call is this agent's."""

    async def same(_: Context) -> Agent:
        return agent

    return same
