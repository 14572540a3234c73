"""What verdicts in a namespace have to reach."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.claims import Level
from tmws.storage.tables import namespaces


async def least_level(connection: AsyncConnection, name: str) -> Level | None:
    """Return the least level that was set for the namespace."""
    stored = await connection.scalar(
        sa.select(namespaces.c.least_level).where(namespaces.c.name == name)
    )
    return Level(stored) if stored else None


async def set_least_level(connection: AsyncConnection, name: str, level: Level | None) -> bool:
    """Set or unset it; say whether there is such a namespace."""
    result = await connection.execute(
        namespaces.update()
        .where(namespaces.c.name == name)
        .values(least_level=level.value if level else None)
    )
    return bool(result.rowcount)


async def least_levels(connection: AsyncConnection) -> dict[str, Level | None]:
    """Return namespace to least level, None where the installation's holds."""
    rows = await connection.execute(
        sa.select(namespaces.c.name, namespaces.c.least_level).order_by(namespaces.c.name)
    )
    return {row.name: Level(row.least_level) if row.least_level else None for row in rows}
