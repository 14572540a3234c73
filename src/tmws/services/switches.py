"""Turning a tool off and on while servers run: an administrator's act, never a tool's."""

from __future__ import annotations

from dataclasses import dataclass

from tmws.domain import events
from tmws.domain.actions import Action
from tmws.domain.errors import NotFound
from tmws.domain.wording import require_reason
from tmws.ports import Clock
from tmws.services.notary import Notary
from tmws.storage import switches
from tmws.storage.database import Database


@dataclass(frozen=True, slots=True)
class ToolState:
    """Whether a tool is on; `reason` says why it is off."""

    tool: str
    reason: str | None

    @property
    def enabled(self) -> bool:
        return self.reason is None


class Switches:
    """Reads and changes which tools are off, for every server on this store."""

    def __init__(self, database: Database, notary: Notary, clock: Clock) -> None:
        self._database = database
        self._notary = notary
        self._clock = clock

    async def disabled(self) -> dict[str, str]:
        """Return tool to reason of every tool that is off."""
        return await self._database.glance_at_once(switches.disabled)

    async def every(self) -> list[ToolState]:
        """Return all tools in order."""
        off = await self.disabled()
        return [ToolState(action.value, off.get(action.value)) for action in Action]

    async def disable(self, tool: str, *, reason: str, by: str) -> None:
        """Switch a tool off in every process, from this commit on.

        Raises:
            NotFound: there is no such tool.
            InvalidInput: the reason is empty or too long.
        """
        _require_tool(tool)
        told = require_reason(reason)
        now = self._clock.now()
        async with self._database.write() as tx:
            await switches.disable(tx, tool, reason=told, at=now)
            event = events.tool_disabled(tool, reason=told, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)

    async def enable(self, tool: str, *, reason: str, by: str) -> bool:
        """Switch a tool on again; say whether it was off.

        Raises:
            NotFound: there is no such tool.
            InvalidInput: the reason is empty or too long.
        """
        _require_tool(tool)
        told = require_reason(reason)
        now = self._clock.now()
        async with self._database.write() as tx:
            if not await switches.enable(tx, tool):
                return False
            event = events.tool_enabled(tool, reason=told, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return True


def _require_tool(tool: str) -> None:
    if tool not in {action.value for action in Action}:
        known = ", ".join(action.value for action in Action)
        raise NotFound(f"There is no tool {tool[:64]!r}. Tools: {known}.")
