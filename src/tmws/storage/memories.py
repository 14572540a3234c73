"""Memories: notes, and the evidence that verifications leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.memories import Memory, MemoryKind
from tmws.storage.access import readable_memories
from tmws.storage.columns import microseconds
from tmws.storage.lifecycle import overwrite_what_is_freed
from tmws.storage.ordering import older_than
from tmws.storage.prepared import Execute, inserted
from tmws.storage.tables import agents, memories
from tmws.storage.withdrawals import withdrawn

_ADD = inserted(memories)


@dataclass(frozen=True, slots=True)
class Evidenced:
    """A memory in the words of its row, to be believed only after they were checked."""

    kind: str
    owner_id: str
    level: str
    text: str
    tags: str


def add(run: Execute, memory: Memory) -> None:
    """Store a new memory."""
    run(
        _ADD,
        {
            "id": memory.id,
            "namespace": memory.namespace,
            "owner_id": memory.owner_id,
            "kind": memory.kind.value,
            "text": memory.text,
            "tags": json.dumps(memory.tags),
            "level": memory.level.value,
            "claim_id": memory.claim_id,
            "created_at": microseconds(memory.created_at),
        },
    )


async def readable(
    connection: AsyncConnection, caller: Agent, ids: Sequence[str]
) -> dict[str, Memory]:
    """Return those of the memories that the caller may read, by id."""
    found = await _load(connection, memories.c.id.in_(ids), readable_memories(caller))
    return {memory.id: memory for memory in found}


async def newest(
    connection: AsyncConnection,
    caller: Agent,
    *,
    kind: MemoryKind | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Memory]:
    """Return readable memories, newest first, after the place that `before` names."""
    conditions = _matching(caller, kind)
    if before:
        conditions.append(older_than(memories, *before))
    return await _load(connection, *conditions, limit=limit)


async def notes(connection: AsyncConnection, *, owner_id: str | None, limit: int) -> list[Memory]:
    """Return the newest notes of everybody, or of one, for the installation's administrator."""
    conditions = [memories.c.kind == MemoryKind.NOTE.value]
    if owner_id is not None:
        conditions.append(memories.c.owner_id == owner_id)
    return await _load(connection, *conditions, limit=limit)


async def kind_of(connection: AsyncConnection, memory_id: str) -> MemoryKind | None:
    """Return what kind of memory this is, None if there is none."""
    found = await connection.scalar(sa.select(memories.c.kind).where(memories.c.id == memory_id))
    return None if found is None else MemoryKind(found)


async def forget(connection: AsyncConnection, memory_id: str) -> tuple[str, str] | None:
    """Erase a memory; return whose it was and what it said, None if there was none."""
    await overwrite_what_is_freed(connection)
    gone = await connection.execute(
        memories.delete()
        .where(memories.c.id == memory_id)
        .returning(memories.c.owner_id, memories.c.text)
    )
    row = gone.one_or_none()
    return (row.owner_id, row.text) if row else None


async def searchable_texts(
    connection: AsyncConnection, ids: Sequence[str]
) -> list[tuple[str, str]]:
    """Return id and searchable text of these memories, whoever may read them."""
    rows = await connection.execute(
        sa.select(memories.c.id, memories.c.text, memories.c.tags).where(memories.c.id.in_(ids))
    )
    return [(row.id, "\n".join([row.text, *json.loads(row.tags)])) for row in rows]


def matching_ids(caller: Agent, *, kind: MemoryKind | None) -> sa.Select[str]:
    """Select the ids of what the caller may read, of one kind or of both."""
    return sa.select(memories.c.id).where(*_matching(caller, kind))


def _matching(caller: Agent, kind: MemoryKind | None) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [readable_memories(caller)]
    if kind is not None:
        conditions.append(memories.c.kind == kind.value)
    return conditions


async def _load(
    connection: AsyncConnection, *conditions: sa.ColumnElement[bool], limit: int | None = None
) -> list[Memory]:
    rows = await connection.execute(
        sa.select(
            memories,
            agents.c.name.label("owner"),
            withdrawn(memories.c.claim_id).label("withdrawn"),
        )
        .join(agents, agents.c.id == memories.c.owner_id)
        .where(*conditions)
        .order_by(memories.c.created_at.desc(), memories.c.id.desc())
        .limit(limit)
    )
    return [_memory(row) for row in rows]


async def of_claims(connection: AsyncConnection) -> dict[str, list[Evidenced]]:
    """Return what passes for evidence, by claim, as its rows stand; by its own id where by none."""
    rows = await connection.execute(
        sa.select(memories)
        .where(
            sa.or_(memories.c.kind == MemoryKind.EVIDENCE.value, memories.c.claim_id.is_not(None))
        )
        .order_by(memories.c.id)
    )
    found: dict[str, list[Evidenced]] = {}
    for row in rows:
        seen = Evidenced(row.kind, row.owner_id, row.level, row.text, row.tags)
        found.setdefault(row.claim_id or row.id, []).append(seen)
    return found


def _memory(row: sa.Row[*tuple[Any, ...]]) -> Memory:
    return Memory(
        id=row.id,
        namespace=row.namespace,
        owner_id=row.owner_id,
        owner=row.owner,
        kind=MemoryKind(row.kind),
        text=row.text,
        tags=tuple(json.loads(row.tags)),
        level=AccessLevel(row.level),
        claim_id=row.claim_id,
        created_at=row.created_at,
        withdrawn=bool(row.withdrawn),
    )
