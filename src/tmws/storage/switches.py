"""Which tools an administrator has switched off, and why."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.storage.prepared import Execute, Prepared
from tmws.storage.tables import switches


def disabled(run: Execute) -> dict[str, str]:
    """Return tool to reason of every tool that is off."""
    return dict(run(_DISABLED, {}))


_DISABLED = Prepared(sa.select(switches.c.tool, switches.c.reason))


async def disable(connection: AsyncConnection, tool: str, *, reason: str, at: datetime) -> None:
    """Switch a tool off; a new reason replaces an older one."""
    await enable(connection, tool)
    await connection.execute(switches.insert().values(tool=tool, reason=reason, disabled_at=at))


async def enable(connection: AsyncConnection, tool: str) -> bool:
    """Switch a tool on; say whether it was off."""
    result = await connection.execute(switches.delete().where(switches.c.tool == tool))
    return bool(result.rowcount)
