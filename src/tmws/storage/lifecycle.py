"""What is done to patterns besides writing them: opened, closed, removed, restored, forgotten."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import AccessLevel
from tmws.domain.canonical import Json, canonical_bytes
from tmws.storage.tables import (
    Moment,
    agents,
    pattern_acts,
    pattern_grants,
    pattern_tags,
    pattern_versions,
    patterns,
)


class ActKind(StrEnum):
    """What was done; creating and revising tell themselves by the versions."""

    GRANTED = "granted"
    REVOKED = "revoked"
    LEVEL = "level"
    REMOVED = "removed"
    RESTORED = "restored"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Act:
    """One of them.

    Attributes:
        agent_id: None for the administrator of the store.
        detail: `agents` of a grant, `was` and `now` of a level.
    """

    id: str
    pattern_id: str
    agent_id: str | None
    kind: ActKind
    detail: Mapping[str, Json]
    at: datetime


async def note(connection: AsyncConnection, act: Act) -> None:
    """Store an act, in the transaction that does it."""
    await connection.execute(
        pattern_acts.insert().values(
            id=act.id,
            pattern_id=act.pattern_id,
            agent_id=act.agent_id,
            act=act.kind.value,
            detail=canonical_bytes(act.detail).decode(),
            at=act.at,
        )
    )


async def acts_since(
    connection: AsyncConnection, agent_id: str, since: datetime
) -> dict[str, list[Act]]:
    """Return what an agent did from a time on, by pattern, oldest first."""
    rows = await connection.execute(
        sa.select(pattern_acts)
        .where(pattern_acts.c.agent_id == agent_id, pattern_acts.c.at >= since)
        .order_by(pattern_acts.c.at, pattern_acts.c.id)
    )
    found: dict[str, list[Act]] = {}
    for row in rows:
        act = Act(
            row.id, row.pattern_id, row.agent_id, ActKind(row.act), json.loads(row.detail), row.at
        )
        found.setdefault(row.pattern_id, []).append(act)
    return found


async def written_since(
    connection: AsyncConnection, agent_id: str, since: datetime
) -> dict[str, bool]:
    """Return the patterns that an agent wrote a version of from a time on.

    Each with whether it is the agent's and new since then; what was forgotten is left out.
    """
    earlier = sa.select(pattern_versions.c.pattern_id).where(
        pattern_versions.c.author_id == agent_id, pattern_versions.c.written_at >= since
    )
    newest = sa.and_(patterns.c.author_id == agent_id, patterns.c.written_at >= since)
    rows = await connection.execute(
        sa.select(patterns.c.id, patterns.c.owner_id, patterns.c.created_at)
        .where(patterns.c.forgotten_at.is_(None), sa.or_(newest, patterns.c.id.in_(earlier)))
        .order_by(patterns.c.id)
    )
    return {row.id: row.owner_id == agent_id and row.created_at >= since for row in rows}


async def granted(connection: AsyncConnection, pattern_id: str) -> dict[str, str]:
    """Return name to id of the agents that a pattern is shared with."""
    rows = await connection.execute(
        sa.select(agents.c.name, agents.c.id)
        .join(pattern_grants, pattern_grants.c.agent_id == agents.c.id)
        .where(pattern_grants.c.pattern_id == pattern_id)
        .order_by(agents.c.name)
    )
    return {row.name: row.id for row in rows}


async def grant(connection: AsyncConnection, pattern_id: str, agent_ids: Sequence[str]) -> None:
    """Share a pattern with agents that it is not shared with yet."""
    if agent_ids:
        await connection.execute(
            pattern_grants.insert(),
            [{"pattern_id": pattern_id, "agent_id": agent_id} for agent_id in agent_ids],
        )


async def revoke(connection: AsyncConnection, pattern_id: str, agent_ids: Sequence[str]) -> None:
    """Share a pattern with these agents no longer."""
    await connection.execute(
        pattern_grants.delete().where(
            pattern_grants.c.pattern_id == pattern_id, pattern_grants.c.agent_id.in_(agent_ids)
        )
    )


async def relevel(connection: AsyncConnection, pattern_id: str, level: AccessLevel) -> None:
    """Change who may read a pattern; `documents` has to follow."""
    await connection.execute(
        patterns.update().where(patterns.c.id == pattern_id).values(level=level.value)
    )


async def remove(connection: AsyncConnection, pattern_id: str, *, at: datetime | None) -> None:
    """Hide a pattern from everybody from this time on, or show it again."""
    await connection.execute(
        patterns.update().where(patterns.c.id == pattern_id).values(removed_at=at)
    )


async def unname(connection: AsyncConnection, ids: Sequence[str]) -> None:
    """Free the names of patterns that get others within this transaction.

    Each stands under its id behind a sign that no name may hold.
    """
    await connection.execute(
        patterns.update().where(patterns.c.id.in_(ids)).values(name="\x01" + patterns.c.id)
    )


async def was_moderated(connection: AsyncConnection, pattern_id: str) -> bool:
    """Say whether the last to remove a pattern was the administrator of the store."""
    acts = pattern_acts.c
    last = await connection.execute(
        sa.select(acts.agent_id)
        .where(acts.pattern_id == pattern_id, acts.act == ActKind.REMOVED.value)
        .order_by(acts.at.desc(), acts.id.desc())
        .limit(1)
    )
    return last.scalar_one() is None


async def overwrite_what_is_freed(connection: AsyncConnection) -> None:
    """Have SQLite leave no trace of what this connection deletes from now on."""
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("PRAGMA secure_delete = ON")


async def forget(connection: AsyncConnection, pattern_id: str, *, at: datetime) -> None:
    """Erase what a pattern said, in all its versions.

    The row stays for what refers to its id; the counts say nothing of the content.
    """
    await overwrite_what_is_freed(connection)
    for table in (pattern_versions, pattern_tags, pattern_grants):
        await connection.execute(table.delete().where(table.c.pattern_id == pattern_id))
    await connection.execute(
        patterns.update()
        .where(patterns.c.id == pattern_id)
        .values(
            name="",
            category="",
            subcategory=None,
            summary="",
            data="{}",
            source="",
            level=AccessLevel.PRIVATE.value,
            removed_at=sa.func.coalesce(patterns.c.removed_at, sa.literal(at, Moment)),
            forgotten_at=at,
        )
    )
