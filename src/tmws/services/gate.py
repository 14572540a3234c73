"""The step every use-case begins with: may this be done now?"""

from __future__ import annotations

from tmws.domain.actions import Action
from tmws.domain.agents import Agent, shut_out
from tmws.domain.errors import ToolDisabled
from tmws.storage import agents, switches
from tmws.storage.database import Database


class Gate:
    """Asks the store each time, so a switch holds in every process from its commit on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def require(self, action: Action) -> None:
        """Return if the action may go on.

        Raises:
            ToolDisabled: an administrator switched it off; the message says why.
        """
        off = await self._database.glance_at_once(switches.disabled)
        if action.value in off:
            raise ToolDisabled(
                f"{action.value} was switched off by an administrator. Do not retry; go on "
                f"without it. Why it is off: {off[action.value]}"
            )

    async def require_enabled(self, agent: Agent) -> None:
        """Return if no administrator has disabled the agent since it was let in.

        Raises:
            PermissionDenied: one has.
        """
        if await self._database.glance_at_once(lambda run: agents.disabled_name(run, agent.id)):
            raise shut_out(agent.name)
