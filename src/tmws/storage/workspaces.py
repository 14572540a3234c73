"""The folders that administrators opened for checks.

The row of a removed one stays, because claims name it; nothing but `add` sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.storage.tables import workspaces

_OPEN = workspaces.c.removed_at.is_(None)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a name stands for; `since` tells it from an earlier workspace of that name."""

    root: str
    since: datetime


async def add(connection: AsyncConnection, name: str, root: str, *, at: datetime) -> None:
    """Register a folder under a name that is free, or was given back."""
    before = await connection.scalar(
        sa.select(workspaces.c.created_at).where(workspaces.c.name == name, ~_OPEN)
    )
    if before is None:
        await connection.execute(workspaces.insert().values(name=name, root=root, created_at=at))
        return
    # Later than the one before even where a clock stands still, or was set back.
    since = max(at, before + timedelta(microseconds=1))
    await connection.execute(
        workspaces.update()
        .where(workspaces.c.name == name, ~_OPEN)
        .values(root=root, created_at=since, removed_at=None)
    )


async def move(connection: AsyncConnection, name: str, root: str) -> None:
    """Let a known name stand for another folder."""
    await connection.execute(
        workspaces.update().where(workspaces.c.name == name, _OPEN).values(root=root)
    )


async def remove(connection: AsyncConnection, name: str, *, at: datetime) -> bool:
    """Let the name stand for nothing; say whether it stood for something.

    From here on nobody holds it until the transaction ends.
    """
    result = await connection.execute(
        workspaces.update().where(workspaces.c.name == name, _OPEN).values(removed_at=at)
    )
    return bool(result.rowcount)


async def find(connection: AsyncConnection, name: str) -> Opened | None:
    """Return what the name stands for."""
    row = (await connection.execute(_named(name))).first()
    return None if row is None else Opened(row.root, row.created_at)


async def held(connection: AsyncConnection, name: str) -> Opened | None:
    """Return the same, and let nobody remove it until the transaction ends."""
    row = (await connection.execute(_named(name).with_for_update(read=True))).first()
    return None if row is None else Opened(row.root, row.created_at)


async def still_stands(connection: AsyncConnection, name: str, place: Opened) -> bool:
    """Hold the name, and say whether it is the workspace that it was, in whatever folder."""
    now = await held(connection, name)
    return now is not None and now.since == place.since


async def every(connection: AsyncConnection) -> dict[str, str]:
    """Return name to folder."""
    rows = await connection.execute(sa.select(workspaces).where(_OPEN).order_by(workspaces.c.name))
    return {row.name: row.root for row in rows}


def _named(name: str) -> sa.Select[tuple[str, datetime]]:
    return sa.select(workspaces.c.root, workspaces.c.created_at).where(
        workspaces.c.name == name, _OPEN
    )
