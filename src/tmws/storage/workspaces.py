"""The folders that administrators opened for checks."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.storage.tables import workspaces


async def add(connection: AsyncConnection, name: str, root: str, *, at: datetime) -> None:
    """Register a folder under a name that is free."""
    await connection.execute(workspaces.insert().values(name=name, root=root, created_at=at))


async def move(connection: AsyncConnection, name: str, root: str) -> None:
    """Let a known name stand for another folder."""
    await connection.execute(workspaces.update().where(workspaces.c.name == name).values(root=root))


async def root_of(connection: AsyncConnection, name: str) -> str | None:
    """Return the folder of this name."""
    return await connection.scalar(sa.select(workspaces.c.root).where(workspaces.c.name == name))


async def every(connection: AsyncConnection) -> dict[str, str]:
    """Return name to folder."""
    rows = await connection.execute(sa.select(workspaces).order_by(workspaces.c.name))
    return {row.name: row.root for row in rows}
