"""Patterns, their tags, their grants and their uses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.canonical import canonical_bytes
from tmws.domain.patterns import Pattern
from tmws.domain.usage import Usage, UseOutcome
from tmws.storage.access import readable_patterns
from tmws.storage.ordering import older_than
from tmws.storage.tables import agents, pattern_grants, pattern_tags, patterns, uses


@dataclass(frozen=True, slots=True)
class PatternFilter:
    """What a pattern must be; None and empty ask for nothing."""

    category: str | None = None
    tags: tuple[str, ...] = ()
    namespace: str | None = None
    level: AccessLevel | None = None
    author: str | None = None
    least_success_rate: float | None = None
    least_uses: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """One reported use; `claim_id` when a checked claim proves it."""

    id: str
    pattern_id: str
    agent_id: str
    claim_id: str | None
    outcome: UseOutcome
    duration_seconds: float | None
    context: str
    at: datetime


async def add(connection: AsyncConnection, pattern: Pattern, granted: Sequence[str]) -> None:
    """Store a new pattern and the ids of the agents it is shared with."""
    await connection.execute(
        patterns.insert().values(
            id=pattern.id,
            namespace=pattern.namespace,
            owner_id=pattern.owner_id,
            name=pattern.name,
            category=pattern.category,
            summary=pattern.summary,
            data=canonical_bytes(pattern.data).decode(),
            level=pattern.level.value,
            version=pattern.version,
            created_at=pattern.created_at,
        )
    )
    if pattern.tags:
        await connection.execute(
            pattern_tags.insert(), [{"pattern_id": pattern.id, "tag": tag} for tag in pattern.tags]
        )
    if granted:
        await connection.execute(
            pattern_grants.insert(),
            [{"pattern_id": pattern.id, "agent_id": agent_id} for agent_id in granted],
        )


async def id_of(
    connection: AsyncConnection, *, namespace: str, owner_id: str, name: str
) -> str | None:
    """Return the id of the owner's pattern of this name."""
    return await connection.scalar(
        sa.select(patterns.c.id).where(
            patterns.c.namespace == namespace,
            patterns.c.owner_id == owner_id,
            patterns.c.name == name,
        )
    )


async def readable(
    connection: AsyncConnection, caller: Agent, ids: Sequence[str]
) -> dict[str, Pattern]:
    """Return those of the patterns that the caller may read, by id."""
    found = await _load(connection, patterns.c.id.in_(ids), readable_patterns(caller))
    return {pattern.id: pattern for pattern in found}


async def newest(
    connection: AsyncConnection,
    caller: Agent,
    wanted: PatternFilter,
    *,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Pattern]:
    """Return matching patterns, newest first, after the place that `before` names."""
    conditions = _matching(caller, wanted)
    if before:
        conditions.append(older_than(patterns, *before))
    return await _load(connection, *conditions, limit=limit)


async def searchable_texts(
    connection: AsyncConnection, ids: Sequence[str]
) -> list[tuple[str, str]]:
    """Return id and searchable text of these patterns, whoever may read them."""
    found = await _load(connection, patterns.c.id.in_(ids))
    return [(pattern.id, pattern.searchable()) for pattern in found]


async def newest_of_all(
    connection: AsyncConnection, *, category: str | None, limit: int
) -> list[Pattern]:
    """Return the newest patterns whoever may read them: for the owner of the store."""
    condition = sa.true() if category is None else patterns.c.category == category
    return await _load(connection, condition, limit=limit)


def matching_ids(caller: Agent, wanted: PatternFilter) -> sa.Select[str]:
    """Select the ids of what the caller may read and the filter lets through."""
    return sa.select(patterns.c.id).where(*_matching(caller, wanted))


async def granted_to(connection: AsyncConnection, agent_id: str) -> list[str]:
    """Return the ids of the patterns that were shared with an agent by name."""
    rows = await connection.execute(
        sa.select(pattern_grants.c.pattern_id).where(pattern_grants.c.agent_id == agent_id)
    )
    return list(rows.scalars())


async def lock_usage(connection: AsyncConnection, pattern_id: str) -> Usage:
    """Return the statistics of a pattern and keep others from changing them meanwhile."""
    row = (
        await connection.execute(
            sa.select(patterns).where(patterns.c.id == pattern_id).with_for_update()
        )
    ).one()
    return _usage(row)


async def record_use(connection: AsyncConnection, use: Use, usage: Usage) -> None:
    """Store a use and the statistics that include it."""
    await connection.execute(
        uses.insert().values(
            id=use.id,
            pattern_id=use.pattern_id,
            agent_id=use.agent_id,
            claim_id=use.claim_id,
            outcome=use.outcome.value,
            duration_seconds=use.duration_seconds,
            context=use.context,
            at=use.at,
        )
    )
    await connection.execute(
        patterns.update()
        .where(patterns.c.id == use.pattern_id)
        .values(
            successes=usage.successes,
            partials=usage.partials,
            failures=usage.failures,
            proven_successes=usage.proven_successes,
            proven_failures=usage.proven_failures,
            duration_seconds=usage.duration_seconds,
            last_used_at=usage.last_used_at,
        )
    )


async def has_proof(connection: AsyncConnection, *, pattern_id: str, claim_id: str) -> bool:
    """Say whether this claim already counts as a use of this pattern."""
    found = await connection.scalar(
        sa.select(uses.c.id).where(uses.c.pattern_id == pattern_id, uses.c.claim_id == claim_id)
    )
    return found is not None


def _matching(caller: Agent, wanted: PatternFilter) -> list[sa.ColumnElement[bool]]:
    table = patterns.c
    count = table.successes + table.partials + table.failures
    conditions: list[sa.ColumnElement[bool]] = [readable_patterns(caller)]
    if wanted.category is not None:
        conditions.append(table.category == wanted.category)
    if wanted.namespace is not None:
        conditions.append(table.namespace == wanted.namespace)
    if wanted.level is not None:
        conditions.append(table.level == wanted.level.value)
    if wanted.author is not None:
        author = sa.select(agents.c.id).where(agents.c.name == wanted.author)
        conditions.append(table.owner_id.in_(author))
    if wanted.least_uses:
        conditions.append(count >= wanted.least_uses)
    if wanted.least_success_rate is not None:
        conditions.append(count > 0)
        conditions.append(
            table.successes * 1.0 + table.partials * 0.5 >= wanted.least_success_rate * count
        )
    for tag in wanted.tags:
        tagged = sa.exists().where(pattern_tags.c.pattern_id == table.id, pattern_tags.c.tag == tag)
        conditions.append(tagged)
    return conditions


async def _load(
    connection: AsyncConnection, *conditions: sa.ColumnElement[bool], limit: int | None = None
) -> list[Pattern]:
    rows = await connection.execute(
        sa.select(patterns, agents.c.name.label("owner"))
        .join(agents, agents.c.id == patterns.c.owner_id)
        .where(*conditions)
        .order_by(patterns.c.created_at.desc(), patterns.c.id.desc())
        .limit(limit)
    )
    found = rows.all()
    tags = await _tags(connection, [row.id for row in found])
    return [_pattern(row, tuple(tags.get(row.id, ()))) for row in found]


async def _tags(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[str]]:
    if not ids:
        return {}
    rows = await connection.execute(
        sa.select(pattern_tags)
        .where(pattern_tags.c.pattern_id.in_(ids))
        .order_by(pattern_tags.c.tag)
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.pattern_id, []).append(row.tag)
    return found


def _pattern(row: sa.Row[*tuple[Any, ...]], tags: tuple[str, ...]) -> Pattern:
    return Pattern(
        id=row.id,
        namespace=row.namespace,
        owner_id=row.owner_id,
        owner=row.owner,
        name=row.name,
        category=row.category,
        summary=row.summary,
        data=json.loads(row.data),
        tags=tags,
        level=AccessLevel(row.level),
        version=row.version,
        created_at=row.created_at,
        usage=_usage(row),
    )


def _usage(row: sa.Row[*tuple[Any, ...]]) -> Usage:
    return Usage(
        successes=row.successes,
        partials=row.partials,
        failures=row.failures,
        proven_successes=row.proven_successes,
        proven_failures=row.proven_failures,
        duration_seconds=row.duration_seconds,
        last_used_at=row.last_used_at,
    )
